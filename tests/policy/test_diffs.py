"""What a diff says: names, actions, hunks, and everything that makes it unreadable."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralph.errors import ToolError
from ralph.policy.diffs import Touched, parse, touched

BODY = "@@ -1,2 +1,2 @@\n a\n-b\n+c\n"


def one(text, path=""):
    (patch,) = parse(text, path)
    return patch


def brief(text):
    return [(patch.action, patch.source, patch.target) for patch in parse(text)]


def git_diff(old, new, *extended, body=""):
    return "\n".join([f"diff --git {old} {new}", *extended, ""]) + body


NEW = ("changed", "f", "f")
NAMES = {
    "git": ("diff --git a/f b/f\nindex 1..2 100644\n--- a/f\n+++ b/f\n" + BODY, NEW),
    "git without prefix": ("diff --git f f\n--- f\n+++ f\n" + BODY, NEW),
    "git, mnemonic prefix": ("diff --git i/f w/f\n--- i/f\n+++ w/f\n" + BODY, NEW),
    "git -R": ("diff --git b/f a/f\n--- b/f\n+++ a/f\n" + BODY, NEW),
    "plain": ("--- a/f\n+++ b/f\n" + BODY, NEW),
    "plain without prefix": ("--- f\n+++ f\n" + BODY, NEW),
    "time stamps": ("--- f\t2024-01-01 10:00:00 +0100\n+++ f\t2024-01-02 10:00:00 +0100\n" + BODY, NEW),
    "absolute": ("--- /tmp/f\n+++ /tmp/f\n" + BODY, ("changed", "/tmp/f", "/tmp/f")),
    "dots and slashes": ("--- ./d//f\n+++ ./d//f\n" + BODY, ("changed", "d/f", "d/f")),
    "a folder named a": ("--- a/f\n+++ a/f\n" + BODY, ("changed", "a/f", "a/f")),
    "blanks": ("diff --git a/x b/x b/x b/x\n--- a/x b/x\t\n+++ b/x b/x\t\n" + BODY, ("changed", "x b/x", "x b/x")),
    "octal": ('--- "a/caf\\303\\251"\n+++ "b/caf\\303\\251"\n' + BODY, ("changed", "café", "café")),
    "letters": ('--- "a/q\\"\\t\\\\"\n+++ "b/q\\"\\t\\\\"\n' + BODY, ("changed", 'q"\t\\', 'q"\t\\')),
    "raw in quotes": ('--- "a/é\\""\n+++ "b/é\\""\n' + BODY, ("changed", 'é"', 'é"')),
    "created": ("--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+x\n", ("created", None, "f")),
    "created, plain name": ("--- /dev/null\n+++ f\n@@ -0,0 +1 @@\n+x\n", ("created", None, "f")),
    "deleted": ("--- a/f\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n", ("deleted", "f", None)),
    "created empty": (git_diff("a/f", "b/f", "new file mode 100644", "index 0..e"), ("created", None, "f")),
    "deleted empty": (git_diff("a/f", "b/f", "deleted file mode 100644"), ("deleted", "f", None)),
    "renamed": (git_diff("a/x", "b/y", "similarity index 100%", "rename from x", "rename to y"), ("renamed", "x", "y")),
    "renamed and quoted": (
        git_diff("a/x", '"b/\\303\\251"', "rename from x", 'rename to "\\303\\251"'), ("renamed", "x", "é"),
    ),
    "copied": (git_diff("a/x", "b/y", "copy from x", "copy to y"), ("copied", "x", "y")),
    "mode": (git_diff("a/f", "b/f", "old mode 100644", "new mode 100755"), NEW),
    "crlf": (("--- a/f\n+++ b/f\n" + BODY).replace("\n", "\r\n"), NEW),
    "prose before": ("From 123\nSubject: x\n---\n f | 2 +-\n\n--- a/f\n+++ b/f\n" + BODY + "-- \n2.39.5\n\n", NEW),
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_names_and_actions(name):
    text, expected = NAMES[name]
    assert brief(text) == [expected]


def test_executable_bit():
    assert one(git_diff("a/f", "b/f", "old mode 100644", "new mode 100755")).executable is True
    assert one(git_diff("a/f", "b/f", "old mode 100755", "new mode 100644")).executable is False
    assert one(git_diff("a/f", "b/f", "new file mode 100755")).executable is True
    assert one("--- f\n+++ f\n" + BODY).executable is None


def test_touched_lists_all_that_the_gate_must_judge():
    text = (
        git_diff("a/x", "b/y", "rename from x", "rename to y") + git_diff("a/c", "b/d", "copy from c", "copy to d")
        + git_diff("a/f", "b/f", body="--- a/f\n+++ b/f\n") + BODY + "--- a/g\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
    )  # fmt: skip
    assert touched(text) == (
        Touched("x", "deletes"), Touched("y", "writes"), Touched("c", "reads"), Touched("d", "writes"),
        Touched("f", "writes"), Touched("g", "deletes"),
    )  # fmt: skip


def test_hunks_without_a_header_need_the_path():
    assert touched(BODY, "d/f") == (Touched("d/f", "writes"),)
    with pytest.raises(ToolError, match="no file header"):
        parse(BODY)


def test_hunk_lines_keep_what_they_say():
    (hunk,) = one("--- f\n+++ f\n@@ -3,3 +3,2 @@ def x():\n a\n\n-b\n\\ No newline at end of file\n").hunks
    assert (hunk.old_start, hunk.at) == (3, 3)
    assert hunk.lines == ((" ", "a\n"), (" ", "\n"), ("-", "b"))


def test_lines_that_look_like_headers_belong_to_the_body():
    text = "diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -1,3 +1,3 @@\n--- a/f\n+++ b/f\n x\n-@@ -1 +1 @@\n+y\n"
    (hunk,) = one(text).hunks
    assert hunk.lines[:2] == (("-", "-- a/f\n"), ("+", "++ b/f\n"))


@pytest.mark.parametrize("counts", ["-1 +1", "-1,9 +1,9", "-1,2 +1,5", "-1,0 +1,0"])
@pytest.mark.parametrize("after", ["", "\n\n", "@@ -9 +9 @@\n-x\n+y\n", "--- a/g\n+++ b/g\n@@ -1 +1 @@\n-x\n+y\n"])
def test_wrong_counts_are_put_right_and_said(counts, after):
    hunk = parse(f"--- a/f\n+++ b/f\n@@ {counts} @@\n a\n-b\n+c\n d\n{after}")[0].hunks[0]
    assert [mark for mark, _ in hunk.lines] == [" ", "-", "+", " "]
    assert "body has 3 and 3" in hunk.note


def test_right_counts_are_not_remarked_upon():
    assert one("--- f\n+++ f\n" + BODY + "\n\n").hunks[0].note == ""


HEAD = "--- a/f\n+++ b/f\n"
WRONG = {
    "nothing": ("", "no file header"),
    "prose": ("please change the file\n", "no file header"),
    "no hunk": (HEAD, "line 2"),
    "no hunk, but text": (HEAD + "hello\n", "line 3: a hunk begins with"),
    "hunk header": (HEAD + "@@ foo @@\n", "line 3: a hunk begins with"),
    "merge": ("diff --cc f\nindex 1,2..3\n--- a/f\n+++ b/f\n@@@ -1,1 -1,1 +1,1 @@@\n", "single parent"),
    "merge hunk": (HEAD + "@@@ -1,1 -1,1 +1,1 @@@\n", "line 3: a hunk begins"),
    "stray line": (HEAD + BODY + "hello\n", "line 7"),
    "stray line in a body": (HEAD + "@@ -1,3 +1,3 @@\n a\nhello\n-b\n+c\n", "line 5: a line of a hunk begins with"),
    "code fence at the end": (HEAD + BODY + "```\n", "line 7"),
    "hunk without change": (HEAD + "@@ -1 +1 @@\n a\n", "line 3: the hunk has no line with"),
    "different names": ("--- a/f\n+++ b/g\n" + BODY, "'f' and 'g' differ"),
    "lonely minus": ("diff --git a/f b/f\n--- a/f\n" + BODY, "line 3: expected the '\\+\\+\\+' line"),
    "both nowhere": ("--- /dev/null\n+++ /dev/null\n" + BODY, "both names are /dev/null"),
    "dot dot": ("--- a/../f\n+++ b/../f\n" + BODY, "without '..'"),
    "dot dot in a rename": (git_diff("a/x", "b/y", "rename from x", "rename to ../y"), "without '..'"),
    "empty name": ("--- a/\n+++ b/\n" + BODY, "cannot be used"),
    "open quote": ('--- "a/f\n+++ "b/f"\n' + BODY, "line 1: the quoted name is not closed"),
    "bad escape": ('--- "a/\\q"\n+++ "b/\\q"\n' + BODY, "line 1: unknown escape"),
    "not UTF-8": ('--- "a/\\351"\n+++ "b/\\351"\n' + BODY, "line 1: the name .* is not UTF-8"),
    "git names differ": (git_diff("a/f", "b/g", body=HEAD + BODY), "which file"),
    "names do not agree": (git_diff("a/g", "b/g", body=HEAD + BODY), "do not agree"),
    "rename does not agree": (git_diff("a/x", "b/y", "rename from x", "rename to y", body=HEAD + BODY), "do not agree"),
    "binary": (git_diff("a/f", "b/f", body="Binary files a/f and b/f differ\n"), "line 2: f is binary"),
    "git binary": (git_diff("a/f", "b/f", "index 1..2 100644", body="GIT binary patch\nliteral 3\n"), "line 3: f is"),
    "symlink": (git_diff("a/f", "b/f", "new file mode 120000", body=HEAD + BODY), "symbolic link"),
    "changed symlink": (git_diff("a/f", "b/f", "index 1..2 120000", body=HEAD + BODY), "symbolic link"),
    "submodule": (git_diff("a/f", "b/f", "index 1..2 160000", body=HEAD + BODY), "submodule"),
    "says nothing": (git_diff("a/f", "b/f", "index 1..2 100644"), "nothing is said about f"),
    "two parts": (HEAD + BODY + HEAD + BODY, "two parts for f"),
    "new file with old lines": ("--- /dev/null\n+++ b/f\n" + BODY, "only have lines with '\\+'"),
    "deleted file with new lines": ("--- a/f\n+++ /dev/null\n" + BODY, "only have lines with '-'"),
    "marker without a line": (HEAD + "@@ -1 +1 @@\n\\ No newline at end of file\n-a\n+b\n", "must follow the line"),
    "line after the last": (HEAD + "@@ -1,2 +1 @@\n-a\n\\ No newline at end of file\n-b\n+c\n", "line 6: a line"),
    "counts swallow a header": (
        HEAD + "@@ -1,3 +1,3 @@\n a\n-b\n+c\n--- a/g\n+++ b/g\n@@ -1 +1 @@\n-x\n+y\n", "line 7: .* the next file",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_malformed(name):
    text, message = WRONG[name]
    with pytest.raises(ToolError, match=message):
        parse(text)


PIECES = st.sampled_from([
    "--- a/f\n", "+++ b/f\n", "--- /dev/null\n", "+++ /dev/null\n", "diff --git a/f b/f\n", "diff --git a/f b/g\n",
    "rename from f\n", "rename to g\n", "new file mode 100644\n", "deleted file mode 100644\n", "index 1..2 100644\n",
    "@@ -1 +1 @@\n", "@@ -1,2 +1,2 @@\n", "@@ -0,0 +1 @@\n", " a\n", "-b\n", "+c\n", "\n", "\\ No newline\n",
    '--- "a/\\303"\n', "-- \n", "\r\n", "GIT binary patch\n", "x",
])  # fmt: skip


@given(st.one_of(st.text(), st.lists(PIECES, max_size=14).map("".join)))
def test_whatever_comes_is_read_or_refused(text):
    try:
        patches = parse(text)
    except ToolError:
        return
    assert patches
    for patch in patches:
        assert patch.path
        assert patch.hunks or patch.action != "changed" or patch.executable is not None
        for hunk in patch.hunks:
            assert any(mark in "+-" for mark, _ in hunk.lines)
