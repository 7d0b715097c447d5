"""List a directory.

Gate: file_read
Match: path
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import os

    from ralph.core.tools import Context


def list_dir(
    path: str, glob_filter: str | None = None, recursive: bool = False, include_hidden: bool = False, *, ctx: Context
) -> dict[str, Any]:
    """List a directory, at most 1,000 entries. Recursive listings leave out what .gitignore names and directories such
    as .git, node_modules, build, dist and venv.

    Args:
        path: The directory.
        glob_filter: Only names that fit, such as *.py, src/**/*.ts or *.{c,h}.
        recursive: Also list what is below.
        include_hidden: Also list names that begin with a dot.
    """
    import os
    import stat
    import time

    from ralph.errors import ToolError
    from ralph.tools.files import judged_path, look
    from ralph.tools.walk import by_name, fitting, walk

    most, until = 1000, time.monotonic() + 20
    judged = judged_path(ctx, "path", path)
    if not stat.S_ISDIR(look(judged).st_mode):
        raise ToolError(f"{path} is not a directory; use read_file or file_info")
    try:
        top = sorted(os.scandir(judged.resolved), key=by_name)
    except OSError as error:
        raise ToolError(f"cannot list {path}: {error.strerror}") from None
    deep = walk(judged.resolved, stopped=lambda: time.monotonic() > until)
    fits = fitting(glob_filter)
    results: list[dict[str, Any]] = []
    for relative, entry in deep if recursive else ((entry.name, entry) for entry in top):
        hidden = relative[0] == "." or "/." in relative
        if (include_hidden or not hidden) and fits(relative):
            results += _row(path, relative, entry)
        if len(results) > most:
            break
    result = {"results": results[:most], "success": True}
    if len(results) <= most and time.monotonic() <= until:
        return result
    note = f"only the first {len(results[:most]):,} entries; use glob_filter or list a subdirectory"
    return {**result, "truncated": True, "note": note}


def _row(path: str, relative: str, entry: os.DirEntry[str]) -> list[dict[str, Any]]:
    """The entry, or nothing when it is gone meanwhile."""
    import stat
    from pathlib import Path

    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return []
    is_directory = stat.S_ISDIR(status.st_mode)
    return [{
        "name": entry.name, "path": str(Path(path, relative)), "is_directory": is_directory,
        "size": 0 if is_directory else status.st_size, "modified_time": int(status.st_mtime),
    }]  # fmt: skip
