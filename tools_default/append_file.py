"""Add text to the end of a file.

Gate: file_write
Match: path
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ralph.core.tools import Context


def append_file(path: str, content: str, *, ctx: Context) -> dict[str, Any]:
    """Add text to the end of a file, exactly as given: no line break is put before or after. Makes the file if needed.

    Args:
        path: The file.
        content: What to add.
    """
    import os
    from dataclasses import replace

    from ralph.errors import ToolError
    from ralph.tools.files import encode, judged_path, open_judged, style_of

    if len(content) > 10 * 1024 * 1024:
        raise ToolError("the content is longer than 10 MiB; append it in parts")
    judged = judged_path(ctx, "path", path)
    data = encode(content, replace(style_of(judged), bom=b""))
    with open_judged(judged, "ab") as stream:
        try:
            done = stream.write(data)  # one unbuffered write: lines of several writers do not mix
            reason = "the disk is full"
        except OSError as error:
            done, reason = 0, error.strerror
        size = stream.seek(0, os.SEEK_END)
        if done != len(data):
            stream.truncate(size - done)
            raise ToolError(f"cannot append to {path}: {reason}; the file is as it was")
        stream.seek(size - done)
        verified = stream.read(done) == data
    return {"success": True, "path": path, "bytes_appended": done, "verified": verified}
