"""The memory tools by their descriptions alone (memory_tools.json, made by scripts/describe_memory_tools.py).

Loading what they stand on takes 40 ms of CPU; the first request needs only what they are called and take.
"""

from __future__ import annotations

import json
from pathlib import Path

from ralph.core.tools import ToolSpec

FILE = Path(__file__).with_name("memory_tools.json")


def memory_specs() -> list[ToolSpec]:
    return [ToolSpec(**row) for row in json.loads(FILE.read_text(encoding="utf-8"))]
