"""The memory a command works on: that of the conversation it was typed in, or the home's, opened as far as needed."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ralph.config import Config, load
from ralph.errors import StoreError
from ralph.memory.conversations import Conversations
from ralph.memory.graph import variant
from ralph.memory.rows import Document
from ralph.memory.store import FILE, Store
from ralph.memory.why import noted
from ralph.place import Place

if TYPE_CHECKING:
    from ralph.memory.embed import TextEmbedder
    from ralph.memory.index import IndexState
    from ralph.memory.memory import Memory
    from ralph.memory.recall import Recall


class Access:
    """`given`: the memory of a running conversation, which stays open."""

    def __init__(self, place: Place, given: Memory | None = None) -> None:
        self.place, self._given = place, given
        self.scope = given.scope if given else str(place.cwd)

    @property
    def scopes(self) -> Sequence[str]:
        return tuple(dict.fromkeys(("global", self.scope)))

    @property
    def in_conversation(self) -> bool:
        return self._given is not None

    @cached_property
    def store(self) -> Store:
        """Outside of a conversation what was said in jobs that have ended is taken in first."""
        if self._given is not None:
            return self._given.store
        store = Store(self.place.home)
        if self._unheard(Conversations(store).until()):
            from ralph.remembering import catch_up  # noqa: PLC0415  # 20 ms, and mostly nothing was said meanwhile

            for problem in catch_up(self.place, lambda: self.config, store):
                sys.stderr.write(f"ralph: {problem}\n")
        return store

    def _unheard(self, since: int) -> bool:
        """Whether a session was written after `since`, in nanoseconds since the epoch."""
        for path in self.place.sessions.glob("*.jsonl"):
            with suppress(FileNotFoundError):  # deleted meanwhile
                if path.stat().st_mtime_ns > since:
                    return True
        return False

    @cached_property
    def config(self) -> Config:
        place = self.place
        return load(cwd=place.cwd, home=place.home, env=place.env, flags={}, trusted=place.trusted).config

    def get(self, document_id: int) -> Document:
        found = self.store.get(document_id)
        if found is None:
            raise StoreError(f"there is no memory {document_id}", hint="`ralph memory list` shows those there are")
        return found

    def embedder(self) -> TextEmbedder | None:
        if self._given is not None:
            return self._given.embedder
        from ralph.memory.embed import choose  # noqa: PLC0415  # looking something up needs no embedder

        config = self.config
        return choose(self.place.home, url=config.embedding_api_url, model=config.embedding_model,
                      key=config.openai_api_key)  # fmt: skip

    @contextmanager
    def finding(self, *, keyword: bool) -> Iterator[Recall]:
        """Recall on this store; `keyword`: without the embedder."""
        from ralph.memory.recall import Recall  # noqa: PLC0415  # as above

        if self._given is not None and not keyword:
            yield self._given.finder
            return
        recall = Recall(self.store, embedder=None if keyword else self.embedder())
        try:
            yield recall
        finally:
            recall.close()

    @contextmanager
    def memory(self) -> Iterator[Memory]:
        """The whole of it, to change something. One that is opened for this is closed after it."""
        if self._given is not None:
            yield self._given
            return
        from ralph.late import make_redactor  # noqa: PLC0415  # as above
        from ralph.memory.memory import Memory  # noqa: PLC0415  # as above
        from ralph.remembering import blackened  # noqa: PLC0415  # as above

        redact = make_redactor(self.place, self.config)
        memory = Memory(self.place.home, embedder=self.embedder(), scope=self.scope, secret=self.secret,
                        blacken=blackened(redact))  # fmt: skip
        try:
            yield memory
        finally:
            memory.close()

    def secret(self, text: str) -> str:
        """The kind of secret in a text, or ""."""
        from ralph.policy.secrets import Redactor  # noqa: PLC0415  # only before something is stored

        found = Redactor((), b"").find(text)
        return found[0].kind if found else ""

    def state(self) -> dict[str, Any]:
        """How it is searched, and how much room it takes."""
        embedder = self.embedder()
        home = self.place.home
        size = sum(path.stat().st_size for path in (*home.glob(f"{FILE}*"), *home.glob("*.idx")))
        trouble = self._given.trouble if self._given else ""
        mode = f"keyword only: {trouble}" if trouble else "hybrid" if embedder else "keyword only: no embedding model"
        return {"home": str(home), "mode": mode, "embedder": embedder.name if embedder else "", "bytes": size,
                "engine": variant() or "exact search (hnswlib is not installed)",
                "engines": {name: asdict(state) for name, state in self._states().items()}}  # fmt: skip

    def _states(self) -> dict[str, IndexState]:
        """Of the indices that this conversation has asked: a look-up opens none."""
        return self._given.states() if self._given else {}

    def last_recall(self) -> dict[str, Any] | None:
        return noted(self.place.home)
