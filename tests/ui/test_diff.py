from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ralph.ui.diff import Line, changes, painted, plain


def shown(path, name, **args):
    return [line.kind + line.text for line in changes(name, args, lambda _key: Path(path))]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("".join(f"line {n}\n" for n in range(1, 21)))
    return path


def test_a_rewrite_shows_what_changes_with_three_lines_around(file):
    content = file.read_text().replace("line 10\n", "new ten\n")
    assert shown(file, "write_file", content=content) == [
        "@line 7", " line 7", " line 8", " line 9", "-line 10", "+new ten", " line 11", " line 12", " line 13",
    ]  # fmt: skip


def test_changes_far_apart_are_apart(file):
    content = file.read_text().replace("line 2\n", "").replace("line 19\n", "line 19\nmore\n")
    assert [text for text in shown(file, "write_file", content=content) if text[0] in "@+-"] == [
        "@line 1", "-line 2", "@line 17", "+more"
    ]  # fmt: skip


def test_a_new_file_is_all_new(tmp_path):
    assert shown(tmp_path / "new", "write_file", content="a\nb") == ["!a new file", "+a", "+b"]


def test_nothing_changes(file):
    assert shown(file, "write_file", content=file.read_text()) == ["!no line changes"]


def test_line_ends_of_the_file_are_not_a_change(tmp_path):
    path = tmp_path / "dos.txt"
    path.write_bytes(b"a\r\nb\r\n")
    assert shown(path, "write_file", content="a\nc\n") == ["@line 1", " a", "-b", "+c"]


@pytest.mark.parametrize(
    ("make", "remark"),
    [
        (lambda path: path.write_bytes(b"\0\1"), "!replaces a binary file of 2 bytes"),
        (lambda path: path.mkdir(), "!not a plain file"),
        (os.mkfifo, "!not a plain file"),
        (lambda path: path.write_bytes(b"x" * 1_000_001), "!replaces a file of 1,000,001 bytes, too large to compare"),
    ],
)
def test_what_cannot_be_compared_is_said_at_once(tmp_path, make, remark):
    path = tmp_path / "odd"
    make(path)
    assert shown(path, "write_file", content="new") == [remark, "+new"]


def test_appended_lines(file):
    assert shown(file, "append_file", content="z\n") == ["@at the end of the file", "+z"]


def test_operations_show_the_lines_they_name(file):
    operations = [
        {"type": "delete", "start_line": 19, "end_line": 99},
        {"type": "REPLACE", "start_line": 2, "end_line": 3, "content": ["two", "three"]},
        {"type": "insert", "start_line": 5, "content": ["new"]},
    ]
    assert shown(file, "apply_delta", operations=operations) == [
        "@replace lines 2-3", "-line 2", "-line 3", "+two", "+three", "@insert line 5", "+new",
        "@delete lines 19-99", "-line 19", "-line 20",
    ]  # fmt: skip


@settings(suppress_health_check=[HealthCheck.too_slow])  # the first text drawn on a machine takes seconds
@given(st.lists(st.dictionaries(
    st.sampled_from(["type", "start_line", "end_line", "content"]),
    st.none() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.text(max_size=3), max_size=2),
), max_size=4))  # fmt: skip
def test_any_operations_can_be_shown(operations):
    assert all(len(text) for text in shown("/nowhere/x", "apply_delta", operations=operations))


PATCH = """A summary that is no change:
- it removes nothing
+ it adds nothing
diff --git a/old.py b/new name.py
similarity index 90%
rename from old.py
rename to new name.py
--- a/old.py
+++ b/new name.py
@@ -3,2 +3,2 @@
 same
-old
+new
--- /dev/null
+++ b/fresh.txt
@@ -0,0 +1 @@
+x
\\ No newline at end of file
--- a/gone.txt
+++ /dev/null
@@ -1 +0,0 @@
-bye
diff --git a/run.sh b/run.sh
old mode 100644
new mode 100755
"""


def test_a_unified_diff_is_shown_as_it_will_be_applied():
    assert shown("/x", "apply_delta", diff=PATCH) == [
        '@renames old.py to "new name.py"', "@line 3", " same", "-old", "+new",
        "@new file fresh.txt", "@line 1", "+x", "!(the file ends here, without a line end)", "@deletes gone.txt",
        "@line 1", "-bye", "@changes run.sh", "!made executable",
    ]  # fmt: skip


def test_a_diff_without_a_header_is_for_the_named_file():
    diff = "@@ -1 +1 @@\n-a\n+b\n"
    lines = changes("apply_delta", {"path": "src/a.py", "diff": diff}, Path)
    assert [line.kind + line.text for line in lines] == ["@changes src/a.py", "@line 1", "-a", "+b"]


def test_a_diff_nobody_can_apply_is_said():
    (line,) = shown("/x", "apply_delta", diff="just prose")
    assert line.startswith("!this diff cannot be applied: the diff holds no file header")


def test_other_tools_have_no_diff(file):
    assert shown(file, "shell", command="ls") == []
    assert shown(file, "write_file", content=7) == []


def test_a_huge_rewrite_takes_no_time(tmp_path):
    path = tmp_path / "big"
    path.write_text("\n".join(f"a{n % 7} {n % 13}" for n in range(50_000)))
    start = time.process_time()
    lines = shown(path, "write_file", content="\n".join(f"b{n % 11} {n % 13}" for n in range(2_900)))
    assert lines[0] == "!from line 1: 50000 lines become 2900; the new ones are"
    shown(path, "write_file", content=path.read_text() + "\nend")
    assert time.process_time() - start < 2


def test_lines_are_coloured_and_safe():
    assert painted(Line("+", "a\x1b[2J")) == "\x1b[32m+ a\x1b[7m\\u{1b}\x1b[27m[2J\x1b[0m"
    assert painted(Line(" ", "a\tb")) == "  a\tb"
    assert plain(Line("-", "a\u200b")) == "- a\\u{200b}"
    assert plain(Line("@", "line 1")) == "line 1"


LINES = st.lists(st.sampled_from("abcd"), max_size=12)


@given(LINES, LINES)
def test_the_diff_leads_from_one_text_to_the_other(tmp_path_factory, before, after):
    path = tmp_path_factory.getbasetemp() / f"diff-{os.getpid()}"
    path.write_text("".join(f"{line}\n" for line in before))
    lines = changes("write_file", {"content": "".join(f"{line}\n" for line in after)}, lambda _key: path)
    if lines == [Line("!", "no line changes")]:
        assert before == after
        return
    rest, result = list(before), []
    for line in lines:
        if line.kind == "@":
            start = int(line.text.removeprefix("line ")) - 1
            passed = len(before) - len(rest)
            result += rest[: start - passed]
            rest = rest[start - passed :]
        elif line.kind in " -":
            assert rest.pop(0) == line.text
        if line.kind in " +":
            result.append(line.text)
    assert result + rest == after
