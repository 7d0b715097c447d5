from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

from ralph.errors import StoreError
from ralph.ui.plain import Plain, put


class Recorder(io.StringIO):
    def __init__(self):
        super().__init__()
        self.writes = []

    def write(self, text):
        self.writes.append(text)
        return super().write(text)


def test_each_piece_is_one_write_and_nothing_is_changed():
    out = Recorder()
    writer = Plain(out)
    for piece in ("**a", "b**\x1b[1m", "", "\r\nc"):
        writer.text(piece)
    assert out.writes == ["**a", "b**\x1b[1m", "\r\nc"]


@pytest.mark.parametrize(("pieces", "shown"), [(["a"], "a\n"), (["a\n"], "a\n"), (["a\n", "b"], "a\nb\n"), ([], "")])
def test_the_last_line_is_completed_once(pieces, shown):
    out = io.StringIO()
    writer = Plain(out)
    for piece in pieces:
        writer.text(piece)
    writer.end()
    writer.end()
    assert out.getvalue() == shown


def test_on_a_terminal_controls_are_visible():
    out = io.StringIO()
    Plain(out, to_terminal=True).text("\x1b]0;owned\x07")
    assert out.getvalue() == "\\u{1b}]0;owned\\u{7}"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_what_cannot_be_encoded_does_not_crash(encoding):
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    put(out, "tidy ")
    put(out, "\ud800 ok")
    assert out.buffer.getvalue() == b"tidy ? ok"


PROGRAM = """
import sys
from ralph.errors import StoreError
from ralph.ui.plain import Plain, abandon
writer = Plain(sys.stdout)
try:
    for number in range(100_000):
        writer.text(f"line {number}\\n")
except BrokenPipeError:
    abandon(sys.stdout)
    sys.exit(141)
"""


def test_a_reader_that_leaves_is_noticed_and_exit_is_quiet():
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ}
    )
    assert child.stdout.readline() == b"line 0\n"
    child.stdout.close()
    assert child.stderr.read() == b""
    child.stderr.close()
    assert child.wait() == 141


def test_a_full_disk_is_one_clear_error():
    with open("/dev/full", "w") as full, pytest.raises(StoreError, match="No space left"):
        put(full, "x")
