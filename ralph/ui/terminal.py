"""The terminal as a place to ask: single keys and short lines, nothing typed ahead, always left as it was found."""

from __future__ import annotations

import os
import sys
from codecs import getincrementaldecoder
from collections.abc import Iterator
from contextlib import contextmanager

from ralph.ui.visible import columns

QUIET_S = 0.05
"""A key that comes with others, or within this time of them, is an escape sequence or a paste and answers nothing."""


class Terminal:
    """`device`: an open file descriptor of a terminal, closed with this object.

    Ctrl+C, Ctrl+D and a terminal that went away are EOFError from `key` and `line`.
    """

    def __init__(self, device: int) -> None:
        self._device = device
        self._decoder = getincrementaldecoder("utf-8")("replace")

    def close(self) -> None:
        os.close(self._device)

    def show(self, text: str) -> None:
        data = text.encode("utf-8", "replace")
        while data:
            data = data[os.write(self._device, data) :]

    def size(self) -> tuple[int, int]:
        """Columns and lines; 80 by 24 where the terminal does not know."""
        columns, lines = os.get_terminal_size(self._device)
        return columns or 80, lines or 24

    @contextmanager
    def attention(self) -> Iterator[None]:
        """Keys arrive one by one, unechoed, Ctrl+C as a key. OSError when this terminal cannot be asked on."""
        import termios

        try:
            found = termios.tcgetattr(self._device)
            mode = termios.tcgetattr(self._device)
            mode[3] &= ~(termios.ICANON | termios.ECHO | termios.ISIG | termios.IEXTEN)
            termios.tcsetattr(self._device, termios.TCSAFLUSH, mode)
        except termios.error as error:
            raise OSError(*error.args) from error
        try:
            yield
        finally:
            try:
                termios.tcsetattr(self._device, termios.TCSADRAIN, found)
            except termios.error:  # hung up meanwhile: there is nothing left to restore
                os.set_blocking(self._device, True)

    async def key(self) -> str:
        """The next key pressed from now on. An escape sequence or a paste comes whole, so it equals no single key."""
        import termios

        termios.tcflush(self._device, termios.TCIFLUSH)
        self._decoder.reset()
        key = await self._read()
        if len(key) > 1 or key == "\x1b":
            key += await self._rest()
        if key in ("\x03", "\x04"):
            raise EOFError
        return key

    async def digit(self, wait_s: float) -> str:
        """A further digit typed within `wait_s`, or nothing."""
        import asyncio

        try:
            key = await asyncio.wait_for(self._read(), wait_s)
        except TimeoutError:
            return ""
        return key if key.isdecimal() and len(key) == 1 else ""

    async def line(self, label: str, start: str = "") -> str | None:
        """A line typed after `label`, `start` being there to edit. None: the person pressed Esc to go back."""
        text = start
        self.show(label + text)
        while True:
            typed = await self._read()
            if typed.startswith("\x1b"):
                if typed == "\x1b" and not await self._rest():
                    self.show("\n")
                    return None
                continue
            for char in typed:
                if char in "\r\n":
                    self.show("\n")
                    return text
                if char in "\x03\x04":
                    self.show("\n")
                    raise EOFError
                text = self._typed(text, char)

    def _typed(self, text: str, char: str) -> str:
        if char in "\x7f\x08" and text:
            self.show(_rub_out(text[-1]))
            return text[:-1]
        if char == "\x15":  # Ctrl+U, as in every line editor
            self.show(_rub_out(text))
            return ""
        if char.isprintable():
            self.show(char)
            return text + char
        return text

    async def _rest(self) -> str:
        """What follows at once, until the keyboard is quiet."""
        import asyncio

        rest = ""
        while True:
            try:
                rest += await asyncio.wait_for(self._read(), QUIET_S)
            except TimeoutError:
                return rest

    async def _read(self) -> str:
        """At least one character; one that comes in pieces is waited for."""
        text = ""
        while not text:
            await self._readable()
            try:
                data = os.read(self._device, 4096)
            except OSError as error:
                raise EOFError from error
            if not data:
                raise EOFError
            text = self._decoder.decode(data)
        return text

    async def _readable(self) -> None:
        import asyncio

        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        loop.add_reader(self._device, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_reader(self._device)


def _rub_out(text: str) -> str:
    cells = columns(text)
    return "\b" * cells + " " * cells + "\b" * cells


def open_terminal() -> Terminal | None:
    """The terminal of this process: the one stdin is, else the controlling one. None: nobody can be asked."""
    names = ["/dev/tty"]
    if sys.stdin is not None and sys.stdin.isatty():
        try:
            names.insert(0, os.ttyname(sys.stdin.fileno()))
        except OSError:  # a terminal without a name here, as in a container: the other name leads to it
            names = ["/dev/tty"]
    for name in names:
        try:
            device = os.open(name, os.O_RDWR | os.O_NOCTTY)
        except OSError:
            continue
        return Terminal(device)
    return None
