from __future__ import annotations

import re
import time
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ralph.ingest.chunk import PDF, TEXT, Preset, pieces, sized
from ralph.ingest.document import Document, Heading
from ralph.ingest.graphemes import is_edge
from ralph.ingest.readers import document_of


def cut(text, preset=TEXT, kind="text"):
    return [piece.text for piece in pieces(document_of(text, kind), preset)]


def sentences(count, words=12):
    return " ".join(f"Sentence number {n} has {'quite some words ' * (words // 3)}in it." for n in range(count))


def test_the_presets_of_the_original():
    assert (TEXT.most, TEXT.overlap, TEXT.least) == (1000, 200, 100)
    assert (PDF.most, PDF.overlap, PDF.least) == (1500, 300, 150)


@pytest.mark.parametrize("text", ["", "   \n\t ", "\u3000\n"])
def test_nothing_gives_nothing(text):
    assert cut(text) == []


def test_a_short_text_is_one_piece():
    assert cut("  Short.\n\nAnd whole. \n") == ["Short.\n\nAnd whole."]


def test_a_paragraph_goes_before_a_sentence_and_a_sentence_before_a_word():
    first, second = sentences(5)[:400].rsplit(". ", 1)[0] + ".", sentences(30)
    assert cut(f"{first}\n\n{second}")[0] == first
    assert cut(second)[0].endswith("in it.")
    words = "word " * 400
    assert all(set(piece.split()) == {"word"} for piece in cut(words))


def test_a_heading_goes_before_all_and_is_not_repeated_below_the_next():
    text = f"# One\n\n{sentences(8)}\n\n# Two\n\n{sentences(8)}"
    found = list(pieces(document_of(text, "markdown")))
    second = next(index for index, piece in enumerate(found) if piece.path == ("Two",))
    assert found[second].text.startswith("# Two")
    assert all("# Two" not in piece.text for piece in found[:second])
    assert {piece.path for piece in found} == {("One",), ("Two",)}


def test_code_is_cut_at_lines():
    lines = [f"    value_{n} = compute(value_{n - 1}, 'some. text')  # and. why. not" for n in range(60)]
    for piece in cut("\n".join(["def f():", *lines]), kind="code"):
        assert set(piece.strip().split("\n")) <= {"def f():", *lines, lines[0].strip(), *[ln.strip() for ln in lines]}


def test_the_next_piece_repeats_the_end_of_the_last():
    found = cut(sentences(60))
    assert len(found) > 3
    for before, after in pairwise(found):
        shared = next(n for n in range(len(after), -1, -1) if before.endswith(after[:n].rstrip()))
        assert 0 < shared <= TEXT.overlap


def test_a_piece_lies_on_one_page():
    document = Document("pdf", "one. " * 100 + "two. " * 100, pages=(0, 500), page_total=2)
    found = list(pieces(document, Preset(300, 50, 30)))
    assert {piece.page for piece in found} == {1, 2}
    assert all(set(piece.text.split()) == {("one.", "two.")[piece.page - 1]} for piece in found)


def test_one_endless_word_is_cut_between_characters():
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    for unit in (family, "e\u0301", "\U0001f1e9\U0001f1ea", "\u1112\u1161\u11ab", "\U0001f44d\U0001f3fd", "x\r\n"):
        text = unit * 400
        for piece in pieces(document_of(text, "text"), Preset(100, 20, 10)):
            assert is_edge(text, piece.start), (unit, piece.start)
            assert is_edge(text, piece.end), (unit, piece.end)


def test_sizes_that_do_not_fit_are_refused():
    for most, overlap in ((100, 100), (0, 0), (100, -1), (-5, 0)):
        with pytest.raises(ValueError, match=r"cannot be|does not fit"):
            sized(most, overlap)
    assert sized(5, 0) == Preset(5, 0, 1)


ALPHABET = "ab. !?\n\t。\u00e9e\u0301\u0308\u200d\U0001f468\U0001f3fd\U0001f1e9\U0001f1ea\u1112\u1161\u11ab가\r-\u3000#"


KINDS = st.sampled_from(["text", "markdown", "code"])


@example("\t\u0301", 1, 0, "text")
@given(st.text(ALPHABET, max_size=600), st.integers(1, 60), st.integers(0, 59), KINDS)
def test_whatever_the_text(text, most, overlap, kind):
    document = document_of(text, kind)
    preset = sized(most, overlap % most)
    found = list(pieces(document, preset))
    covered = 0
    for before, piece in zip([None, *found], found, strict=False):
        assert piece.text == text[piece.start : piece.end]
        assert piece.text.strip()
        assert len(piece.text) <= most + 64
        assert before is None or before.start < piece.start
        assert not text[covered : piece.start].strip()  # nothing is left out
        covered = max(covered, piece.end)
        for at in (piece.start, piece.end):
            inside_word = 0 < at < len(text) and text[at - 1].isalnum() and text[at].isalnum()
            assert not inside_word or _word_at(text, at) > most - preset.least
    assert not text[covered:].strip()


def _word_at(text, at):
    return max(len(match[0]) for match in re.finditer(r"\S+", text) if match.start() < at < match.end())


@given(st.text(ALPHABET, max_size=300))
def test_no_character_is_parted(text):
    for piece in pieces(document_of(text, "text"), Preset(20, 5, 2)):
        assert is_edge(text, piece.start) or _pile(text, piece.start) > 60
        assert is_edge(text, piece.end) or _pile(text, piece.end) > 60


def _pile(text, at):
    low = at
    while low > 0 and not is_edge(text, low):
        low -= 1
    return at - low


def test_time_grows_with_the_text_and_no_faster():
    for text in ("word. " * 170_000, "x" * 1_000_000, " \n" * 500_000, "\n \n." * 250_000, "a" + "\u0301" * 300_000):
        started = time.process_time()
        count = sum(1 for _ in pieces(Document("text", text)))
        assert count <= len(text) / 100 + 1
        assert time.process_time() - started < 5  # about 0.2 s; quadratic work would take minutes


def test_heading_paths_nest():
    document = Document("text", "a b c d", headings=(Heading(0, 1, "A"), Heading(2, 2, "B"), Heading(4, 1, "C")))
    found = [(piece.text, piece.path) for piece in pieces(document, Preset(2, 0, 1))]
    assert found == [("a", ("A",)), ("b", ("A", "B")), ("c", ("C",)), ("d", ("C",))]
