"""Children kept ready inside the sandbox, so that a command need not wait until one is set up.

One bubblewrap holds the session's view of the file system; inside, `nursery_worker.py` bears children, each in
namespaces of its own, and one is always borne ahead. A child serves a single command and goes with all it left behind.
"""

from __future__ import annotations

import marshal
import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from subprocess import Popen

WORKER = Path(__file__).with_name("nursery_worker.py")
LARGEST = 100_000
"""Bytes of a command's words and variables at most; the worker reads no more."""
SECONDS = 1.0
"""How long `Child.kill` waits for processes to be gone."""


def fits(argv: Sequence[str], env: Mapping[str, str]) -> bool:
    return 4 * sum(map(len, (*argv, *env, *env.values()))) < LARGEST


class Child:
    """A place for one command: `run` it, `receive` whenever `fileno` is readable, `kill` in the end.

    returncode: None until the command ended, negative for a signal. alone: nobody of it is left. error: why it could
    not be started. problem: why there is no place for a command. stdout, stderr: for the caller to read and close.
    gone: called when it was killed.
    """

    def __init__(self) -> None:
        self._line, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.ready, self.alone, self.problem = False, False, ""
        self.returncode: int | None = None
        self.error: OSError | None = None
        self.stdout: FileIO | None = None
        self.stderr: FileIO | None = None
        self.gone: Callable[[], None] = lambda: None
        self._program = ""

    def fileno(self) -> int:
        return self._line.fileno()

    def ask(self, worker: socket.socket) -> None:
        """Have it borne. Raises OSError when the worker is gone."""
        with self._theirs:
            socket.send_fds(worker, [b"1"], [self._theirs.fileno()])

    def run(self, argv: Sequence[str], cwd: Path, env: Mapping[str, str], *, stderr: bool) -> None:
        """stderr: False throws error output away."""
        self._program = argv[0]
        variables = {os.fsencode(name): os.fsencode(value) for name, value in env.items()}
        job = marshal.dumps(([os.fsencode(word) for word in argv], os.fsencode(cwd), variables))
        out, theirs = os.pipe()
        self.stdout = FileIO(out)
        if stderr:
            err, their_err = os.pipe()
            self.stderr = FileIO(err)
        else:
            their_err = os.open(os.devnull, os.O_WRONLY)
        try:
            with suppress(BrokenPipeError, ConnectionResetError):  # it is gone: `receive` will say so
                socket.send_fds(self._line, [job], [theirs, their_err])
        finally:
            os.close(theirs)
            os.close(their_err)

    def receive(self) -> None:
        """What its keeper has said meanwhile; never waits."""
        while not self.alone and self._line.fileno() >= 0:
            try:
                said = self._line.recv(4096, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except ConnectionResetError:
                said = b""
            self._hear(said.decode())

    def _hear(self, said: str) -> None:
        if said == "ready":
            self.ready = True
        elif said.startswith("!"):
            self.problem = said[1:]
            self.error = OSError(0, f"the sandbox could not be set up: {self.problem}", self._program)
        elif said.startswith("?"):
            self.error = OSError(int(said[1:]), os.strerror(int(said[1:])), self._program)
            self._end(127, alone=True)
        elif said:
            code, left = map(int, said.split())
            self._end(code, alone=not left)
        else:
            self.problem = self.problem or ("" if self.ready else "it ended without a word")
            self._end(-9, alone=True)

    def _end(self, code: int, *, alone: bool) -> None:
        self.alone = alone
        self.returncode = code if self.returncode is None else self.returncode

    def terminate(self) -> None:
        """SIGTERM for everybody inside."""
        with suppress(OSError):
            self._line.send(b"t")

    def kill(self) -> None:
        """SIGKILL for everybody inside, and wait until they are gone. May be called again."""
        if self._line.fileno() < 0:
            return
        with suppress(OSError):
            self._line.shutdown(socket.SHUT_WR)
        self._line.settimeout(SECONDS)
        with suppress(OSError):
            while not self.alone:
                self._hear(self._line.recv(4096).decode())
        self._end(-9, alone=True)
        self._line.close()
        self.gone()


class Nursery:
    """One confinement and its worker. `start` while it is `usable`; `close` ends everything inside.

    words: the command line that confines, up to the worker's own; OSError when it cannot be started. To be made in a
    thread that lasts: bubblewrap dies with the thread it was started from. worked: it has had a child.
    """

    def __init__(self, words: Sequence[str]) -> None:
        import subprocess

        self._busy, self._retired, self.worked = 0, False, False
        self._asking, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [*words, sys.executable, "-I", "-S", str(WORKER), str(theirs.fileno())]
        with ExitStack() as failing, theirs:
            failing.enter_context(self._asking)
            self._popen: Popen[bytes] = subprocess.Popen(
                command, cwd="/", env={}, pass_fds=(theirs.fileno(),), stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            failing.pop_all()
        self._next = self._bear()

    @property
    def usable(self) -> bool:
        """From the moment on when its first child was ready until the worker is gone; a command may be a bit early."""
        return not self.problem and self.worked

    @property
    def problem(self) -> str:
        """Why it will never be usable, or no more."""
        self._next.receive()
        self.worked = self.worked or self._next.ready
        return self._next.problem or ("it was ended" if self._next.alone else "")

    def start(self, argv: Sequence[str], env: Mapping[str, str], cwd: Path, stderr: bool) -> Child:
        """Run it in the child that is ready, and have the next one made meanwhile."""
        child = self._next
        child.run(argv, cwd, env, stderr=stderr)
        child.gone = self._left
        self._busy += 1
        self._next = self._bear()
        return child

    def _bear(self) -> Child:
        child = Child()
        with suppress(OSError):  # the worker is gone, and so is the child: it will hear nothing
            child.ask(self._asking)
        return child

    def _left(self) -> None:
        self._busy -= 1
        if self._retired and not self._busy:
            self.close()

    def retire(self) -> None:
        """Close it as soon as the commands that still run in it have ended."""
        self._retired = True
        if not self._busy:
            self.close()

    def close(self) -> None:
        import subprocess

        self._retired = True
        starting = not self.problem and not self.worked
        self._asking.close()
        if starting:  # killed while it sets up, bubblewrap would leave its child behind; this way it ends by itself
            self._next.kill()
            with suppress(subprocess.TimeoutExpired):
                self._popen.wait(SECONDS)
        self._popen.kill()
        self._popen.wait()
        self._next.kill()
