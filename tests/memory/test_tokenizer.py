from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralph.memory.minilm import VOCABULARY
from ralph.memory.model import folder_of
from ralph.memory.tokenizer import Tokenizer

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "un", "##aff", "##able", "##a", "cafe", "!", "世", "界", "a", "##b", "b"]
DATA = Path(__file__).parent.parent / "data/memory"
RECORDED = [json.loads(line) for line in (DATA / "tokens.jsonl").read_text().splitlines()]


@pytest.fixture
def small():
    return Tokenizer(PIECES, most=8)


@pytest.fixture(scope="module")
def full(model_home):
    return Tokenizer((folder_of(model_home) / VOCABULARY).read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("row", RECORDED, ids=range(len(RECORDED)))
def test_ids_are_those_the_reference_tokenizer_gives(full, row):
    assert full.encode(row["text"]) == row["ids"]


@pytest.mark.parametrize(("text", "pieces"), [
    ("unaffable", ["un", "##aff", "##able"]),
    ("UNAFFABLE!", ["un", "##aff", "##able", "!"]),
    ("Café", ["cafe"]),
    ("世界", ["世", "界"]),
    ("xyz a", ["[UNK]", "a"]),
    ("unxyz", ["[UNK]"]),  # a word that cannot be split to its end is unknown as a whole
    ("a" * 101, ["[UNK]"]),
    ("", []),
])  # fmt: skip
def test_words_are_split_into_the_longest_known_pieces(small, text, pieces):
    assert small.encode(text) == [2, *(PIECES.index(piece) for piece in pieces), 3]


def test_a_text_cannot_speak_in_marks(small):
    assert small.encode("[SEP]") != [2, 3, 3]


def test_what_does_not_fit_is_left_out(small):
    assert small.encode("a " * 50) == [2, *[12] * 6, 3]
    assert small.count("a " * 50) == 50


def test_a_huge_text_costs_no_more_than_its_begin(full):
    started = time.process_time()
    assert len(full.encode("word " * 2_000_000)) == 256
    assert time.process_time() - started < 0.5


@given(st.text())
def test_any_text_becomes_ids_between_two_marks(text):
    ids = Tokenizer(PIECES, most=8).encode(text)
    assert (ids[0], ids[-1]) == (2, 3)
    assert len(ids) <= 8
    assert all(0 <= number < len(PIECES) for number in ids)


def test_common_words_are_told_from_slips(full):
    assert full.common("the") > full.common("lighthouse") > 0
    assert full.common("lighthuose") == 0
