"""Texts longer than a model reads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralph.memory.embed import READ, Embedded
from ralph.memory.minilm import MiniLM
from ralph.memory.model import folder_of
from ralph.memory.windows import MOST_PARTS, PART, embed_whole, windows
from tests.memory.words_embedder import Words


def words(text):
    return len(text.split())


@given(st.text(alphabet="ab .\n日", max_size=400), st.integers(1, 40))
def test_nothing_is_left_out_and_nothing_is_too_long(text, most):
    parts = windows(text, len, most)
    assert "".join(parts) == text
    assert all(len(part) <= most or len(part) < 2 for part in parts)


def test_it_is_cut_where_a_reader_would():
    text = "One two three. Four five six.\n\nSeven eight nine. Ten eleven twelve."
    assert windows(text, words, 6) == ["One two three. Four five six.\n\n", "Seven eight nine. Ten eleven twelve."]
    assert windows("One two three four. Five six seven.", words, 4) == ["One two three four. ", "Five six seven."]
    assert {part.strip(" word") for part in windows("word " * 100, words, 7)} == {""}


def test_a_book_is_read_in_samples():
    text = "".join(f"{number:07}\n" for number in range(1_000_000))  # 8 MB
    parts = windows(text, words, 10_000)
    assert len(parts) == MOST_PARTS
    assert sum(map(len, parts)) <= MOST_PARTS * PART
    assert parts[0].startswith("0000000")
    assert parts[-1].endswith("0999999\n")


def test_short_texts_are_embedded_as_they_are():
    embedder = Words()
    rows = embed_whole(embedder.embed, ["one two", "three"], words, 5)
    assert embedder.made == ["one two", "three"]
    assert np.allclose(rows, Words().embed(["one two", "three"]))


def test_a_long_text_lies_between_its_parts():
    rows = embed_whole(Words().embed, ["short", "alpha alpha. betas betas.", "tail"], words, 2)
    alpha, beta, tail = Words().embed(["alpha", "betas", "tail"])
    assert rows.shape == (3, 64)
    assert rows[1] @ alpha == pytest.approx(rows[1] @ beta, abs=0.1)
    assert rows[1] @ alpha > 0.6
    assert rows[2] @ tail == pytest.approx(1)
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1)


def test_the_embedded_model_reads_a_text_to_its_end(model_home):
    embedder = Embedded(lambda: MiniLM(folder_of(model_home)))
    filler = "The weather stayed calm and the village slept. " * 60  # some 500 word pieces
    other, ending, question = embedder.embed([
        filler + "Nobody came by.", filler + "The capital of Peru is Lima. " * 8, "What is the capital of Peru?"
    ])  # fmt: skip
    assert question @ ending > question @ other + 0.05
    tokenizer = MiniLM(folder_of(model_home)).tokenizer
    assert all(len(tokenizer.encode(part)) < 256 for part in windows(filler, tokenizer.count, READ))
