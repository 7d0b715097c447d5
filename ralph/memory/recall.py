"""Find again what was stored: full text and vectors together, each hit with its reasons.

    recall = Recall(store, embedder=choose(home))
    for hit in recall("which port does staging use?", 5, scopes=("global", str(project))).hits:
        print(hit.score, hit.document.text, hit.parts)

The recipe and its weights follow measurements on long conversations: stop words dropped, slips of the fingers put right
by the store's own words, names out of the vectors and in as a boost, a turn's neighbours as its context, and no
preference for what is new unless the question asks for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ralph.errors import RalphError
from ralph.memory.fuse import Candidate, folded
from ralph.memory.index import VectorIndex
from ralph.memory.likeness import Likeness
from ralph.memory.people import embeddable, people_of
from ralph.memory.question import Question, read
from ralph.memory.ranking import Ranking, Weights
from ralph.memory.rows import LONG_TERM, Document, Embedder, Where
from ralph.memory.store import Store
from ralph.memory.words import alike

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ralph.memory.embed import TextEmbedder

    Floats = NDArray[Any]

CANDIDATES, NEAREST, NEIGHBOURED = 60, 40, 24
"""How many documents are looked at for their words, for their likeness, and together with their neighbours."""
HYBRID, KEYWORD_ONLY = "hybrid", "keyword only"
_NO_MODEL = f"{KEYWORD_ONLY}: no embedding model"
_REMEMBERED = 16


@dataclass(frozen=True, slots=True)
class Hit:
    """score: 0 to 1, how sure it is that this is what was asked for. parts: what its rank is made of.

    also: ids of documents that say the same and were folded into this one.
    """

    document: Document
    score: float
    parts: Mapping[str, float]
    also: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """hits, best first; mode: `hybrid`, or `keyword only` with the reason; meant: words of the question put right."""

    hits: tuple[Hit, ...]
    mode: str
    meant: Mapping[str, str] = field(default_factory=dict)


class Recall:
    """One per session: it keeps the vector indices it has opened.

    embedder None: keyword only. lasting: the process will ask often. now: seconds since the epoch. index: opens vector
    indices that somebody else closes.
    """

    def __init__(
        self, store: Store, *, embedder: TextEmbedder | None = None, lasting: bool = False,
        weights: Weights | None = None, now: Callable[[], float] = time.time,
        index: Callable[[str], VectorIndex] | None = None,
    ) -> None:  # fmt: skip
        self._store, self._lasting, self._now = store, lasting, now
        self.embedder, self.weights = embedder, weights or Weights()
        self._likenesses: dict[str, Likeness] = {}
        self._index, self._opened = index or self._open, dict[str, VectorIndex]()
        self._vectors: dict[str, Floats] = {}

    def __call__(
        self, query: str, k: int = 5, *, index: str = LONG_TERM, scopes: Sequence[str] = (), threshold: float = 0.0,
        patient: bool = True, but_session: str = "",
    ) -> Found:  # fmt: skip
        """The `k` best of an index in any of `scopes` (none: all), those that score below `threshold` left out.

        but_session: leave out what was said in this session.
        patient: wait for an embedder that is not ready, let it read a long question whole. Otherwise some ten
        milliseconds must do: its telling words are embedded, and while the embedder loads keywords are all there is.
        """
        newest = self._store.find(index, limit=1)
        if not newest:
            return Found((), HYBRID if self.embedder else _NO_MODEL)
        question = self._read(query, index, newest[0].id)
        hurry = 1 if patient else 2

        def wanted(ids: list[int]) -> dict[int, Document]:
            return {
                document.id: document for document in self._store.get_many(ids)
                if (not scopes or document.scope in scopes) and not (but_session and document.session == but_session)
            }  # fmt: skip

        where = Where(scopes=tuple(scopes))
        text = dict(self._store.search_text(index, question.searched, where, limit=CANDIDATES // hurry))
        documents = wanted(list(text))
        asked = set(question.words)
        named = frozenset(name for d in documents.values() for name in people_of(d.metadata) if name in asked)
        vector, mode = self._embed(embeddable(question.text if patient else question.brief, named), index, patient)
        like = None
        if vector is not None:
            likeness = self._likeness(index)
            pair = likeness.question(vector)
            near = likeness.nearest(pair, NEAREST // hurry)
            documents |= wanted([document_id for document_id in near if document_id not in documents])
            like = lambda ids: likeness.scores(pair, ids)  # noqa: E731  # a name for it would say no more
        ranking = Ranking(self.weights, question, named, text.keys(), like, NEIGHBOURED // hurry)
        with self._store.reading():  # one for all the neighbours
            ranked, certainty = ranking.order(documents, self._store.neighbours)
        return Found(tuple(_hits(ranked, documents, certainty, k, threshold)), mode, question.meant)

    def documents(self, ids: Sequence[int]) -> list[Document]:
        return self._store.get_many(ids) if ids else []

    def close(self) -> None:
        """The indices that were opened here; the store is its owner's."""
        while self._opened:
            self._opened.popitem()[1].close()

    def _open(self, name: str) -> VectorIndex:
        if name not in self._opened:
            self._opened[name] = VectorIndex(self._store, name, lasting=self._lasting)
        return self._opened[name]

    def _read(self, query: str, index: str, size: int) -> Question:
        return read(
            query, frequencies=self._store.frequencies, now=self._now(), size=size,
            known=lambda word: bool(self._store.search_text(index, [word, *alike(word)], limit=1)),
            common=self.embedder.common if self.embedder is not None else lambda _word: 0.0,
        )  # fmt: skip

    def _likeness(self, index: str) -> Likeness:
        if index not in self._likenesses:
            self._likenesses[index] = Likeness(self._store, index, self._index)
        return self._likenesses[index]

    def _embed(self, text: str, index: str, patient: bool) -> tuple[Floats | None, str]:
        """The question's vector and the mode, or None and why there is none."""
        if self.embedder is None:
            return None, _NO_MODEL
        if not patient and not self.embedder.available():
            self.embedder.warm()
            return None, f"{KEYWORD_ONLY}: the embedding model is not ready"
        if text not in self._vectors:
            try:
                [vector] = self.embedder.embed([text])
            except RalphError as error:
                return None, f"{KEYWORD_ONLY}: {error.message}"
            while len(self._vectors) >= _REMEMBERED:
                del self._vectors[next(iter(self._vectors))]
            self._vectors[text] = vector
        if not self._likeness(index).made_by(Embedder(self.embedder.name, self.embedder.dimension)):
            return None, f"{KEYWORD_ONLY}: index {index} has no vectors of {self.embedder.name} yet"
        return self._vectors[text], HYBRID


def _hits(
    ranked: Sequence[Candidate], documents: Mapping[int, Document], certainty: float, k: int, threshold: float
) -> Iterator[Hit]:
    """The best has the certainty as its score, the others their share of it by rank."""
    if not ranked or ranked[0].rank <= 0:
        return
    best = ranked[0].rank
    sure = [c for c in ranked[: 4 * k] if c.rank > 0 and certainty * c.rank / best >= threshold]
    ranks = {candidate.id: candidate for candidate in sure}
    for document_id, also in folded((c.id, documents[c.id].text) for c in sure)[:k]:
        candidate = ranks[document_id]
        parts = {name: round(value, 4) for name, value in candidate.parts.items() if value}
        yield Hit(documents[document_id], round(certainty * candidate.rank / best, 4), parts, also)
