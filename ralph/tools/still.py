"""Processes that stand still: between two calls nothing that an interpreter left running may act unnoticed.

A stopped process can have the kernel wake it (a timer that sends SIGCONT), so it is also looked whether one has run.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress

SECONDS = 1.0
"""How long they are waited for, before what starts ever more of them is given up."""

Trace = dict[int, tuple[bool, bytes]]
"""Of each thread of a family: whether it is stopped (or dead), and how often it has run."""


def halt(pid: int) -> Trace | None:
    """Stop a process and all its descendants. None when they do not come to rest, or cannot be seen.

    Linux with CONFIG_PROC_CHILDREN, which all distributions have. Being stopped takes a moment, in which a process can
    start another: they rest when all are stopped, and nobody came and nobody ran between one look and the next.
    """
    before: Trace = {}
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        pids, now = _family(pid)
        stopped = bool(now) and all(stopped for stopped, _ in now.values())
        if stopped and now == before:
            return now
        _signal(pids, signal.SIGSTOP)
        before = now
        if not stopped:
            time.sleep(0.0001)  # for them to notice
    return None


def rested(pid: int, trace: Trace) -> bool:
    """Whether none of them has run since it was halted."""
    return _family(pid)[1] == trace


def resume(trace: Trace) -> None:
    _signal(trace, signal.SIGCONT)  # once for each thread does no harm


def _signal(pids: Iterable[int], number: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):  # gone; or another person's, as after sudo
            os.kill(pid, number)


def _family(top: int) -> tuple[set[int], Trace]:
    """A process with all its descendants, each a child of one thread of its parent."""
    trace: Trace = {}
    found, waiting = {top}, [top]
    while waiting:
        pid = waiting.pop()
        with suppress(FileNotFoundError, ProcessLookupError):  # gone
            with os.scandir(f"/proc/{pid}/task") as reading:
                tasks = list(reading)
            for task in tasks:
                status = _read(f"{task.path}/status")
                state = status[status.index(b"\nState:\t") + 8 :][:1]
                trace[int(task.name)] = state in b"TtZX", status.rpartition(b"\nvoluntary_ctxt_switches:")[2]
                children = {int(child) for child in _read(f"{task.path}/children").split()} - found
                found |= children
                waiting += children
    return found, trace


def _read(path: str) -> bytes:
    opened = os.open(path, os.O_RDONLY)
    try:
        data = b""
        while piece := os.read(opened, 65536):
            data += piece
        return data
    finally:
        os.close(opened)
