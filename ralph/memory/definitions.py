"""Which indices there are, and who embeds for them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ralph.errors import StoreError
from ralph.memory.database import Database
from ralph.memory.rows import Embedder, IndexSpec

if TYPE_CHECKING:
    from sqlite3 import Connection

_NAME = re.compile(r"[^\W_][\w.-]{0,63}")  # it becomes a file name
_ALL = """
SELECT i.id, i.name, i.kind, i.metric, i.links, i.effort, i.capacity, i.embedder_id, e.name, e.dimension, i.seq
FROM indices i LEFT JOIN embedders e ON e.id = i.embedder_id
"""
_BOUNDS = {"links": (2, 512), "effort": (1, 100_000), "capacity": (1, 1_000_000_000)}


class Definition:
    """An index as the database knows it: its spec, its row ids, and the sequence number of its last change."""

    __slots__ = ("embedder_id", "id", "seq", "spec")

    def __init__(self, row: tuple[Any, ...]) -> None:
        embedder = Embedder(row[8], row[9]) if row[7] is not None else None
        self.id: int = row[0]
        self.embedder_id: int | None = row[7]
        self.seq: int = row[10]
        self.spec = IndexSpec(row[1], row[2], row[3], row[4], row[5], row[6], embedder)


class Definitions:
    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self) -> tuple[IndexSpec, ...]:
        return tuple(definition.spec for definition in self.all())

    def all(self) -> tuple[Definition, ...]:
        with self._database.reading() as connection:
            return tuple(Definition(row) for row in connection.execute(f"{_ALL} ORDER BY i.id"))

    def find(self, name: str) -> Definition | None:
        if not _NAME.fullmatch(name):  # nor can it be looked up when it is no Unicode
            return None
        with self._database.reading() as connection:
            row = connection.execute(f"{_ALL} WHERE i.name = ?", (name,)).fetchone()
        return None if row is None else Definition(row)

    def get(self, name: str) -> Definition:
        """StoreError, naming those that exist, when there is none of this name."""
        found = self.find(name)
        if found is None:
            names = ", ".join(spec.name for spec in self.list())
            raise StoreError(f"there is no index {name!r}", hint=f"these exist: {names}")
        return found

    def create(self, spec: IndexSpec) -> IndexSpec:
        """StoreError when the name is taken or unfit, or a number is out of range."""
        check_spec(spec)
        with self._database.writing() as connection:
            if (taken := self.find(spec.name)) is not None:
                raise StoreError(f"index {taken.spec.name!r} already exists", hint="delete it first, or choose a name")
            chosen = embedder_id(connection, spec.embedder) if spec.embedder else None
            connection.execute(
                "INSERT INTO indices (name, kind, metric, links, effort, capacity, embedder_id)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (spec.name, spec.kind, spec.metric, spec.links, spec.effort, spec.capacity, chosen),
            )
        return spec

    def delete(self, name: str) -> None:
        """The index, its documents and their vectors. The three that every home has are emptied and stay."""
        with self._database.writing() as connection:
            definition = self.get(name)
            connection.execute("DELETE FROM indices WHERE id = ?", (definition.id,))
            if definition.spec.kind != "custom":
                self.create(definition.spec)
        self.snapshot_path(definition.spec.name).unlink(missing_ok=True)

    def use(self, name: str, embedder: Embedder) -> int:
        """From now on `embedder` makes the vectors of this index. Returns how many documents still want theirs.

        Those of the one before are kept until `Store.compact`, so that going back costs nothing, but never searched.
        """
        with self._database.writing() as connection:
            definition = self.get(name)
            if definition.spec.embedder != embedder:
                chosen = embedder_id(connection, embedder)
                connection.execute(
                    "UPDATE indices SET embedder_id = ?, seq = seq + 1 WHERE id = ?", (chosen, definition.id)
                )
                connection.execute("DELETE FROM pending WHERE index_id = ?", (definition.id,))
                connection.execute(
                    "INSERT INTO pending SELECT d.index_id, d.id FROM documents d WHERE d.index_id = ? AND d.text <> ''"
                    " AND NOT EXISTS (SELECT 1 FROM vectors v WHERE v.document_id = d.id AND v.embedder_id = ?)",
                    (definition.id, chosen),
                )
            count = connection.execute("SELECT count(*) FROM pending WHERE index_id = ?", (definition.id,)).fetchone()
            return int(count[0])

    def snapshot_path(self, name: str) -> Path:
        """Where the index keeps its snapshot; deleting it is harmless."""
        return self._database.path.with_name(f"{name}.idx")


def embedder_id(connection: Connection, embedder: Embedder) -> int:
    values = (embedder.name, embedder.dimension)
    connection.execute("INSERT OR IGNORE INTO embedders (name, dimension) VALUES (?, ?)", values)
    row = connection.execute("SELECT id FROM embedders WHERE name = ? AND dimension = ?", values).fetchone()
    return int(row[0])


def check_spec(spec: IndexSpec) -> None:
    """Raises StoreError for an index that cannot be."""
    if not _NAME.fullmatch(spec.name):
        hint = "1 to 64 letters, digits, dots, dashes and underscores, beginning with a letter or digit"
        raise StoreError(f"an index cannot be named {spec.name!r}", hint=hint)
    if spec.metric not in ("l2", "cosine", "ip"):
        raise StoreError(f"unknown metric {spec.metric!r}", hint="choose l2, cosine or ip")
    if spec.embedder is not None and not 1 <= spec.embedder.dimension <= 65_536:
        raise StoreError(f"a dimension of {spec.embedder.dimension} is not between 1 and 65,536")
    for name, (low, high) in _BOUNDS.items():
        if not low <= getattr(spec, name) <= high:
            raise StoreError(f"{name} = {getattr(spec, name)} is not between {low} and {high:,}")
