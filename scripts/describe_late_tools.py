"""Write ralph/tools/late_tools.json: what the tools that come with Ralph take, so that nothing is loaded to say it.

    python scripts/describe_late_tools.py

A test fails when the file and the tools differ.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from ralph.app import shipped
from ralph.memory.memory import Memory
from ralph.tools.late import FILE
from ralph.tools.loader import load_folder
from ralph.tools.memory import tools_for
from ralph.tools.python import Interpreter, python_tool


def described() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as home:
        memory = Memory(Path(home))
        files, _ = load_folder(shipped("tools_default"), "default")
        specs = [tool.spec for tool in (python_tool(Interpreter()), *files, *tools_for(memory))]
        memory.close()
    return [{name: getattr(spec, name) for name in spec.__dataclass_fields__} for spec in specs]


if __name__ == "__main__":
    FILE.write_text(json.dumps(described(), indent=1, default=dict) + "\n", encoding="utf-8")
