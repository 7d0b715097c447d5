"""A conversation: prompts in, turns shown, until the person leaves."""

from __future__ import annotations

import signal
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Protocol

from ralph.core.events import Event
from ralph.errors import RalphError
from ralph.ui.commands import Commands, Leave
from ralph.ui.editor import Reader
from ralph.ui.render import Screen
from ralph.ui.visible import printable

HINT = "Ctrl+D or /quit leaves"


class Session(Protocol):
    """What is talked to. Closing the generator of a turn interrupts it."""

    def turn(self, prompt: str) -> AsyncGenerator[Event, None]: ...


class Repl:
    """`attended`: a person is typing. Without one there is no banner, and Ctrl+C or an end of lines is the end."""

    def __init__(
        self, session: Session, screen: Screen, reader: Reader, commands: Commands, *, banner: str = "",
        attended: bool = True,
    ) -> None:  # fmt: skip
        self._session, self._screen, self._reader, self._commands = session, screen, reader, commands
        self._banner, self._attended = banner, attended

    async def run(self) -> int:
        """The exit code: 0 for a person who leaves; else that of the last turn that failed, 130 after Ctrl+C."""
        code = 0
        if self._attended and self._banner:
            self._screen.note(self._banner, "1")
        while True:
            try:
                line = await self._reader.read()
            except EOFError:
                return 0 if self._attended else code
            except KeyboardInterrupt:
                if not self._attended:
                    return 130
                self._screen.note(HINT)
                continue
            try:
                await self._take(line)
            except Leave:
                return 0 if self._attended else code
            except RalphError as error:
                self._screen.end()
                self._screen.complain(error)
                code = error.exit_code

    async def _take(self, line: str) -> None:
        if line.startswith("/"):
            if text := await self._commands.run(line.rstrip()):
                self._screen.note(printable(text), "0")
        elif line.strip() in ("quit", "exit"):
            raise Leave
        elif line.strip():
            with self._reader.quiet():
                await self._turn(line.strip())

    async def _turn(self, prompt: str) -> None:
        """One turn. The first Ctrl+C closes it, which answers every open call; more are ignored while that happens."""
        import asyncio

        shown = asyncio.ensure_future(self._show(prompt))
        loop = asyncio.get_running_loop()
        before = signal.getsignal(signal.SIGINT)
        loop.add_signal_handler(signal.SIGINT, lambda: shown.cancelling() or shown.cancel())
        try:
            await asyncio.wait({shown})
        finally:
            loop.remove_signal_handler(signal.SIGINT)
            signal.signal(signal.SIGINT, before)
            if not shown.done():  # the whole conversation is being ended
                shown.cancel()
                await asyncio.wait({shown})
            self._screen.end()
        if shown.cancelled():
            self._screen.note("interrupted", "33")
            return
        shown.result()

    async def _show(self, prompt: str) -> None:
        async with aclosing(self._session.turn(prompt)) as events:
            async for event in events:
                self._screen.show(event)
