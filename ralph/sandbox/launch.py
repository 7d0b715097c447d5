"""How a child is started: as it is, or with less authority."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ralph.sandbox.nursery import Child

_REFUSED = re.compile(
    r"Read-only file system|Permission denied|Operation not permitted|Device or resource busy|Invalid cross-device link"
    r"|Network is unreachable|Name or service not known|Temporary failure in name resolution|Could not resolve host"
)


class Launched(NamedTuple):
    """What to start. `hint`: what the model should know when something is refused; empty without confinement.

    `witness`: identity of everything the confinement rests on. A child lives on while a new launch of the same words
    would give an equal value; when it would not (a protected file was replaced, a new one appeared), its masks no
    longer hold and it must be started again.

    start: a quicker way to the same: called with the directory and whether error output is wanted, it starts the
    command in a child that was kept ready, confined as `argv` would be. None when there is none at the moment.

    after: looks after what it left behind and says so; empty when there was nothing.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    witness: tuple[object, ...] = ()
    hint: str = ""
    start: Callable[[Path, bool], Child] | None = None
    after: Callable[[], str] = str

    def ended(self, text: str) -> str:
        """To be called when it has ended: the hint, when what it printed looks like the confinement's doing, and what
        was done about files it should not have made.
        """
        refused = self.hint if self.hint and _REFUSED.search(text) else ""
        return " ".join(filter(None, (refused, self.after())))


Launch = Callable[[Sequence[str], Mapping[str, str]], Launched]


def plain(argv: Sequence[str], env: Mapping[str, str]) -> Launched:
    """With the person's full authority."""
    return Launched(tuple(argv), dict(env))
