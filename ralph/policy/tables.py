"""The data behind the judgement of shell commands, read once, when the first command is judged."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any


@cache
def table() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(Path(__file__).with_name("programs.json").read_text(encoding="utf-8"))
    return loaded
