"""The tools that come with Ralph by their descriptions alone (late_tools.json, see scripts/describe_late_tools.py).

Reading their files and loading what they stand on takes 60 ms of CPU; the first request needs only their names and
parameters.
"""

from __future__ import annotations

import json
from pathlib import Path

from ralph.core.tools import ToolSpec

FILE = Path(__file__).with_name("late_tools.json")


def late_specs() -> tuple[ToolSpec, list[ToolSpec], list[ToolSpec]]:
    """That of `python`, those of the default tool files, and those of the memory tools."""
    python, *rest = (ToolSpec(**row) for row in json.loads(FILE.read_text(encoding="utf-8")))
    return python, [s for s in rest if s.origin == "default"], [s for s in rest if s.origin != "default"]
