"""What was said, searchable from the next moment on: each turn of a session as it happens, without asking a model.

What the person and the model said is kept, not what tools printed. How far a session has been taken in is kept beside
it, in the same transaction: several processes may take in the same session, and what was forgotten of it stays so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from ralph.core.messages import Message, Text
from ralph.memory.rows import CONVERSATIONS, SAID, TURN, Draft, Where
from ralph.memory.store import Store

if TYPE_CHECKING:
    from sqlite3 import Connection

_TABLE = "CREATE TABLE IF NOT EXISTS told (session TEXT PRIMARY KEY, messages INTEGER NOT NULL) WITHOUT ROWID"
_BATCH = 50
"""Messages in one transaction: other processes wait that long."""
Split = Callable[[str], Iterable[str]]
"""A long text -> pieces that can be found."""


class Conversations:
    """`split` cuts long answers; `redact` takes the secrets out of a text before anything else is done with it."""

    def __init__(
        self, store: Store, *, split: Split = lambda text: (text,), redact: Callable[[str], str] = lambda text: text
    ) -> None:
        self._store, self._split, self._redact = store, split, redact
        self._told: dict[str, int] = {}

    def record(self, session: str, history: Sequence[Message], scope: str) -> int:
        """Store what is new in the history of a session; how many pieces that were. Raises StoreError.

        scope: the project it belongs to.
        """
        stored = 0
        while (begin := self._told.get(session, 0)) < len(history):
            batch = list(enumerate(history[begin : begin + _BATCH], begin))
            drafts = [(number, draft) for number, message in batch for draft in self._drafts(number, message)]
            with self._store.writing() as connection:
                known = self._known(connection, session)
                if begin >= known or begin + len(batch) > known:
                    fresh = [draft for number, draft in drafts if number >= known]
                    self._store.add(CONVERSATIONS, (_placed(draft, session, scope) for draft in fresh))
                    stored += len(fresh)
                    known = begin + len(batch)
                    connection.execute("INSERT OR REPLACE INTO told VALUES (?, ?)", (session, known))
            self._told[session] = known
        return stored

    def _known(self, connection: Connection, session: str) -> int:
        """How many messages of this session were taken in, by whichever process."""
        connection.execute(_TABLE)
        row = connection.execute("SELECT messages FROM told WHERE session = ?", (session,)).fetchone()
        return int(row[0]) if row else 0
