"""The order of what was found: text, likeness, names, neighbours, time, importance; and how sure it is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from math import exp

from ralph.memory.fuse import Candidate, lend, weighted
from ralph.memory.people import speaker_of
from ralph.memory.question import Question
from ralph.memory.rows import CONVERSATIONS, Document
from ralph.memory.when import DAY, dated
from ralph.memory.wording import fullness, held_by, score

TURN = "turn"
REACH = 2
"""Turns before and after one that are looked at with it."""
_BEFORE, _AFTER, _FRESH = 1 * DAY, 14 * DAY, 30 * DAY
"""People tell of a day on that day or in the two weeks after it; what is recent fades over a month."""
_IMPORTANCE = {"critical": 2.0, "high": 1.0, "low": -1.0}
_ENDS = re.compile(r"[.!?]+(?=\s|$)")
_SHAPE_UNKNOWN = 0.5

Likenesses = Mapping[int, tuple[float, float]]
"""Document id -> (likeness beyond the mean, cosine)."""
Helds = dict[int, Counter[str]]
"""Document id -> its stems."""


@dataclass(frozen=True, slots=True)
class Weights:
    """What counts how much, a best match counting `text` and `vector`; a best text match without a vector counts one.

    before, after: what a turn gets of the one before and after it; near: of the next but one, and a fact of the ones
    beside it. dated: a text that tells a time when a time is asked for. asking: how much less a turn counts that only
    asks.
    """

    text: float = 0.4
    vector: float = 0.6
    name: float = 0.1
    before: float = 0.25
    after: float = 0.2
    near: float = 0.1
    time: float = 0.15
    dated: float = 0.05
    asking: float = 0.2
    importance: float = 0.03
    project: float = 0.02


@dataclass(frozen=True, slots=True)
class Ranking:
    """named: people the question names. found: ids that full text found. like: asks for likenesses; None: keyword only.

    neighboured: the best so many are looked at together with what was said just before and after them.
    """

    weights: Weights
    question: Question
    named: frozenset[str]
    found: Collection[int]
    like: Callable[[list[int]], Likenesses] | None
    neighboured: int = 24

    def order(
        self, documents: dict[int, Document], neighbours: Callable[[Document, int], list[Document]]
    ) -> tuple[list[Candidate], float]:
        """Best first, and how sure it is that the best few are about the question at all, 0 to 1.

        `neighbours(document, reach)`; those that were not among the documents are added to them.
        """
        like = dict(self.like(list(documents))) if self.like else {}
        held = {document.id: held_by(document.text, document.about) for document in documents.values()}
        first = self._scored(documents, like, held)
        loans = list(self._side_by_side(documents))
        before = len(documents)
        for candidate in sorted(first.values(), key=_best_first)[: self.neighboured]:
            document = documents[candidate.id]
            if document.session and _spoken(document):
                around = neighbours(document, REACH)
                documents |= {other.id: other for other in around if other.id not in documents}
                loans += self._around(document.id, [other.id for other in around])
        if len(documents) > before:
            fresh = [document for document in documents.values() if document.id not in held]
            like |= self.like([document.id for document in fresh]) if self.like else {}
            held |= {document.id: held_by(document.text, document.about) for document in fresh}
            first = self._scored(documents, like, held)
        lend(first, dict.fromkeys(loans))
        for candidate in first.values():
            if _spoken(documents[candidate.id]) and (share := _asking(documents[candidate.id].text)):
                candidate.parts["asking"] = -self.weights.asking * share * candidate.rank
        ranked = sorted(first.values(), key=_best_first)
        return ranked, self._certainty(ranked, held, like)

    def _certainty(self, ranked: list[Candidate], held: Helds, like: Likenesses) -> float:
        terms = self.question.without(self.named) or self.question.terms  # a question about a person is about her
        return max((self._sure(held[best.id], terms, like.get(best.id)) for best in ranked[:5]), default=0.0)

    def _sure(self, held: Counter[str], terms: tuple[str, ...], like: tuple[float, float] | None) -> float:
        cover = self.question.cover(held, terms)
        return cover if like is None else min(1.0, 0.5 * cover + 0.8 * max(0.0, like[1]))

    def _scored(self, documents: Mapping[int, Document], like: Likenesses, held: Helds) -> dict[int, Candidate]:
        full = {document_id: fullness(stems) for document_id, stems in held.items()}
        likeness = {document_id: own * full[document_id] for document_id, (own, _) in like.items()}
        text = {document_id: worded * full[document_id] for document_id, worded in self._worded(held)}
        candidates = weighted({"text": (1.0, text), "vector": (self.weights.vector, likeness)})
        newest = max((document.created for document in documents.values()), default=0.0)
        for document_id, document in documents.items():
            candidate = candidates.setdefault(document_id, Candidate(document_id))
            if document_id in like and "text" in candidate.parts:  # one whose vector is still to be made has words only
                candidate.parts["text"] *= self.weights.text
            if candidate.parts:
                self._boost(candidate.parts, document, newest, held[document_id])
        return candidates

    def _worded(self, held: Helds) -> Iterator[tuple[int, float]]:
        """Document id -> BM25. Full text knows more shapes of a word: what it has found counts a little in any case."""
        counted = self.question.counted
        least = _SHAPE_UNKNOWN * min((weight for weight, _ in counted), default=1.0)
        for document_id, stems in held.items():
            yield document_id, score(stems, counted) or (least if document_id in self.found else 0.0)

    def _boost(self, parts: dict[str, float], document: Document, newest: float, held: Counter[str]) -> None:
        weights, asked = self.weights, self.question.asked
        if importance := _IMPORTANCE.get(document.importance):
            parts["importance"] = weights.importance * importance
        if document.scope != "global":
            parts["project"] = weights.project
        if self.named and self.named & speaker_of(document.metadata):
            parts["name"] = weights.name
        near = 0.0
        if asked.recent:
            near = exp((document.created - newest) / _FRESH)
        if asked.since is not None and asked.until is not None:
            near += asked.since - _BEFORE <= document.created < asked.until + _AFTER
        if near:
            parts["time"] = weights.time * near
        if asked.moment and dated(held):
            parts["dated"] = weights.dated

    def _around(self, document_id: int, around: list[int]) -> Iterator[tuple[int, int, float]]:
        """Loans between a turn and those around it, in the order they were said."""
        earlier = [other for other in reversed(around) if other < document_id]
        later = [other for other in around if other > document_id]
        for others, there, back in ((earlier, self.weights.after, self.weights.before),
                                    (later, self.weights.before, self.weights.after)):  # fmt: skip
            for step, other in enumerate(others):
                yield other, document_id, self.weights.near if step else there
                yield document_id, other, self.weights.near if step else back

    def _side_by_side(self, documents: Mapping[int, Document]) -> Iterator[tuple[int, int, float]]:
        """Loans between facts that were stored one after the other in one session."""
        for document in documents.values():
            after = documents.get(document.id + 1)
            if after and document.session and not _spoken(document) and _place(document) == _place(after):
                yield document.id, after.id, self.weights.near
                yield after.id, document.id, self.weights.near


def _place(document: Document) -> tuple[str, str, str]:
    return document.session, document.source, document.type


def _spoken(document: Document) -> bool:
    return document.type == TURN or document.index == CONVERSATIONS


def _asking(text: str) -> float:
    """Which share of its sentences are questions."""
    ends = _ENDS.findall(text)
    return sum("?" in end for end in ends) / len(ends) if ends else 0.0


def _best_first(candidate: Candidate) -> tuple[float, int]:
    return -candidate.rank, candidate.id
