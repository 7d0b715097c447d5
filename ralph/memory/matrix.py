"""Exact search: every row is looked at. As one BLAS product that is fast up to some ten thousand rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ralph.memory.rows import Metric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[Any]

Hit = tuple[int, float]
"""(vector id, distance): l2 is squared, cosine is 1 - cos, ip is 1 - dot, as hnswlib has them. Less is nearer."""

_PIECE = 512  # rows copied at once


class Matrix:
    """Rows in the order they came. Removed rows are skipped, rows taken from the front are gone."""

    def __init__(self, dimension: int, metric: Metric) -> None:
        import numpy as np

        self._np, self._metric = np, metric
        self._rows: Floats = np.empty((0, dimension), np.float32)
        self._seqs, self._ids, self._documents = (np.empty(0, np.int64) for _ in range(3))
        self._alive = np.empty(0, np.bool_)
        self._place: dict[int, int] = {}
        self._start = self._end = 0

    def __len__(self) -> int:
        return len(self._place)

    def add(self, added: Sequence[tuple[int, int, int, bytes]]) -> None:
        """(sequence number, vector id, document id, float32 bytes), the sequence numbers rising."""
        np = self._np
        self.expect(len(added))
        for first in range(0, len(added), _PIECE):
            seqs, ids, documents, blobs = zip(*added[first : first + _PIECE], strict=True)
            here = slice(self._end, self._end + len(ids))
            rows = np.frombuffer(b"".join(blobs), "<f4").reshape(len(ids), -1)
            np.divide(rows, lengths(rows) if self._metric == "cosine" else 1, out=self._rows[here])
            self._seqs[here], self._ids[here], self._documents[here], self._alive[here] = seqs, ids, documents, True
            self._place.update(zip(ids, range(here.start, here.stop), strict=True))
            self._end = here.stop

    def expect(self, count: int) -> None:
        """Make room at the end for `count` rows: the living move to the front, of a larger block when need be."""
        if self._end + count <= len(self._ids):
            return
        np = self._np
        places = self._start + np.flatnonzero(self._alive[self._start : self._end])
        room = max(count, 64) if not len(places) else (len(places) + count) * 3 // 2
        for name in ("_rows", "_seqs", "_ids", "_documents", "_alive"):
            old = getattr(self, name)
            new = np.empty((room, *old.shape[1:]), old.dtype)
            new[: len(places)] = old[places]
            setattr(self, name, new)
        self._start, self._end = 0, len(places)
        self._place = dict(zip(self._ids[: self._end].tolist(), range(self._end), strict=True))

    def remove(self, ids: Iterable[int]) -> None:
        for vector_id in ids:
            if (place := self._place.pop(vector_id, None)) is not None:
                self._alive[place] = False

    @property
    def first_seq(self) -> int | None:
        """Sequence number of the oldest row; None when empty."""
        places = self._np.flatnonzero(self._alive[self._start : self._end])
        return int(self._seqs[self._start + places[0]]) if len(places) else None

    def take(self, count: int) -> tuple[list[int], Floats]:
        """Take the oldest `count` rows out: vector ids and rows."""
        np = self._np
        places = self._start + np.flatnonzero(self._alive[self._start : self._end])[:count]
        ids = self._ids[places].tolist()
        rows = self._rows[places]
        self.remove(ids)
        self._start = int(places[-1]) + 1 if ids else self._end
        return ids, rows

    def search(self, query: Floats, k: int, among: Collection[int] | None = None) -> list[Hit]:
        """The nearest `k` rows, nearest first, the older of equals; `among`: only rows of these documents."""
        np = self._np
        live = slice(self._start, self._end)
        wanted = self._alive[live]
        if among is not None:
            wanted = wanted & np.isin(self._documents[live], np.fromiter(among, np.int64, len(among)))
        k = min(k, int(np.count_nonzero(wanted)))
        if k <= 0:
            return []
        distances = np.where(wanted, distances_to(query, self._rows[live], self._metric), np.inf)
        near = np.argpartition(distances, k - 1)[:k]
        if self._metric == "l2":  # the squares have cancelled each other: take more, and measure those properly
            more = min(4 * k + 16, len(distances))
            near = np.argpartition(distances, more - 1)[:more]
            distances[near] = np.where(wanted[near], np.square(self._rows[live][near] - query).sum(axis=1), np.inf)
        near = near[np.lexsort((near, distances[near]))][:k]
        return list(zip(self._ids[live][near].tolist(), distances[near].tolist(), strict=True))


def unit(rows: Floats) -> Floats:
    """Rows of length one."""
    return rows / lengths(rows)


def lengths(rows: Floats) -> Floats:
    """Of every row, as a column; 1 for a row of zeros, which is what it may be divided by."""
    import numpy as np

    squares = np.einsum("...j,...j->...", rows, rows)[..., None]
    found: Floats = np.sqrt(np.where(squares == 0, 1, squares))
    return found


def distances_to(query: Floats, rows: Floats, metric: Metric) -> Floats:
    """Of one query to every row; for cosine both are of length one already."""
    import numpy as np

    products = rows @ query
    if metric != "l2":
        return np.asarray(1 - products)
    squares: Floats = np.einsum("ij,ij->i", rows, rows) - 2 * products + query @ query
    return squares.clip(0)
