"""Facts about a file or directory.

Gate: file_read
Match: path
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ralph.core.tools import Context


def file_info(path: str, *, ctx: Context) -> dict[str, Any]:
    """Size, type, permissions, owner and times of a file or directory, without reading it.

    Args:
        path: The file or directory.
    """
    import os
    import stat
    from datetime import datetime
    from pathlib import Path

    from ralph.tools.files import judged_path, look

    def when(seconds: float) -> str:
        return datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds")

    judged = judged_path(ctx, "path", path)
    status = look(judged)
    return {
        "path": judged.resolved,
        "name": Path(judged.resolved).name,
        "size": status.st_size,
        "is_directory": stat.S_ISDIR(status.st_mode),
        "is_file": stat.S_ISREG(status.st_mode),
        "is_symlink": (ctx.cwd / Path(path).expanduser()).is_symlink(),
        "permissions": stat.filemode(status.st_mode),
        "permissions_octal": f"{stat.S_IMODE(status.st_mode):03o}",
        "owner_uid": status.st_uid,
        "group_gid": status.st_gid,
        "modified_time": when(status.st_mtime),
        "created_time": when(getattr(status, "st_birthtime", status.st_ctime)),
        "accessed_time": when(status.st_atime),
        "is_readable": os.access(judged.resolved, os.R_OK),
        "is_writable": os.access(judged.resolved, os.W_OK),
        "is_executable": os.access(judged.resolved, os.X_OK),
        "success": True,
    }
