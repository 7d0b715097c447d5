"""Probe what this machine offers, in a process of its own: `check.py JSON` prints the report of the first that works.

Its own process, because Ralph's need not load any of it, and because a probe that hangs or dies must cost nothing else.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ralph.sandbox import bubblewrap, landlock
from ralph.sandbox.backends import BUBBLEWRAP, LANDLOCK, Backend
from ralph.sandbox.confinement import Confinement
from ralph.sandbox.probe import probe
from ralph.sandbox.report import Report, to_json


def available() -> list[Backend]:
    """What is installed, best first; whether it works is for the probe to find out."""
    found = [BUBBLEWRAP] if bubblewrap.installed() else []
    return [*found, LANDLOCK] if landlock.abi() > 0 else found


def check(like: Confinement, base: Path) -> Report:
    problems = []
    for backend in available():
        report = probe(backend, like, base)
        if report.rows:
            return report
        problems.append(f"{backend.name}: {report.problem}")
    return Report("none", problem="; ".join(problems) or "neither bubblewrap nor Landlock is here")


def unpack(text: str) -> tuple[Confinement, Path]:
    """The kind of confinement and the directory to try it in, as box.py writes them."""
    given: dict[str, Any] = json.loads(text)
    base = Path(given["base"])
    like = Confinement(given["mode"], base, base, network=given["network"], private=tuple(map(Path, given["private"])),
                       needed=tuple(map(Path, given["needed"])))  # fmt: skip
    return like, base


if __name__ == "__main__":
    sys.stdout.write(to_json(check(*unpack(sys.argv[1]))))
