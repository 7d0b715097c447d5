"""What the store holds and answers: plain values, free of SQLite and numpy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

Metric = Literal["l2", "cosine", "ip"]
Vector = Iterable[float] | bytes
"""A list of numbers, a one-dimensional numpy array, or the bytes the store gave out; kept as float32."""

LONG_TERM = "long_term_memory"
CONVERSATIONS = "conversations"
DOCUMENTS = "documents"
"""The three indices every home has. Others are made by `Definitions.create`."""


class Embedder(NamedTuple):
    """Who makes the vectors of an index. Vectors of two embedders are never compared, whatever their dimension.

    `name` is empty for an index whose vectors the caller brings along.
    """

    name: str
    dimension: int


class IndexSpec(NamedTuple):
    """What an index is. links: hnswlib's M; effort: its ef_construction; capacity: room to begin with, it grows.

    embedder: None until one was chosen with `Definitions.use`.
    """

    name: str
    kind: str = "custom"
    metric: Metric = "cosine"
    links: int = 16
    effort: int = 200
    capacity: int = 10_000
    embedder: Embedder | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A document to be stored. `text` may be empty only when it brings a vector.

    about: words that describe the text (speaker, title, file name): found by full text, not to be embedded.
    scope: `global` or the path of a project. created: seconds since the epoch, None for now. metadata: JSON values.
    """

    text: str
    type: str = "general"
    source: str = "conversation"
    importance: str = "normal"
    scope: str = "global"
    session: str = ""
    about: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    created: float | None = None
    vector: Vector | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A stored document. `id` is never given to another, not even after a deletion; `digest` is `digest_of(text)`."""

    id: int
    index: str
    text: str
    type: str
    source: str
    importance: str
    scope: str
    session: str
    about: str
    metadata: Mapping[str, Any]
    created: float
    updated: float
    digest: bytes


@dataclass(frozen=True, slots=True)
class Where:
    """Which documents: every field given must hold. Tuples mean any of; times are seconds, both ends included."""

    types: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    importances: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    digests: tuple[bytes, ...] = ()
    since: float | None = None
    until: float | None = None

    def sql(self) -> tuple[str, list[Any]]:
        """A condition on the table `documents`, named d, and its values."""
        parts: list[str] = []
        values: list[Any] = []
        columns: tuple[tuple[str, tuple[Any, ...]], ...] = (
            ("type", self.types), ("source", self.sources), ("importance", self.importances), ("scope", self.scopes),
            ("session", self.sessions), ("digest", self.digests),
        )  # fmt: skip
        for column, wanted in columns:
            if wanted:
                parts.append(f"d.{column} IN ({', '.join('?' * len(wanted))})")
                values.extend(wanted)
        for comparison, bound in (("d.created >= ?", self.since), ("d.created <= ?", self.until)):
            if bound is not None:
                parts.append(comparison)
                values.append(bound)
        return "".join(f" AND {part}" for part in parts), values


EVERYTHING = Where()


class Changes(NamedTuple):
    """What happened to the vectors of one embedder in one index after a sequence number.

    added: (sequence number, vector id, document id, float32 little-endian bytes) in the order it happened; an updated
    vector is the old id removed and a new one added. seq: ask from here next time.
    """

    seq: int
    added: list[tuple[int, int, int, bytes]]
    removed: list[int]


class IndexStats(NamedTuple):
    """vectors: those of the current embedder; pending: documents that still want one; seq: changes so far."""

    spec: IndexSpec
    documents: int
    vectors: int
    pending: int
    seq: int
