"""How a child is started: as it is, or with less authority."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Launched:
    """What to start. `witness`: identity of everything the confinement rests on.

    A child lives on while a new launch of the same words would give an equal value; when it would not (a protected
    file was replaced, a new one appeared), its masks no longer hold and it must be started again.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    witness: tuple[object, ...] = field(default=())


Launch = Callable[[Sequence[str], Mapping[str, str]], Launched]


def plain(argv: Sequence[str], env: Mapping[str, str]) -> Launched:
    """With the person's full authority."""
    return Launched(tuple(argv), dict(env))
