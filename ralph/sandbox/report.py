"""What a probe of the sandbox found."""

from __future__ import annotations

import json
from typing import Literal, NamedTuple

Outcome = Literal["held", "did not hold", "not applicable"]

WHAT = {
    "outside": "write outside the workspace",
    "private": "leave a file in /tmp for others",
    "system": "write to /etc",
    "workspace": "write in the workspace in read-only mode",
    "links": "write outside through symbolic and hard links",
    "hidden": "read a hidden file",
    "replace": "replace, rename or link a protected file",
    "create": "leave a protected file where there was none",
    "git": "change git's hooks or configuration",
    "tcp": "connect by TCP",
    "udp": "send by UDP",
    "local": "connect to a local socket",
    "processes": "signal, trace or read a process outside",
    "devices": "open a disk, memory or a control file of the kernel",
    "environment": "read a secret from the environment",
}
"""The escapes that are tried, by name."""


class Row(NamedTuple):
    """`detail`: what got through, or why it does not apply."""

    name: str
    outcome: Outcome
    detail: str = ""


class Report(NamedTuple):
    """`problem`: why there are no rows, when a confined child could not even be started.

    `ready`: the same attempts were made by a child that was kept ready (nursery.py), with the same outcome.
    `fleeting`: something was killed or took too long on the way, so the next try may find more.
    """

    backend: str
    rows: tuple[Row, ...] = ()
    problem: str = ""
    ready: bool = False
    fleeting: bool = False

    @property
    def tried(self) -> int:
        return sum(row.outcome != "not applicable" for row in self.rows)

    @property
    def held(self) -> int:
        return sum(row.outcome == "held" for row in self.rows)

    @property
    def broken(self) -> tuple[str, ...]:
        return tuple(row.name for row in self.rows if row.outcome == "did not hold")

    @property
    def holds(self) -> bool:
        """Every attempt that could be made was made, and none got through."""
        return bool(self.tried) and self.held == self.tried


def to_json(report: Report) -> str:
    return json.dumps([report.backend, report.rows, report.problem, report.ready, report.fleeting])


def from_json(text: str) -> Report:
    """Raises ValueError or TypeError for anything else than what `to_json` wrote."""
    backend, rows, problem, ready, fleeting = json.loads(text)
    read = tuple(Row(*row) for row in rows)
    if not all(row.name in WHAT for row in read):
        raise ValueError("a row of another version")
    return Report(str(backend), read, str(problem), ready is True, fleeting is not False)
