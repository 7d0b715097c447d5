"""One index in memory: a graph of old rows (or none), a matrix of the rest, and how far both follow the store."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from ralph.memory.definitions import Definition
from ralph.memory.graph import Graph
from ralph.memory.matrix import Hit, Matrix
from ralph.memory.snapshot import Snapshot
from ralph.memory.store import Store

if TYPE_CHECKING:
    from ralph.memory.matrix import Floats

_PIECE = 512  # rows read at once: few enough to stay in the cache from the database to the matrix


class Layers:
    """Every row is in exactly one of the two. Not safe for several threads at once: its owner holds a lock."""

    def __init__(self, definition: Definition, snapshot: Snapshot | None = None) -> None:
        assert definition.spec.embedder is not None
        self.definition = definition
        self.graph = snapshot.graph if snapshot else None
        self.seq = snapshot.watermark if snapshot else 0
        self.matrix = Matrix(definition.spec.embedder.dimension, definition.spec.metric)

    def fits(self, definition: Definition) -> bool:
        """Whether this is still the index meant: same name is not enough, it may have been made anew."""
        mine = self.definition
        return (mine.id, mine.embedder_id) == (definition.id, definition.embedder_id)

    @property
    def watermark(self) -> int:
        """The graph holds every vector up to this sequence number."""
        first = self.matrix.first_seq
        return self.seq if first is None else first - 1

    def follow(self, store: Store, seq: int) -> None:
        """Take in what happened in the store up to sequence number `seq`."""
        if self.seq == 0 and self.seq < seq:
            self.matrix.expect(store.vectors.count(self.definition.spec.name))
        while self.seq < seq:
            changes = store.vectors.changes_since(self.definition.spec.name, self.seq, limit=_PIECE)
            self.matrix.remove(changes.removed)
            if self.graph is not None:
                self.graph.discard(changes.removed)
            if changes.added:
                self.matrix.add(changes.added)
            self.seq = changes.seq

    def nearest(self, query: Floats, k: int) -> list[Hit] | None:
        """The nearest `k`, nearest first. None: so much was removed from the graph that it finds too few."""
        exact = self.matrix.search(query, k)
        if self.graph is None or not len(self.graph):
            return exact
        approximate = self.graph.search(query, k)
        return None if approximate is None else heapq.nsmallest(k, exact + approximate, key=lambda hit: hit[1])

    def move(self, count: int, threads: int) -> int:
        """Move the oldest `count` rows from the matrix into the graph; returns how many there were to move."""
        if self.graph is None:
            self.graph = Graph(self.definition.spec, max(len(self.matrix), 1))
        ids, rows = self.matrix.take(count)
        if ids:
            self.graph.add(ids, rows, threads)
        return len(ids)
