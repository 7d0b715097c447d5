"""Run inside bubblewrap, before a child that lives long: what the person mounts from now on must not come in.

Bubblewrap leaves its view a follower of the machine's: a disk that is mounted later would appear inside, and writable.
`seal.py words...` cuts that connection, gives up the capability this takes, and becomes the child. Numbers are those of
Linux's uapi headers (mount.h, capability.h, prctl.h).
"""

from __future__ import annotations

import ctypes
import os
import sys

LIBRARIES = b"LD_LIBRARY_PATH"
ASIDE = b"RALPH_LD_LIBRARY_PATH"
"""Where the child's library path waits meanwhile: nothing may be loaded from it as long as there is the capability."""
_REC, _PRIVATE = 16384, 1 << 18
_CAPABILITY_VERSION = 0x20080522
_PR_CAP_AMBIENT, _CLEAR_ALL = 47, 4


def seal() -> None:
    """Raises OSError where the kernel refuses."""
    libc = ctypes.CDLL(None, use_errno=True)
    steps = (
        libc.mount(b"", b"/", b"", ctypes.c_ulong(_REC | _PRIVATE), None),
        libc.prctl(_PR_CAP_AMBIENT, _CLEAR_ALL, 0, 0, 0),
        libc.capset(_CAPABILITY_VERSION.to_bytes(4, sys.byteorder) + bytes(4), bytes(24)),
    )
    if any(steps):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def main() -> None:
    try:
        seal()
    except OSError as error:
        sys.exit(f"the sandbox could not be set up: {error}")
    env = {(LIBRARIES if name == ASIDE else name): value for name, value in os.environb.items()}
    os.execvpe(sys.argv[1], sys.argv[1:], env)  # without a shell: the words as they were judged


if __name__ == "__main__":
    main()
