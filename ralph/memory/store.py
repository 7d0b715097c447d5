"""The store: every document, its metadata, full text and vectors, in one SQLite file that is the one truth.

    store = Store(home)
    [id] = store.add(LONG_TERM, [Draft("Ada was born in 1815")])
    store.search_text(LONG_TERM, ["born"])          # [(id, score)]
    store.find(LONG_TERM, limit=20)                 # the newest first

Every method is one short transaction and may be called from any thread; `with store.reading():` makes several see the
same moment. A method that waits for another process blocks its thread, for 10 s at most: inside an event loop a write
takes well under a millisecond, but call it in a thread when the loop must never stall. Raises StoreError only.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ralph.errors import StoreError
from ralph.memory import upkeep, why
from ralph.memory.checks import as_json, checked
from ralph.memory.database import Database, marks, parts
from ralph.memory.definitions import Definition, Definitions, embedder_id
from ralph.memory.rows import EVERYTHING, Document, Draft, Embedder, IndexStats, Where
from ralph.memory.vector_rows import VectorRows, put
from ralph.memory.vectors import packed

if TYPE_CHECKING:
    from sqlite3 import Connection

FILE = "ralph.db"
_SELECT = """
SELECT d.id, i.name, d.text, d.type, d.source, d.importance, d.scope, d.session, d.about, d.metadata, d.created,
  d.updated, d.digest
FROM documents d JOIN indices i ON i.id = d.index_id
"""
_EDITABLE = ("text", "type", "source", "importance", "scope", "session", "about", "metadata")


class Store:
    """`definitions`: the indices. `vectors`: their vectors. `now` gives seconds since the epoch."""

    def __init__(self, home: Path, *, timeout: float = 10.0, now: Callable[[], float] = time.time) -> None:
        self.database = Database(home / FILE, timeout=timeout)
        self.definitions = Definitions(self.database)
        self.vectors = VectorRows(self.database, self.definitions)
        self._now = now

    def reading(self) -> AbstractContextManager[Connection]:
        """One moment for all reads inside: what one call finds, the next still has."""
        return self.database.reading()

    def writing(self) -> AbstractContextManager[Connection]:
        """All writes inside or none. Keep it short: other processes wait."""
        return self.database.writing()

    def close(self) -> None:
        self.database.close()

    def add(self, index: str, drafts: Iterable[Draft], *, embedder: Embedder | None = None) -> list[int]:
        """Store all of them or none; returns their ids. On disk, and found by full text, when this returns.

        embedder: who made the drafts' vectors; None: the index's own. What has no vector is `pending`.
        A few hundred at a time, so that other processes are not kept waiting.
        """
        drafts = [checked(draft, has_vector=draft.vector is not None) for draft in drafts]
        with self.database.writing() as connection:
            definition = self.definitions.get(index)
            maker = embedder or definition.spec.embedder
            maker_id = embedder_id(connection, maker) if maker else 0
            ids = []
            for draft in drafts:
                document_id = self._insert(connection, definition, draft)
                if draft.vector is not None:
                    if maker is None:
                        raise StoreError(f"index {index!r} takes no vectors yet", hint="choose its embedder first")
                    data = packed(draft.vector, maker.dimension, definition.spec.metric)
                    put(connection, definition, maker_id, document_id, data)
                ids.append(document_id)
        return ids

    def get(self, document_id: int) -> Document | None:
        return next(iter(self.get_many([document_id])), None)

    def get_many(self, ids: Sequence[int]) -> list[Document]:
        """Those that exist, in the order of `ids`."""
        with self.database.reading() as connection:
            rows = [
                row for part in parts(ids)
                for row in connection.execute(f"{_SELECT} WHERE d.id IN ({marks(part)})", part)
            ]  # fmt: skip
        found = {row[0]: row for row in rows}
        return [_document(found[document_id]) for document_id in ids if document_id in found]

    def update(self, document_id: int, **changes: Any) -> Document:
        """Change fields of one document (those of Draft but vector and created).

        New text loses its vectors and is `pending` again. StoreError when there is no such document.
        """
        if unknown := [name for name in changes if name not in _EDITABLE]:
            raise StoreError(f"a document has no field {unknown[0]!r}", hint=f"choose one of {', '.join(_EDITABLE)}")
        with self.database.writing() as connection:
            before = self.get(document_id)
            if before is None:
                raise StoreError(f"there is no document {document_id}")
            draft = Draft(**{name: changes.get(name, getattr(before, name)) for name in _EDITABLE})
            row = checked(draft, has_vector=not before.text)
            columns = ", ".join(f"{name} = ?" for name in _EDITABLE)
            values = [as_json(row.metadata) if name == "metadata" else getattr(row, name) for name in _EDITABLE]
            connection.execute(
                f"UPDATE documents SET {columns}, updated = ?, digest = ? WHERE id = ?",
                (*values, self._now(), digest_of(row.text), document_id),
            )
            if row.text != before.text:
                _forget_vectors(connection, document_id)
            [after] = self.get_many([document_id])
        return after

    def delete(self, ids: Iterable[int]) -> list[int]:
        """Remove documents with their text, full text and vectors; returns the ids that existed. All or none."""
        with self.database.writing() as connection:
            gone = [
                row[0] for part in parts(ids)
                for row in connection.execute(f"SELECT id FROM documents WHERE id IN ({marks(part)})", part).fetchall()
            ]  # fmt: skip
            connection.executemany("DELETE FROM documents WHERE id = ?", ((document_id,) for document_id in gone))
        return gone

    def find(
        self, index: str, where: Where = EVERYTHING, *, limit: int = -1, offset: int = 0, oldest_first: bool = False
    ) -> list[Document]:
        """By time of creation, the newest first unless said otherwise."""
        condition, values = where.sql()
        order = "ASC" if oldest_first else "DESC"
        with self.database.reading() as connection:
            rows = connection.execute(
                f"{_SELECT} WHERE d.index_id = ?{condition} ORDER BY d.created {order}, d.id {order} LIMIT ? OFFSET ?",
                (self.definitions.get(index).id, *values, limit, offset),
            ).fetchall()
        return [_document(row) for row in rows]

    def count(self, index: str, where: Where = EVERYTHING) -> int:
        condition, values = where.sql()
        with self.database.reading() as connection:
            sql = f"SELECT count(*) FROM documents d WHERE d.index_id = ?{condition}"
            return int(connection.execute(sql, (self.definitions.get(index).id, *values)).fetchone()[0])

    def neighbours(self, document: Document, reach: int = 1) -> list[Document]:
        """The documents stored just before and after this one in the same index, source and session, in order."""
        found: list[Document] = []
        key = (document.index, document.source, document.session, document.id, reach)
        with self.database.reading() as connection:
            for comparison, order in (("<", "DESC"), (">", "ASC")):
                sql = (
                    f"{_SELECT} WHERE i.name = ? AND d.source = ? AND d.session = ? AND d.id {comparison} ?"
                    f" ORDER BY d.id {order} LIMIT ?"
                )
                found += [_document(row) for row in connection.execute(sql, key)]
        return sorted(found, key=lambda other: other.id)

    def search_text(
        self, index: str, terms: Sequence[str], where: Where = EVERYTHING, *, limit: int = 50, every: bool = False,
        about_weight: float = 1.0,
    ) -> list[tuple[int, float]]:  # fmt: skip
        """(document id, BM25 score, higher is better), best first. Terms are words or phrases, matched by their stem.

        every: all terms must occur; otherwise any. about_weight: what a hit in `about` counts, 1 being one in the text.
        """
        quoted = ['"' + term.replace('"', '""').replace("\0", " ") + '"' for term in terms if term.strip()]
        if not quoted:
            return []
        condition, values = where.sql()
        with self.database.reading() as connection:
            definition = self.definitions.get(index)
            return connection.execute(  # CROSS: words first, always; the other order asks them once per document
                "SELECT d.id, -bm25(words, 1.0, ?) AS score FROM words"
                " CROSS JOIN documents d INDEXED BY documents_by_place ON d.id = words.rowid"
                f" WHERE words MATCH ? AND d.index_id = ?{condition} ORDER BY score DESC, d.id LIMIT ?",
                (about_weight, (" AND " if every else " OR ").join(quoted), definition.id, *values, limit),
            ).fetchall()

    def frequencies(self, terms: Iterable[str]) -> dict[str, int]:
        """Of these unstemmed words (lower case, no diacritics), those the store knows, and in how many documents."""
        with self.database.reading() as connection:
            return {
                term: count for part in parts(terms)
                for term, count in connection.execute(
                    f"SELECT term, doc FROM vocabulary WHERE term IN ({marks(part)})", part
                )
            }  # fmt: skip

    def stats(self) -> list[IndexStats]:
        """One row per index."""
        return [self._stats(definition) for definition in self.definitions.all()]

    def integrity(self) -> list[str]:
        """What is wrong with the file; empty when it is whole. Reads all of it."""
        return upkeep.integrity(self.database)

    def purge(self) -> None:
        """After deletions: wipe the last traces of their words. 35 ms at 10,000 documents, 0.25 s at 50,000."""
        why.keep_only(self.database.path.parent, lambda ids: {document.id for document in self.get_many(ids)})
        upkeep.purge(self.database)

    def compact(self) -> int:
        """Rebuild the full text, drop what nothing uses, shrink the file; returns the bytes gained."""
        why.keep_only(self.database.path.parent, lambda ids: {document.id for document in self.get_many(ids)})
        return upkeep.compact(self.database)

    def _stats(self, definition: Definition) -> IndexStats:
        with self.database.reading() as connection:
            documents, vectors, pending = [
                connection.execute(sql, values).fetchone()[0]
                for sql, values in (
                    ("SELECT count(*) FROM documents WHERE index_id = ?", (definition.id,)),
                    ("SELECT count(*) FROM vectors WHERE index_id = ? AND embedder_id = ?",
                     (definition.id, definition.embedder_id)),
                    ("SELECT count(*) FROM pending WHERE index_id = ?", (definition.id,)),
                )
            ]  # fmt: skip
        return IndexStats(definition.spec, documents, vectors, pending, definition.seq)

    def _insert(self, connection: Connection, definition: Definition, draft: Draft) -> int:
        now = self._now()
        created = now if draft.created is None else draft.created
        cursor = connection.execute(
            "INSERT INTO documents (index_id, type, source, importance, scope, session, created, updated, digest,"
            " metadata, about, text) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (definition.id, draft.type, draft.source, draft.importance, draft.scope, draft.session, created, now,
             digest_of(draft.text), as_json(draft.metadata), draft.about, draft.text),
        )  # fmt: skip
        assert cursor.lastrowid is not None
        if draft.text:
            connection.execute("INSERT INTO pending VALUES (?, ?)", (definition.id, cursor.lastrowid))
        return cursor.lastrowid


def digest_of(text: str) -> bytes:
    """16 bytes that name a text: equal texts, equal digests."""
    return blake2b(text.encode(), digest_size=16).digest()


def _forget_vectors(connection: Connection, document_id: int) -> None:
    connection.execute("DELETE FROM vectors WHERE document_id = ?", (document_id,))
    connection.execute(
        "INSERT OR IGNORE INTO pending SELECT index_id, id FROM documents WHERE id = ? AND text <> ''", (document_id,)
    )


def _document(row: tuple[Any, ...]) -> Document:
    return Document(*(json.loads(value) if place == 9 else value for place, value in enumerate(row)))  # 9: metadata
