from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from ralph.ui.terminal import Terminal
from tests.ui.keyboard import Person, play


@pytest.fixture
def person():
    person = Person(60, 20)
    yield person
    person.close()


def line(person, *keys, start=""):
    async def ask():
        terminal = Terminal(person.device)
        with terminal.attention():
            return await terminal.line("say: ", start)

    return asyncio.run(play(person, ask(), *(("", key) if n else ("say: ", key) for n, key in enumerate(keys))))


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ("plain\r", "plain"),
        ("ab\x7fc\r", "ac"),
        ("日本\x7f語\r", "日語"),
        ("wrong\x15right\r", "right"),
        ("\x7f\x7fx\r", "x"),
        ("a\x07\x00b\r", "ab"),
        ("one\ntwo\r", "one"),
    ],
)
def test_a_line(person, keys, text):
    assert line(person, keys) == text
    assert person.text.splitlines()[0] == f"say: {text}"


def test_a_line_can_be_given_to_edit(person):
    assert line(person, "\x7f!\r", start="hello.") == "hello!"


def test_arrow_keys_do_nothing(person):
    assert line(person, "a", "\x1b[D", "b\r") == "ab"


def test_a_character_may_come_in_pieces(person):
    assert line(person, b"\xe6\x97", b"\xa5\r") == "日"


def test_bytes_that_are_no_text_are_no_crash(person):
    assert line(person, b"a\xff\xfeb\r") == "a\ufffd\ufffdb"


def test_a_pipe_is_no_terminal_to_ask_on():
    program = "from ralph.ui.terminal import open_terminal; print(open_terminal())"
    command = [sys.executable, "-c", program]
    found = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, start_new_session=True, check=True
    )  # fmt: skip
    assert found.stdout == b"None\n"
