from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from ralph.errors import ToolError
from tests.tools.called import called


def test_appending_adds_nothing_of_its_own(tmp_path):
    result = called("append_file", tmp_path, path="a/f", content="one")
    assert result == {"success": True, "path": "a/f", "bytes_appended": 3, "verified": True}
    called("append_file", tmp_path, path="a/f", content="two\n")
    assert (tmp_path / "a/f").read_bytes() == b"onetwo\n"


@pytest.mark.parametrize(("old", "new"), [
    (b"\xff\xfea\0", b"\xff\xfea\0\n\0x\0"), (b"\xef\xbb\xbfa", b"\xef\xbb\xbfa\nx"), (b"a\r\n", b"a\r\n\nx"),
])  # fmt: skip
def test_the_encoding_is_the_files(tmp_path, old, new):
    (tmp_path / "f").write_bytes(old)
    called("append_file", tmp_path, path="f", content="\nx")
    assert (tmp_path / "f").read_bytes() == new


def test_writers_do_not_mix(tmp_path):
    lines = [f"{letter * 5000}\n" for letter in "abcdefgh"]
    (tmp_path / "f").touch()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda line: called("append_file", tmp_path, path="f", content=line), lines))
    assert sorted((tmp_path / "f").read_text().splitlines(keepends=True)) == lines


def test_what_does_not_fit_is_taken_back(tmp_path):
    """A file size limit stands in for a full disk: both cut the write short."""
    (tmp_path / "f").write_bytes(b"old")
    script = f"""
import resource, signal
from pathlib import Path
from tests.tools.called import called
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    called("append_file", Path({str(tmp_path)!r}), path="f", content="x" * 10_000)
except Exception as error:
    print(type(error).__name__, error)
"""
    import subprocess
    import sys

    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout == "ToolError cannot append to f: the disk is full; the file is as it was\n"
    assert (tmp_path / "f").read_bytes() == b"old"


def test_refusals(tmp_path):
    with pytest.raises(ToolError, match="is a directory"):
        called("append_file", tmp_path, path=".", content="x")
    with pytest.raises(ToolError, match="10 MiB"):
        called("append_file", tmp_path, path="f", content="x" * (10 * 1024 * 1024 + 1))
    assert os.listdir(tmp_path) == []
