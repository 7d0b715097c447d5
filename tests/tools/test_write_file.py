from __future__ import annotations

import os
import stat

import pytest

from ralph.errors import ToolError
from tests.tools.called import called


def test_a_new_file(tmp_path):
    result = called("write_file", tmp_path, path="a/b/new", content="é\n")
    assert result == {"success": True, "path": "a/b/new", "bytes_written": 3, "verified": True}
    assert (tmp_path / "a/b/new").read_bytes() == b"\xc3\xa9\n"


@pytest.mark.parametrize(("old", "content", "new"), [
    (b"a\r\nb\r\n", "x\ny\n", b"x\r\ny\r\n"),
    (b"a\r\nb\r\n", "x\r\ny\n", b"x\r\ny\n"),
    (b"a\r\nb\n", "x\n", b"x\n"),
    (b"\xef\xbb\xbfa", "x", b"\xef\xbb\xbfx"),
    (b"\xff\xfea\0\r\0\n\0", "é\n", b"\xff\xfe\xe9\0\r\0\n\0"),
    (b"\x89PNG\r\n\x1a\n\0", "x\n", b"x\n"),
    (b"", "x\n", b"x\n"),
])  # fmt: skip
def test_a_replaced_file_keeps_its_style(tmp_path, old, content, new):
    (tmp_path / "f").write_bytes(old)
    (tmp_path / "f").chmod(0o751)
    result = called("write_file", tmp_path, path="f", content=content)
    assert (tmp_path / "f").read_bytes() == new
    assert (result["bytes_written"], result["verified"]) == (len(new), True)
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o751
    assert os.listdir(tmp_path) == ["f"]


def test_a_link_is_written_through(tmp_path):
    (tmp_path / "f").write_text("old")
    (tmp_path / "link").symlink_to("f")
    called("write_file", tmp_path, path="link", content="new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "f").read_text() == "new"


def test_a_backup_only_when_asked(tmp_path):
    (tmp_path / "f").write_text("old")
    result = called("write_file", tmp_path, path="f", content="new", backup=True)
    assert (tmp_path / result["backup_path"]).read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["f", result["backup_path"]]
    assert "backup_path" not in called("write_file", tmp_path, path="g", content="new", backup=True)


def test_a_directory_is_refused(tmp_path):
    with pytest.raises(ToolError, match="is a directory"):
        called("write_file", tmp_path, path=".", content="x")


def test_too_long(tmp_path):
    with pytest.raises(ToolError, match="50 MiB"):
        called("write_file", tmp_path, path="f", content="x" * (50 * 1024 * 1024 + 1))
    assert os.listdir(tmp_path) == []
