"""A person at a real pseudo-terminal, inside the test's own event loop."""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import struct
import termios
import time

import pyte

STYLE = re.compile("\x1b\\[[0-9;]*m")


class Person:
    """Reads the screen of a pty and presses keys. `device` is the side the program under test gets."""

    def __init__(self, columns=80, lines=24):
        self.hand, self.device = os.openpty()
        fcntl.ioctl(self.device, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        os.set_blocking(self.hand, False)
        self.raw = b""
        self._seen = 0
        self._screen = pyte.HistoryScreen(columns, lines, history=1000, ratio=0.5)
        self._stream = pyte.ByteStream(self._screen)

    def look(self):
        """Take in what was written since the last look."""
        while True:
            try:
                piece = os.read(self.hand, 65536)
            except (BlockingIOError, OSError):
                return
            if not piece:
                return
            self.raw += piece
            self._stream.feed(piece)

    @property
    def text(self):
        """Everything shown so far, scrolled lines included."""
        self.look()
        gone = ["".join(line[x].data for x in range(self._screen.columns)) for line in self._screen.history.top]
        return "\n".join(line.rstrip() for line in [*gone, *self._screen.display]).rstrip()

    @property
    def news(self):
        """What came since the last key, as written: not wrapped by the screen, colours left out."""
        self.look()
        return STYLE.sub("", self.raw[self._seen :].decode(errors="replace")).replace("\r\n", "\n")

    async def sees(self, text, within=5.0):
        deadline = time.monotonic() + within
        while text not in self.news:
            assert time.monotonic() < deadline, f"{text!r} never came; the screen shows:\n{self.text}"
            await asyncio.sleep(0.005)

    def press(self, keys):
        if not keys:  # only looked
            return
        self._seen = len(self.raw)
        os.write(self.hand, keys.encode() if isinstance(keys, str) else keys)

    def mode(self):
        return termios.tcgetattr(self.device)

    def close(self):
        for number in (self.hand, self.device):
            try:
                os.close(number)
            except OSError:
                continue


async def play(person, asked, *steps):
    """Run the awaitable while the person does each step: wait for the text, then press the keys."""
    task = asyncio.ensure_future(asked)
    try:
        for text, keys in steps:
            await person.sees(text)
            await asyncio.sleep(0.02)  # a person is slower than the flush that follows the drawing
            person.press(keys)
        return await asyncio.wait_for(task, 5)
    finally:
        task.cancel()
