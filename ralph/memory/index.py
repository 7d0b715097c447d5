"""Nearest vectors of one index: exact while that is fast, hnswlib beyond, and never an answer the store does not have.

Every row is in one of two places: the graph (hnswlib, old rows) or the matrix (exact, the rest). A search asks both.
Building the graph is moving rows from one to the other in a thread, so there is no moment without an answer. Before
each search the changes since the last one are read from the store, and what was found is looked up there, in one read
transaction: other processes' writes count at once, and a deleted memory never comes back.

Snapshots of the graph make the next start quick (`ralph.memory.snapshot`); losing one costs time only.
"""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ralph.errors import StoreError
from ralph.memory import snapshot
from ralph.memory.calibrate import effort_for
from ralph.memory.definitions import Definition
from ralph.memory.graph import variant
from ralph.memory.layers import Layers
from ralph.memory.matrix import Hit, Matrix, unit
from ralph.memory.rows import Vector
from ralph.memory.store import Store
from ralph.memory.vectors import packed

if TYPE_CHECKING:
    from ralph.memory.matrix import Floats

LASTING_ROWS = 2_000
"""From here on a process that searches many times uses hnswlib: measured, each search is several times cheaper."""
PASSING_FLOATS = 20_000_000
"""Rows x dimension from which even a process that asks once gains by loading a snapshot."""
_TAIL = 1_000  # rows beside a graph from which it is worth moving them into it
_DEAD = 0.3  # share of removed rows in a graph from which it is built anew
_MOVE_SECONDS = 0.008  # how long one move may keep a search waiting


@dataclass(frozen=True, slots=True)
class IndexState:
    """engine: `exact` or `hnswlib`. graph, matrix: rows in each. note: what the person should know, mostly nothing."""

    engine: str
    graph: int
    matrix: int
    note: str


class VectorIndex:
    """`lasting`: the process will search many times, so a graph is loaded or built in the background.

    engine: names the hnswlib at hand, or nothing for exact search only. rows: from how many on the graph serves.
    """

    def __init__(
        self, store: Store, name: str, *, lasting: bool = False, engine: Callable[[], str] = variant,
        rows: int = LASTING_ROWS,
    ) -> None:  # fmt: skip
        self.name = name
        self._store, self._lasting, self._engine, self._rows = store, lasting, engine, rows
        self._lock = threading.RLock()
        self._stop, self._ready = threading.Event(), threading.Event()
        self._worker: threading.Thread | None = None
        self._layers: Layers | None = None
        self._unsaved = 0
        self._note = ""

    def search(self, vector: Vector, k: int, among: Collection[int] | None = None) -> list[tuple[int, float]]:
        """(document id, distance) of the nearest `k`, nearest first; empty when the index has no vectors.

        Distances as hnswlib has them: l2 squared, cosine 1 - cos, ip 1 - dot. among: only these documents, exactly; for
        a wide filter it is cheaper to ask for more and filter. StoreError: a query of the wrong length or not finite.
        """
        self.prepare()
        self._ready.wait()
        with self._lock, self._store.reading():
            definition = self._store.definitions.get(self.name)
            if definition.spec.embedder is None or k <= 0:
                return []
            query = _query(vector, definition)
            if among is not None:
                return self._among(query, k, among, definition)
            hits = self._nearest(query, k, definition)
            documents = self._store.vectors.documents_of(vector_id for vector_id, _ in hits)
        self._keep_up()
        return [(documents[vector_id], distance) for vector_id, distance in hits if vector_id in documents]

    def prepare(self) -> None:
        """Begin to load, in the background when lasting. Call it early; the first `search` does it otherwise."""
        with self._lock:
            if self._layers is not None or self._worker is not None:
                return
            definition = self._store.definitions.get(self.name)
            if definition.spec.embedder is None:
                self._ready.set()
            elif self._lasting and self._wants_graph(definition):
                self._start()
            else:
                found = snapshot.load(self._store, definition) if self._wants_graph(definition) else None
                self._layers = Layers(definition, found)
                self._ready.set()

    def state(self) -> IndexState:
        with self._lock:
            layers = self._layers
            graph = len(layers.graph) if layers and layers.graph else 0
            return IndexState("hnswlib" if graph else "exact", graph, len(layers.matrix) if layers else 0, self._note)

    def settle(self, timeout: float | None = None) -> None:
        """Wait for the work in the background, for those who want the graph built before going on."""
        if self._worker is not None:
            self._worker.join(timeout)

    def close(self) -> None:
        """Stop the work in the background; what it has done so far is kept for the next start."""
        self._halt()
        if self._unsaved:
            self._save()
        with self._lock:
            self._layers = None

    def _nearest(self, query: Floats, k: int, definition: Definition) -> list[Hit]:
        layers = self._layers
        if layers is None or not layers.fits(definition):
            layers = self._layers = Layers(definition)
        layers.follow(self._store, definition.seq)
        hits = layers.nearest(query, k)
        if hits is None:
            layers = self._layers = Layers(definition)  # exact from here; the thread builds another graph
            layers.follow(self._store, definition.seq)
            hits = layers.matrix.search(query, k)
        return hits

    def _among(self, query: Floats, k: int, among: Collection[int], definition: Definition) -> list[tuple[int, float]]:
        chosen = Matrix(len(query), definition.spec.metric)
        rows = self._store.vectors.get(self.name, among)
        if rows:
            chosen.add([(0, document_id, document_id, data) for document_id, data in rows.items()])
        return chosen.search(query, k)

    def _wants_graph(self, definition: Definition) -> bool:
        assert definition.spec.embedder is not None
        rows = self._store.vectors.count(self.name)
        wanted = rows >= self._rows if self._lasting else rows * definition.spec.embedder.dimension >= PASSING_FLOATS
        if wanted and not self._engine():
            self._note = "hnswlib is not installed: search is exact, and slower for so many vectors"
            return False
        return wanted

    def _keep_up(self) -> None:
        """Start the thread when the matrix has grown past what it is good for."""
        with self._lock:
            layers = self._layers
            if not self._lasting or layers is None or self._stop.is_set():
                return
            if self._worker is not None and self._worker.is_alive():
                return
            if len(layers.matrix) >= (self._rows if layers.graph is None else _TAIL) and self._engine():
                self._start()

    def _start(self) -> None:
        self._worker = threading.Thread(target=self._work, name=f"index {self.name}", daemon=True)
        atexit.register(self._halt)  # a thread that is inside hnswlib when Python ends aborts the process
        self._worker.start()

    def _halt(self) -> None:
        self._stop.set()
        self.settle()
        atexit.unregister(self._halt)

    def _work(self) -> None:
        try:
            layers = self._load()
            self._ready.set()
            if self._move_all(layers):
                self._tune(layers)
                self._save()
        except StoreError as error:  # whoever uses the store next is told; searching goes on without the graph
            self._note = str(error)
        finally:
            self._ready.set()

    def _load(self) -> Layers:
        """What there is in memory or on disk, unless most of it is gone from the store."""
        definition = self._store.definitions.get(self.name)
        layers = self._layers
        if layers is None or not layers.fits(definition):
            layers = Layers(definition, snapshot.load(self._store, definition))
        with self._lock, self._store.reading():
            definition = self._store.definitions.get(self.name)
            layers.follow(self._store, definition.seq)
            if layers.graph is not None:
                living = self._store.vectors.count(self.name) - len(layers.matrix)
                if living < (1 - _DEAD) * len(layers.graph):
                    layers = Layers(definition)
                    layers.follow(self._store, definition.seq)
            self._layers = layers
        return layers

    def _move_all(self, layers: Layers) -> bool:
        """Rows into the graph, a few at a time so that a search never waits long. True when any was, and all are."""
        count, moved = 8, 0
        while not self._stop.is_set():
            with self._lock:
                if self._layers is not layers:
                    return False
                started = time.perf_counter()
                done = layers.move(count, threads=1)
                self._unsaved += done
            if not done:
                return moved > 0
            moved += done
            seconds = time.perf_counter() - started
            count = max(1, min(count * 2, int(count * _MOVE_SECONDS / max(seconds, 1e-6))))
            time.sleep(0.0002)  # a lock is not fair: without a pause a search could wait for the whole build
        return False

    def _tune(self, layers: Layers) -> None:
        def ask(query: Floats, effort: int) -> list[Hit] | None:
            with self._lock:
                assert layers.graph is not None
                before, layers.graph.effort = layers.graph.effort, effort
                try:
                    return layers.graph.search(query, 10)
                finally:
                    layers.graph.effort = before

        effort = effort_for(self._store, layers.definition.spec, ask, self._stop.is_set)
        if effort is not None and layers.graph is not None:
            layers.graph.effort = effort

    def _save(self) -> bool:
        def write(path: Path) -> snapshot.Snapshot:
            with self._lock:
                assert layers is not None
                assert layers.graph is not None
                layers.graph.save(path)
                return snapshot.Snapshot(layers.graph, layers.watermark)

        layers = self._layers
        if layers is None or layers.graph is None:
            return False
        saved = snapshot.save(self._store, layers.definition, write)
        if saved:
            self._unsaved = 0
        return saved


def _query(vector: Vector, definition: Definition) -> Floats:
    import numpy as np

    assert definition.spec.embedder is not None
    data = packed(vector, definition.spec.embedder.dimension, definition.spec.metric)
    query = np.frombuffer(data, "<f4")
    return unit(query) if definition.spec.metric == "cosine" else query
