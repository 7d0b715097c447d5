from __future__ import annotations

from datetime import datetime

import pytest

from ralph.errors import ToolError
from tests.tools.called import called


def test_a_file(tmp_path):
    (tmp_path / "f").write_bytes(b"12345")
    (tmp_path / "f").chmod(0o640)
    (tmp_path / "link").symlink_to("f")
    status = (tmp_path / "f").stat()
    info = called("file_info", tmp_path, path="f")
    for name in ("modified_time", "created_time", "accessed_time"):
        assert abs(datetime.fromisoformat(info.pop(name)).timestamp() - status.st_mtime) < 5
    assert info == {
        "path": str((tmp_path / "f").resolve()), "name": "f", "size": 5, "is_directory": False, "is_file": True,
        "is_symlink": False, "permissions": "-rw-r-----", "permissions_octal": "640", "owner_uid": status.st_uid,
        "group_gid": status.st_gid, "is_readable": True, "is_writable": True, "is_executable": False, "success": True,
    }  # fmt: skip
    linked = called("file_info", tmp_path, path="link")
    assert (linked["is_symlink"], linked["is_file"], linked["name"]) == (True, True, "f")


def test_a_directory(tmp_path):
    info = called("file_info", tmp_path, path=".")
    assert (info["is_directory"], info["is_file"], info["name"]) == (True, False, tmp_path.name)


def test_nothing(tmp_path):
    with pytest.raises(ToolError, match="none does not exist"):
        called("file_info", tmp_path, path="none")
