"""Where prompts come from: a line editor with history on a terminal, lines of a file or pipe elsewhere."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TextIO

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import History
    from prompt_toolkit.input import Input
    from prompt_toolkit.key_binding import KeyBindings
    from prompt_toolkit.output import Output


class Reader(Protocol):
    """Prompts one by one. EOFError: there are no more. KeyboardInterrupt: the person pressed Ctrl+C while typing."""

    async def read(self) -> str: ...

    def quiet(self) -> Any:
        """A context in which what is typed is kept for the next prompt and does not appear on the screen."""
        ...


class Editor:
    """prompt_toolkit, loaded at the first prompt. history: a file only its owner can read, made when needed.

    status: the line below the prompt. words: offered with Tab. complain: told once when history cannot be kept.
    """

    def __init__(
        self, history: Path, *, status: Callable[[], str], words: Sequence[str] = (),
        complain: Callable[[str], None] = lambda _text: None, keyboard: Input | None = None,
        screen: Output | None = None,
    ) -> None:  # fmt: skip
        self._history, self._status, self._words, self._complain = history, status, words, complain
        self._keyboard, self._screen = keyboard, screen
        self._session: PromptSession[str] | None = None

    async def read(self) -> str:
        if self._session is None:
            self._session = self._open()
        text = await self._session.prompt_async("> ")
        return text.encode("utf-8", "replace").decode()  # bytes that were no UTF-8 arrive as lone surrogates

    @contextmanager
    def quiet(self) -> Iterator[None]:
        import termios

        number = self._keyboard.fileno() if self._keyboard else 0
        try:
            found = termios.tcgetattr(number)
        except termios.error:  # not a terminal: nothing echoes
            yield
            return
        mode = termios.tcgetattr(number)
        mode[3] &= ~termios.ECHO
        termios.tcsetattr(number, termios.TCSADRAIN, mode)
        try:
            yield
        finally:
            termios.tcsetattr(number, termios.TCSADRAIN, found)

    def _open(self) -> PromptSession[str]:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.completion import WordCompleter
        from prompt_toolkit.shortcuts import CompleteStyle

        return PromptSession(
            history=self._remembered(), multiline=True, key_bindings=_keys(), bottom_toolbar=self._status,
            completer=WordCompleter(list(self._words), sentence=True), complete_while_typing=False,
            complete_style=CompleteStyle.READLINE_LIKE, reserve_space_for_menu=0, prompt_continuation="  ",
            input=self._keyboard, output=self._screen,
        )  # fmt: skip

    def _remembered(self) -> History:
        from prompt_toolkit.history import FileHistory, InMemoryHistory

        class Kept(FileHistory):
            def store_string(self, string: str) -> None:
                super().store_string(string.encode("utf-8", "replace").decode())

        try:
            self._history.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self._history, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
        except OSError as error:
            self._complain(f"what you type is not kept in {self._history}: {error.strerror}")
            return InMemoryHistory()
        return Kept(str(self._history))


def _keys() -> KeyBindings:
    """Enter sends, unless the line ends in a backslash; Alt+Enter always starts a new line."""
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

    keys = KeyBindings()

    @keys.add("enter")
    def _(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.document.text_before_cursor.endswith("\\") and not buffer.document.text_after_cursor:
            buffer.delete_before_cursor()
            buffer.insert_text("\n")
        else:
            buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    return keys


class Lines:
    """Each line of a stream is a prompt. Ctrl+C while waiting for one is KeyboardInterrupt."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    async def read(self) -> str:
        # asyncio's own handler only notes Ctrl+C for later; a blocking read needs the one that raises
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            line = self._stream.readline()
        finally:
            signal.signal(signal.SIGINT, before)
        if not line:
            raise EOFError
        return line.rstrip("\r\n")

    @contextmanager
    def quiet(self) -> Iterator[None]:
        yield
