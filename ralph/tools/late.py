"""`python` and the memory tools by their descriptions alone (late_tools.json, made by scripts/describe_late_tools.py).

Loading what they stand on takes 50 ms of CPU; the first request needs only what they are called and take.
"""

from __future__ import annotations

import json
from pathlib import Path

from ralph.core.tools import ToolSpec

FILE = Path(__file__).with_name("late_tools.json")


def late_specs() -> tuple[ToolSpec, list[ToolSpec]]:
    """That of `python`, and those of the memory tools."""
    python, *memory = (ToolSpec(**row) for row in json.loads(FILE.read_text(encoding="utf-8")))
    return python, memory
