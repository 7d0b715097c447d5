from __future__ import annotations

import asyncio
import os
import shutil
import time
from pathlib import Path

import pytest

from ralph.core.tools import Context
from ralph.errors import ToolError
from ralph.tools.search import Search
from tests.tools.called import called, called_with, default_tools

needs_ripgrep = pytest.mark.skipif(shutil.which("rg") is None, reason="ripgrep (rg) is not installed")


@pytest.fixture(params=[pytest.param("rg", marks=needs_ripgrep), "python"])
def search(request, tmp_path):
    """Every test here runs with ripgrep and without."""

    def search(pattern, path=".", **args):
        env = {"PATH": os.environ["PATH"] if request.param == "rg" else "/nowhere"}
        home = tmp_path.parent / f"{tmp_path.name}-home"
        context = Context("c", tmp_path, home / "scratch" / "s", env)
        return called_with("search_files", context, {"path": path, "regex_pattern": pattern, **args})

    return search


def put(root, **files):
    for name, data in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())


def places(result):
    return [(row["file_path"], row["line_number"]) for row in result["results"]]


@pytest.fixture
def tree(tmp_path):
    files = {
        "a.py": "import os\ndef find(x):\n    return x\n", "src/b.py": "def find_all():\r\n    pass\r\n",
        "src/c.txt": "find\n", ".hidden/h.py": "find\n", ".env": "find=secret\n", ".env.local": "find=secret\n",
        ".env.example": "find=\n", "ralph.config.json": "find\n", "out/o.py": "find\n", "build/x.py": "find\n",
        ".git/config": "find\n", "img.png": "find\n", "zip": b"find\0", "src/out/k.py": "find\n", "x.log": "find",
    }  # fmt: skip
    for name, data in files.items():
        put(tmp_path, **{name: data})
    put(tmp_path, **{".gitignore": "/out/\n*.log\n!keep.log\n", "keep.log": "find"})
    (tmp_path / "link.py").symlink_to("a.py")
    (tmp_path / "way-out").symlink_to("/usr/include")
    return tmp_path


def test_results(search, tree):
    result = search("def find")
    assert result == {
        "results": [
            {"file_path": "a.py", "line_number": 2, "line_content": "def find(x):", "match_context": "def find(x):"},
            {"file_path": "src/b.py", "line_number": 1, "line_content": "def find_all():",
             "match_context": "def find_all():"},
        ],
        "total_matches": 2, "files_searched": 9, "truncated": False, "success": True,
    }  # fmt: skip


def test_what_is_searched(search, tree):
    assert [path for path, _ in places(search("find"))] == [
        ".env.example", ".hidden/h.py", "a.py", "keep.log", "src/b.py", "src/c.txt", "src/out/k.py",
    ]  # fmt: skip


@pytest.mark.parametrize(("args", "found"), [
    ({"glob_filter": "*.py"}, [".hidden/h.py", "a.py", "src/b.py", "src/out/k.py"]),
    ({"glob_filter": "src/*"}, ["src/b.py", "src/c.txt"]),
    ({"recursive": False, "glob_filter": "*.py"}, ["a.py"]),
    ({"path": "src", "glob_filter": "*.{txt,md}"}, ["src/c.txt"]),
    ({"path": "src/c.txt"}, ["src/c.txt"]),
    ({"path": "a.py", "glob_filter": "*.md"}, ["a.py"]),
])  # fmt: skip
def test_where(search, tree, args, found):
    assert [path for path, _ in places(search("find", **args))] == found


def test_a_gitignore_above_the_directory_counts(search, tree):
    put(tree, **{"src/y.log": "find"})
    assert "src/y.log" not in [path for path, _ in places(search("find", "src"))]


def test_a_repository_inside_ends_the_outer_rules(search, tree):
    put(tree, **{"sub/.git/HEAD": "", "sub/y.log": "find"})
    assert ("sub/y.log", 1) in places(search("find"))


def test_a_hard_link_of_a_protected_file_shows_nothing(search, tree):
    os.link(tree / ".env", tree / "notes.txt")
    assert "secret" not in str(search("find"))


def test_ralphs_own_home_shows_nothing(search, tmp_path):
    put(tmp_path.parent, **{f"{tmp_path.name}-home/sessions/1.jsonl": "find"})
    assert search("find", f"../{tmp_path.name}-home")["results"] == []


def test_case(search, tree):
    assert places(search("IMPORT OS")) == []
    assert places(search("IMPORT OS", case_sensitive=False)) == [("a.py", 1)]


def test_limits(search, tmp_path):
    put(tmp_path, a="x\n" * 3, b="x\n")
    cut = search("x", max_results=3)
    assert (places(cut), cut["truncated"], cut["files_searched"]) == ([("a", 1), ("a", 2), ("a", 3)], True, 1)
    exact = search("x", max_results=4)
    assert (exact["total_matches"], exact["truncated"], exact["files_searched"]) == (4, False, 2)
    assert len(search("x", max_results=-1)["results"]) == 1


def test_long_lines_are_cut_around_the_match(search, tmp_path):
    put(tmp_path, f=f"  {'a' * 500}needle{'b' * 500}\n")
    [row] = search("needle")["results"]
    assert row["line_content"] == "a" * 200
    assert row["match_context"] == f"...{'a' * 30}needle{'b' * 30}..."


@pytest.mark.parametrize(("data", "pattern", "lines"), [
    (b"a\nb", "^", [1, 2]), (b"a\n", "^$", []), (b"\n\n", "^$", [1, 2]), (b"", "^", []), (b"\r\n", "^$", [1]),
    (b"foo\r\nfoo", "foo$", [1, 2]), (b"a\rb\n", "a.b", [1]), (b"caf\xe9\n", "caf.", [1]),
    ("naïve\n".encode(), r"na\wve", [1]), ("naïve\n".encode(), r"na\bï", []), ("Ünï".encode("utf-16"), "nï", [1]),
    (b"\xef\xbb\xbffoo\n", "^foo", [1]), (b"a" * 9000 + b"\0b\n", "b", [1]), (b"a\x1cb", r"a\sb", [1]),
    ("\u212a\n".encode(), "(?i)k", [1]), (b"aXXb\n", r"a(?=X)(X)\1b", [1]), (b'a"b/c\n', r"a\"b\/c", [1]),
    (b"a{b}\n", "a{b", [1]), (b"foobar\n", r"foo\b", []), (b"x-y\n", r"[\w-]+$", [1]), (b"a\tb\n", r"a\tb", [1]),
    (b"a<b>\n", r"\<b\>", [1]), (b"foo  bar\n", r"foo\s{2,}bar", [1]),
])  # fmt: skip
def test_dialect(search, tmp_path, data, pattern, lines):
    put(tmp_path, f=data)
    assert [line for _, line in places(search(pattern))] == lines


@pytest.mark.parametrize(("pattern", "reason"), [
    ("a(b", "missing ), unterminated subpattern at position 1"), ("[z-a]", "bad character range z-a at position 1"),
    ("*", "nothing to repeat at position 0"), ("a{99999999999}", "too large"),
])  # fmt: skip
def test_invalid_patterns(search, tmp_path, pattern, reason):
    with pytest.raises(ToolError) as raised:
        search(pattern)
    assert reason in str(raised.value)


def test_strange_names(search, tmp_path):
    for name in (b"new\nline", b"sp ace", b"-dash", b"caf\xe9", "日本".encode(), b"'q\"uote\\"):
        with open(os.fsencode(tmp_path) + b"/" + name, "wb") as stream:
            stream.write(b"find")
    result = search("find")
    assert result["total_matches"] == 6
    assert {row["file_path"] for row in result["results"]} == {
        "new\nline", "sp ace", "-dash", "caf?", "日本", "'q\"uote\\",
    }  # fmt: skip


def test_pipes_and_unreadable_places_are_left_alone(search, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "gone").symlink_to("nothing")
    put(tmp_path, f="find", long="find" * 300_000)
    assert places(search("find")) == [("f", 1)]
    with pytest.raises(ToolError, match="neither a file nor a directory"):
        search("find", "pipe")
    with pytest.raises(ToolError, match="does not exist"):
        search("find", "none")


def at_work_in(folder):
    """Ids of the processes whose working directory is `folder`."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            found += [entry.name] if (entry / "cwd").resolve() == folder else []
        except OSError:
            continue
    return found


def test_a_pattern_that_takes_for_ever_is_ended(tmp_path):
    """The tool's own limit is half a minute; the search below it takes its seconds as an argument."""
    put(tmp_path, a="find\n", b="a" * 40 + "!\n")
    started = time.monotonic()
    search = Search(tmp_path, r"find|(a+)+$", seconds=1.0)
    found = asyncio.run(search.run(rg=None))
    assert time.monotonic() - started < 10
    assert found.rows == (("a", 1, "find", "find"),)
    assert not found.ended


@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="looks for processes in /proc")
def test_cancelling_leaves_no_process(tmp_path):
    put(tmp_path, b="a" * 40 + "!\n")
    context = Context("c", tmp_path, tmp_path, {"PATH": "/nowhere"})

    async def cancelled():
        args = {"path": ".", "regex_pattern": "(a+)+$"}
        task = asyncio.create_task(default_tools()["search_files"].perform(args, context))
        while not at_work_in(tmp_path):
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(asyncio.wait_for(cancelled(), 20))
    assert at_work_in(tmp_path) == []


def test_the_default_search_path_is_used_without_one(tmp_path):
    put(tmp_path, f="find")
    assert called("search_files", tmp_path, path="f", regex_pattern="find")["total_matches"] == 1
