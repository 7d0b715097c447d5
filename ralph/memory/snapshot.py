"""A graph on disk: `<home>/<index>.idx`, and in the database what that file must be to be trusted.

The database keeps a row for the last few snapshots (embedder, watermark, length, CRC-32, hnswlib's variant). The row is
committed before the file takes its place, so a kill between the two leaves the older file, which the older row still
describes. A file that matches no row is not opened at all.
"""

from __future__ import annotations

import os
import shutil
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ralph.memory.definitions import Definition
from ralph.memory.graph import Graph, variant
from ralph.memory.store import Store

_KEPT = 3
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A graph read from disk; it holds every vector up to sequence number `watermark`, and some that are gone since."""

    graph: Graph
    watermark: int


def load(store: Store, definition: Definition) -> Snapshot | None:
    """The snapshot on disk, checked; None when there is none to trust, whatever the reason."""
    path = store.definitions.snapshot_path(definition.spec.name)
    with store.reading() as connection:
        rows = connection.execute(
            "SELECT watermark, length, crc, effort FROM snapshots"
            " WHERE index_id = ? AND embedder_id = ? AND variant = ? AND watermark <= ? ORDER BY id DESC",
            (definition.id, definition.embedder_id, variant(), definition.seq),
        ).fetchall()
    if not rows:
        return None
    try:
        with path.open("rb") as file:
            opened = os.fstat(file.fileno())
            rows = [row for row in rows if row[1] == opened.st_size]
            crc = _crc(file.fileno()) if rows else 0
        for watermark, _, _, effort in (row for row in rows if row[2] == crc):
            graph = Graph.load(definition.spec, path, effort)
            # hnswlib opens the path again: it must still be the file that was checked.
            if graph is not None and os.path.samestat(opened, path.stat()):
                return Snapshot(graph, watermark)
    except OSError:  # missing or unreadable: it is only a cache
        return None
    return None


def save(store: Store, definition: Definition, write: Callable[[Path], Snapshot]) -> bool:
    """Have `write` write it under another name, check and sync that, then swap the files.

    False when another process is at it (its snapshot is as good as ours) or the disk has no room.
    """
    import filelock

    path = store.definitions.snapshot_path(definition.spec.name)
    lock = filelock.FileLock(path.with_name(path.name + ".lock"), mode=0o600)
    try:
        with lock.acquire(blocking=False):
            return _save(store, definition, write, path)
    except (filelock.Timeout, OSError):
        return False


def _save(store: Store, definition: Definition, write: Callable[[Path], Snapshot], path: Path) -> bool:
    for left in path.parent.glob(f"{path.name}.*.tmp"):  # of a process that was killed: nobody else holds the lock
        left.unlink(missing_ok=True)
    if shutil.disk_usage(path.parent).free < _size(definition, store.vectors.count(definition.spec.name)):
        return False
    new = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        os.close(os.open(new, os.O_CREAT | os.O_WRONLY, 0o600))
        snapshot = write(new)
        with new.open("rb") as file:
            os.fsync(file.fileno())
            length, crc = os.fstat(file.fileno()).st_size, _crc(file.fileno())
        _record(store, definition, snapshot, length, crc)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
    return True


def _record(store: Store, definition: Definition, snapshot: Snapshot, length: int, crc: int) -> None:
    with store.writing() as connection:
        connection.execute(
            "INSERT INTO snapshots (index_id, embedder_id, watermark, length, crc, effort, variant)"
            " SELECT id, ?, ?, ?, ?, ?, ? FROM indices WHERE id = ?",
            (definition.embedder_id, snapshot.watermark, length, crc, snapshot.graph.effort, variant(), definition.id),
        )
        connection.execute(
            "DELETE FROM snapshots WHERE index_id = ? AND id NOT IN"
            " (SELECT id FROM snapshots WHERE index_id = ? ORDER BY id DESC LIMIT ?)",
            (definition.id, definition.id, _KEPT),
        )


def _size(definition: Definition, count: int) -> int:
    """Bytes the file may need: rows, two levels of links, a little more."""
    assert definition.spec.embedder is not None
    return (1 << 20) + int(count * (definition.spec.embedder.dimension * 4 + definition.spec.links * 12 + 32) * 1.1)


def _crc(descriptor: int) -> int:
    crc, place = 0, 0
    while block := os.pread(descriptor, _BLOCK, place):
        crc, place = zlib.crc32(block, crc), place + len(block)
    return crc
