"""What was said, searchable from the next moment on: each turn of a session as it happens, without asking a model.

What the person and the model said is kept, not what tools printed. Words come as the session recorded them, so what
was blacked out there is blacked out here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ralph.core.messages import Message, Text
from ralph.memory.memory import GLOBAL, Memory
from ralph.memory.ranking import TURN
from ralph.memory.rows import CONVERSATIONS, Draft, Where

SOURCE = "conversation"
Split = Callable[[str], Iterable[str]]
"""A long text -> pieces that can be found."""


class Conversations:
    """Give it the history after each turn. `split` cuts long answers. A session that is resumed is not stored twice."""

    def __init__(self, memory: Memory, *, split: Split = lambda text: (text,), enabled: bool = True) -> None:
        self._memory, self._split, self._enabled = memory, split, enabled
        self._session, self._done = "", 0

    def record(self, history: Sequence[Message]) -> int:
        """Store what is new in the history of `memory.session`; how many pieces that were. Raises StoreError."""
        session = self._memory.session
        if not self._enabled or not session:
            return 0
        if session != self._session:
            self._session, self._done = session, self._known(session)
        drafts = [draft for number, message in enumerate(history[self._done :], self._done)
                  for draft in self._drafts(number, message)]  # fmt: skip
        if drafts:
            self._memory.add(CONVERSATIONS, drafts)
        self._done = max(self._done, len(history))
        return len(drafts)

    def _known(self, session: str) -> int:
        """How many messages of this session are stored already, from an earlier process."""
        newest = self._memory.store.find(CONVERSATIONS, Where(sessions=(session,)), limit=1)
        return int(newest[0].metadata.get("message", -1)) + 1 if newest else 0

    def _drafts(self, number: int, message: Message) -> Iterable[Draft]:
        texts = [block.text for block in message.blocks if isinstance(block, Text)]
        if message.role == "tool" or not texts:
            return
        spoken = texts[-1] if message.role == "user" else "\n".join(texts)  # before the prompt: files that came with it
        spoken = spoken.encode(errors="replace").decode()  # bytes of a name that is not UTF-8 came as lone surrogates
        scope = self._memory.scope or GLOBAL
        metadata = {"role": message.role, "message": number}
        for piece in self._split(spoken):
            if piece.strip() and not self._memory.secret(piece):
                yield Draft(piece, TURN, SOURCE, scope=scope, session=self._session, metadata=metadata)
