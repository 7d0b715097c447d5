"""Is this known already? A new memory against those that share its rarest words: the same again, or at odds with one.

Words only, so it costs a look-up and needs no embedder. It reports; what becomes of it is the caller's matter.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import combinations
from typing import Literal

from ralph.memory.rows import LONG_TERM, Document, Where
from ralph.memory.store import Store
from ralph.memory.words import STOP_WORDS, stem, words_of

Relation = Literal["duplicate", "contradiction", "refinement", "overlap"]

_TELLING = 3
"""The rarest words of a text that are looked up."""
_LOOKED_AT = 400
"""A word that stands in more memories than this is not looked up by itself."""
_CLOSE = 0.6  # share of common words from which two texts speak of the same thing
_SAME = 0.8
_NEGATIONS = frozenset({"not", "no", "never", "nor", "t", "cannot", "without", "nobody", "nothing", "none"})
_LONGEST = 60
"""Content words; longer texts are told apart by their digest alone."""


@dataclass(frozen=True, slots=True)
class Similar:
    """An old memory and what a new text is to it.

    A `duplicate` says the same in the same words. A `refinement` says all of it and more, an `overlap` part of it or
    nearly the same.
    """

    document: Document
    relation: Relation


def similar(store: Store, text: str, scopes: tuple[str, ...]) -> list[Similar]:
    """The memories of these scopes that `text` repeats, contradicts or refines, the closest kind first."""
    words = set(words_of(text))
    if not words or len(words) > 4 * _LONGEST:
        return []
    counts = store.frequencies(words - STOP_WORDS or words)
    rarest = sorted(counts, key=lambda word: counts[word])[:_TELLING]
    asked = [list(pair) for pair in combinations(rarest, 2)]  # what differs in one of them has the two others
    asked += [[word] for word in rarest[:1] if counts[word] <= _LOOKED_AT or len(rarest) == 1]
    where = Where(scopes=scopes)
    found = {document_id for terms in asked
             for document_id, _ in store.search_text(LONG_TERM, terms, where, limit=20, every=True)}  # fmt: skip
    order: tuple[Relation, ...] = ("duplicate", "contradiction", "refinement", "overlap")
    related = [Similar(document, relation) for document in store.get_many(sorted(found))
               if (relation := compare(text, document.text))]  # fmt: skip
    return sorted(related, key=lambda item: order.index(item.relation))


def compare(new: str, old: str) -> Relation | None:
    """What `new` is to `old`; None when they are about different things."""
    left, right = _content(new), _content(old)
    if not left or not right or len(left) > _LONGEST or len(right) > _LONGEST:
        return "duplicate" if new.split() == old.split() else None
    negated = _negated(new) != _negated(old)
    if left == right:
        return "contradiction" if negated else "duplicate"
    mine, theirs = Counter(left), Counter(right)
    share = (mine & theirs).total() / (mine | theirs).total()
    another_value = share >= _CLOSE / 2 and _one_value_differs(left, right)
    if share < _CLOSE and not another_value:
        return None
    if negated or another_value:
        return "contradiction"
    if theirs < mine:
        return "refinement"
    return "overlap" if mine < theirs or share >= _SAME else None


def _one_value_differs(left: list[str], right: list[str]) -> bool:
    """The same words, but in one place behind the first of them: `lives in Paris`, `lives in Berlin`."""
    changes = [code for code in SequenceMatcher(None, left, right, autojunk=False).get_opcodes() if code[0] != "equal"]
    if len(changes) != 1 or changes[0][0] != "replace":
        return False
    _, low, high, _, _ = changes[0]
    kept = len(left) - (high - low)
    return low > 0 and kept >= 2 and kept >= _CLOSE * max(len(left), len(right))


def _content(text: str) -> list[str]:
    return [stem(word) for word in words_of(text) if word not in STOP_WORDS or word in ("now", "before", "after")]


def _negated(text: str) -> bool:
    return not _NEGATIONS.isdisjoint(words_of(text))

