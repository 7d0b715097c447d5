from __future__ import annotations

import pytest

from ralph.ingest.cite import Citation, citations, cite

PAGE = "The results of the exam-\nple show a “very\nlarge” e\ufb03ciency: 4.5 % in all concatenated runs."


@pytest.mark.parametrize("quote", [
    "the example show", 'a "very large" efficiency', "4.5 % in all", "The results ... in all concatenated runs",
    "concatenated",
])  # fmt: skip
def test_words_on_the_page(quote):
    assert cite(quote, PAGE)


@pytest.mark.parametrize("quote", [
    "the examples show", "cat", "in all ... the results", "45 percent", "", "…", "--", "results of the exam ple shows",
])  # fmt: skip
def test_words_not_on_the_page(quote):
    assert not cite(quote, PAGE)


def test_citations_in_an_answer():
    answer = (
        'It says "a very large efficiency" (paper.pdf, p. 3), and later “nothing of the\nsort” [docs/other.pdf#12]. '
        '"Quoted" without a place; "third one" (page 7 of paper.pdf) - and "fourth" (paper.pdf, pages 4-5).'
    )
    assert list(citations(answer)) == [
        Citation("a very large efficiency", "paper.pdf", 3), Citation("nothing of the sort", "docs/other.pdf", 12),
        Citation("third one", "paper.pdf", 7), Citation("fourth", "paper.pdf", 4),
    ]  # fmt: skip


def test_a_hostile_answer_takes_no_time():
    for text in ('"' * 20000, '"a' * 20000, '"abc" (' * 5000, '"abc" (' + "x" * 50000, '"abc" (x.' * 5000):
        assert list(citations(text)) == []
