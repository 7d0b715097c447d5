"""Confinement by Landlock and seccomp, for where bubblewrap is missing or forbidden: run as a program, it confines
itself and becomes the child. `landlock.py network|local path... -- program words...`: it may write below the paths.

It cannot hide a file that lies in a readable directory, nor keep a name from being created in a writable one, so
protected files are not masked here. Numbers are those of Linux's uapi headers (landlock.h, seccomp.h, unistd.h).
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

CREATE, ADD, RESTRICT = 444, 445, 446
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty")
_CAPABILITY_VERSION = 0x20080522
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP = 1, 38, 22
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""Landlock ABI -> how many file system rights it knows."""

_ARCHITECTURES = {
    # machine: (audit number, socket, ptrace, process_vm_readv, process_vm_writev, io_uring_setup)
    "x86_64": (0xC000003E, 41, 101, 310, 311, 425),
    "aarch64": (0xC00000B7, 198, 117, 270, 271, 425),
}
_ALLOW, _DENY = 0x7FFF0000, 0x0005000D  # SECCOMP_RET_ERRNO with EACCES
_AF_UNIX = 1


def abi() -> int:
    """The kernel's Landlock version; 0 where there is none."""
    if sys.platform != "linux" or os.uname().machine not in _ARCHITECTURES:
        return 0
    return max(0, int(_libc().syscall(CREATE, None, ctypes.c_size_t(0), 1)))


def restrict(write: list[str], *, network: bool) -> None:
    """Confine this process and all its children, for good. Raises OSError where the kernel refuses."""
    libc, version = _libc(), abi()
    _check(libc.prctl(_PR_SET_PDEATHSIG, 9, 0, 0, 0))
    _check(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    every = (1 << _FILE_RIGHTS.get(version, 16)) - 1
    ports = 0 if network or version < 4 else 3
    scopes = 3 if version >= 6 else 0  # abstract sockets and signals stay inside
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    rules = _check(libc.syscall(CREATE, struct.pack("QQQ", every, ports, scopes), ctypes.c_size_t(size), 0))
    _allow(libc, rules, "/", _READ_DIR)
    for place in os.scandir("/"):
        if place.name != "dev" and os.access(place, os.F_OK):
            _allow(libc, rules, place.path, (_READ if place.is_dir() else _READ_FILE) & every)
    for path in write:
        _allow(libc, rules, path, every)
    for path in filter(lambda path: os.access(path, os.F_OK), _DEVICES):
        _allow(libc, rules, path, (_READ_FILE | _WRITE_FILE | _TRUNCATE | _IOCTL_DEV) & every)
    _check(libc.syscall(RESTRICT, rules, 0))
    os.close(rules)
    _check(libc.capset(struct.pack("Ii", _CAPABILITY_VERSION, 0), bytes(24)))  # root's powers go round Landlock
    _filter(libc, network=network)


def _allow(libc: ctypes.CDLL, rules: int, path: str, rights: int) -> None:
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    _check(libc.syscall(ADD, rules, 1, struct.pack("=Qi", rights, place), 0))
    os.close(place)


def _filter(libc: ctypes.CDLL, *, network: bool) -> None:
    """No sockets but local ones, no looking into other processes, and no io_uring, which goes round such filters."""
    number, socket, *others = _ARCHITECTURES[os.uname().machine]
    program = [
        (0x20, 0, 0, 4), (0x15, 1, 0, number), (0x06, 0, 0, _DENY),  # another architecture's calls: refused
        (0x20, 0, 0, 0), (0x35, 0, 1, 0x40000000), (0x06, 0, 0, _DENY),  # x32 calls: refused
    ]  # fmt: skip
    for call in others:
        program += [(0x15, 0, 1, call), (0x06, 0, 0, _DENY)]
    if not network:  # socket(2): its first argument must be AF_UNIX
        program += [(0x15, 0, 3, socket), (0x20, 0, 0, 16), (0x15, 1, 0, _AF_UNIX), (0x06, 0, 0, _DENY)]
    program.append((0x06, 0, 0, _ALLOW))
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in program))
    whole = struct.pack("HxxxxxxP", len(program), ctypes.addressof(code))
    _check(libc.prctl(_PR_SET_SECCOMP, 2, whole, 0, 0))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def main() -> None:
    end = sys.argv.index("--")
    try:
        restrict(sys.argv[2:end], network=sys.argv[1] == "network")
    except OSError as error:
        sys.exit(f"the sandbox could not be set up: {error}")
    words = sys.argv[end + 1 :]
    os.execvp(words[0], words)  # without a shell: the words as they were judged


if __name__ == "__main__":
    main()
