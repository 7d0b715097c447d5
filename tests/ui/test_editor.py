from __future__ import annotations

import asyncio
import io
import stat

import pytest
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from ralph.ui.editor import Editor, Lines


def typed(tmp_path, keys, *, history="history", count=1, told=None, **settings):
    """The prompts read while these keys are typed."""

    async def run(keyboard):
        editor = Editor(
            tmp_path / history, status=lambda: "model", words=["/help", "/model"], keyboard=keyboard,
            screen=DummyOutput(), complain=(told if told is not None else []).append, **settings,
        )  # fmt: skip
        return [await editor.read() for _ in range(count)]

    with create_pipe_input() as keyboard:
        keyboard.send_bytes(keys if isinstance(keys, bytes) else keys.encode())
        return asyncio.run(run(keyboard))


@pytest.mark.parametrize(
    ("keys", "prompt"),
    [
        ("hello\r", "hello"),
        ("one\x1b\rtwo\r", "one\ntwo"),
        ("one\\\rtwo\r", "one\ntwo"),
        ("a\\b\r", "a\\b"),
        ("\x1b[200~pasted\nlines\n\x1b[201~ more\r", "pasted\nlines\n more"),
        ("/mo\t\r", "/model"),
        ("日本 é\r", "日本 é"),
        (b"bad \xff byte\r", "bad ? byte"),
    ],
)
def test_what_is_typed(tmp_path, keys, prompt):
    assert typed(tmp_path, keys) == [prompt]


@pytest.mark.parametrize(
    ("keys", "error"), [("\x04", EOFError), ("\x03", KeyboardInterrupt), ("x\x03", KeyboardInterrupt)]
)
def test_control_keys(tmp_path, keys, error):
    with pytest.raises(error):
        typed(tmp_path, keys)


def test_history_is_kept_across_sessions_and_private(tmp_path):
    typed(tmp_path, "first\rsecond \\\r line\r", count=2, history="home/history")
    assert stat.S_IMODE((tmp_path / "home/history").stat().st_mode) == 0o600
    assert typed(tmp_path, "\x1b[A\x1b[A\x1b[A\r", history="home/history") == ["first"]


def test_history_survives_bytes_that_are_not_text(tmp_path):
    typed(tmp_path, b"\xff\xfe\r")
    assert typed(tmp_path, "\x1b[A\r") == ["??"]


def test_a_history_that_cannot_be_kept_is_told_once_and_typing_works(tmp_path):
    (tmp_path / "history").mkdir()
    told = []
    assert typed(tmp_path, "a\rb\r", count=2, told=told) == ["a", "b"]
    assert len(told) == 1
    assert "not kept" in told[0]


def test_lines_of_a_stream():
    async def run():
        lines = Lines(io.StringIO("one\r\n\n two"))
        read = [await lines.read() for _ in range(3)]
        with pytest.raises(EOFError):
            await lines.read()
        return read

    assert asyncio.run(run()) == ["one", "", " two"]
