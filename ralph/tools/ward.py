"""A command that runs in a child of the sandbox's nursery, followed from the event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import Future
    from io import FileIO

    from ralph.sandbox.nursery import Child


class Ward:
    """What process.Group is to a child of one's own. Nothing outlives `end`, whatever session it is in.

    grace: seconds between SIGTERM and SIGKILL.
    """

    LEFT = "processes it left running in the background were ended with it; in the sandbox none can stay"

    def __init__(self, child: Child, grace: float) -> None:
        import asyncio

        self._loop = asyncio.get_running_loop()
        self._child, self._grace = child, grace
        self.exited: Future[None] = self._loop.create_future()
        self._alone: Future[None] = self._loop.create_future()
        self._loop.add_reader(child.fileno(), self._look)

    @property
    def stdout(self) -> FileIO | None:
        return self._child.stdout

    @property
    def stderr(self) -> FileIO | None:
        return self._child.stderr

    @property
    def returncode(self) -> int | None:
        return self._child.returncode

    @property
    def error(self) -> OSError | None:
        """Why the command could not be started; known when it has `exited`."""
        return self._child.error

    async def end(self, *, strays: bool = False) -> bool:
        """End what is left: SIGTERM, `grace`, SIGKILL. True when anything was left. strays: they always go too."""
        import asyncio

        left = not self._child.alone
        if left:
            self._child.terminate()
            await asyncio.wait([self._alone], timeout=self._grace)
        self.kill()
        return left

    def kill(self) -> None:
        """SIGKILL everybody: what `end` does last, and what is left to do when nothing may wait."""
        if self._child.fileno() >= 0:
            self._loop.remove_reader(self._child.fileno())
        self._child.kill()
        self._tell()

    def _look(self) -> None:
        self._child.receive()
        if self._child.alone:
            self._loop.remove_reader(self._child.fileno())
        self._tell()

    def _tell(self) -> None:
        if self._child.returncode is not None and not self.exited.done():
            self.exited.set_result(None)
        if self._child.alone and not self._alone.done():
            self._alone.set_result(None)
