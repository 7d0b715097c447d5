"""hnswlib, guarded: it crashes on damaged files, answers wrong questions wrongly and raises where it could answer."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ralph.memory.matrix import Hit
from ralph.memory.rows import IndexSpec

if TYPE_CHECKING:
    from ralph.memory.matrix import Floats

_SEED = 42
FIRST_EFFORT = 64


def variant() -> str:
    """Which hnswlib there is, `chroma-hnswlib 0.7.6`; empty when there is none. Their files are not exchanged.

    Read off the name of the folder beside the module: `importlib.metadata` says the same and takes 15 ms to load.
    """
    found = importlib.util.find_spec("hnswlib")
    if found is None or found.origin is None:
        return ""
    records = sorted(Path(found.origin).parent.glob("*hnswlib-*.dist-info"))  # chroma's first, when both are there
    name, _, version = records[0].name.removesuffix(".dist-info").partition("-") if records else ("hnswlib", "", "")
    return f"{name.replace('_', '-')} {version}".strip()


class Graph:
    """An approximate index over vector ids. `effort` (ef) is how widely it looks: more is truer and slower.

    Not safe for several threads at once: its owner holds a lock.
    """

    def __init__(self, spec: IndexSpec, capacity: int) -> None:
        self.effort = FIRST_EFFORT
        self._index = _empty(spec)
        self._index.init_index(
            max_elements=capacity, M=spec.links, ef_construction=spec.effort, random_seed=_SEED
        )

    @classmethod
    def load(cls, spec: IndexSpec, path: Path, effort: int) -> Graph | None:
        """None when hnswlib refuses the file. The file must have been checked: a flipped bit can crash the process."""
        graph = cls.__new__(cls)
        graph.effort, graph._index = effort, _empty(spec)
        try:
            graph._index.load_index(str(path))
        except RuntimeError:
            return None
        return graph

    def __len__(self) -> int:
        """Elements, those marked as removed included."""
        return int(self._index.get_current_count())

    def save(self, path: Path) -> None:
        """Says nothing when it fails (a full disk): look at the file."""
        self._index.save_index(str(path))

    def add(self, ids: Sequence[int], rows: Floats, threads: int = 1) -> None:
        """New ids only. Grows by half when full."""
        needed = len(self) + len(ids)
        if needed > self._index.get_max_elements():
            self._index.resize_index(max(needed, self._index.get_max_elements() * 3 // 2))
        self._index.add_items(rows, ids, num_threads=threads)

    def discard(self, ids: Iterable[int]) -> None:
        for vector_id in ids:
            try:
                self._index.mark_deleted(vector_id)
            except RuntimeError:  # never was in it, or is marked already
                continue

    def search(self, query: Floats, k: int) -> list[Hit] | None:
        """The nearest `k` or nearly so; None when it cannot find as many, which happens when much was removed."""
        k = min(k, len(self))
        effort = self.effort + 2 * k
        while True:
            self._index.set_ef(effort)
            try:
                labels, distances = self._index.knn_query(query, k=k, num_threads=1)
            except RuntimeError:
                if effort >= len(self):
                    return None
                effort = min(effort * 8, len(self))
            else:
                return list(zip(labels[0].tolist(), distances[0].tolist(), strict=True))


def _empty(spec: IndexSpec) -> Any:
    import hnswlib

    assert spec.embedder is not None
    return hnswlib.Index(space=spec.metric, dim=spec.embedder.dimension)
