"""How widely a graph must look to be as good as exact search: measured on the vectors it holds, not assumed.

Embeddings need an effort (ef) of some 64; data without structure needs a thousand. Half of the questions lie between
two stored vectors, half are a stored one with noise: as hard as what people ask, or harder.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import TYPE_CHECKING

from ralph.memory.graph import FIRST_EFFORT
from ralph.memory.matrix import Hit, Matrix, unit
from ralph.memory.rows import IndexSpec
from ralph.memory.store import Store

if TYPE_CHECKING:
    from ralph.memory.matrix import Floats

_K = 10
_QUESTIONS = 40
_GOOD = 0.99  # recall@10, leaving room above the 0.98 that is promised
_PIECE = 4096


def effort_for(
    store: Store, spec: IndexSpec, ask: Callable[[Floats, int], list[Hit] | None], stopped: Callable[[], bool]
) -> int | None:
    """The least power of two times 64 that finds what exact search finds. `ask(query, effort)` asks the graph.

    None when `stopped` says to stop, or when there are too few vectors to tell.
    """
    truth = _truth(store, spec, stopped)
    if not truth:
        return None
    effort, most = FIRST_EFFORT, store.vectors.count(spec.name)
    while effort < most and not stopped():
        found = [{label for label, _ in ask(query, effort) or ()} & right for query, right in truth]
        if sum(map(len, found)) >= _GOOD * sum(len(right) for _, right in truth):
            return effort
        effort *= 2
    return min(effort, most)


def _truth(store: Store, spec: IndexSpec, stopped: Callable[[], bool]) -> list[tuple[Floats, set[int]]]:
    """Questions and the vector ids exact search answers them with."""
    assert spec.embedder is not None
    queries: list[Floats] = []
    best: list[list[Hit]] = []
    seq = 0
    while not stopped():
        changes = store.vectors.changes_since(spec.name, seq, limit=_PIECE)
        if not changes.added:
            break
        piece = Matrix(spec.embedder.dimension, spec.metric)
        piece.add(changes.added)
        if not queries:
            queries = _questions(piece.take(_PIECE)[1], spec)
            best = [[] for _ in queries]
            piece.add(changes.added)
        best = [
            heapq.nsmallest(_K, hits + piece.search(query, _K), key=lambda hit: hit[1])
            for query, hits in zip(queries, best, strict=True)
        ]
        seq = changes.seq
    return [(query, {label for label, _ in hits}) for query, hits in zip(queries, best, strict=True) if hits]


def _questions(rows: Floats, spec: IndexSpec) -> list[Floats]:
    import numpy as np

    random = np.random.default_rng(1)
    pairs = random.integers(len(rows), size=(_QUESTIONS // 2, 2))
    noise = random.standard_normal((_QUESTIONS // 2, rows.shape[1])) * rows.std(axis=0)
    questions = np.concatenate([rows[pairs].mean(axis=1), rows[pairs[:, 0]] + noise]).astype(np.float32)
    return list(unit(questions) if spec.metric == "cosine" else questions)
