from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralph.memory.wording import FULL, PLENTY, READ, fullness, held_by, score, shapes_of, stems_of


def counted(*words, weight=1.0):
    return [(weight, stems_of(word)) for word in words]


def test_a_text_holds_the_stems_of_words_that_carry_a_meaning():
    held = held_by("She was running, and he runs too.", "Ann")
    assert held == held_by("run run ann")
    assert held.total() == 3


def test_a_shape_of_a_word_counts_as_the_word():
    for text in ("they went away", "goes away", "gone for good"):
        assert score(held_by(text), counted("go")) == pytest.approx(score(held_by("go away"), counted("go")))
    assert score(held_by("gold"), counted("go")) == 0


def test_one_word_in_several_shapes_counts_once():
    once, twice = held_by("she bought tea"), held_by("she bought tea, and buys more tea")
    assert score(once, counted("buy")) < score(twice, counted("buy")) < 1.5 * score(once, counted("buy"))


def test_more_of_the_question_beats_more_of_one_word():
    assert score(held_by("red kite"), counted("red", "kite")) > score(held_by("red " * 30), counted("red", "kite"))


def test_a_telling_word_counts_more():
    assert score(held_by("tea"), counted("tea", weight=3)) == pytest.approx(3 * score(held_by("tea"), counted("tea")))


def test_a_text_is_not_the_less_for_its_length_until_it_is_long():
    short, fuller, long = (held_by("kayak " + "stone " * more) for more in (1, PLENTY - 1, 50 * PLENTY))
    assert score(short, counted("kayak")) == score(fuller, counted("kayak")) > 10 * score(long, counted("kayak"))


def test_the_fuller_text_says_more_up_to_a_point():
    sizes = [fullness(held_by("stone " * size)) for size in (0, 1, 5, FULL, 10 * FULL)]
    assert sizes == sorted(sizes)
    assert sizes[0] > 0
    assert sizes[-1] == sizes[-2] < 2 * sizes[1]


def test_of_a_huge_text_the_begin_is_counted():
    assert held_by("a1 " * READ).total() <= READ


def test_the_shapes_of_a_word_are_looked_for():
    assert {"swim", "swims", "swimming", "swam", "swum"} - {"swimming"} <= shapes_of("swim")
    assert {"paint", "paints", "painted", "painting"} <= shapes_of("painted")
    assert "panted" not in shapes_of("paint")


@given(st.text(max_size=200), st.text(max_size=30))
def test_every_text_has_a_score(text, word):
    held = held_by(text)
    assert 0 <= score(held, counted(word)) <= 2
    assert fullness(held) > 0
    assert word in shapes_of(word)
