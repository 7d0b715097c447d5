"""apply_delta as a tool: what `git diff` wrote gives what `git apply` gives; what fails leaves every file alone."""

import asyncio
import json
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ralph.core.tools import Context
from ralph.errors import ToolError
from ralph.policy.diffs import touched
from ralph.policy.paths import resolve
from ralph.tools.loader import load_file

TOOL = load_file(Path(__file__).parents[2] / "tools_default" / "apply_delta.py", "default")
GIT = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "core.autocrlf=false", "-c", "gc.auto=0"]
ENV = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C.UTF-8"}

needs_git = pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")


def git(cwd, *words, given=None):
    done = subprocess.run([*GIT, *words], cwd=cwd, env=ENV, input=given, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def context(cwd, paths=()):
    return Context("c1", Path(cwd), Path(cwd), judged={path: resolve(path, str(cwd)) for path in paths})


def apply(cwd, **args):
    """The tool's result as its caller sees it; paths are judged the way the gate does."""
    paths = [part.path for part in touched(args["diff"], args.get("path", ""))] if "diff" in args else [args["path"]]
    judged = {path: resolve(path, str(cwd)) for path in paths}
    if "operations" in args:
        judged = {"path": judged[args["path"]]}
    output = asyncio.run(TOOL.perform(args, Context("c1", Path(cwd), Path(cwd), judged=judged)))
    return json.loads(output.text)


def tree(root):
    return {
        str(path.relative_to(root)): (path.read_bytes(), bool(path.stat().st_mode & stat.S_IXUSR))
        for path in Path(root).rglob("*") if path.is_file() and ".git" not in path.relative_to(root).parts
    }  # fmt: skip


def fill(root, files):
    for name in tree(root):
        (root / name).unlink()
    for name, (data, executable) in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o755 if executable else 0o644)


NAMES = [
    "a.txt", "b c.txt", "d/e f/g", "ü/né.txt", 'q"uote', "tab\tname", "back\\slash", "b/b/x", "a/a b/a", " lead",
    "trail ", "-- dash", "日本.md", "x b/x", "dev/null", "new\nline",
]  # fmt: skip
WORDS = [
    "", "x", "alpha", "beta", "  indented", "trailing  ", "-- x", "++ y", "--- a/f", "+++ b/f", "@@ -1,2 +1,2 @@",
    "\\ No newline at end of file", "diff --git a/x b/x", "page\fbreak", "sep\u2028arator", "ümlaut", "日本",
    "\ufeffmark", "\r",
]  # fmt: skip
LINES = st.lists(st.sampled_from(WORDS), max_size=14)


@st.composite
def texts(draw, lines, mixed=False):
    end = draw(st.sampled_from(["\n", "\r\n"]))
    text = "".join(line + (draw(st.sampled_from(["\n", "\r\n"])) if mixed else end) for line in lines)
    return (text if draw(st.booleans()) else text.removesuffix("\n").removesuffix("\r")).encode()


@st.composite
def edited(draw, lines):
    lines = list(lines)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(lines)))
        lines[at : at + draw(st.integers(0, 3))] = draw(st.lists(st.sampled_from(WORDS), max_size=3))
    return lines


@st.composite
def commits(draw):
    """(files before, files after, whether line ends are mixed or change): path -> (bytes, executable)."""
    mixed = draw(st.booleans())
    before, after = {}, {}
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique=True))
    spare = [name for name in NAMES if name not in names]
    for name in names:
        lines = draw(LINES)
        end = draw(st.sampled_from([b"\n", b"\r\n"]))
        fate = draw(st.sampled_from(["edit", "edit", "edit", "delete", "move", "move", "mode", "new", "keep"]))
        data = draw(texts(lines, mixed)) if mixed else end.join(line.encode() for line in lines)
        changed = draw(edited(lines)) if fate in ("edit", "move") else lines
        new = draw(texts(changed, mixed)) if mixed else end.join(line.encode() for line in changed)
        executable = draw(st.booleans())
        if fate != "new":
            before[name] = (data, executable)
        if fate != "delete":
            after[spare.pop() if fate == "move" and spare else name] = (
                new if fate in ("edit", "move") else data,
                executable ^ (fate == "mode"),
            )
    return before, after, mixed


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    root = tmp_path_factory.mktemp("repository")
    git(root, "init", "-q")
    return root


@needs_git
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(commits(), st.sampled_from([(), ("-R",), ("--no-prefix",), ("-C", "--find-copies-harder")]))
def test_git_diff_of_commits_gives_what_git_apply_gives(repository, tmp_path, commit, how):
    before, after, mixed = commit
    marked = any(data.startswith(b"\xef\xbb\xbf") for files in (before, after) for data, _ in files.values())
    for files in (before, after):
        fill(repository, files)
        git(repository, "add", "-A")
        git(repository, "commit", "-q", "--allow-empty", "-m", "step")
    for width in ("-U0", "-U1", "-U3", "-U10"):
        if width == "-U0" and (mixed or marked):
            continue  # with no line of context, nothing in the diff shows line ends or a byte order mark
        diff = git(repository, "diff", "--text", "-M20%", width, *how, "HEAD~1", "HEAD").decode()
        if not diff:
            continue
        start = after if "-R" in how else before
        theirs, ours = tmp_path / "theirs", tmp_path / "ours"
        for folder in (theirs, ours):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            fill(folder, start)
        strip = ["-p0"] if "--no-prefix" in how else []
        git(theirs, "apply", "--unidiff-zero", "--whitespace=nowarn", *strip, "-", given=diff.encode())
        result = apply(ours, diff=diff)
        assert result["success"], result
        assert tree(ours) == tree(theirs), diff
        notes = [note for file in result["files"] for note in file.get("notes", [])]
        assert all(note.endswith("by its number alone") for note in notes), notes
        assert not notes or width == "-U0"


@needs_git
def test_git_show_and_mailed_patches_apply(repository, tmp_path):
    for text in (b"one\ntwo\n", b"one\nTWO\n"):
        fill(repository, {"mail.txt": (text, False)})
        git(repository, "add", "-A")
        git(repository, "commit", "-q", "-m", "Say it louder\n\n--- not a header")
    for diff in (git(repository, "show"), git(repository, "format-patch", "-1", "--stdout")):
        fill(tmp_path, {"mail.txt": (b"one\ntwo\n", False)})
        assert apply(tmp_path, diff=diff.decode())["files"] == [
            {"path": "mail.txt", "action": "changed", "hunks": 1, "new_line_count": 2}
        ]
        assert tree(tmp_path) == {"mail.txt": (b"one\nTWO\n", False)}


def test_result_fields(tmp_path):
    (tmp_path / "f").write_text("a\nb\n")
    result = apply(tmp_path, path="f", operations=[{"type": "Insert", "start_line": 1, "content": ["top"]}])
    assert result == {
        "success": True, "path": "f", "operations_applied": 1, "backup_path": None, "new_line_count": 3,
        "files": [{"path": "f", "action": "changed", "new_line_count": 3}],
    }  # fmt: skip
    assert (tmp_path / "f").read_text() == "top\na\nb\n"
    assert os.listdir(tmp_path) == ["f"]


def test_backup_only_when_asked_and_as_private_as_the_file(tmp_path):
    file = tmp_path / "secret"
    file.write_text("a\n")
    file.chmod(0o600)
    diff = "--- secret\n+++ secret\n@@ -1 +1 @@\n-a\n+b\n"
    copy = Path(apply(tmp_path, diff=diff, create_backup=True)["backup_path"])
    assert copy.parent == tmp_path
    assert re.fullmatch(r"secret\.\d{20}\.bak", copy.name)
    assert (copy.read_text(), stat.S_IMODE(copy.stat().st_mode)) == ("a\n", 0o600)
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("b\n", 0o600)


def test_rename_keeps_the_mode_of_a_private_file(tmp_path):
    (tmp_path / "old").write_text("a\n")
    (tmp_path / "old").chmod(0o600)
    apply(tmp_path, diff="diff --git a/old b/new\nrename from old\nrename to new\n")
    assert os.listdir(tmp_path) == ["new"]
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600


GOOD = "--- a/one\n+++ b/one\n@@ -1 +1 @@\n-1\n+ONE\n"
FAILURES = {
    "second file does not fit": (
        GOOD + "--- a/two\n+++ b/two\n@@ -1 +1 @@\n-nope\n+TWO\n",
        "should be 'nope' but is '2'",
    ),
    "second hunk does not fit": (
        "--- a/two\n+++ b/two\n@@ -1 +1 @@\n-2\n+TWO\n@@ -9 +9 @@\n-nope\n+x\n",
        "hunk 2 of two",
    ),
    "file to change is missing": (GOOD + "--- a/none\n+++ b/none\n@@ -1 +1 @@\n-x\n+y\n", "none does not exist in"),
    "file to create exists": (GOOD + "--- /dev/null\n+++ b/two\n@@ -0,0 +1 @@\n+x\n", "two exists already"),
    "file to delete is missing": (GOOD + "--- a/none\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n", "none does not exist in"),
    "deleted file keeps lines": (
        GOOD + "--- a/three\n+++ /dev/null\n@@ -1 +0,0 @@\n-3\n",
        "1 of its lines would be left",
    ),
    "rename onto a file": (
        GOOD + "diff --git a/two b/three\nrename from two\nrename to three\n",
        "three exists already",
    ),
    "binary file": (GOOD + "--- a/bin\n+++ b/bin\n@@ -1 +1 @@\n-x\n+y\n", "bin is binary"),
    "directory": (GOOD + "--- a/folder\n+++ b/folder\n@@ -1 +1 @@\n-x\n+y\n", "is a directory"),
    "same file by another name": (GOOD + "--- a/link\n+++ b/link\n@@ -1 +1 @@\n-1\n+x\n", "are the same file"),
    "symbolic link to delete": (GOOD + "--- a/link2\n+++ /dev/null\n@@ -1 +0,0 @@\n-2\n", "link2 is a symbolic link"),
    "write fails after a mode change and a rename": (
        "diff --git a/two b/two\nold mode 100755\nnew mode 100644\n"
        "diff --git a/three b/new/four\nrename from three\nrename to new/four\n"
        "diff --git a/one/under b/one/under\nnew file mode 100755\n",
        "was put back",
    ),
    "write fails at the end": (GOOD + "--- /dev/null\n+++ b/two/under\n@@ -0,0 +1 @@\n+x\n", "was put back"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_failures_leave_every_file_as_it_was(tmp_path, name):
    diff, message = FAILURES[name]
    fill(
        tmp_path,
        {"one": (b"1\n", False), "two": (b"2\n", True), "three": (b"3\n3b\n", False), "bin": (b"x\0\n", False)},
    )
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("one")
    (tmp_path / "link2").symlink_to("two")
    before = tree(tmp_path), sorted(os.listdir(tmp_path))
    with pytest.raises(ToolError) as error:
        apply(tmp_path, diff=diff)
    assert message in str(error.value)
    assert (tree(tmp_path), sorted(os.listdir(tmp_path))) == before


@pytest.mark.parametrize(
    "args", [{}, {"diff": GOOD, "operations": [{"type": "delete", "start_line": 1, "end_line": 1}]}]
)
def test_one_of_operations_and_diff(tmp_path, args):
    with pytest.raises(ToolError, match="one of the two"):
        asyncio.run(TOOL.perform(args, context(tmp_path)))


def test_path_beside_a_diff_must_agree_with_it(tmp_path):
    (tmp_path / "one").write_text("1\n")
    with pytest.raises(ToolError, match="path says 'other'"):
        apply(tmp_path, diff=GOOD, path="other")
    with pytest.raises(ToolError, match="leave path out"):
        apply(tmp_path, diff=GOOD + GOOD.replace("one", "two"), path="one")
    assert apply(tmp_path, diff=GOOD, path=str(tmp_path / "one"))["path"] == "one"


def test_a_file_that_was_not_judged_is_not_touched(tmp_path):
    (tmp_path / "one").write_text("1\n")
    with pytest.raises(ToolError, match="was not judged"):
        asyncio.run(TOOL.perform({"diff": GOOD}, context(tmp_path, ["two"])))
    assert (tmp_path / "one").read_text() == "1\n"


def test_a_file_swapped_after_it_was_judged_is_not_touched(tmp_path):
    (tmp_path / "one").write_text("1\n")
    judged = context(tmp_path, ["one"])
    (tmp_path / "new").write_text("1\n")
    (tmp_path / "new").rename(tmp_path / "one")
    with pytest.raises(ToolError, match="path_changed"):
        asyncio.run(TOOL.perform({"diff": GOOD}, judged))
    assert (tmp_path / "one").read_text() == "1\n"


@pytest.fixture
def small_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("needs root, to mount a small tmpfs")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"cannot mount a tmpfs here: {done.stderr.strip()}")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_full_disk_half_way_undoes_what_was_written(small_disk):
    files = {name: (b"old\n" * 1000, False) for name in ("a", "b", "c")}
    fill(small_disk, files)
    diff = ""
    for name in files:  # the first two fit, the third does not
        size = 5_000 if name != "c" else 60_000
        diff += f"--- a/{name}\n+++ b/{name}\n@@ -1,0 +2,{size} @@\n" + "+new\n" * size
    diff += "--- /dev/null\n+++ b/made/deep/d\n@@ -0,0 +1 @@\n+x\n"
    with pytest.raises(
        ToolError, match=r"cannot write c: No space left on device\. What had been written before was put back"
    ):
        apply(small_disk, diff=diff)
    assert tree(small_disk) == files
    assert sorted(os.listdir(small_disk)) == ["a", "b", "c"]
