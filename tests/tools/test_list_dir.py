from __future__ import annotations

import os

import pytest

from ralph.errors import ToolError
from tests.tools.called import called


def names(result):
    return [row["path"] for row in result["results"]]


@pytest.fixture
def tree(tmp_path):
    for path in ("b.py", "A.txt", ".hidden", "src/a.py", "src/deep/c.ts", ".conf/x.py", "node_modules/m.js", "out/o.py",
                 "src/notes.log"):  # fmt: skip
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("x")
    (tmp_path / ".gitignore").write_text("out/\n*.log\n")
    (tmp_path / "link").symlink_to("src")
    return tmp_path


def test_one_level(tree):
    result = called("list_dir", tree, path=".")
    assert names(result) == ["node_modules", "out", "src", "A.txt", "b.py", "link"]
    status = (tree / "A.txt").stat()
    assert result["results"][3] == {
        "name": "A.txt", "path": "A.txt", "is_directory": False, "size": 1, "modified_time": int(status.st_mtime),
    }  # fmt: skip
    assert (result["results"][2]["is_directory"], result["results"][2]["size"]) == (True, 0)
    assert set(result) == {"results", "success"}


def test_hidden(tree):
    assert names(called("list_dir", tree, path=".", include_hidden=True))[0] == ".conf"
    assert ".conf/x.py" in names(called("list_dir", tree, path=".", recursive=True, include_hidden=True))


def test_recursive_honours_gitignore_and_skips_what_is_installed(tree):
    assert names(called("list_dir", tree, path=".", recursive=True)) == [
        "src", "A.txt", "b.py", "link", "src/deep", "src/a.py", "src/deep/c.ts",
    ]  # fmt: skip


@pytest.mark.parametrize(("pattern", "found"), [
    ("*.py", ["b.py", "src/a.py"]), ("src/*.py", ["src/a.py"]), ("**/*.{ts,txt}", ["A.txt", "src/deep/c.ts"]),
    ("src/**", ["src/deep", "src/a.py", "src/deep/c.ts"]), ("[!A]*.t?", ["src/deep/c.ts"]), ("none", []),
])  # fmt: skip
def test_globs(tree, pattern, found):
    result = names(called("list_dir", tree, path=".", recursive=True, glob_filter=pattern))
    assert [path for path in result if path != "src"] == found


def test_paths_start_as_they_were_given(tree):
    assert names(called("list_dir", tree, path="src/deep")) == ["src/deep/c.ts"]
    assert names(called("list_dir", tree, path=str(tree / "src/deep"))) == [str(tree / "src/deep/c.ts")]


def test_long_lists_are_cut(tmp_path):
    for number in range(1001):
        (tmp_path / f"{number:04}").touch()
    result = called("list_dir", tmp_path, path=".")
    assert (len(result["results"]), result["truncated"]) == (1000, True)
    assert "first 1,000" in result["note"]
    os.unlink(tmp_path / "0000")
    assert set(called("list_dir", tmp_path, path=".")) == {"results", "success"}


def test_refusals(tree):
    with pytest.raises(ToolError, match="is not a directory; use read_file"):
        called("list_dir", tree, path="b.py")
    with pytest.raises(ToolError, match="none does not exist"):
        called("list_dir", tree, path="none")
