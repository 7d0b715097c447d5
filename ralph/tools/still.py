"""Processes that stand still: between two calls nothing that an interpreter left running may act."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

PASSES = 50
"""How often new ones are looked for, before what starts ever more of them is given up."""


def halt(pid: int) -> bool:
    """Stop a process and all its descendants. False when there were always more, or when they cannot be seen.

    Linux with CONFIG_PROC_CHILDREN, which all distributions have. What a parent starts while it is being stopped is
    found by the next pass; 0.1 ms a pass.
    """
    stopped: set[int] = set()
    if not Path(f"/proc/self/task/{os.getpid()}/children").exists():
        return False
    for _ in range(PASSES):
        fresh = _family(pid) - stopped
        if not fresh:
            return bool(stopped)
        _signal(fresh, signal.SIGSTOP)
        stopped |= fresh
    return False


def resume(pid: int) -> None:
    _signal(_family(pid), signal.SIGCONT)


def _signal(pids: set[int], number: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):  # gone; or another person's, as after sudo
            os.kill(pid, number)


def _family(pid: int) -> set[int]:
    found: set[int] = set()
    new = {pid}
    while new:
        found |= new
        new = {child for parent in new for child in _children(parent)} - found
    return found


def _children(pid: int) -> set[int]:
    """Each thread has children of its own. Empty for a process that is gone."""
    found: set[int] = set()
    with suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found.update(map(int, task.joinpath("children").read_bytes().split()))
    return found
