"""Whole families of processes are stopped, whatever they do about it, and go on afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ralph.tools.still import _family, halt, rested, resume
from tests.tools.test_lifeline import within

BUSY = """
import os, sys, threading, time
def work(name):
    while True:
        with open(name, "a") as out: out.write("x")
        time.sleep(0.001)
threading.Thread(target=work, args=("thread",), daemon=True).start()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0: work("grandchild")
    work("child")
threading.Thread(target=lambda: os.fork() or work("of a thread"), daemon=True).start()
work("main")
"""
NAMES = ("thread", "grandchild", "child", "of a thread", "main")


@pytest.fixture
def family(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-W", "ignore", "-c", BUSY], cwd=tmp_path) as top:
        try:
            yield top
        finally:
            halt(top.pid)
            for pid in _family(top.pid)[0]:
                os.kill(pid, signal.SIGKILL)


def test_nobody_moves_until_told_to(family: subprocess.Popen[bytes], tmp_path: Path) -> None:
    def sizes() -> list[int]:
        return [(tmp_path / name).stat().st_size if (tmp_path / name).exists() else 0 for name in NAMES]

    assert within(5, lambda: all(sizes()))
    trace = halt(family.pid)
    assert trace is not None
    time.sleep(0.01)
    still = sizes()
    time.sleep(0.1)
    assert sizes() == still
    assert rested(family.pid, trace)
    resume(trace)
    assert within(5, lambda: all(now > then for now, then in zip(sizes(), still, strict=True)))


def test_who_is_gone_cannot_be_halted_and_needs_not() -> None:
    with subprocess.Popen(["true"]) as gone:
        pass
    assert halt(gone.pid) is None


WOKEN = """
import ctypes, sys, time
class Event(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int * size) for name, size in (("value", 2), ("number", 1), ("kind", 1), ("rest", 12))]
libc, timer, times = ctypes.CDLL(None), ctypes.c_void_p(), (ctypes.c_long * 4)(0, 0, 0, 300_000_000)
assert libc.timer_create(1, ctypes.byref(Event(number=(18,))), ctypes.byref(timer)) == 0
assert libc.timer_settime(timer, 0, times, None) == 0
print("on", flush=True)
while True: time.sleep(0.01)
"""
"""Has the kernel send it SIGCONT in 0.3 s."""


def test_one_that_has_itself_woken_is_noticed() -> None:
    with subprocess.Popen([sys.executable, "-c", WOKEN], stdout=subprocess.PIPE) as sly:
        assert sly.stdout is not None
        assert sly.stdout.readline() == b"on\n"
        trace = halt(sly.pid)
        assert trace is not None
        time.sleep(0.5)
        assert not rested(sly.pid, trace)
        sly.kill()
