"""Programs run as a session of their own: nothing they start outlives them, nothing they print fills the memory."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ralph.tools.capture import Capture, Live
from ralph.tools.lifeline import LIFELINE
from ralph.tools.ward import Ward

if TYPE_CHECKING:
    from asyncio import Future

    from ralph.sandbox.nursery import Child

GRACE = 0.5
"""Seconds between SIGTERM and SIGKILL."""
DRAIN = 0.3
"""Seconds an inherited pipe may stay open after the program itself has ended."""
MARK = "RALPH_CALL"
"""Environment variable that tells a call's processes from all others, also those that left its session."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended. `exit_code` is negative for a signal and -1 after a timeout; `note` is for the model."""

    exit_code: int
    stdout: str
    stderr: str
    seconds: float
    timed_out: bool
    note: str


class Group:
    """A child that leads its own session. Make it inside a running event loop; `end` it and everything it started.

    The child is not reaped before its group is dealt with: until then its process id cannot name anybody else.
    """

    LEFT = ("processes it left running in the background were ended with it; "
            "`setsid program >file 2>&1 &` starts one that stays")  # fmt: skip
    error: OSError | None = None
    """Never set: what cannot be started is an error at once."""

    def __init__(
        self, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str],
        stdout: int, stderr: int, pass_fds: Sequence[int] = (),
    ) -> None:  # fmt: skip
        import asyncio
        import subprocess

        self._loop = asyncio.get_running_loop()
        self.exited: Future[None] = self._loop.create_future()
        self._mark = f"{MARK}={os.urandom(8).hex()}".encode()
        self._gone = False
        self._watched = -1
        self._pause = 0.001
        marked = {**env, MARK: self._mark.decode().partition("=")[2]}
        self.popen = subprocess.Popen(
            argv, cwd=cwd, env=marked, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr,
            bufsize=0, start_new_session=True, pass_fds=pass_fds,
        )  # fmt: skip
        LIFELINE.hold(self.popen.pid)
        self.stdout, self.stderr = self.popen.stdout, self.popen.stderr
        self._watch()

    @property
    def returncode(self) -> int | None:
        """None until the child was reaped; negative for a signal."""
        return self.popen.returncode

    async def end(self, *, strays: bool = False) -> bool:
        """End what is left: SIGTERM, `GRACE`, SIGKILL. True when anything was left.

        strays: also look for processes that left the session (a walk through /proc, so only when something went wrong).
        """
        import asyncio

        left = self._alive()
        self._signal(signal.SIGTERM)
        self._signal(signal.SIGCONT)
        for _ in range(int(GRACE / 0.01)):
            if not self._alive():
                break
            await asyncio.sleep(0.01)
        self.kill()
        if strays:
            await self._end_strays()
        return left

    async def _end_strays(self) -> None:
        """Kill until nobody is found: one may start another between the look and the kill, and dying takes time."""
        import asyncio

        for _ in range(100):
            found = _marked(self._mark)
            if not found:
                return
            for pid in found:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(0.005)

    def kill(self) -> None:
        """SIGKILL the group and reap the child: what `end` does last, and what is left to do when nothing may wait."""
        import subprocess

        self._signal(signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            self.popen.wait(1)
        LIFELINE.release(self.popen.pid)
        self._ended()

    def _signal(self, number: int) -> bool:
        """Reaps the child when it has ended, then signals its group at once. False: nobody is left, for ever."""
        self.popen.poll()
        if not self._gone:
            try:
                os.killpg(self.popen.pid, number)
            except (ProcessLookupError, PermissionError):
                self._gone = True
        return not self._gone

    def _alive(self) -> bool:
        """Is anybody of the group still running? What only waits to be reaped by somebody else does not count."""
        if not self._signal(0):
            return False
        if not Path("/proc/self/environ").exists():
            return True
        return any(_group_of(pid) == self.popen.pid for pid in _marked(self._mark))

    def _watch(self) -> None:
        try:
            self._watched = os.pidfd_open(self.popen.pid)
        except (AttributeError, OSError):  # not Linux, or forbidden here: look again and again, ever more rarely
            self._look()
        else:
            self._loop.add_reader(self._watched, self._ended)

    def _look(self) -> None:
        if self.popen.poll() is not None:
            self._ended()
        elif not self.exited.done():
            self._pause = min(self._pause * 1.5, 0.05)
            self._loop.call_later(self._pause, self._look)

    def _ended(self) -> None:
        if self._watched >= 0:
            self._loop.remove_reader(self._watched)
            os.close(self._watched)
            self._watched = -1
        if not self.exited.done():
            self.exited.set_result(None)


class Stream:
    """Reads one pipe of a child as bytes come, until the pipe ends; `ended` is done then, or when told to leave it."""

    def __init__(self, pipe: IO[bytes], *readers: Callable[[bytes], None]) -> None:
        import asyncio

        self._loop = asyncio.get_running_loop()
        self._pipe, self._readers = pipe, readers
        self.ended: Future[None] = self._loop.create_future()
        os.set_blocking(pipe.fileno(), False)
        self._loop.add_reader(pipe.fileno(), self._read)

    def drain(self) -> None:
        """Read what is in the pipe now (64 kB on Linux) without waiting for more."""
        for _ in range(2):
            if not self._pipe.closed:
                self._read()

    def leave(self) -> None:
        """Stop reading; the pipe stays open."""
        if not self._pipe.closed:
            self._loop.remove_reader(self._pipe.fileno())
        if not self.ended.done():
            self.ended.set_result(None)

    def close(self) -> None:
        self.leave()
        self._pipe.close()

    def _read(self) -> None:
        data = self._pipe.read(65536)
        if data:
            for reader in self._readers:
                reader(data)
        elif data is not None:  # None: nothing there at the moment
            self.close()


async def run(  # noqa: PLR0913  # all but the words by name
    argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout: float, scratch: Path,
    say: Callable[[str], None], stderr: bool = True, label: str = "output",
    start: Callable[[Path, bool], Child] | None = None,
) -> Ended:  # fmt: skip
    """Run a program to its end, or for `timeout` seconds. Cancelling ends it and everything it started first.

    start: called with the directory and `stderr`, it starts the program in the sandbox, in the place of argv and env.
    A program that cannot be started gives exit code 127 (not found) or 126 (not executable), as a shell would.
    """
    import asyncio
    import subprocess

    started = time.perf_counter()
    try:
        group = Ward(start(cwd, stderr), GRACE) if start else Group(
            argv, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE if stderr else subprocess.DEVNULL,
        )  # fmt: skip
    except OSError as error:
        return _not_started(argv[0], error)
    captures = [Capture(scratch, label), Capture(scratch, f"{label}-stderr")]
    lives = [Live(say, time.monotonic), Live(say, time.monotonic)]
    pipes = (group.stdout, group.stderr)
    streams = [Stream(pipe, capture.feed, live.feed)
               for pipe, capture, live in zip(pipes, captures, lives, strict=True) if pipe]  # fmt: skip
    try:
        await asyncio.wait([group.exited], timeout=timeout)
        timed_out = not group.exited.done()
        outputs = [stream.ended for stream in streams]
        held = not timed_out and bool((await asyncio.wait(outputs, timeout=DRAIN))[1])
        left = await group.end(strays=timed_out)
        if left:
            await asyncio.wait(outputs, timeout=DRAIN)
    except BaseException:
        await group.end(strays=True)
        raise
    finally:
        group.kill()
        for stream in streams:
            stream.close()
        for capture, live in zip(captures, lives, strict=True):
            capture.close()
            live.close()
    if group.error:
        return _not_started(argv[0], group.error)
    code = group.returncode if group.returncode is not None and not timed_out else -1
    note = _note(code, timeout if timed_out else 0, group.LEFT if left else "", held)
    return Ended(code, captures[0].text, captures[1].text, time.perf_counter() - started, timed_out, note)


def _note(code: int, timeout: float, left: str, held: bool) -> str:
    """timeout: seconds when the time was up, else 0. left: what to say of processes that were left, else empty."""
    notes = []
    if timeout:
        notes.append(f"it was ended after {timeout:g} s; the output is what it had printed by then")
    elif code < 0:
        notes.append(f"it was ended by {signal_name(-code)}")
    if left and not timeout:
        notes.append(left)
    elif held:
        notes.append("a process it left running still holds its output, which was not read further")
    return "; ".join(notes)


def signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _not_started(program: str, error: OSError) -> Ended:
    reasons = {errno.ENOENT: "command not found", errno.E2BIG: "the command line is too long; put it into a file"}
    reason = reasons.get(error.errno or 0, error.strerror or str(error))
    code = 127 if error.errno == errno.ENOENT else 126
    return Ended(code, "", f"{error.filename or program}: {reason}\n", 0.0, False, "")


def _group_of(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return -1


def _marked(mark: bytes) -> list[int]:
    """The processes that inherited this mark in their environment, whatever session they are in. Linux only."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # gone meanwhile, or somebody else's
            if mark in entry.read_bytes():
                found.append(int(entry.parent.name))
    return found
