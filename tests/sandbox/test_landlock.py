"""What Landlock and the system call filter refuse, seen from a child they confine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ralph.sandbox.backends import LANDLOCK, landlock_words
from tests.sandbox.needs import need


def confined(tmp_path: Path, *program: str, network: bool = False) -> subprocess.CompletedProcess[str]:
    need(LANDLOCK)
    line = [*landlock_words([tmp_path], network=network), *program]
    return subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)


def code(tmp_path: Path, text: str, *, network: bool = False) -> str:
    done = confined(tmp_path, sys.executable, "-I", "-S", "-c", text, network=network)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


TRY = """
import ctypes, os, socket
def tried(step):
    try:
        step()
    except OSError as error:
        return error.strerror
    return "done"
"""


def test_reading_and_running_go_on(tmp_path: Path) -> None:
    assert confined(tmp_path, "sh", "-c", "cat /etc/passwd | head -c 4; echo x > made; cat made").stdout == "rootx\n"


@pytest.mark.parametrize(("family", "wanted"), [("AF_INET", "Permission denied"), ("AF_INET6", "Permission denied"),
                                                ("AF_NETLINK", "Permission denied"), ("AF_UNIX", "done")])  # fmt: skip
def test_sockets(tmp_path: Path, family: str, wanted: str) -> None:
    text = f"{TRY}print(tried(lambda: socket.socket(socket.{family}, socket.SOCK_DGRAM).close()))"
    assert code(tmp_path, text) == wanted
    assert code(tmp_path, text, network=True) == "done"


@pytest.mark.parametrize("number", [425, 0x40000000 + 41])
def test_ways_round_the_filter_are_closed(tmp_path: Path, number: int) -> None:
    """io_uring can open sockets by itself; x32 calls have other numbers."""
    if os.uname().machine != "x86_64":
        pytest.skip("the numbers are those of x86_64")
    text = f"{TRY}libc = ctypes.CDLL(None, use_errno=True)\nprint(libc.syscall({number}, 2, 1, 0), ctypes.get_errno())"
    assert code(tmp_path, text) == "-1 13"


def test_it_cannot_be_taken_off_by_grandchildren(tmp_path: Path) -> None:
    command = f"sh -c 'sh -c \"echo x > {tmp_path.parent}/escaped\"'; true"
    assert "denied" in confined(tmp_path, "sh", "-c", command).stderr.lower()
    assert not (tmp_path.parent / "escaped").exists()


def test_disks_are_not_readable(tmp_path: Path) -> None:
    disks = [str(path) for path in Path("/dev").iterdir() if path.is_block_device() and os.access(path, os.R_OK)]
    if not disks:
        pytest.skip("this user can read no disk anyway")
    assert code(tmp_path, f"{TRY}print(tried(lambda: os.open({disks[0]!r}, os.O_RDONLY)))") == "Permission denied"


def test_root_keeps_no_power_over_it(tmp_path: Path) -> None:
    status = code(tmp_path, "print(open('/proc/self/status').read())")
    assert "CapEff:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status
    assert "Seccomp:\t2" in status


def test_a_rule_that_cannot_be_made_stops_the_start(tmp_path: Path) -> None:
    need(LANDLOCK)
    line = [*landlock_words([tmp_path / "missing"], network=False), "echo", "ran"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("", 1)
    assert "could not be set up" in done.stderr
