"""The eight categories, their default verdicts, and where each known tool belongs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from ralph.core.tools import ToolSpec

Action = Literal["allow", "gate", "deny"]

NAMES = ("file_write", "file_read", "shell", "network", "memory", "subagent", "mcp", "python")

_DEFAULTS: Mapping[str, Action] = {
    "file_write": "gate", "file_read": "allow", "shell": "gate", "network": "gate",
    "memory": "allow", "subagent": "gate", "mcp": "gate", "python": "gate",
}  # fmt: skip

STRICTEST = "shell"
"""The category of a tool that names none: asked about every time, and no path or URL rule can cover it."""

_FILE_WRITE = ("write_file", "append_file", "apply_delta")
_FILE_READ = ("read_file", "file_info", "list_dir", "search_files", "pdf_extract_text")
_MEMORY = ("remember", "recall_memories", "forget_memory", "TodoWrite", "TodoRead")
_MATCH = {"shell": "command", "web_fetch": "url", "pdf_extract_text": "file_path", "search_files": "regex_pattern"}

QUIET_TOOLS = frozenset({
    "recall_memories", "TodoRead", "subagent_status", "vector_db_list_indices", "vector_db_get_vector",
    "vector_db_search", "vector_db_search_text", "vector_db_search_by_time",
})  # fmt: skip
"""Tools outside the file categories that change nothing, so several may run side by side."""


def defaults(*, sandbox_holds: bool) -> dict[str, Action]:
    """Category -> verdict. Python is allowed unasked only while the sandbox was seen to hold."""
    return {**_DEFAULTS, "python": "allow" if sandbox_holds else "gate"}


def category_of(tool: str) -> str:
    """Where a tool of this name belongs when no specification is at hand (cases files, `policy explain`)."""
    if tool in _FILE_WRITE:
        return "file_write"
    if tool in _FILE_READ:
        return "file_read"
    if tool in _MEMORY or tool.startswith("vector_db_"):
        return "memory"
    named = {"web_fetch": "network", "python": "python", "subagent": "subagent", "subagent_status": "subagent"}
    return named.get(tool, "mcp" if tool.startswith("mcp_") else STRICTEST)


def stand_in(tool: str, args: Mapping[str, Any] | None = None) -> ToolSpec:
    """A specification for judging by name alone; nothing is loaded and nothing can be performed with it."""
    category = category_of(tool)
    match = _MATCH.get(tool, "path" if category in ("file_write", "file_read") else None)
    return ToolSpec(tool, "", {"type": "object", "properties": {name: {} for name in args or {}}}, category, match)
