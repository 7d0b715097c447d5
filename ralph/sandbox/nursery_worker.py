"""Runs inside bubblewrap for a session: bears a child for every socket it is given, and does nothing else.

A child is process 1 in namespaces of its own (user, mounts, processes, IPC). It waits for the one command it is for,
starts it, and goes with it: a command sees neither this process nor other commands, and what it leaves in memory, in
/dev/shm or running is gone before the next. Closing the socket ends everything inside.

Ralph sends the command with the two descriptors it prints to, later perhaps `t`: SIGTERM for everybody. The child says
`ready` or `!why`; then `?errno` when the command cannot be started, or `status left` when it ended: negative for a
signal, and whether other processes are left. It closes the socket when there are none.
Numbers are those of Linux's uapi headers (sched.h, mount.h, prctl.h, capability.h, unistd.h).
"""

from __future__ import annotations

import ctypes
import marshal
import os
import select
import signal
import socket
import sys
from typing import NoReturn

LARGEST = 100_000
"""Bytes of a job at most."""
CLONE = {"x86_64": 56, "aarch64": 220}
_NEWNS, _NEWIPC, _NEWUSER, _NEWPID = 0x20000, 0x08000000, 0x10000000, 0x20000000
_RDONLY, _NOSUID, _NODEV, _NOEXEC, _REMOUNT, _BIND, _REC, _PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
_PR_SET_DUMPABLE, _PR_CAPBSET_READ, _PR_CAPBSET_DROP, _PR_CAP_AMBIENT, _CLEAR_ALL = 4, 23, 24, 47, 4
_CAPABILITY_VERSION = 0x20080522
_CONTROLS = ("/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus")

_libc = ctypes.CDLL(None, use_errno=True)


def serve(asked: socket.socket) -> None:
    """Until the other end is closed."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children of ours need no burial
    while True:
        _, fds = _receive(asked, 1)
        if not fds:
            return
        line = socket.socket(fileno=fds[0])
        # fork in new namespaces; by number, because libc's own clone wants a stack and os.unshare is not in 3.11
        flags = _NEWUSER | _NEWNS | _NEWPID | _NEWIPC | signal.SIGCHLD
        if (pid := _libc.syscall(CLONE[os.uname().machine], flags, 0, 0, 0, 0)) == 0:
            asked.close()
            keep(line)
        if pid < 0:
            line.send(b"!" + os.strerror(ctypes.get_errno()).encode())
        line.close()


def keep(line: socket.socket) -> NoReturn:
    """The life of a child."""
    try:
        _settle()
        line.send(b"ready")
        data, fds = _receive(line, 2 * LARGEST)
        if len(fds) == 2:
            _watch(_start(data, fds), line)
    except _NotStartedError as error:
        line.send(b"?%d" % error.errno)
    except OSError as error:
        line.send(b"!" + str(error).encode())
    finally:
        os._exit(0)  # the kernel kills who is left


class _NotStartedError(Exception):
    def __init__(self, errno: int) -> None:
        self.errno = errno


def _start(data: bytes, fds: list[int]) -> int:
    """The command gets these two descriptors and an empty input; nothing else of this process gets through exec."""
    words, cwd, env = marshal.loads(data)  # from Ralph, by a socket nobody else has
    os.environb[b"PATH"] = env.get(b"PATH", os.fsencode(os.defpath))  # where posix_spawnp looks
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        os.chdir(cwd)
        outputs = [(os.POSIX_SPAWN_DUP2, fd, to) for fd, to in zip(fds, (1, 2), strict=True)]
        ignored = (signal.SIGPIPE, signal.SIGXFSZ)  # by Python
        return os.posix_spawnp(words[0], words, env, file_actions=outputs, setsigdef=ignored, setsid=True)
    except OSError as error:
        raise _NotStartedError(error.errno or 0) from error
    finally:
        for fd in fds:
            os.close(fd)


def _receive(line: socket.socket, size: int) -> tuple[bytes, list[int]]:
    """A message and its descriptors, which no command may inherit (recv_fds passes no flags on before Python 3.12)."""
    data, fds, _, _ = socket.recv_fds(line, size, 2)
    for fd in fds:
        os.set_inheritable(fd, False)
    return data, fds


def _watch(command: int, line: socket.socket) -> None:
    """Sleeps until there is something to do; orphans that ended meanwhile are looked for once a second."""
    ending = os.pidfd_open(command)
    waiting = select.poll()
    waiting.register(line, select.POLLIN)
    waiting.register(ending, select.POLLIN)
    pause = 1000
    while True:
        for fd, _ in waiting.poll(pause):
            if fd == ending:
                waiting.unregister(ending)
            elif not line.recv(1):
                return _end()
            else:
                _signal_all(signal.SIGTERM)
                _signal_all(signal.SIGCONT)
        ended, left = _reap(command)
        if ended is not None:
            line.send(b"%d %d" % (ended, left))
            pause = 10
        if not left:
            return None


def _reap(command: int) -> tuple[int | None, bool]:
    """How the command ended, when it did now (negative: the signal), and whether anybody is left."""
    ended = None
    try:
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            if found[0] == command:
                ended = os.waitstatus_to_exitcode(found[1])
    except ChildProcessError:
        return ended, False
    return ended, True


def _end() -> None:
    _signal_all(signal.SIGKILL)
    try:
        while True:
            os.waitpid(-1, 0)
    except ChildProcessError:
        return


def _signal_all(number: int) -> None:
    try:
        os.kill(-1, number)
    except ProcessLookupError:
        return


def _settle() -> None:
    """The same person, /proc and /dev/shm of its own, no power left over any of it, out of the command's reach."""
    _map("setgroups", "deny")
    _map("uid_map", f"{_UID} {_UID} 1")
    _map("gid_map", f"{_GID} {_GID} 1")
    safe = _NOSUID | _NODEV
    _mount("", "/", "", _REC | _PRIVATE)  # what the person mounts from now on would come in, and writable
    _mount("proc", "/proc", "proc", safe | _NOEXEC)
    for path in _CONTROLS:
        if os.access(path, os.F_OK):
            _mount(path, path, "", _BIND | _REC)
            _mount("", path, "", _BIND | _REMOUNT | _RDONLY | safe | _NOEXEC)
    _mount("tmpfs", "/dev/shm", "tmpfs", safe, "mode=1777")
    for number in range(_CAPABILITIES):
        _check(_libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0))
    _check(_libc.prctl(_PR_CAP_AMBIENT, _CLEAR_ALL, 0, 0, 0))
    header = _CAPABILITY_VERSION.to_bytes(4, sys.byteorder) + bytes(4)
    _check(_libc.capset(header, bytes(24)))
    _check(_libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0))


def _map(name: str, text: str) -> None:
    target = os.open(f"/proc/self/{name}", os.O_WRONLY | os.O_CLOEXEC)
    os.write(target, text.encode())
    os.close(target)


def _mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    given = (source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode())
    _check(_libc.mount(*given))


def _check(result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


_UID, _GID = os.getuid(), os.getgid()
_CAPABILITIES = next(number for number in range(256) if _libc.prctl(_PR_CAPBSET_READ, number, 0, 0, 0) < 0)

if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
