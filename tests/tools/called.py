"""Call a default tool as the runner does, without a gate."""

from __future__ import annotations

import asyncio
import json
import os
from functools import cache
from pathlib import Path
from typing import Any

from ralph.core.tools import Context, Judged, Tool
from ralph.tools.loader import load_folder

DEFAULTS = Path(__file__).resolve().parents[2] / "tools_default"


@cache
def default_tools() -> dict[str, Tool]:
    tools, warnings = load_folder(DEFAULTS, "default")
    assert warnings == []
    return {tool.spec.name: tool for tool in tools}


def called(name: str, cwd: Path, *, judged: dict[str, Judged] | None = None, **args: Any) -> dict[str, Any]:
    context = Context("call", cwd, cwd / "scratch", {"PATH": os.environ["PATH"]}, judged=judged or {})
    return called_with(name, context, args)


def called_with(name: str, context: Context, args: dict[str, Any]) -> dict[str, Any]:
    tool = default_tools()[name]
    assert tool.spec.problem_with(args) == ""
    result: dict[str, Any] = json.loads(asyncio.run(tool.perform(args, context)).text)
    return result
