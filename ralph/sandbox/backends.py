"""The ways to confine a child that this machine may offer, best first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ralph.sandbox import bubblewrap, landlock
from ralph.sandbox.confinement import Confinement


@dataclass(frozen=True, slots=True)
class Backend:
    """`words`: the command line before the child's own. `masks`: it can guard single files, so `occupy` is of use."""

    name: str
    words: Callable[[Confinement], list[str]]
    masks: bool


def _landlock(given: Confinement) -> list[str]:
    write = [given.scratch] if given.mode == "read-only" else [given.workspace, given.scratch]
    return landlock.words([str(path) for path in write], network=given.network)


BUBBLEWRAP = Backend("bubblewrap", bubblewrap.words, masks=True)
LANDLOCK = Backend("landlock", _landlock, masks=False)
NONE = Backend("none", lambda _given: [], masks=False)


def available() -> list[Backend]:
    """What is installed; whether it works is for the probe to find out."""
    found = [BUBBLEWRAP] if bubblewrap.installed() else []
    return [*found, LANDLOCK] if landlock.abi() > 0 else found
