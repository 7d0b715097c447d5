"""Hunks and line operations on text: places, fuzz, line ends, and messages a model can act on."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralph.core.tools import Context
from ralph.errors import ToolError
from ralph.policy.diffs import parse
from ralph.tools.delta import apply_diff, edit_file
from ralph.tools.hunks import apply_hunks, split_lines
from ralph.tools.operations import apply_operations

TEN = "".join(f"line {n}\n" for n in range(1, 11))


def patch(text, *hunks):
    (only,) = parse("--- f\n+++ f\n" + "".join(hunks))
    return apply_hunks(text, only.hunks, "f")


def hunk(start, *lines):
    old = sum(line[0] != "+" for line in lines)
    new = sum(line[0] != "-" for line in lines)
    return f"@@ -{start},{old} +{start},{new} @@\n" + "".join(line + "\n" for line in lines)


FIVE = (" line 4", "-line 5", "+LINE 5", " line 6")


def test_exact_place_needs_no_note():
    assert patch(TEN, hunk(4, *FIVE)) == (TEN.replace("line 5", "LINE 5"), [])


@pytest.mark.parametrize(
    ("start", "said"), [(1, "3 lines further down"), (5, "1 line further up"), (900, "further up")]
)
def test_nearest_place_is_found_and_said(start, said):
    text, (note,) = patch(TEN, hunk(start, *FIVE))
    assert text == TEN.replace("line 5", "LINE 5")
    assert "applied at line 4" in note
    assert said in note


def test_later_hunks_are_looked_for_where_the_earlier_ones_led():
    text = "new\n" * 3 + "a\nx\nb\n" + "gap\n" * 6 + "a\nx\nb\n"
    result, notes = patch(text, hunk(1, " a", "-x", "+1", " b"), hunk(10, " a", "-x", "+2", " b"))
    assert result == "new\n" * 3 + "a\n1\nb\n" + "gap\n" * 6 + "a\n2\nb\n"
    assert len(notes) == 2


def test_hunks_in_any_order_but_never_over_each_other():
    assert patch(TEN, hunk(9, "-line 9", "+nine"), hunk(1, "-line 1", "+one"))[0].startswith("one\n")
    with pytest.raises(ToolError, match="hunk 2 of f"):
        patch(TEN, hunk(4, *FIVE), hunk(4, *FIVE))


def test_two_equally_near_places_are_refused_naming_both():
    with pytest.raises(ToolError, match="equally well at line 1 and at line 7"):
        patch("x\n" + "gap\n" * 5 + "x\n", hunk(4, "-x", "+y"))


def test_the_nearer_of_two_places_is_taken():
    assert patch("x\n" + "gap\n" * 5 + "x\n", hunk(5, "-x", "+y"))[0] == "x\n" + "gap\n" * 5 + "y\n"


@pytest.mark.parametrize("wrong", [1, 2])
def test_outer_context_that_does_not_fit_is_ignored_and_said(wrong):
    lead = ["other"] * wrong + ["line 3", "line 4"]
    text, (note,) = patch(TEN, hunk(5 - len(lead), *(" " + line for line in lead), "-line 5", "+LINE 5", " line 6"))
    assert text == TEN.replace("line 5", "LINE 5")
    assert f"{wrong} line" in note
    assert "context ignored" in note


def test_three_wrong_lines_of_context_do_not_fit():
    with pytest.raises(ToolError, match="closest place"):
        patch(TEN, hunk(1, " no", " no", " no", " line 4", "-line 5", "+LINE 5"))


def test_fuzz_does_not_choose_between_places():
    text = "a\nx\nb\n" + "gap\n" * 4 + "a\nx\nb\n"
    with pytest.raises(ToolError, match="equally well at line 2 and at line 9"):
        patch(text, hunk(4, " wrong", "-x", "+y", " wrong"))


def test_context_alone_is_never_dropped_to_nothing():
    with pytest.raises(ToolError, match="closest place"):
        patch(TEN, hunk(3, " no", "+new", " no"))


def test_blank_lines_are_no_proof_of_a_place():
    with pytest.raises(ToolError, match="closest place"):
        patch("\n\nx\ny\n", hunk(3, " ", "+new", " "))


def test_trailing_blanks_are_ignored_and_the_files_own_context_stays():
    text, (note,) = patch("a  \nb\t\nc\n", hunk(1, " a", "-b", "+B", " c"))
    assert text == "a  \nB\nc\n"
    assert "blanks at line ends ignored" in note


@pytest.mark.parametrize("lines", [["-b", "+B"], [" a", "-b", "+B"]])
def test_a_last_line_without_an_end_stays_so_when_the_diff_does_not_speak_of_it(lines):
    assert patch("a\nb", hunk(3 - len([line for line in lines if line[0] != "+"]), *lines))[0] == "a\nB"


def test_taking_the_last_line_away_leaves_the_one_before_it_whole():
    assert patch("a\nb", hunk(2, "-b"))[0] == "a\n"


def test_a_line_after_one_without_an_end_gets_its_own_line():
    assert patch("a\nb", hunk(1, " a", " b", "+c"))[0] == "a\nb\nc"


def test_the_marker_of_a_missing_end_is_obeyed():
    assert patch("a\nb", "@@ -2 +2 @@\n-b\n\\ No newline at end of file\n+b\n")[0] == "a\nb\n"
    assert patch("a\nb\n", "@@ -2 +2 @@\n-b\n+b\n\\ No newline at end of file\n")[0] == "a\nb"


def test_crlf_is_kept_when_the_diff_has_none():
    crlf = TEN.replace("\n", "\r\n")
    assert patch(crlf, hunk(4, *FIVE, "+more")) == (
        crlf.replace("line 5", "LINE 5").replace("6\r\n", "6\r\nmore\r\n"),
        [],
    )


def test_mixed_line_ends_follow_their_neighbours():
    assert patch("a\r\nb\nc\r\n", hunk(1, " a", "+A", " b", "+B", "-c", "+C"))[0] == "a\r\nA\r\nb\nB\nC\r\n"


def test_a_diff_may_change_line_ends():
    assert patch("a\r\nb\r\n", "@@ -1,2 +1,2 @@\n-a\r\n+a\n b\r\n")[0] == "a\nb\r\n"


def test_crlf_in_the_diff_alone_is_dropped():
    diff = ("--- f\n+++ f\n" + hunk(4, *FIVE)).replace("\n", "\r\n")
    (only,) = parse(diff)
    assert apply_hunks(TEN, only.hunks, "f")[0] == TEN.replace("line 5", "LINE 5")


def test_byte_order_mark_is_kept_unless_the_diff_shows_it():
    assert patch("\ufeffa\nb\n", hunk(1, "-a", "+A", " b"))[0] == "\ufeffA\nb\n"
    assert patch("\ufeffa\nb\n", hunk(1, "+first", " a"))[0] == "\ufefffirst\na\nb\n"
    assert patch("\ufeffa\nb\n", hunk(1, "-\ufeffa", "+a"))[0] == "a\nb\n"


def test_a_misfit_names_hunk_line_expected_and_found():
    with pytest.raises(ToolError) as error:
        patch(TEN, hunk(4, " line 4", "-line five", "+LINE 5", " line 6"))
    assert str(error.value) == (
        "hunk 1 of f (line 3 of the diff) does not fit: at the closest place, line 5 should be 'line five' but is "
        "'line 5'. Nothing was changed. Read the file from line 4 and write the hunk from what is there."
    )


def test_a_misfit_past_the_end_and_in_an_empty_file():
    with pytest.raises(ToolError, match="the end of the file \\(the file has 0 lines\\)"):
        patch("", hunk(1, "-x", "+y"))
    with pytest.raises(ToolError, match="no line 40 to insert after; the file has 10 lines"):
        patch(TEN, "@@ -40,0 +41 @@\n+x\n")


def test_a_hunk_applied_before_is_recognised():
    once, _ = patch(TEN, hunk(4, *FIVE))
    with pytest.raises(ToolError, match="already at line 4: has it been applied"):
        patch(once, hunk(4, *FIVE))


def test_hunk_without_old_lines_goes_by_its_number():
    text, (note,) = patch(TEN, "@@ -2,0 +3 @@\n+new\n")
    assert split_lines(text)[2] == "new\n"
    assert "by its number alone" in note


@given(st.text("ab\n\r\f\u2028", max_size=30))
def test_lines_end_at_line_feeds_only(text):
    lines = split_lines(text)
    assert "".join(lines) == text
    assert all(line.count("\n") == line.endswith("\n") for line in lines)
    assert all(line.endswith("\n") for line in lines[:-1])


def op(kind, start, end=None, *content):
    operation = {"type": kind, "start_line": start}
    return operation | ({} if end is None else {"end_line": end}) | ({"content": list(content)} if content else {})


OPERATIONS = {
    "insert before": ("a\nb\n", [op("insert", 2, None, "x")], "a\nx\nb\n"),
    "insert beyond the end appends": ("a\n", [op("insert", 99, None, "x")], "a\nx\n"),
    "append after a line without end": ("a", [op("insert", 2, None, "x")], "a\nx\n"),
    "into an empty file": ("", [op("insert", 1, None, "x", "y")], "x\ny\n"),
    "delete": ("a\nb\nc\n", [op("delete", 1, 2)], "c\n"),
    "delete all": ("a\nb", [op("delete", 1, 2)], ""),
    "delete the last of a file without end": ("a\nb", [op("delete", 2, 2)], "a\n"),
    "replace": ("a\nb\nc\n", [op("replace", 2, 2, "x", "y")], "a\nx\ny\nc\n"),
    "replace the last of a file without end": ("a\nb", [op("replace", 2, 2, "x")], "a\nx"),
    "numbers mean the old text": ("a\nb\nc\n", [op("delete", 1, 1), op("replace", 3, 3, "C")], "b\nC\n"),
    "any order": ("a\nb\nc\n", [op("replace", 3, 3, "C"), op("insert", 1, None, "0")], "0\na\nb\nC\n"),
    "inserts at one place keep their order": (
        "a\n",
        [op("insert", 1, None, "1"), op("insert", 1, None, "2")],
        "1\n2\na\n",
    ),
    "insert before a replaced line": ("a\nb\n", [op("replace", 2, 2, "B"), op("insert", 2, None, "x")], "a\nx\nB\n"),
    "insert after a deleted line": ("a\nb\n", [op("delete", 1, 1), op("insert", 2, None, "x")], "x\nb\n"),
    "upper case": ("a\n", [op("REPLACE", 1, 1, "b")], "b\n"),
    "a string of several lines": ("a\n", [op("insert", 1, None, "x\ny\n", "z")], "x\ny\nz\na\n"),
    "an empty line": ("a\n", [op("insert", 1, None, "")], "\na\n"),
    "crlf": ("a\r\nb\r\n", [op("insert", 2, None, "x\ny")], "a\r\nx\r\ny\r\nb\r\n"),
    "byte order mark": ("\ufeffa\n", [op("replace", 1, 1, "b")], "\ufeffb\n"),
    "other separators stay": ("a\u2028\f\nb\n", [op("delete", 2, 2)], "a\u2028\f\n"),
    "whole floats": ("a\n", [op("delete", 1.0, 1.0)], ""),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations(name):
    text, operations, expected = OPERATIONS[name]
    assert apply_operations(text, operations) == (expected, [])


def test_an_end_past_the_file_is_cut_and_said():
    assert apply_operations("a\nb\n", [op("delete", 2, 9)]) == (
        "a\n", ["operation 0: end_line reaches past the end of the file and was taken as 2"],
    )  # fmt: skip


BAD = {
    "none": ([], "operations is empty"),
    "no object": (["delete"], "operation 0 must be an object, for example"),
    "kind": ([op("move", 1)], "operation 0, type: must be insert, delete or replace, not 'move'"),
    "no kind": ([{"start_line": 1}], "operation 0, type: .* not None"),
    "no start": ([op("delete", 1, 1), {"type": "delete"}], "operation 1, start_line: .* from 1, not None"),
    "start zero": ([op("insert", 0, None, "x")], "start_line: must be a whole number from 1, not 0"),
    "start true": ([op("insert", True, None, "x")], "start_line"),
    "start text": ([op("insert", "1", None, "x")], "start_line: .* not '1'"),
    "start endless": ([op("insert", float("inf"), None, "x")], "start_line"),
    "start half": ([op("insert", 1.5, None, "x")], "start_line"),
    "no end": ([op("delete", 2)], "end_line: must be a whole number from 2, not None"),
    "end before start": ([op("delete", 2, 1)], "end_line: must be a whole number from 2, not 1"),
    "past the end": ([op("delete", 4, 4)], "start_line: 4 is past the end; the file has 3 lines"),
    "content missing": ([op("insert", 1)], "content: must be a list of strings"),
    "content text": ([{"type": "insert", "start_line": 1, "content": "x"}], "content: must be a list of strings"),
    "content of numbers": ([op("insert", 1, None, 1)], "content: must be a list of strings"),
    "content empty": ([{"type": "replace", "start_line": 1, "end_line": 1, "content": []}], "use delete"),
    "delete with content": ([op("delete", 1, 1, "x")], "delete takes none"),
    "unknown field": ([{**op("delete", 1, 1), "lines": 3}], "unknown field lines"),
    "over each other": ([op("delete", 1, 2), op("replace", 2, 3, "x")], "operations 0 and 1 both touch line 2"),
    "insert inside": ([op("insert", 2, None, "x"), op("delete", 1, 3)], "operations 1 and 0 both touch line 2"),
}


@pytest.mark.parametrize("name", BAD)
def test_wrong_operations_say_which_and_how(name):
    operations, message = BAD[name]
    with pytest.raises(ToolError, match=message):
        apply_operations("a\nb\nc\n", operations)


def test_bytes_that_are_not_utf8_survive(tmp_path: Path):
    (tmp_path / "f").write_bytes(b"caf\xe9\nx\n")
    context = Context("c1", tmp_path, tmp_path)
    edit_file("f", [op("replace", 2, 2, "y")], context)
    apply_diff("--- f\n+++ f\n@@ -2 +2 @@\n-y\n+é\n", "", context)
    assert (tmp_path / "f").read_bytes() == "caf\udce9\né\n".encode("utf-8", "surrogateescape")


def test_utf16_stays_utf16(tmp_path: Path):
    (tmp_path / "f").write_bytes("\ufeffa\r\nb\r\n".encode("utf-16-le"))
    apply_diff("--- f\n+++ f\n@@ -1,2 +1,2 @@\n-a\n+A\n b\n", "", Context("c1", tmp_path, tmp_path))
    assert (tmp_path / "f").read_bytes() == "\ufeffA\r\nb\r\n".encode("utf-16-le")


def test_operations_need_a_file(tmp_path: Path):
    with pytest.raises(ToolError, match="none does not exist: make it with write_file"):
        edit_file("none", [op("insert", 1, None, "x")], Context("c1", tmp_path, tmp_path))
