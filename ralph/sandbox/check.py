"""Probe what this machine offers, in a process of its own: `check.py JSON` prints the report of the first that works.

Its own process, because Ralph's need not load any of it, and because a probe that hangs or dies must cost nothing else.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ralph.sandbox import landlock
from ralph.sandbox.backends import BUBBLEWRAP, LANDLOCK, Backend
from ralph.sandbox.confinement import Confinement
from ralph.sandbox.probe import probe
from ralph.sandbox.report import Report, to_json


def available(*, with_bubblewrap: bool) -> list[Backend]:
    """What may be tried, best first; whether it works is for the probe to find out."""
    found = [BUBBLEWRAP] if with_bubblewrap else []
    return [*found, LANDLOCK] if landlock.abi() > 0 else found


def check(text: str) -> Report:
    """`text`: the kind of confinement and the directory to try it in, as box.py writes them."""
    given: dict[str, Any] = json.loads(text)
    base = Path(given["base"])
    like = Confinement(given["mode"], base, base, network=given["network"], private=tuple(map(Path, given["private"])),
                       needed=tuple(map(Path, given["needed"])))  # fmt: skip
    problems, fleeting = [], False
    for backend in available(with_bubblewrap=given["bubblewrap"]):
        report = probe(backend, like, base)
        if report.rows:
            again = not given["private"] and backend.nursery_words is not None
            other = probe(backend, like, base, ready=True) if again else None
            ready = other is not None and other.rows == report.rows
            return report._replace(ready=ready, fleeting=fleeting or bool(other and other.fleeting))
        fleeting = fleeting or report.fleeting
        problems.append(f"{backend.name}: {report.problem}")
    return Report("none", problem="; ".join(problems) or "neither bubblewrap nor Landlock is here", fleeting=fleeting)


if __name__ == "__main__":
    sys.stdout.write(to_json(check(sys.argv[1])))
