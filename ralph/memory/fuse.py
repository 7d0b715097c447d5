"""Several opinions on the same documents, made one: weighted sums of scores that are divided by their best.

Measured against fusing by rank (RRF), which gives a weak list an equal vote and is worse than full text alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ralph.memory.words import words_of

ALIKE = 0.9
"""Share of words two texts must have in common to count as the same thing said twice."""
_DENIALS = frozenset({"no", "not", "never", "t", "without", "cannot"})


@dataclass(slots=True)
class Candidate:
    """A document under consideration. parts: what speaks for it, by kind; rank: their sum."""

    id: int
    parts: dict[str, float] = field(default_factory=dict)

    @property
    def rank(self) -> float:
        return sum(self.parts.values())


def weighted(opinions: Mapping[str, tuple[float, Mapping[int, float]]]) -> dict[int, Candidate]:
    """Name -> (weight, document id -> score) becomes one candidate per document; a score below nothing is nothing."""
    candidates: dict[int, Candidate] = {}
    for name, (weight, scores) in opinions.items():
        best = max(scores.values(), default=0.0)
        if best <= 0:
            continue
        for document_id, score in scores.items():
            if document_id not in candidates:
                candidates[document_id] = Candidate(document_id)
            if score > 0:
                candidates[document_id].parts[name] = weight * score / best
    return candidates


def lend(candidates: Mapping[int, Candidate], loans: Iterable[tuple[int, int, float]]) -> None:
    """(receiver, giver, share): neighbours in time get shares of each other's own rank.

    What is said next to it belongs to what is said, and an answer to its question most of all.
    """
    own = {document_id: candidate.rank for document_id, candidate in candidates.items()}
    for receiver, giver, share in loans:
        if receiver in own and giver in own:
            parts = candidates[receiver].parts
            parts["context"] = parts.get("context", 0.0) + share * own[giver]


def folded(texts: Iterable[tuple[int, str]]) -> list[tuple[int, tuple[int, ...]]]:
    """Document ids in the order given, each with the later ones that say the same in nearly the same words.

    Of two that are alike each has nearly all words of the other: a few words of one, the longest, lead to the other.
    """
    kept: list[tuple[int, frozenset[str], list[int]]] = []
    holders: dict[str, list[int]] = {}
    for document_id, text in texts:
        words = frozenset(words_of(text)) or frozenset({text})
        few = sorted(words, key=len)[-1 - int((1 - ALIKE) * len(words)) :]
        for place in sorted({place for word in few for place in holders.get(word, ())}):
            if _same(words, kept[place][1]):
                kept[place][2].append(document_id)
                break
        else:
            for word in words:
                holders.setdefault(word, []).append(len(kept))
            kept.append((document_id, words, []))
    return [(document_id, tuple(also)) for document_id, _, also in kept]


def _same(words: frozenset[str], others: frozenset[str]) -> bool:
    """A number or a denial more or less makes it another statement, however alike the rest is."""
    if len(words & others) < ALIKE * len(words | others):
        return False
    return all(word.isalpha() and word not in _DENIALS for word in words ^ others)
