"""What was said, searchable from the next moment on: each turn of a session as it happens, without asking a model.

What the person and the model said is kept, not what tools printed. How far a session has been taken in is kept in the
same transaction: several processes may take in one session, and what was forgotten of it does not come back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from ralph.core.messages import Message, Text
from ralph.memory.ranking import TURN
from ralph.memory.rows import CONVERSATIONS, Draft
from ralph.memory.store import Store

if TYPE_CHECKING:
    from sqlite3 import Connection

SOURCE = "conversation"
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
            end = min(begin + _BATCH, len(history))
            drafts = [draft for number in range(begin, end)
                      for draft in self._drafts(number, history[number], session, scope)]  # fmt: skip
            with self._store.writing() as connection:
                known = _known(connection, session)
                if known < end:
                    fresh = [draft for draft in drafts if draft.metadata["message"] >= known]
                    stored += len(self._store.add(CONVERSATIONS, fresh))
                    connection.execute("INSERT OR REPLACE INTO told VALUES (?, ?)", (session, end))
            self._told[session] = max(known, end)
        return stored

    def until(self) -> int:
        """Up to when session files were taken in: nanoseconds since the epoch."""
        with self._store.reading() as connection:
            made = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'told'").fetchone()
            row = made and connection.execute("SELECT messages FROM told WHERE session = ''").fetchone()
            return int(row[0]) if row else 0

    def taken_in(self, until: int) -> None:
        """All that was said until then is stored. Never goes back."""
        with self._store.writing() as connection:
            if until > _known(connection, ""):
                connection.execute("INSERT OR REPLACE INTO told VALUES ('', ?)", (until,))

    def _drafts(self, number: int, message: Message, session: str, scope: str) -> Iterable[Draft]:
        texts = [block.text for block in message.blocks if isinstance(block, Text)]
        if message.role == "tool" or not texts:
            return
        spoken = texts[-1] if message.role == "user" else "\n".join(texts)  # before the prompt: files that came with it
        spoken = spoken.encode(errors="replace").decode()  # bytes of a name that is not UTF-8 came as lone surrogates
        metadata = {"role": message.role, "message": number}
        for piece in self._split(self._redact(spoken)):
            if piece.strip():
                yield Draft(piece, TURN, SOURCE, scope=scope, session=session, metadata=metadata)


def _known(connection: Connection, session: str) -> int:
    """How many messages of this session were taken in, by whichever process; of no session: see `until`."""
    connection.execute(_TABLE)
    row = connection.execute("SELECT messages FROM told WHERE session = ?", (session,)).fetchone()
    return int(row[0]) if row else 0
