"""Read a text file, a page at a time.

Gate: file_read
Match: path
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ralph.core.tools import Context


def read_file(
    path: str, start_line: int = 1, end_line: int | None = None, number_lines: bool = False, *, ctx: Context
) -> dict[str, Any]:
    """Read a text file, up to 2,000 lines or 100 kB at once. When more is left, `note` says where to go on.

    Args:
        path: The file.
        start_line: First line, counted from 1.
        end_line: Last line, inclusive.
        number_lines: Put its number and a tab before each line.
    """
    from ralph.errors import ToolError
    from ralph.tools.files import judged_path, open_judged
    from ralph.tools.pages import read_page

    if start_line < 1 or (end_line is not None and end_line < start_line):
        raise ToolError(f"start_line counts from 1 and end_line is not before it; got {start_line} to {end_line}")
    with open_judged(judged_path(ctx, "path", path)) as stream:
        page = read_page(stream, start_line, end_line, name=path)
    lines = enumerate(page.lines, start_line)
    text = "".join(f"{number:>6}\t{line}" for number, line in lines) if number_lines else "".join(page.lines)
    result = {"result": text, "success": True}
    return {**result, "note": page.note} if page.note else result
