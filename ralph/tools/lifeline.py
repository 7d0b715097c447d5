"""What Ralph started dies with Ralph, also when Ralph is killed outright and can end nothing itself.

A small shell of its own waits at the other end of a pipe. It is told which process groups are alive; when the pipe
breaks, because its only writer is gone, it kills them. The kernel's own way (PR_SET_PDEATHSIG) reaches the one child
that asks for it, not what that child has started, costs a program more before every command, and is Linux only.
"""

from __future__ import annotations

import os
from contextlib import suppress

SHELL = "/bin/sh"
SCRIPT = 'while read -r now; do held=$now; done; for group in $held; do kill -s KILL -- "-$group"; done'


class Lifeline:
    """Groups that must not outlive this process. The shell is started with the first of them, which takes 1 ms.

    Between the start of a group and `hold` lie some microseconds in which a SIGKILL would leave it behind.
    """

    def __init__(self, shell: str = SHELL) -> None:
        self._shell = shell
        self._held: set[int] = set()
        self._pipe = self._pid = -1

    def hold(self, group: int) -> None:
        self._held.add(group)
        self._tell()

    def release(self, group: int) -> None:
        """To be called when nobody of it is left, and before its number can be given to others."""
        if group in self._held:
            self._held.remove(group)
            self._tell()

    def _tell(self) -> None:
        line = f"{' '.join(map(str, self._held))}\n".encode()
        with suppress(OSError):  # there is no such shell here (Windows), or no room for one more process
            if self._pipe < 0:
                self._start()
            try:
                os.write(self._pipe, line)
            except BrokenPipeError:  # somebody ended it
                self._start()
                os.write(self._pipe, line)

    def _start(self) -> None:
        self.close()
        theirs, ours = os.pipe()
        nothing = os.open(os.devnull, os.O_WRONLY)
        try:
            places = [(os.POSIX_SPAWN_DUP2, fd, to) for fd, to in ((theirs, 0), (nothing, 1), (nothing, 2))]
            self._pid = os.posix_spawn(self._shell, [self._shell, "-c", SCRIPT], {}, file_actions=places, setsid=True)
        except OSError:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
            os.close(nothing)
        os.set_blocking(ours, False)  # a shell that was stopped must not stop us
        self._pipe = ours

    def close(self) -> None:
        """End the shell, and with it every group that is still held."""
        if self._pipe >= 0:
            os.close(self._pipe)
            with suppress(ChildProcessError):
                os.waitpid(self._pid, 0)
            self._pipe = -1


LIFELINE = Lifeline()
"""Of this process: there is one pipe to break."""
