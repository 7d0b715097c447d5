from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcwidth import wcswidth

from ralph.ui.visible import columns, cropped, fitted, one_line, printable, rows, visible

ANY = st.text(st.characters(), max_size=60)  # lone surrogates included


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ls -l", "ls -l"),
        ("a\x1b[2Jb", "a\\u{1b}[2Jb"),
        ("rm \u202egpj.exe", "rm \\u{202e}gpj.exe"),
        ("git\u200bpush", "git\\u{200b}push"),
        ("echo\u00a0x", "echo\\u{a0}x"),
        ("a\u3164b", "a\\u{3164}b"),
        ("tag\U000e0041", "tag\\u{e0041}"),
        ("v\U000e0101", "v\\u{e0101}"),
        ("half \ud800", "half \\u{d800}"),
        ("one\r\ntwo\tthree", "one\\u{d}\ntwo\tthree"),
        ("naïve 日本 🙂", "naïve 日本 🙂"),
    ],
)
def test_what_is_decided_on_is_spelled_out(text, shown):
    assert visible(text) == shown


def test_spelled_out_characters_can_be_marked():
    assert visible("\\u{1b} \x1b", mark=("<", ">")) == "\\u{1b} <\\u{1b}>"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;title\x07", "\\u{1b}]0;title\\u{7}"),
        ("a\r\nb\r", "a\nb"),
        ("progress\rdone", "progress\\u{d}done"),
        ("می‌خواهم", "می‌خواهم"),  # Persian needs its zero-width non-joiner
        ("👩‍👩‍👧 ❤️", "👩‍👩‍👧 ❤️"),
        ("\u2066x\u2069", "\\u{2066}x\\u{2069}"),
        ("c1 \x9b2J", "c1 \\u{9b}2J"),
    ],
)
def test_prose_keeps_its_script_but_cannot_drive_the_terminal(text, shown):
    assert printable(text) == shown


@given(ANY)
def test_nothing_shown_can_drive_a_terminal(text):
    for shown in (visible(text), printable(text)):
        assert not any(ord(char) < 32 and char not in "\n\t" for char in shown)
        assert not any(0x7F <= ord(char) < 0xA0 or 0xD800 <= ord(char) < 0xE000 for char in shown)


@given(ANY)
def test_visible_text_stays_as_it_is(text):
    assert visible(visible(text)) == visible(text)


@given(ANY, st.integers(4, 60))
def test_one_line_is_one_line_and_short(text, limit):
    line = one_line(text, limit)
    assert len(line) <= limit
    assert "\n" not in line


def test_one_line_ends_with_dots_when_cut():
    assert one_line("a" * 51, 50) == "a" * 47 + "..."
    assert one_line("a  b\nc", 50) == "a b c"


@pytest.mark.parametrize(
    ("text", "width", "count"),
    [
        ("", 20, 1), ("a" * 20, 20, 1), ("a" * 21, 20, 2), ("a" * 40, 20, 2), ("日" * 10, 20, 1), ("日" * 11, 20, 2),
        ("a" + "日" * 10, 20, 2), ("a" + "日" * 19, 20, 2), ("a" + "日" * 20, 20, 3),
        ("é" * 20, 20, 1), ("\ta", 20, 1), ("👩‍👩‍👧", 20, 1),
        ("\t\t\t\ta", 20, 1), ("👩‍👩‍👧" * 3, 20, None),
    ],
)  # fmt: skip
def test_rows_a_line_takes(text, width, count):
    assert rows(text, width) == count


@given(st.text(st.characters(min_codepoint=32, exclude_categories=["Cc", "Cs"]), max_size=40), st.integers(2, 30))
def test_cropped_text_fits(text, width):
    part = cropped(text, width)
    assert text.startswith(part)
    assert columns(part) <= width
    assert wcswidth(part.replace("\u200b", "")) <= width or not part.isprintable()


def test_fitted_text_shows_that_it_was_cut():
    assert [fitted("日本語", width) for width in (6, 5, 4, 2)] == ["日本語", "日本…", "日…", "…"]
