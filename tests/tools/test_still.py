"""Whole families of processes are stopped, whatever they do about it, and go on afterwards."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ralph.tools.still import _family, halt, resume
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
            for pid in _family(top.pid) - {top.pid}:
                subprocess.run(["kill", "-9", str(pid)], check=True)
            top.kill()


def test_nobody_moves_until_told_to(family: subprocess.Popen[bytes], tmp_path: Path) -> None:
    def sizes() -> list[int]:
        return [(tmp_path / name).stat().st_size if (tmp_path / name).exists() else 0 for name in NAMES]

    assert within(5, lambda: all(sizes()))
    assert halt(family.pid)
    time.sleep(0.01)
    still = sizes()
    time.sleep(0.1)
    assert sizes() == still
    resume(family.pid)
    assert within(5, lambda: all(now > then for now, then in zip(sizes(), still, strict=True)))


def test_who_is_gone_cannot_be_halted_and_needs_not() -> None:
    with subprocess.Popen(["true"]) as gone:
        pass
    halt(gone.pid)
    resume(gone.pid)
