from __future__ import annotations

import io
import time
from pathlib import Path

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcwidth import wcwidth

from ralph.ui.markdown import Live, Markdown, inline

GOLDEN = Path(__file__).parent / "golden"
SAMPLE = (GOLDEN / "sample.md").read_text()


@pytest.mark.parametrize(
    ("source", "styled"),
    [
        ("plain words", "plain words"),
        ("a **bold** word", "a \x1b[1mbold\x1b[0m word"),
        ("an *italic* word", "an \x1b[3mitalic\x1b[0m word"),
        ("a _slanted_ word", "a \x1b[3mslanted\x1b[0m word"),
        ("`code`", "\x1b[36mcode\x1b[0m"),
        ("`` a`b ``", "\x1b[36ma`b\x1b[0m"),
        ("`**not bold**`", "\x1b[36m**not bold**\x1b[0m"),
        ("**bold `code` bold**", "\x1b[1mbold \x1b[36mcode\x1b[0m\x1b[1m bold\x1b[0m"),
        ("***both***", "\x1b[1m\x1b[3mboth\x1b[0m\x1b[1m\x1b[0m"),
        ("~~gone~~", "\x1b[9mgone\x1b[0m"),
        ("这是**粗体**字", "这是\x1b[1m粗体\x1b[0m字"),
        ("[text](https://x.org/a)", "\x1b[4mtext\x1b[0m \x1b[2m(https://x.org/a)\x1b[0m"),
        ("[https://x.org](https://x.org)", "\x1b[2mhttps://x.org\x1b[0m"),
        (r"\*not italic\*", "*not italic*"),
        ("2 * 3 * 4", "2 * 3 * 4"),
        ("x**2 + y**2", "x**2 + y**2"),
        ("snake_case_name", "snake_case_name"),
        ("**kwargs and *args", "**kwargs and *args"),
        ("__init__", "\x1b[1minit\x1b[0m"),
        ("unclosed `code", "unclosed `code"),
    ],
)
def test_inline(source, styled):
    assert inline(source) == styled


@pytest.mark.parametrize(
    ("source", "styled"),
    [
        ("# Title #", "\x1b[1m\x1b[4mTitle\x1b[0m"),
        ("## Sub `x`", "\x1b[1mSub \x1b[36mx\x1b[0m\x1b[1m\x1b[0m"),
        ("#hashtag", "#hashtag"),
        ("- item", "• item"),
        ("  * **b**", "  • \x1b[1mb\x1b[0m"),
        ("1. first", "1. first"),
        ("> said", "\x1b[2m│ \x1b[0m\x1b[3msaid\x1b[0m"),
        ("---", "\x1b[2m---\x1b[0m"),
        ("| a | **b** |", "| a | **b** |"),
        ("", ""),
    ],
)
def test_lines(source, styled):
    assert Markdown().line(source) == styled


def test_a_code_block_is_left_alone_until_its_own_fence():
    markdown = Markdown()
    lines = [markdown.line(text) for text in ("~~~~py", "# no *title*", "~~~", "", "~~~~", "*after*")]
    assert lines == [
        "\x1b[2m~~~~py\x1b[0m", "\x1b[36m# no *title*\x1b[0m", "\x1b[36m~~~\x1b[0m", "", "\x1b[2m~~~~\x1b[0m",
        "\x1b[3mafter\x1b[0m",
    ]  # fmt: skip


def test_a_diff_block_is_coloured_by_its_signs():
    markdown = Markdown()
    assert [markdown.line(text) for text in ("```diff", "-a", "+b", " c")][1:] == [
        "\x1b[31m-a\x1b[0m", "\x1b[32m+b\x1b[0m", "\x1b[36m c\x1b[0m"
    ]  # fmt: skip


@given(st.lists(st.text("`*_~[]()\\ab #>-|", max_size=60), max_size=6))
def test_no_text_is_lost_but_marks(lines):
    markdown = Markdown()
    for line in lines:
        styled = markdown.line(line)
        assert [c for c in styled.replace("\x1b[0m", "") if c in "ab"] == [c for c in line if c in "ab"]


@pytest.mark.parametrize(
    "line", ["*" * 2000, "`" * 2000, "**a " * 500, "[" * 2000, "_a " * 600, "`a``b" * 400, "~~a" * 600]
)
def test_hostile_lines_take_no_time(line):
    start = time.process_time()
    Markdown().line(line)
    assert time.process_time() - start < 1


class Faithful(pyte.Screen):
    """As terminals do and pyte does not: wide characters wrap whole, none stops the text behind it."""

    def draw(self, data):
        for char in data:
            if wcwidth(char) == 2 and self.cursor.x == self.columns - 1:
                self.carriage_return()
                self.linefeed()
            super().draw(char)


def screen(columns, lines=200):
    terminal = Faithful(columns, lines)
    terminal.set_mode(pyte.modes.LNM)
    return terminal, pyte.Stream(terminal)


def live_screen(pieces, columns, lines=200):
    out = io.StringIO()
    writer = Live(out, lambda: (columns, lines))
    for piece in pieces:
        writer.text(piece)
    writer.end()
    terminal, stream = screen(columns, lines)
    stream.feed(out.getvalue())
    return terminal


def painted(terminal):
    """The screen as text with a note of every change of style."""
    rows = []
    for y in range(terminal.lines):
        row, before = "", ""
        for x in range(terminal.columns):
            cell = terminal.buffer[y][x]
            words = [name for name in ("bold", "italics", "underscore", "strikethrough") if getattr(cell, name)]
            style = " ".join([*words, *([cell.fg] if cell.fg != "default" else [])]) if cell.data.strip() else before
            row += f"<{style}>" * (style != before) + cell.data
            before = style
        rows.append((row + "<>" * bool(before)).rstrip())
    return "\n".join(rows).rstrip() + "\n"


@pytest.mark.parametrize("columns", [20, 40, 80])
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_the_sample_looks_as_recorded_however_it_arrives(columns, size):
    pieces = [SAMPLE[start : start + size] for start in range(0, len(SAMPLE), size)]
    assert painted(live_screen(pieces, columns)) == (GOLDEN / f"sample.{columns}.txt").read_text()


WORDS = st.text("ab*`_#>- \n", max_size=200)


@given(WORDS, st.lists(st.integers(1, 9), min_size=1, max_size=30), st.integers(4, 30))
def test_pieces_end_up_as_the_whole(text, sizes, columns):
    pieces, start = [], 0
    while start < len(text):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(text[start : start + size])
        start += size
    assert live_screen(pieces, columns, 300).display == live_screen([text], columns, 300).display


@given(st.text("ab日本👩\u200d\ufe0f🇩🇪é *`\n\t", max_size=80), st.integers(1, 5), st.integers(4, 40))
def test_lines_of_doubtful_width_never_erase_others(text, size, columns):
    pieces = ["FIRST LINE\n", *(text[start : start + size] for start in range(0, len(text), size)), "\nLAST"]
    shown = "".join(live_screen(pieces, columns, 300).display)
    assert "FIRST LINE" in shown
    assert "LAST" in shown


def test_words_are_on_screen_before_their_line_is_complete():
    out = io.StringIO()
    writer = Live(out, lambda: (80, 24))
    writer.text("some **bo")
    assert out.getvalue() == "some **bo"
    writer.text("ld**")
    assert out.getvalue() == "some **bold**"
    writer.text("\nnext")
    assert out.getvalue() == "some **bold**\r\x1b[Jsome \x1b[1mbold\x1b[0m\nnext"


def test_a_line_without_marks_is_written_once():
    out = io.StringIO()
    writer = Live(out, lambda: (80, 24))
    for piece in ("one", " two", " three\n"):
        writer.text(piece)
    assert out.getvalue() == "one two three\n"


def test_a_line_taller_than_the_screen_stays_raw():
    out = io.StringIO()
    writer = Live(out, lambda: (20, 3))
    writer.text("**" + "a" * 60)
    writer.text("**\n")
    assert out.getvalue() == "**" + "a" * 60 + "**\n"


def test_an_endless_line_is_not_kept():
    writer = Live(io.StringIO(), lambda: (80, 24))
    for _ in range(5000):
        writer.text("word ")
    assert len("".join(writer._shown)) <= 2000


def test_the_model_cannot_drive_the_terminal():
    out = io.StringIO()
    writer = Live(out, lambda: (80, 24))
    writer.text("a\x1b[2J\x1b]52;c;aGk=\x07 \x9b1A `\x1b[A`\n")
    assert "\x1b[2J" not in out.getvalue()
    assert "\x1b]" not in out.getvalue()
    assert "\x9b" not in out.getvalue()
