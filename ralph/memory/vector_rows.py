"""The vectors in the database: set, removed, asked for since a moment, and those still wanted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ralph.memory.database import Database, marks, parts
from ralph.memory.definitions import Definition, Definitions, embedder_id
from ralph.memory.rows import Changes, Embedder, Vector
from ralph.memory.vectors import packed

if TYPE_CHECKING:
    from sqlite3 import Connection


class VectorRows:
    def __init__(self, database: Database, definitions: Definitions) -> None:
        self._database, self._definitions = database, definitions

    def pending(self, index: str, limit: int = 64) -> list[tuple[int, str]]:
        """(id, text) of the oldest documents that want a vector of the index's embedder. Empty: all have theirs."""
        with self._database.reading() as connection:
            return connection.execute(
                "SELECT d.id, d.text FROM pending p JOIN documents d ON d.id = p.document_id"
                " WHERE p.index_id = ? ORDER BY p.document_id LIMIT ?",
                (self._definitions.get(index).id, limit),
            ).fetchall()

    def set(self, index: str, embedder: Embedder, vectors: Iterable[tuple[int, str | None, Vector]]) -> int:
        """Store (document id, the text it was made from, vector); returns how many were.

        A document that was deleted or reworded meanwhile is passed over, so a slow embedder cannot bring it back or
        describe words it no longer has. Text None: take the vector as it comes.
        """
        done = 0
        with self._database.writing() as connection:
            definition = self._definitions.get(index)
            own = embedder_id(connection, embedder)
            for document_id, text, vector in vectors:
                data = packed(vector, embedder.dimension, definition.spec.metric)
                row = connection.execute(
                    "SELECT text FROM documents WHERE id = ? AND index_id = ?", (document_id, definition.id)
                ).fetchone()
                if row is not None and text in (None, row[0]):
                    put(connection, definition, own, document_id, data)
                    done += 1
        return done

    def get(self, index: str, ids: Iterable[int]) -> dict[int, bytes]:
        """Document id -> float32 bytes, of those that have a vector of the index's embedder."""
        with self._database.reading() as connection:
            definition = self._definitions.get(index)
            return {
                row[0]: row[1]
                for part in parts(ids)
                for row in connection.execute(
                    "SELECT document_id, data FROM vectors WHERE +index_id = ? AND embedder_id = ?"
                    f" AND document_id IN ({marks(part)})",  # +: not by that index, which is all vectors
                    (definition.id, definition.embedder_id, *part),
                )
            }

    def known(self, embedder: Embedder, digests: Iterable[bytes]) -> dict[bytes, bytes]:
        """Digest of a text -> its vector, for texts this embedder has seen in any index: embedding again is waste."""
        with self._database.reading() as connection:
            return {
                row[0]: row[1]
                for part in parts(digests)
                for row in connection.execute(
                    "SELECT d.digest, v.data FROM documents d JOIN vectors v ON v.document_id = d.id"
                    " JOIN embedders e ON e.id = v.embedder_id"
                    f" WHERE e.name = ? AND e.dimension = ? AND d.digest IN ({marks(part)})",
                    (embedder.name, embedder.dimension, *part),
                )
            }

    def changes_since(self, index: str, seq: int, *, limit: int = -1) -> Changes:
        """Vectors of the index's embedder added and removed after `seq`, oldest first; `limit` caps the added ones."""
        with self._database.reading() as connection:
            definition = self._definitions.get(index)
            added = connection.execute(
                "SELECT seq, id, document_id, data FROM vectors WHERE index_id = ? AND embedder_id = ? AND seq > ?"
                " ORDER BY seq LIMIT ?",
                (definition.id, definition.embedder_id, seq, limit),
            ).fetchall()
            upto = added[-1][0] if limit >= 0 and len(added) == limit else definition.seq
            removed = connection.execute(
                "SELECT vector_id FROM tombstones WHERE index_id = ? AND seq > ? AND seq <= ?",
                (definition.id, seq, upto),
            ).fetchall()
        return Changes(upto, added, [row[0] for row in removed])

    def count(self, index: str) -> int:
        """How many vectors of its embedder the index has."""
        with self._database.reading() as connection:
            definition = self._definitions.get(index)
            sql = "SELECT count(*) FROM vectors WHERE index_id = ? AND embedder_id = ?"
            return int(connection.execute(sql, (definition.id, definition.embedder_id)).fetchone()[0])

    def documents_of(self, vector_ids: Iterable[int]) -> dict[int, int]:
        """Vector id -> document id, of the vectors that still exist: what an index found is true only if it is here."""
        with self._database.reading() as connection:
            return {
                row[0]: row[1]
                for part in parts(vector_ids)
                for row in connection.execute(
                    f"SELECT id, document_id FROM vectors WHERE id IN ({marks(part)})", tuple(part)
                )
            }


def put(connection: Connection, definition: Definition, embedder: int, document_id: int, data: bytes) -> None:
    """Set one vector inside a write. An update is a removal and an insertion, so no label ever changes its meaning."""
    connection.execute("DELETE FROM vectors WHERE document_id = ? AND embedder_id = ?", (document_id, embedder))
    connection.execute("UPDATE indices SET seq = seq + 1 WHERE id = ?", (definition.id,))
    connection.execute(
        "INSERT INTO vectors (index_id, embedder_id, document_id, seq, data)"
        " SELECT id, ?, ?, seq, ? FROM indices WHERE id = ?",
        (embedder, document_id, data, definition.id),
    )
    if embedder == definition.embedder_id:
        connection.execute("DELETE FROM pending WHERE index_id = ? AND document_id = ?", (definition.id, document_id))
