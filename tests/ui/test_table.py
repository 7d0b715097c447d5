"""Tables fit the terminal."""

from ralph.ui.table import table


def test_columns_line_up_and_the_widest_is_cut():
    text = table(("id", "text"), [(1, "short"), (22, "a long text that does not fit in here")], width=20)
    assert text == "id  text\n1   short\n22  a long text tha…"


def test_wide_characters_count_double_and_nothing_drives_the_terminal():
    text = table(("a", "b"), [("日本語", "x"), ("\x1b[2J", None)], width=40)
    lines = text.splitlines()
    assert lines[1].startswith("日本語     x")  # three characters of two cells
    assert "\x1b" not in text


def test_a_very_narrow_terminal_still_shows_something():
    assert table(("name", "what"), [("abcdefghij", "klmnopqrst")], width=5).splitlines()[1].startswith("abcde…")
