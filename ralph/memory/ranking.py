"""The order of what was found: text, likeness, names, neighbours, time, importance; and how sure it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import exp

from ralph.memory.fuse import Candidate, lend, weighted
from ralph.memory.people import speaker_of
from ralph.memory.question import Question
from ralph.memory.rows import CONVERSATIONS, Document
from ralph.memory.when import DAY

TURN = "turn"
_BEFORE, _AFTER, _FRESH = 1 * DAY, 14 * DAY, 30 * DAY
"""People tell of a day on that day or in the two weeks after it; what is recent fades over a month."""
_IMPORTANCE = {"critical": 2.0, "high": 1.0, "low": -1.0}

Likenesses = Mapping[int, tuple[float, float]]
"""Document id -> (likeness beyond the mean, cosine)."""


@dataclass(frozen=True, slots=True)
class Weights:
    """What counts how much, a best match counting `text` and `vector`; with no vectors a best text match counts one."""

    text: float = 0.4
    vector: float = 0.6
    name: float = 0.1
    before: float = 0.25
    after: float = 0.2
    time: float = 0.15
    importance: float = 0.03
    project: float = 0.02


@dataclass(frozen=True, slots=True)
class Ranking:
    """named: people the question names. text: document id -> BM25. like: asks for likenesses; None: keyword only.

    neighboured: the best so many are looked at together with what was said just before and after them.
    """

    weights: Weights
    question: Question
    named: frozenset[str]
    text: Mapping[int, float]
    like: Callable[[list[int]], Likenesses] | None
    neighboured: int = 24

    def order(
        self, documents: dict[int, Document], neighbours: Callable[[Document], list[Document]]
    ) -> tuple[list[Candidate], Likenesses]:
        """Best first, and the likenesses. Neighbours that were not among the documents are added to them."""
        like = dict(self.like(list(documents))) if self.like else {}
        first = self._scored(documents, like)
        pairs: set[tuple[int, int]] = set()
        for candidate in sorted(first.values(), key=_best_first)[: self.neighboured]:
            document = documents[candidate.id]
            if document.session and (document.type == TURN or document.index == CONVERSATIONS):
                for other in neighbours(document):
                    documents.setdefault(other.id, other)
                    pairs.add((min(document.id, other.id), max(document.id, other.id)))
        if pairs:
            fresh = [document_id for document_id in documents if document_id not in like]
            like |= self.like(fresh) if self.like and fresh else {}
            first = self._scored(documents, like)
            lend(first, pairs, before=self.weights.before, after=self.weights.after)
        return sorted(first.values(), key=_best_first), like

    def certainty(self, ranked: list[Candidate], documents: Mapping[int, Document], like: Likenesses) -> float:
        """0 to 1: whether the best few are about the question at all, by words in common and by likeness."""
        terms = self.question.without(self.named) or self.question.terms  # a question about a person is about her
        return max((self._sure(documents[best.id].text, terms, like.get(best.id)) for best in ranked[:5]), default=0.0)

    def _sure(self, text: str, terms: tuple[str, ...], like: tuple[float, float] | None) -> float:
        cover = self.question.cover(text, terms)
        return cover if like is None else min(1.0, 0.5 * cover + 0.8 * max(0.0, like[1]))

    def _scored(self, documents: Mapping[int, Document], like: Likenesses) -> dict[int, Candidate]:
        likeness = {document_id: own for document_id, (own, _) in like.items()}
        text = {document_id: score for document_id, score in self.text.items() if document_id in documents}
        opinions = {"text": (self.weights.text if likeness else 1.0, text), "vector": (self.weights.vector, likeness)}
        candidates = weighted(opinions)
        for document_id in documents:
            candidates.setdefault(document_id, Candidate(document_id))
        newest = max((document.created for document in documents.values()), default=0.0)
        for document_id, candidate in candidates.items():
            self._boost(candidate.parts, documents[document_id], newest)
        return candidates

    def _boost(self, parts: dict[str, float], document: Document, newest: float) -> None:
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


def _best_first(candidate: Candidate) -> tuple[float, int]:
    return -candidate.rank, candidate.id
