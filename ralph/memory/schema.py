"""The tables of `ralph.db`, as a list of migrations: `PRAGMA user_version` says how many of them a file has seen.

A migration is never edited once released; a change is one more entry at the end.
"""

from __future__ import annotations

# `documents.id` and `vectors.id` are AUTOINCREMENT: a number is never given twice, so that a stale index can name a
# row that is gone but never the wrong one. Every insert or removal of a vector takes the next `indices.seq`, which
# is how a snapshot of an index knows what it has missed. Vectors have a table of their own: in the text's rows they
# would slow every scan of the text. `pending` holds what still wants a vector, so that finding it costs nothing.
_FIRST = """
CREATE TABLE embedders (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, dimension INTEGER NOT NULL, UNIQUE (name, dimension)
);
CREATE TABLE indices (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE COLLATE NOCASE, kind TEXT NOT NULL,
  metric TEXT NOT NULL, links INTEGER NOT NULL, effort INTEGER NOT NULL, capacity INTEGER NOT NULL,
  embedder_id INTEGER REFERENCES embedders (id), seq INTEGER NOT NULL DEFAULT 0
);
INSERT INTO indices (name, kind, metric, links, effort, capacity) VALUES
  ('long_term_memory', 'memory', 'cosine', 16, 200, 100000),
  ('conversations', 'memory', 'cosine', 16, 200, 100000),
  ('documents', 'documents', 'cosine', 32, 400, 50000);
CREATE TABLE documents (
  id INTEGER PRIMARY KEY AUTOINCREMENT, index_id INTEGER NOT NULL REFERENCES indices (id) ON DELETE CASCADE,
  type TEXT NOT NULL, source TEXT NOT NULL, importance TEXT NOT NULL, scope TEXT NOT NULL, session TEXT NOT NULL,
  created REAL NOT NULL, updated REAL NOT NULL, digest BLOB NOT NULL, metadata TEXT NOT NULL, about TEXT NOT NULL,
  text TEXT NOT NULL
);
CREATE INDEX documents_by_time ON documents (index_id, created);
CREATE INDEX documents_by_source ON documents (index_id, source, session);
CREATE INDEX documents_by_digest ON documents (digest);
CREATE TABLE pending (
  index_id INTEGER NOT NULL, document_id INTEGER NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
  PRIMARY KEY (index_id, document_id)
) WITHOUT ROWID;
CREATE INDEX pending_by_document ON pending (document_id);

CREATE TABLE vectors (
  id INTEGER PRIMARY KEY AUTOINCREMENT, index_id INTEGER NOT NULL, embedder_id INTEGER NOT NULL REFERENCES embedders,
  document_id INTEGER NOT NULL REFERENCES documents (id) ON DELETE CASCADE, seq INTEGER NOT NULL, data BLOB NOT NULL,
  UNIQUE (document_id, embedder_id)
);
CREATE INDEX vectors_by_seq ON vectors (index_id, embedder_id, seq);
CREATE TABLE tombstones (
  vector_id INTEGER PRIMARY KEY, index_id INTEGER NOT NULL REFERENCES indices (id) ON DELETE CASCADE,
  seq INTEGER NOT NULL
);
CREATE INDEX tombstones_by_seq ON tombstones (index_id, seq);
CREATE TRIGGER vector_removed AFTER DELETE ON vectors WHEN EXISTS (SELECT 1 FROM indices WHERE id = old.index_id) BEGIN
  UPDATE indices SET seq = seq + 1 WHERE id = old.index_id;
  INSERT INTO tombstones SELECT old.id, id, seq FROM indices WHERE id = old.index_id;
END;
CREATE TABLE snapshots (
  id INTEGER PRIMARY KEY AUTOINCREMENT, index_id INTEGER NOT NULL REFERENCES indices (id) ON DELETE CASCADE,
  embedder_id INTEGER NOT NULL, watermark INTEGER NOT NULL, length INTEGER NOT NULL, crc INTEGER NOT NULL,
  effort INTEGER NOT NULL, variant TEXT NOT NULL
);

CREATE VIRTUAL TABLE words USING fts5 (
  text, about, content='documents', content_rowid='id', tokenize='porter unicode61 remove_diacritics 2'
);
CREATE VIRTUAL TABLE spellings USING fts5 (
  text, about, content='documents', content_rowid='id', detail='none', tokenize='unicode61 remove_diacritics 2'
);
CREATE VIRTUAL TABLE vocabulary USING fts5vocab (spellings, row);
CREATE TRIGGER document_added AFTER INSERT ON documents BEGIN
  INSERT INTO words (rowid, text, about) VALUES (new.id, new.text, new.about);
  INSERT INTO spellings (rowid, text, about) VALUES (new.id, new.text, new.about);
END;
CREATE TRIGGER document_removed AFTER DELETE ON documents BEGIN
  INSERT INTO words (words, rowid, text, about) VALUES ('delete', old.id, old.text, old.about);
  INSERT INTO spellings (spellings, rowid, text, about) VALUES ('delete', old.id, old.text, old.about);
END;
CREATE TRIGGER document_reworded AFTER UPDATE OF text, about ON documents BEGIN
  INSERT INTO words (words, rowid, text, about) VALUES ('delete', old.id, old.text, old.about);
  INSERT INTO spellings (spellings, rowid, text, about) VALUES ('delete', old.id, old.text, old.about);
  INSERT INTO words (rowid, text, about) VALUES (new.id, new.text, new.about);
  INSERT INTO spellings (rowid, text, about) VALUES (new.id, new.text, new.about);
END;
"""

# A full-text search asks of every document it finds where it belongs. In the documents themselves that is a page of
# texts each; here it is a few bytes, and a search of frequent words takes two thirds of the time.
_PLACES = "CREATE INDEX documents_by_place ON documents (id, index_id, scope);"

MIGRATIONS: tuple[str, ...] = (_FIRST, _PLACES)
