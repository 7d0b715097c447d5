"""What is asked: the words that count, put right, the names among them, and the time that is meant."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import log

from ralph.memory.spelling import corrected
from ralph.memory.when import Asked, asked
from ralph.memory.wording import shapes_of, stems_of
from ralph.memory.words import STOP_WORDS, alike, words_of

LONGEST = 2_000
"""Characters of a question that are looked at; what matters in a longer one is said at its begin or its end."""
MOST_TERMS = 24
GUESSED = 0.7
"""What a word that was put right counts: it may have been another."""
BRIEF = 11
"""Words that the embedder gets of a prompt when there is no time for more."""
USUAL, USUAL_SHARE = 2_000, 0.04
"""Documents, and share of all, from which a word is usual."""


@dataclass(frozen=True, slots=True)
class Question:
    """text: the question put right, for the embedder. words: all of its words, terms: those that count; both put right.

    meant: what was put right. weights: how telling each term is, the rarer the more; stems: what stands for it in a
    text. usual: terms that stand in very many documents.
    """

    text: str
    words: tuple[str, ...]
    terms: tuple[str, ...]
    asked: Asked
    meant: Mapping[str, str] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    stems: Mapping[str, frozenset[str]] = field(default_factory=dict)
    usual: frozenset[str] = frozenset()

    @property
    def searched(self) -> list[str]:
        """Terms and their other shapes, for the full text.

        Words that stand in very many documents are left out beside others: they cost the most and tell the least.
        """
        telling = [term for term in self.terms if term not in self.usual]
        terms = telling if len(telling) > 1 else self.terms or self.words
        return list(dict.fromkeys(form for term in terms for form in (term, *alike(term))))

    @property
    def brief(self) -> str:
        """The text, or the most telling words of one that is long."""
        if len(self.text.split()) <= BRIEF:
            return self.text
        telling = sorted(self.terms, key=lambda term: -self.weights[term])[:BRIEF]
        return " ".join(term for term in self.terms if term in telling) or self.text

    def without(self, people: Iterable[str]) -> tuple[str, ...]:
        people = set(people)
        return tuple(term for term in self.terms if term not in people)

    @property
    def counted(self) -> list[tuple[float, frozenset[str]]]:
        """How telling each word is, and its stems, for scoring a text."""
        return [(self.weights[word], stems) for word, stems in self.stems.items()]

    def cover(self, held: Counter[str], terms: Sequence[str]) -> float:
        """Which part of what is telling in the question a text holds, 0 to 1; five matching words are a whole."""
        if not terms:
            return 0.0
        guessed = set(self.meant.values())
        found = sum(
            self.weights[term] * (GUESSED if term in guessed else 1.0)
            for term in terms if not self.stems[term].isdisjoint(held)
        )  # fmt: skip
        whole = sum(sorted((self.weights[term] for term in terms), reverse=True)[:5])
        return min(1.0, found / whole)


def read(
    text: str, *, frequencies: Callable[[Iterable[str]], Mapping[str, int]], known: Callable[[str], bool], size: int,
    now: float, common: Callable[[str], float] = lambda _word: 0.0,
) -> Question:  # fmt: skip
    """frequencies: word -> documents that have it; size: documents in all.

    known: whether a word that none has is right all the same; common: how common it is in the language, 0 to 1.
    """
    if len(text) > LONGEST:
        text = f"{text[: LONGEST // 2]} {text[-LONGEST // 2 :]}"
    words = list(dict.fromkeys(words_of(text)))
    meant = corrected(words, frequencies, known, common)
    right = list(dict.fromkeys(meant.get(word, word) for word in words))
    terms = [word for word in right if word not in STOP_WORDS and not (len(word) == 1 and word.isascii())]
    if len(terms) > MOST_TERMS:
        rare = frequencies(terms)
        terms = sorted(filter(rare.get, terms), key=rare.__getitem__)[:MOST_TERMS]
    shapes = {word: shapes_of(word) for word in terms}
    found = frequencies({shape for group in shapes.values() for shape in group})
    counts = {word: sum(found.get(shape, 0) for shape in group) for word, group in shapes.items()}
    weights = {word: log(1 + (size + 1) / (count + 0.5)) for word, count in counts.items()}
    stems = {word: stems_of(word) for word in shapes}
    usual = frozenset(term for term in terms if counts[term] > max(USUAL, USUAL_SHARE * size))
    return Question(_put_right(text, meant), tuple(right), tuple(terms), asked(text, now), meant, weights, stems, usual)


def _put_right(text: str, meant: Mapping[str, str]) -> str:
    if not meant:
        return text
    return re.sub(r"[^\W_]+", lambda found: meant.get("".join(words_of(found[0])), found[0]), text)
