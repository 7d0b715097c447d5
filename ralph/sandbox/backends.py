"""The ways to confine a child."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ralph.sandbox import bubblewrap
from ralph.sandbox.confinement import Confinement


class Backend(NamedTuple):
    """`words`: the command line before the child's own. `masks`: it can guard single files.

    `nursery_words`: the same before the words of a nursery's worker, where there can be one.
    """

    name: str
    words: Callable[[Confinement], list[str]]
    masks: bool
    nursery_words: Callable[[Confinement], list[str]] | None = None


def landlock_words(write: list[Path], *, network: bool) -> list[str]:
    """The command line of landlock.py, which is a program of its own."""
    program = str(Path(__file__).with_name("landlock.py").resolve())
    return [sys.executable, "-I", "-S", program, "network" if network else "local", *map(str, write), "--"]


def _landlock(given: Confinement) -> list[str]:
    write = [given.scratch] if given.mode == "read-only" else [given.workspace, given.scratch]
    return landlock_words(write, network=given.network)


BUBBLEWRAP = Backend("bubblewrap", bubblewrap.words, masks=True, nursery_words=bubblewrap.nursery_words)
LANDLOCK = Backend("landlock", _landlock, masks=False)
NONE = Backend("none", lambda _given: [], masks=False)
