"""How like a question the documents of one index are, by their vectors (numpy, loaded when first asked)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from ralph.memory.index import VectorIndex
from ralph.memory.rows import Embedder
from ralph.memory.store import Store

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[Any]

ENOUGH = 50
"""Documents from which their mean says something."""
SHIFT = 0.5
"""How much of the mean: it helps where names cannot be kept out, and costs nothing elsewhere up to here (measured)."""
_SAMPLE = 1_000
_GROWN = 1.5


class Likeness:
    """Questions are shifted by the mean of the index: what is like everything is not like anything in particular."""

    def __init__(self, store: Store, name: str, index: Callable[[str], VectorIndex]) -> None:
        self._store, self._name, self._index = store, name, index
        self._mean: Floats | None = None
        self._mean_of: tuple[Embedder | None, int] = (None, 0)

    def made_by(self, embedder: Embedder) -> bool:
        """Whether the vectors of the index are this embedder's, and can be compared with what it makes now."""
        return self._store.definitions.get(self._name).spec.embedder == embedder

    def question(self, vector: Floats) -> Floats:
        """[2, dimension]: the question shifted by the mean, and as it is."""
        import numpy as np

        definition = self._store.definitions.get(self._name)
        maker, seq = self._mean_of
        if maker != definition.spec.embedder or definition.seq > max(ENOUGH, seq * _GROWN):
            sample = [row[-1] for row in self._store.vectors.changes_since(self._name, 0, limit=_SAMPLE).added]
            rows = np.frombuffer(b"".join(sample), "<f4").reshape(len(sample), len(vector))
            self._mean = rows.mean(axis=0) if len(rows) >= ENOUGH else None
            self._mean_of = definition.spec.embedder, definition.seq
        shifted = vector if self._mean is None else vector - SHIFT * self._mean
        return np.stack([shifted, vector]).astype(np.float32)

    def nearest(self, question: Floats, k: int) -> list[int]:
        return [document_id for document_id, _ in self._index(self._name).search(question[0], k)]

    def scores(self, question: Floats, ids: Iterable[int]) -> dict[int, tuple[float, float]]:
        """Document id -> (likeness beyond that of the mean, cosine), of those that have a vector."""
        import numpy as np

        found = self._store.vectors.get(self._name, ids)
        if not found:
            return {}
        rows = np.frombuffer(b"".join(found.values()), "<f4").reshape(len(found), -1)
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        both = rows @ question.T / np.where(lengths == 0, 1, lengths)
        return dict(zip(found, map(tuple, both.tolist()), strict=True))
