"""Change files by line operations or by a unified diff.

Gate: file_write
Match: path
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ralph.core.tools import Context

SCHEMA = {
    "operations": {
        "type": ["array", "null"],
        "description": "Line operations on `path`. All line numbers, from 1, mean the file as it is before the call.",
        "items": {
            "type": "object",
            "properties": {
                "type": {"type": "string", "description": "insert (before start_line), delete or replace"},
                "start_line": {"type": "integer"},
                "end_line": {"type": "integer", "description": "Last line to delete or replace"},
                "content": {"type": "array", "items": {"type": "string"}, "description": "One string a line"},
            },
            "required": ["type", "start_line"],
        },
    }
}


def apply_delta(
    path: str = ".", operations: list[dict] | None = None, diff: str | None = None, create_backup: bool = False,
    *, ctx: Context,
) -> dict[str, Any]:  # fmt: skip
    """Change files: either line operations on one file, or a unified diff over any number. All is applied, or nothing.

    Args:
        path: The file. Leave it out with a diff, whose headers name the files.
        operations: Line operations.
        diff: Unified diff, paths relative to the workspace; 3 lines of context place a hunk even if its line
            numbers are a little off. New, deleted and renamed files as git writes them.
        create_backup: Keep a .bak copy beside each file.
    """
    from ralph.errors import ToolError
    from ralph.tools.delta import apply_diff, edit_file

    if bool(operations) == bool(diff):
        raise ToolError("give either operations (with path) or a diff, one of the two")
    if diff:
        return apply_diff(diff, path, ctx, backup=create_backup)
    if path in ("", "."):
        raise ToolError("operations need path, the file they change")
    return edit_file(path, operations or [], ctx, backup=create_backup)
