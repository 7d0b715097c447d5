"""Is this known already? A new memory against those that share its rarest words: the same again, or at odds with one.

That needs words only and costs a look-up. What says the same in other words is found by its vector, and then looked at
for another number, date, name or a `not`. It reports; what becomes of it is the caller's matter.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import combinations
from typing import TYPE_CHECKING, Literal

from ralph.memory.rows import CONVERSATIONS, LONG_TERM, Document, Draft, Vector, Where
from ralph.memory.store import Store
from ralph.memory.words import STOP_WORDS, stem, words_of

if TYPE_CHECKING:
    from ralph.memory.index import VectorIndex

Relation = Literal["duplicate", "contradiction", "refinement", "overlap"]

_TELLING = 3
"""The rarest words of a text that are looked up."""
_LOOKED_AT = 400
"""A word that stands in more memories than this is not looked up by itself."""
_CLOSE = 0.6  # share of common words from which two texts speak of the same thing
_SAME = 0.8
_NEGATIONS = frozenset({"not", "no", "never", "nor", "t", "cannot", "without", "nobody", "nothing", "none"})
_MONTH = "(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_FIGURE = re.compile(
    rf"[\w.+-]+@[\w.-]+\w|\d{{1,2}}\.? +{_MONTH}\b|\b{_MONTH} +\d{{1,2}}\b|\b{_MONTH}\b"
    r"|\b(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?\b|\d+(?:[.:,/-]\d+)*(?: ?[ap]m\b)?"
)
_NAME = re.compile(r"(?<!^)(?<![.!?] )\b[A-Z][\w+#]*")  # not at the beginning, where every word is written so
_NEAREST = 5
NEAR = 0.7
"""Cosine from which two texts speak of the same thing, by all-MiniLM-L6-v2 on short statements."""
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


@dataclass(frozen=True, slots=True)
class Remembered:
    """`document`: what is stored now, or already was; None when nothing was because of `similar`.

    Where it was stored, `similar` are memories that perhaps say otherwise.
    """

    document: Document | None
    stored: bool
    similar: tuple[Similar, ...] = ()


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


def opposed(store: Store, index: VectorIndex, vector: Vector, draft: Draft) -> tuple[Similar, ...]:
    """Of the memories nearest to a draft's vector, those that seem to say otherwise: often, not always."""
    near = [document_id for document_id, distance in index.search(vector, _NEAREST) if distance <= 1 - NEAR]
    return tuple(Similar(document, "contradiction") for document in store.get_many(near)
                 if document.scope in ("global", draft.scope) and at_odds(draft.text, document.text))  # fmt: skip


def said_in(store: Store, text: str, most: int = 5) -> list[Document]:
    """Turns of conversations that hold all the telling words of a text: where it may still stand."""
    words = [word for word in dict.fromkeys(words_of(text)) if word not in STOP_WORDS]
    found = store.search_text(CONVERSATIONS, words, every=True, limit=most)
    return store.get_many([document_id for document_id, _ in found])


def at_odds(new: str, old: str) -> bool:
    """Whether two texts about the same differ in a value: a number, date, address or name, or in a `not`."""
    mine, theirs = words_of(new), words_of(old)
    if not mine or not theirs or _other_subject(mine, theirs):
        return False
    another = any(_differ(kind(new), kind(old)) for kind in (_figures, _names))
    return another or _negated(new) != _negated(old)


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


def _other_subject(left: list[str], right: list[str]) -> bool:
    """Both begin with a word of weight that the other does not have at all: Alice here, Bob there."""
    if left[0] in STOP_WORDS or right[0] in STOP_WORDS:
        return False
    return stem(left[0]) not in map(stem, right) and stem(right[0]) not in map(stem, left)


def _differ(left: set[str], right: set[str]) -> bool:
    """One value here and another there, or one of several: where all of several differ, it is something else."""
    return bool(left - right and right - left) and (len(left) == len(right) == 1 or bool(left & right))


def _figures(text: str) -> set[str]:
    found = {" ".join(figure.lower().split()) for figure in _FIGURE.findall(text)}
    return {figure.removesuffix("s") if figure.endswith("days") else figure for figure in found}


def _names(text: str) -> set[str]:
    return {name.lower() for name in _NAME.findall(_FIGURE.sub(" ", text))} - STOP_WORDS


def _content(text: str) -> list[str]:
    return [stem(word) for word in words_of(text) if word not in STOP_WORDS or word in ("now", "before", "after")]


def _negated(text: str) -> bool:
    return not _NEGATIONS.isdisjoint(words_of(text))

