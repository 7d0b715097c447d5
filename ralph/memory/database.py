"""The file `ralph.db`: connections, transactions, waiting for other processes, and every way it can fail in one line.

Durability: WAL with synchronous=FULL. A kill needs no fsync to be survived, a power cut does; the fsync costs about
0.1 ms on a fast disk, and "nothing acknowledged is lost" is a promise without footnotes.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from ralph.errors import StoreError
from ralph.memory.schema import MIGRATIONS

if TYPE_CHECKING:
    from sqlite3 import Connection, Error

T = TypeVar("T")
K = TypeVar("K")
_PRAGMAS = (
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA secure_delete = ON",  # what is forgotten is overwritten, not only unlinked
    "PRAGMA journal_size_limit = 16777216",  # bytes; a bulk import must not leave its log behind at full length
)


class Database:
    """One SQLite file, one connection per thread, opened when first used. `timeout`: seconds to wait for others."""

    def __init__(self, path: Path, *, timeout: float = 10.0) -> None:
        self.path, self.timeout = path, timeout
        self._own = threading.local()
        self._all: list[Connection] = []
        self._lock = threading.Lock()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent view: nothing another process commits meanwhile is seen. Nests."""
        with self._transaction("read") as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """All or nothing; on disk when the block has been left. Nests inside another `writing` only."""
        with self._transaction("write") as connection:
            yield connection

    def close(self) -> None:
        """Close every thread's connection; the last process out folds the log into the file."""
        with self._lock:
            while self._all:
                self._all.pop().close()
            self._own = threading.local()

    def apart(self, statement: str) -> list[tuple[int, ...]]:
        """Run one statement that cannot be inside a transaction."""
        import sqlite3

        try:
            return self._patiently(lambda: self._connection().execute(statement).fetchall())
        except sqlite3.Error as error:
            raise explained(error, self.path) from error

    def fold(self) -> None:
        """Write the log into the file and empty it. StoreError when somebody reads for longer than the timeout."""
        deadline = time.monotonic() + self.timeout
        while self.apart("PRAGMA wal_checkpoint(TRUNCATE)")[0][0]:  # 1: a reader still needs the log
            if time.monotonic() >= deadline:
                raise StoreError(f"another program keeps reading {self.path}", hint="close it, then try again")
            time.sleep(0.003)

    @contextmanager
    def _transaction(self, mode: Literal["read", "write"]) -> Iterator[Connection]:
        import sqlite3

        try:
            connection = self._connection()
            if connection.in_transaction:
                if mode == "write" and self._own.mode == "read":
                    raise RuntimeError("a write cannot begin inside a read: it could see data that has changed since")
                yield connection
                return
            self._patiently(lambda: _begin(connection, mode))
            self._own.mode = mode
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                _roll_back(connection)
        except sqlite3.Error as error:
            raise explained(error, self.path) from error

    def _connection(self) -> Connection:
        connection: Connection | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = self._patiently(self._connect)
            with self._lock:
                self._all.append(connection)
        return connection

    def _connect(self) -> Connection:
        import sqlite3

        _make_private(self.path)
        # SQLite's own waiting backs off to 100 ms and so loses to a busy writer again and again; `_patiently` does
        # not: with two processes writing without a pause the slowest write is ten times faster.
        connection = sqlite3.connect(
            self.path, timeout=0, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: Connection) -> None:
        version = _version(connection)
        if version > len(MIGRATIONS):
            raise StoreError(
                f"{self.path} was written by a newer Ralph (schema {version}, this one knows {len(MIGRATIONS)})",
                hint="update Ralph, or use another --home; nothing was changed",
            )
        if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            connection.execute("PRAGMA journal_mode = WAL")
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        if version < len(MIGRATIONS):
            _migrate(connection)

    def _patiently(self, work: Callable[[], T]) -> T:
        """Repeat `work` while other processes hold the file, until the timeout."""
        import sqlite3

        began = time.monotonic()
        while True:
            try:
                return work()
            except sqlite3.OperationalError as error:
                waited = time.monotonic() - began
                if not _name(error).startswith(("SQLITE_BUSY", "SQLITE_LOCKED")) or waited >= self.timeout:
                    raise
            time.sleep(0.0003 if waited < 0.1 else 0.003)


def parts(values: Iterable[K], size: int = 500) -> Iterator[tuple[K, ...]]:
    """Values in groups that fit one statement. Numbers beyond SQLite's 64 bits name nothing and are left out."""
    whole = tuple(value for value in values if not isinstance(value, int) or -(2**63) <= value < 2**63)
    for start in range(0, len(whole), size):
        yield whole[start : start + size]


def marks(part: Sized) -> str:
    return ", ".join("?" * len(part))


def _begin(connection: Connection, mode: str) -> None:
    import sqlite3

    try:
        connection.execute("BEGIN IMMEDIATE" if mode == "write" else "BEGIN")
        if mode == "read":  # BEGIN alone takes no view of the data yet, the first read does
            connection.execute("SELECT 1 FROM indices LIMIT 1").fetchone()
    except sqlite3.Error:
        _roll_back(connection)
        raise


def _roll_back(connection: Connection) -> None:
    """Nothing to do after a commit; a full disk may have rolled back already."""
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def _version(connection: Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _migrate(connection: Connection) -> None:
    """Bring the file up to date in one transaction; another process may have done it while we waited."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for number in range(_version(connection), len(MIGRATIONS)):
            for statement in _statements(MIGRATIONS[number]):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number + 1}")
        connection.execute("COMMIT")
    finally:
        _roll_back(connection)


def _statements(script: str) -> Iterator[str]:
    """`executescript` would commit first and so break the transaction."""
    import sqlite3

    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _make_private(path: Path) -> None:
    """The home is the person's alone. SQLite gives its log and shared memory the mode of the database file."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        elif path.stat().st_mode & 0o077 and path.stat().st_uid == os.geteuid():
            path.chmod(0o600)
    except OSError as error:
        hint = "give --home DIR on a disk you can write to"
        raise StoreError(f"cannot open {path}: {error.strerror or error}", hint=hint) from error


def _name(error: Error) -> str:
    return getattr(error, "sqlite_errorname", "") or ""


_REASONS: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (("SQLITE_BUSY", "SQLITE_LOCKED"), "another program holds {path} locked",
     "close it, then try again; nothing was changed"),
    (("SQLITE_FULL",), "the disk of {path} is full", "free some space; nothing was changed"),
    (("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM"), "{path} cannot be written",
     "make it and its folder writable, or give --home DIR"),
    (("SQLITE_NOTADB",), "{path} is not a Ralph database (or is encrypted)",
     "move it away; Ralph starts a new one and does not touch this file"),
    (("SQLITE_CORRUPT_VTAB",), "the full-text index in {path} is damaged",
     "`ralph memory compact` makes it anew from the stored texts"),
    (("SQLITE_CORRUPT",), "{path} is damaged",
     "copy it, then restore a backup, or rescue what can be read with: sqlite3 ralph.db .recover"),
    (("SQLITE_IOERR",), "{path} cannot be read or written (the disk may be full or failing)",
     "check the disk and its free space; what was stored before is kept"),
    (("SQLITE_TOOBIG",), "a text is too long for {path}", "store it in pieces"),
)  # fmt: skip


def explained(error: Error, path: Path) -> Exception:
    """The line for the person; an error that only a mistake of ours can cause stays what it is."""
    name = _name(error)
    for prefixes, message, hint in _REASONS:
        if name.startswith(prefixes):
            return StoreError(message.format(path=path), hint=hint)
    return error
