"""Memory in a session, opened when it is first needed: a session that remembers nothing never loads it.

The event loop never waits for the database: what is asked of it here is asked in a thread, and not for long.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ralph.config import Config
from ralph.core.events import Event, Notice
from ralph.core.messages import Message
from ralph.core.tools import Tool
from ralph.errors import StoreError
from ralph.late import make_redactor
from ralph.place import Place
from ralph.policy.secrets import TAG, Redactor
from ralph.session.transcript import read_messages, rows

if TYPE_CHECKING:
    from ralph.memory.aside import Aside
    from ralph.memory.conversations import Conversations
    from ralph.memory.memory import Memory
    from ralph.memory.store import Store

T = TypeVar("T")
DATABASE = "ralph.db"
PATIENCE_S = 1.0
"""So long a turn waits for memory: a database that another program holds must not stop anybody's work."""
_LONGEST_WHOLE = 1_000  # characters; what is longer is cut into pieces
_LATE = f"memory did not answer within {PATIENCE_S:g} s (another program may hold {DATABASE}); going on without it"


class Remembering:
    """`lasting`: a conversation; memory is then opened after its first turn, and each turn is searchable at once.

    A one-shot job in a home without a database leaves its words to the session file; `take_in` finds them there.
    """

    def __init__(self, place: Place, config: Config, redact: Redactor, *, patience_s: float = PATIENCE_S) -> None:
        self._place, self._config, self._redact, self._patience_s = place, config, redact, patience_s
        self._memory: Memory | None = None
        self._store: Store | None = None
        self._conversations: Conversations | None = None
        self._asides: dict[str, Aside] = {}
        self._opening, self._closing = threading.Lock(), threading.Event()
        self._complaint, self._late = "", False
        self.problems: list[str] = []
        self._reported: set[str] = set()
        self.session = ""
        self.lasting = False

    def open(self) -> Memory:
        """Nothing is read or written for it yet: whatever is wrong with the database shows when it is used."""
        with self._opening:
            if self._memory is None:
                from ralph.memory.embed import choose  # noqa: PLC0415
                from ralph.memory.memory import Memory  # noqa: PLC0415  # late: that is the point

                config, home = self._config, self._place.home
                embedder = choose(home, url=config.embedding_api_url, model=config.embedding_model,
                                  key=config.openai_api_key)  # fmt: skip
                self._memory = Memory(home, embedder=embedder, scope=str(self._place.cwd), lasting=self.lasting,
                                      secret=self._secret, blacken=blackened(self._redact))  # fmt: skip
                self._memory.session = self.session
                self._memory.start()
                if config.memory.conversations:
                    self._catch_up(changed(self._place.sessions, self._spoken().until))
            return self._memory

    def tools(self) -> list[Tool]:
        from ralph.tools.memory import tools_for  # noqa: PLC0415  # late: that is the point

        return tools_for(self.open())

    def before(self, prompt: str) -> tuple[str, Event | None]:
        """What belongs before a prompt, and what to show the person. Nothing where nothing was ever stored."""
        settings = self._config.memory
        if not settings.recall or not self._is_there():
            return "", None
        memory = self.open()
        memory.session = self.session
        late: tuple[str, Event | None] = "", Notice(_LATE, "memory", "warning")
        text, event = self._within(
            lambda: memory.before(prompt, threshold=settings.threshold, conversations=settings.conversations), late
        )
        complaint = event.text if isinstance(event, Notice) else ""
        known, self._complaint = self._complaint == complaint, complaint
        return text, None if complaint and known else event

    def record(self, history: Sequence[Message]) -> None:
        """Make what was said searchable; where there is no database yet, only a conversation makes one."""
        if not self._config.memory.conversations or not (self.lasting or self._is_there()):
            return
        if self.lasting:
            self.open()
        spoken, session, said = self._spoken(), self.session, list(history)

        def store() -> None:
            try:
                stored = spoken.record(session, said, str(self._place.cwd))
            except StoreError as error:  # the session file has it all
                self._report(f"what was said is not searchable yet: {error}")
            else:
                if stored and self._memory is not None:
                    self._memory.wake("conversations")

        self._within(store, None, lane="store", anyway=True)

    def wrong_citations(self, answer: str) -> list[str]:
        """What the answer quotes from a page that does not hold it, one sentence each."""
        if not any(mark in answer for mark in '"“„«') or not self._is_there():
            return []
        from ralph.ingest.cite import citations  # noqa: PLC0415

        if not any(citations(answer)):
            return []
        from ralph.tools.documents import wrong_citations  # noqa: PLC0415  # late: that is the point

        store = self._own_store()
        try:
            return self._within(lambda: wrong_citations(store, answer), [])
        except StoreError:  # said already before the prompt
            return []

    def close(self) -> None:
        self._closing.set()
        patience_s = 0.0 if self._late else self._patience_s / 2
        idle = all([aside.close(patience_s) for aside in self._asides.values()])
        if self._memory is not None:
            self._memory.close()
        if self._store is not None and idle:  # otherwise a thread still uses it, and ends with the process
            self._store.close()

    def _is_there(self) -> bool:
        return (self._place.home / DATABASE).exists()

    def _own_store(self) -> Store:
        if self._store is None:
            from ralph.memory.store import Store  # noqa: PLC0415  # late: that is the point

            self._store = Store(self._place.home)
        return self._store

    def _spoken(self) -> Conversations:
        if self._conversations is None:
            from ralph.memory.conversations import Conversations  # noqa: PLC0415  # late: that is the point

            self._conversations = Conversations(self._own_store(), split=split, redact=self._redact)
        return self._conversations

    def _aside(self, lane: str) -> Aside:
        from ralph.memory.aside import Aside  # noqa: PLC0415  # late: that is the point

        return self._asides.setdefault(lane, Aside(f"memory: {lane}"))

    def _within(self, work: Callable[[], T], otherwise: T, lane: str = "ask", *, anyway: bool = False) -> T:
        """What `work` returns, or `otherwise` when that takes too long; `anyway`: it is then done later."""
        from ralph.memory.aside import Late  # noqa: PLC0415  # late: that is the point

        patience_s = self._patience_s / 10 if self._late else self._patience_s  # no turn is held up for long again
        try:
            done = self._aside(lane).ask(work, patience_s, anyway=anyway)
        except Late:
            self._late = True
            return otherwise
        self._late = False
        return done

    def _catch_up(self, waiting: Iterator[tuple[Path, int]]) -> None:
        """Take in the sessions that nobody has, one at a time, so that what is said now gets its turn in between."""
        spoken = self._spoken()

        def take_one() -> None:
            try:
                found = None if self._closing.is_set() else next(waiting, None)
                if found is not None:
                    self._report(*take_in(*found, spoken))
                    self._aside("store").begin(take_one)
            except StoreError as error:  # the next process tries again
                self._report(f"earlier sessions are not searchable yet: {error}")

        self._aside("store").begin(take_one)

    def _report(self, *problems: str) -> None:
        """For the person, once each."""
        fresh = [problem for problem in problems if problem not in self._reported]
        self._reported.update(fresh)
        self.problems += fresh

    def _secret(self, text: str) -> str:
        found = self._redact.find(text)
        return found[0].kind if found else ""


def changed(folder: Path, since: Callable[[], int]) -> Iterator[tuple[Path, int]]:
    """The session files written after `since` (nanoseconds since the epoch) and when that was, the oldest first."""
    after, found = since(), []
    for path in folder.glob("*.jsonl"):
        with suppress(FileNotFoundError):  # deleted meanwhile
            found.append((path, path.stat().st_mtime_ns))
    yield from sorted(((path, at) for path, at in found if at > after), key=lambda item: item[1])


def take_in(path: Path, at: int, spoken: Conversations) -> list[str]:
    """Make what was said in a session until `at` searchable; what is wrong with its file.

    Raises StoreError for what is wrong with the database.
    """
    problems = []
    try:
        messages, head = read_messages(path), next(rows(path), {})
    except (StoreError, KeyError, TypeError, ValueError) as error:  # one bad session must not keep the others out
        problems.append(f"the session {path.stem} cannot be made searchable: {error}")
    else:
        spoken.record(path.stem, messages, str(head.get("cwd") or "global"))
    spoken.taken_in(at)
    return problems


def catch_up(place: Place, config: Callable[[], Config], store: Store) -> list[str]:
    """Make what was said in sessions that nobody has taken in searchable, now; what went wrong. For look-ups.

    config: asked for only when there is something to do. Raises StoreError when the database cannot be read.
    """
    from ralph.memory.conversations import Conversations  # noqa: PLC0415  # late: that is the point

    problems: list[str] = []
    spoken: Conversations | None = None
    since = Conversations(store).until()
    try:
        for path, at in changed(place.sessions, lambda: since):
            if spoken is None:
                if not config().memory.conversations:
                    break
                spoken = Conversations(store, split=split, redact=make_redactor(place, config()))
            problems += take_in(path, at, spoken)
    except StoreError as error:  # a home that can only be read is still looked into
        problems.append(f"what was said last is not searchable: {error}")
    return problems


def split(text: str) -> list[str]:
    """A text as it was said, in pieces that can be found."""
    if len(text) <= _LONGEST_WHOLE:
        return [text.strip()]
    from ralph.ingest.chunk import split_text  # noqa: PLC0415  # most of what is said is short

    return split_text(text)


def blackened(redact: Redactor) -> Callable[[str], list[tuple[int, int, str]]]:
    """Where secrets stand in a text, as (start, end, what is kept in their place)."""

    def find(text: str) -> list[tuple[int, int, str]]:
        spans, shift = [], 0
        clean = redact(text)
        for found in redact.find(text):
            tag = TAG.match(clean, found.start + shift)
            assert tag is not None
            spans.append((found.start, found.end, tag[0]))
            shift += len(tag[0]) - (found.end - found.start)
        return spans

    return find
