"""Where every session's log ended, in a chained file of its own: a log that lost its end, or is gone, is missed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from ralph.audit.chain import Chain, Head, check, tail

NAME = "index.jsonl"


class Ending(NamedTuple):
    """What is known of the end of a session's log. `closed`: it wrote its last row itself."""

    session: str
    head: Head
    closed: bool = False


class Index:
    """`<home>/audit/index.jsonl` while this process alone may write it."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain

    @property
    def head(self) -> Head:
        return self._chain.head

    def note(self, known: Ending) -> None:
        rows, digest = known.head
        self._chain.add({"session": known.session, "rows": rows, "head": digest, "closed": known.closed})

    def sync(self) -> None:
        self._chain.sync()

    def catch_up(self) -> list[Ending]:
        """Note where logs that were not closed end now: they crashed, or are still being written."""
        fresh = []
        for known in last_endings(self._chain.path).values():
            path = self._chain.path.with_name(f"{known.session}.jsonl")
            if known.closed or not path.is_file():
                continue
            now = Ending(known.session, tail(path)[0])
            if now.head.rows > known.head.rows:
                self.note(now)
                fresh.append(now)
        return fresh


@contextmanager
def held(folder: Path) -> Iterator[Index]:
    """The index, with other processes kept out until the block ends."""
    chain = Chain(folder / NAME, wait=True)
    try:
        yield Index(chain)
    finally:
        chain.close()


def ending(row: dict[str, Any]) -> Ending | None:
    """What a row of the index says; None for a row that no index has."""
    session, rows, digest, closed = (row.get(name) for name in ("session", "rows", "head", "closed"))
    if isinstance(session, str) and isinstance(rows, int) and isinstance(digest, str) and isinstance(closed, bool):
        return Ending(session, Head(rows, digest), closed)
    return None


def last_endings(path: Path) -> dict[str, Ending]:
    found = (ending(row) for row in check(path)[0])
    return {item.session: item for item in found if item is not None}
