"""Memory in a session, opened when it is first needed: a session that remembers nothing never loads it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ralph.config import Config
from ralph.core.events import Event
from ralph.core.messages import Message
from ralph.core.tools import Tool
from ralph.errors import StoreError
from ralph.place import Place
from ralph.policy.secrets import Redactor
from ralph.session.transcript import read_messages, sessions

if TYPE_CHECKING:
    from ralph.memory.conversations import Conversations
    from ralph.memory.memory import Memory

DATABASE = "ralph.db"
CAUGHT_UP = "conversations.at"


class Remembering:
    """`lasting`: a conversation; memory is then opened after its first turn, and each turn is searchable at once.

    A one-shot job leaves its words to the session file; they become searchable when memory is next opened.
    """

    def __init__(self, place: Place, config: Config, redact: Redactor) -> None:
        self._place, self._config, self._redact = place, config, redact
        self._memory: Memory | None = None
        self._conversations: Conversations | None = None
        self._opening = threading.Lock()
        self.problems: list[str] = []
        self.session = ""
        self.lasting = False

    def open(self) -> Memory:
        """Raises StoreError."""
        with self._opening:
            if self._memory is None:
                from ralph.memory.conversations import Conversations  # noqa: PLC0415
                from ralph.memory.embed import choose  # noqa: PLC0415
                from ralph.memory.memory import Memory  # noqa: PLC0415
                from ralph.tools.documents import split_text  # noqa: PLC0415  # late: that is the point

                config, home = self._config, self._place.home
                embedder = choose(home, url=config.embedding_api_url, model=config.embedding_model,
                                  key=config.openai_api_key)  # fmt: skip
                memory = Memory(home, embedder=embedder, scope=str(self._place.cwd), lasting=self.lasting,
                                secret=self._secret)  # fmt: skip
                self._conversations = Conversations(memory, split=split_text, enabled=config.memory.conversations)
                self._catch_up(memory)
                memory.session = self.session
                memory.start()
                self._memory = memory
            return self._memory

    def tools(self) -> list[Tool]:
        from ralph.tools.memory import tools_for  # noqa: PLC0415  # late: that is the point

        return tools_for(self.open())

    def before(self, prompt: str) -> tuple[str, Event | None]:
        """What belongs before a prompt, and what to show the person. Nothing where nothing was ever stored."""
        settings = self._config.memory
        if not settings.recall or not (self._place.home / DATABASE).exists():
            return "", None
        memory = self.open()
        memory.session = self.session
        return memory.before(prompt, threshold=settings.threshold, conversations=settings.conversations)

    def record(self, history: Sequence[Message]) -> None:
        """Make what was said searchable; a job that never opened memory leaves that to the next opening."""
        if self._memory is None and not (self.lasting and self._config.memory.conversations):
            return
        memory = self.open()
        memory.session = self.session
        if self._conversations is not None:
            self._conversations.record(history)
        self._stamp()

    def wrong_citations(self, answer: str) -> list[str]:
        """What the answer quotes from a page that does not hold it, one sentence each."""
        if self._memory is None:
            return []
        from ralph.tools.documents import wrong_citations  # noqa: PLC0415  # late: that is the point

        return wrong_citations(self._memory, answer)

    def close(self) -> None:
        if self._memory is not None:
            self._memory.close()

    def _secret(self, text: str) -> str:
        found = self._redact.find(text)
        return found[0].kind if found else ""

    def _catch_up(self, memory: Memory) -> None:
        """Sessions that were written since memory was last open."""
        stamp = self._place.home / CAUGHT_UP
        since = stamp.stat().st_mtime if stamp.exists() else 0.0
        if self._conversations is None or not self._config.memory.conversations:
            return
        for summary in sessions(self._place.sessions):
            path = self._place.sessions / f"{summary.id}.jsonl"
            if summary.id != self.session and path.stat().st_mtime > since:
                memory.session, scope = summary.id, memory.scope
                memory.scope = summary.cwd or scope
                try:
                    self._conversations.record(read_messages(path))
                except (StoreError, KeyError, TypeError) as error:  # one bad session must not close memory
                    self.problems.append(f"the session {summary.id} cannot be made searchable: {error}")
                finally:
                    memory.scope = scope
        self._stamp()

    def _stamp(self) -> None:
        try:
            (self._place.home / CAUGHT_UP).touch()
        except OSError as error:
            raise StoreError(f"cannot write in {self._place.home}: {error.strerror}", hint="free some space") from error
