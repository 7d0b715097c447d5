"""Run inside a sandbox by the probe: tries to get out in every way it knows, and prints what it saw.

It does not judge: the probe looks from outside at what really happened, and searches the output for secrets that can
only be there when something leaked. One argument: JSON with the paths, ports and process ids to attack.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_PTRACE_SEIZE = 0x4206
_CLONE_NEWNS, _CLONE_NEWUSER = 0x20000, 0x10000000
_MNT_DETACH = 2


def attempt(step: Callable[..., object], *args: Any) -> None:
    """One try; being refused is the expected outcome. What it returns is printed."""
    try:
        seen = step(*args)
    except (OSError, ValueError) as refused:
        tell(f"{step.__name__}: {refused}")
    else:
        tell(f"{step.__name__}: {seen!r}")


def tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()  # nothing may wait in a buffer when a fork copies it


def write(path: str, text: str = "escaped\n") -> None:
    Path(path).write_text(text)


def read(path: str) -> bytes:
    return Path(path).read_bytes()


def outside(at: dict[str, Any]) -> None:
    place = at["outside"]
    for path in (f"{place}/new", f"{place}/target", f"{at['workspace']}/../outside/dots",
                 f"/proc/self/root{place}/proc", f"/proc/1/root{place}/proc1", at["private"]):  # fmt: skip
        attempt(write, path)
    attempt(os.remove, f"{at['outside']}/target")
    attempt(os.rename, f"{at['workspace']}/plain", f"{at['outside']}/moved")
    attempt(write, at["system"])


def links(at: dict[str, Any]) -> None:
    attempt(write, f"{at['workspace']}/link/through")
    attempt(os.symlink, f"{at['outside']}/target", f"{at['workspace']}/made")
    attempt(write, f"{at['workspace']}/made")
    attempt(os.link, f"{at['outside']}/target", f"{at['workspace']}/hard")
    attempt(write, f"{at['workspace']}/hard")


def hidden(at: dict[str, Any]) -> None:
    name = f"{at['workspace']}/.env"
    for path in (name, f"/proc/self/root{name}", f"/proc/1/root{name}", f"{at['workspace']}/./.git/../.env",
                 f"{at['hidden']}/secret", f"/proc/self/cwd{name}"):  # fmt: skip
        attempt(read, path)
    attempt(os.link, name, f"{at['workspace']}/copy")
    attempt(os.rename, name, f"{at['workspace']}/copy")
    attempt(read, f"{at['workspace']}/copy")
    if (child := os.fork()) == 0:  # in new namespaces one may unmount; what came from outside must stay
        attempt(unmount, name)
        attempt(unmount, at["hidden"])
        attempt(read, name)
        attempt(read, f"{at['hidden']}/secret")
        os._exit(0)
    os.waitpid(child, 0)


def unmount(path: str) -> str:
    libc = ctypes.CDLL(None, use_errno=True)
    results = [libc.umount2(path.encode(), _MNT_DETACH), libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNS)]
    return f"{results} {libc.umount2(path.encode(), _MNT_DETACH)}"


def reserved(at: dict[str, Any]) -> None:
    workspace = at["workspace"]
    write(f"{workspace}/evil", "evil\n")
    attempt(os.mkdir, f"{workspace}/.later")
    for name in (".env", ".ralph/config.json", "ralph.config.json", ".later/config.json"):
        path = f"{workspace}/{name}"
        attempt(write, path)
        attempt(os.rename, f"{workspace}/evil", path)
        attempt(os.symlink, "evil", path)
        attempt(os.link, f"{workspace}/evil", path)
        attempt(os.unlink, path)
        attempt(os.rmdir, path)
        attempt(write, path)
        attempt(write, f"{path}/inside")
    for name in (".ralph", ".later"):
        attempt(os.rename, f"{workspace}/{name}", f"{workspace}/{name}.old")
        attempt(os.mkdir, f"{workspace}/{name}")
        attempt(write, f"{workspace}/{name}/config.json")
    attempt(os.mkdir, f"{workspace}/aside")
    attempt(write, f"{workspace}/aside/config.json")
    attempt(os.symlink, "aside", f"{workspace}/.linked")


def git(at: dict[str, Any]) -> None:
    top = f"{at['workspace']}/.git"
    for name in ("hooks/pre-commit", "config"):
        attempt(write, f"{top}/{name}")
    attempt(os.rename, f"{top}/hooks", f"{top}/old")
    attempt(os.rename, top, f"{at['workspace']}/.aside")
    attempt(os.makedirs, f"{top}/hooks")
    attempt(write, f"{top}/hooks/pre-commit")


def network(at: dict[str, Any]) -> None:
    attempt(connect, socket.AF_INET, ("127.0.0.1", at["tcp"]))
    attempt(connect, socket.AF_UNIX, "\0" + at["local"])
    attempt(send, at["udp"])


def connect(family: int, address: Any) -> str:
    with socket.socket(family, socket.SOCK_STREAM) as out:
        out.settimeout(2)
        out.connect(address)
        return "connected"


def send(port: int) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        return out.sendto(b"escaped", ("127.0.0.1", port))


def processes(at: dict[str, Any]) -> None:
    attempt(os.kill, at["victim"], 0)
    attempt(os.kill, at["victim"], signal.SIGTERM)
    attempt(read, f"/proc/{at['victim']}/environ")
    attempt(seize, at["victim"])


def seize(pid: int) -> str:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(_PTRACE_SEIZE, pid, None, None) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")
    return "PTRACED"


def devices(at: dict[str, Any]) -> None:
    for device in Path("/dev").iterdir():
        if device.name in ("mem", "kmem", "port") or device.is_block_device():
            attempt(opened, str(device))
    for path in (
        "/proc/sys/kernel/core_pattern",
        "/proc/sysrq-trigger",
        "/sys/kernel/uevent_helper",
        "/sys/power/state",
    ):
        attempt(opened, path, os.O_WRONLY)  # nothing is written
    if (child := os.fork()) == 0:  # what may lie below the visible /proc must stay below
        for path in ("/proc/sys", "/proc"):
            attempt(unmount, path)
            attempt(opened, "/proc/sys/kernel/core_pattern", os.O_WRONLY)
        os._exit(0)
    os.waitpid(child, 0)
    for place in (at["scratch"], "/dev", "/tmp"):
        node = f"{place}/node"
        attempt(os.mknod, node, stat.S_IFBLK | 0o600, at["disk"])
        attempt(opened, node)


def opened(path: str, how: int = os.O_RDONLY) -> str:
    os.close(os.open(path, how))
    return "CONTROL OPENED"


def environment(_at: dict[str, Any]) -> None:
    for pid in ("self", "1", str(os.getppid())):
        attempt(read, f"/proc/{pid}/environ")


def main() -> None:
    at = json.loads(sys.argv[1])
    attempt(write, f"{at['workspace']}/allowed")
    for part in (environment, outside, links, hidden, network, processes, devices, git, reserved):
        attempt(part, at)
    tell("ATTEMPTS DONE")


if __name__ == "__main__":
    main()
