"""Looking after the file: is it whole, and making it small again."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from ralph.errors import StoreError
from ralph.memory.database import Database

if TYPE_CHECKING:
    from sqlite3 import Connection

_TEXT_TABLES = ("words", "spellings")


def integrity(database: Database) -> list[str]:
    """What is wrong with the file, nothing when it is whole. Reads all of it: seconds for a large one."""
    found: list[str] = []
    try:
        with database.reading() as connection:
            found += [row[0] for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
            found += [f"a row of {row[0]} refers to nothing" for row in connection.execute("PRAGMA foreign_key_check")]
    except StoreError as error:  # too damaged even to be checked
        return [*found, str(error)]
    for table in _TEXT_TABLES:
        try:
            with database.writing() as connection:
                connection.execute(f"INSERT INTO {table} ({table}, rank) VALUES ('integrity-check', 1)")
        except StoreError as error:
            found.append(str(error))
    return found


def purge(database: Database, patience_s: float = 0.1) -> None:
    """Make sure that what was deleted is nowhere in the file or its log.

    patience_s: for others to have read what they are reading, such as a thread that makes vectors.

    Full text only marks a deletion and drops the words when its segments merge, so they are merged now. While another
    process reads, its view stays in the log; whoever folds the log next, at the latest the last one to leave, wipes it.
    """
    with database.writing() as connection:
        for table in _TEXT_TABLES:
            connection.execute(f"INSERT INTO {table} ({table}) VALUES ('optimize')")
    until = time.monotonic() + patience_s
    while database.apart("PRAGMA wal_checkpoint(TRUNCATE)")[0][0] and time.monotonic() < until:
        time.sleep(0.003)


def compact(database: Database) -> int:
    """Drop what nothing uses, make the full text anew, give free space back. Returns the bytes gained."""
    database.fold()
    before = database.path.stat().st_size
    with database.writing() as connection:
        _drop_unused_vectors(connection)
        _drop_stale_snapshots(connection, database.path)
        for table in _TEXT_TABLES:
            connection.execute(f"INSERT INTO {table} ({table}) VALUES ('rebuild')")
    purge(database)
    database.apart("VACUUM")
    database.fold()
    return before - database.path.stat().st_size


def _drop_unused_vectors(connection: Connection) -> None:
    connection.execute(
        "DELETE FROM vectors WHERE embedder_id IS NOT (SELECT embedder_id FROM indices WHERE id = vectors.index_id)"
    )


def _drop_stale_snapshots(connection: Connection, path: Path) -> None:
    """A graph keeps the numbers of what was removed from it; one that was made anew later has none of them."""
    for (name,) in connection.execute("SELECT name FROM indices WHERE id IN (SELECT index_id FROM tombstones)"):
        path.with_name(f"{name}.idx").unlink(missing_ok=True)
