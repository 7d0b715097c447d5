"""Create or replace a text file.

Gate: file_write
Match: path
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ralph.core.tools import Context


def write_file(path: str, content: str, backup: bool = False, *, ctx: Context) -> dict[str, Any]:
    """Create a file, or replace all of it in one step; missing directories are made. To change a part, use apply_delta.
    A replaced file keeps its mode, encoding, byte order mark and, when the content has plain line feeds, its CRLF.

    Args:
        path: The file.
        content: The whole new text.
        backup: Keep the old file beside it as PATH.<time>.bak.
    """
    from datetime import datetime

    from ralph.core.tools import Judged
    from ralph.errors import ToolError
    from ralph.tools.files import encode, in_style, judged_path, open_judged, replace_atomically, style_of

    if len(content) > 50 * 1024 * 1024:
        raise ToolError("the content is longer than 50 MiB; write it in parts with append_file")
    judged = judged_path(ctx, "path", path)
    style = style_of(judged)
    result: dict[str, Any] = {"success": True, "path": path}
    if backup and judged.inode:
        suffix = f".{datetime.now():%Y%m%d%H%M%S%f}.bak"
        with open_judged(judged) as stream:
            replace_atomically(Judged(path + suffix, judged.resolved + suffix, None), stream.read())
        result["backup_path"] = path + suffix
    data = encode(in_style(content, style), style)
    written = replace_atomically(judged, data)
    with open_judged(written) as stream:
        verified = stream.read() == data
    return {**result, "bytes_written": len(data), "verified": verified}
