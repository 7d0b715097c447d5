"""What the rest of Ralph knows of memory: one object for a home, with everything that can be asked of it.

    memory = Memory(home, embedder=choose(home), scope=str(project))
    memory.remember("the staging port is 8443")
    memory.recall("which port does staging use?").hits
    memory.close()

Text is on disk and searchable when a method returns; vectors follow in a thread and are taken up again after a kill.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ralph.core.events import Event, Notice
from ralph.errors import RalphError, StoreError
from ralph.memory import why
from ralph.memory.aside import Aside, Late
from ralph.memory.checks import check_content, check_importance
from ralph.memory.embed import TextEmbedder, catch_up, identity
from ralph.memory.index import IndexState, VectorIndex
from ralph.memory.people import embeddable, people_of
from ralph.memory.prompt import PromptRecall
from ralph.memory.recall import Found, Recall
from ralph.memory.resemblance import Remembered, Similar, opposed, similar
from ralph.memory.rows import LONG_TERM, Document, Draft, IndexSpec, Vector
from ralph.memory.store import FILE, Store

GLOBAL = "global"
FIELDS = ("type", "source", "importance", "scope", "content")
"""What a person may edit."""
Blacken = Callable[[str], Sequence[tuple[int, int, str]]]
_ALL = ""  # in place of the name of an index
_QUICK = 1.0  # seconds that remembering waits for a vector
_PATIENCE = 0.5  # seconds that closing waits for a batch of vectors


class Memory:
    """`scope`: the project that new project memories belong to. `secret`: names the kind of secret in a text, or "".

    `blacken`: what of a document must not be kept, as (start, end, what stands there instead), in order.

    `session` and `said` (the person's last words) go into what is remembered; the session sets them as it goes on.
    `lasting`: a process that will ask often. `trouble`: why the embedder last failed, "" when it did not.
    """

    def __init__(
        self, home: Path, *, embedder: TextEmbedder | None = None, scope: str = GLOBAL, lasting: bool = False,
        secret: Callable[[str], str] = lambda _text: "", blacken: Blacken = lambda _text: (),
        now: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self.home, self.embedder, self.scope, self.lasting = home, embedder, scope, lasting
        self.store = Store(home, now=now)
        self.finder = Recall(self.store, embedder=embedder, lasting=lasting, now=now, index=self.index)
        self.secret, self.blacken = secret, blacken
        self.session = self.said = self.trouble = ""
        self._indices: dict[str, VectorIndex] = {}
        self._wanting: set[str] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._quick = Aside("memory: quick")
        self._worker: threading.Thread | None = None

    def start(self) -> None:
        """Begin what takes time before it is asked for: load the embedder, go on with vectors that are wanting."""
        if self.embedder is not None and (self.home / FILE).exists():
            self.embedder.warm()
            self.wake()

    @property
    def scopes(self) -> tuple[str, ...]:
        """Where this project looks."""
        return tuple(dict.fromkeys((GLOBAL, self.scope)))

    @property
    def mode(self) -> str:
        """How texts are found: `hybrid`, or `keyword only` without an embedder."""
        return "hybrid" if self.embedder else "keyword only"

    def remember(
        self, content: str, *, type: str = "general", source: str = "conversation", importance: str = "normal",
        scope: str = GLOBAL, replaces: int | None = None, keep_both: bool = False,
    ) -> Remembered:  # fmt: skip
        """Store a memory, unless it is known already or at odds with one. Raises RalphError for what cannot be stored.

        replaces: the id of a memory whose place it takes; the old words stay in its metadata.
        """
        draft = self._draft(content.strip(), type.strip() or "general", source.strip(), importance, scope)
        if replaces is not None:
            return Remembered(self._replace(self.get(replaces), draft), True)
        found = () if keep_both else tuple(similar(self.store, draft.text, tuple({GLOBAL, draft.scope})))
        if found:
            return Remembered(found[0].document if found[0].relation == "duplicate" else None, False, found)
        vector = self._vector(draft)
        maker = identity(self.embedder) if self.embedder and vector is not None else None
        ours = maker is not None and self.store.definitions.get(LONG_TERM).spec.embedder == maker
        odd: tuple[Similar, ...] = ()
        if vector is not None and ours and not keep_both:
            odd = opposed(self.store, self.index(LONG_TERM), vector, draft)
        [document_id] = self.store.add(LONG_TERM, [replace(draft, vector=vector)], embedder=maker)
        self.wake(LONG_TERM)
        return Remembered(self.get(document_id), True, odd)

    def recall(
        self, query: str, k: int = 5, *, index: str = LONG_TERM, threshold: float = 0.0, everywhere: bool = False
    ) -> Found:
        """The `k` best documents of an index for this project; `everywhere`: of all projects."""
        return self.finder(query, k, index=index, scopes=() if everywhere else self.scopes, threshold=threshold)

    def before(self, prompt: str, *, threshold: float, conversations: bool) -> tuple[str, Event | None]:
        """What belongs before a prompt, and what to show the person; noted for `ralph memory why`.

        A memory that cannot be read is said and stops nobody's work.
        """
        self.said = prompt
        if not (self.home / FILE).exists():
            return "", None
        recall = PromptRecall(self.finder, scopes=self.scopes, session=self.session, threshold=threshold,
                              conversations=conversations)  # fmt: skip
        try:
            text, event = recall(prompt)
            why.note(self.home, recall.last, session=self.session, mode=recall.mode)
        except StoreError as error:
            return "", Notice(f"nothing was recalled: {error}", "memory", "warning")
        return text, event

    def get(self, document_id: int) -> Document:
        """Raises StoreError when there is none with this id."""
        found = self.store.get(document_id)
        if found is None:
            raise StoreError(f"there is no memory {document_id}", hint="`ralph memory list` shows those there are")
        return found

    def edit(self, document_id: int, field: str, value: str) -> Document:
        """Change one of FIELDS; a new content gets a new vector."""
        document = self.get(document_id)
        if field not in FIELDS:
            raise StoreError(f"a memory has no field {field!r}", hint=f"choose one of {', '.join(FIELDS)}")
        if field == "importance":
            check_importance(value)
        if field == "content":
            check_content(value.strip(), document.index)
            self._refuse_secret(value)
        if field == "scope":
            value = self.scope if value == "project" else value
        changed = self.store.update(document_id, **{"text" if field == "content" else field: value})
        if field == "content":
            self.store.purge()
        self.wake(document.index)
        return changed

    def forget(self, document_id: int) -> Document:
        """Delete one document for good, with all traces of its words in the database; returns what it was."""
        document = self.get(document_id)
        self.store.delete([document_id])
        self.store.purge()
        return document

    def add(self, index: str, drafts: Iterable[Draft]) -> list[int]:
        """Store texts in an index of any kind, which is made when it is not there."""
        self.ensure(index)
        ids = self.store.add(index, drafts)
        self.wake(index)
        return ids

    def ensure(self, index: str) -> IndexSpec:
        """An index for texts: made with the usual numbers when there is none."""
        found = self.store.definitions.find(index)
        if found is not None:
            return found.spec
        maker = identity(self.embedder) if self.embedder else None
        return self.store.definitions.create(IndexSpec(index, embedder=maker))

    def index(self, name: str) -> VectorIndex:
        """The vectors of one index, opened once."""
        with self._lock:
            if name not in self._indices:
                self._indices[name] = VectorIndex(self.store, name, lasting=self.lasting)
            return self._indices[name]

    def states(self) -> dict[str, IndexState]:
        """How each index that was asked is searched: exactly or by hnswlib, and what the person should know of it."""
        with self._lock:
            return {name: index.state() for name, index in self._indices.items()}

    def drop(self, name: str) -> None:
        """Delete an index that was made by hand, with all that is in it."""
        with self._lock:
            opened = self._indices.pop(name, None)
        if opened is not None:
            opened.close()
        self.store.definitions.delete(name)

    def takes_text(self, index: str) -> bool:
        """Whether texts of this index get vectors of our embedder; not where the caller brings vectors along."""
        found = self.store.definitions.find(index)
        if self.embedder is None or found is None:
            return False
        maker = found.spec.embedder
        return found.spec.kind != "custom" or maker is None or bool(maker.name)

    def wake(self, *indices: str) -> None:
        """Make the vectors that are wanting, in the background, of all indices unless some are named."""
        if self.embedder is None:
            return
        with self._lock:
            self._wanting |= set(indices or (_ALL,))
            if self._wanting and (self._worker is None or not self._worker.is_alive()) and not self._stop.is_set():
                self._worker = threading.Thread(target=self._work, name="memory vectors", daemon=True)
                self._worker.start()

    def catch_up(self, index: str, progress: Callable[[int], None] = lambda _done: None) -> int:
        """Make the vectors that are wanting, now; how many were made. Raises RalphError when the embedder fails."""
        if self.embedder is None or not self.takes_text(index):
            return 0
        return catch_up(self.store, index, self.embedder, stop=self._stop.is_set, progress=progress)

    def settled(self, seconds: float) -> bool:
        """Wait until the background work is done; False when it is not within `seconds`."""
        worker = self._worker
        if worker is not None:
            worker.join(seconds)
        return worker is None or not worker.is_alive()

    def close(self) -> None:
        """Stop the background work (it is resumed next time) and let go of the files."""
        self._stop.set()
        idle = self.settled(_PATIENCE)
        self._quick.close(_PATIENCE)
        for opened in self._indices.values():
            opened.close()
        self.finder.close()
        if self.embedder is not None:
            self.embedder.close()
        if idle:  # otherwise a batch is still being made: its thread ends with the process, its texts stay pending
            self.store.close()

    def _work(self) -> None:
        while not self._stop.is_set():
            with self._lock:
                if not self._wanting:
                    self._worker = None
                    return
                name = self._wanting.pop()
            try:
                for index in [spec.name for spec in self.store.definitions.list()] if name == _ALL else [name]:
                    self.catch_up(index)
                self.trouble = ""
            except RalphError as error:  # the texts stay pending; whoever looks at the state is told
                self.trouble = str(error)

    def _draft(self, content: str, type: str, source: str, importance: str, scope: str) -> Draft:
        check_content(content)
        check_importance(importance)
        self._refuse_secret(content)
        said = " ".join(self.said.split())[:500]
        metadata: Mapping[str, Any] = {"said": said} if said and not self.secret(said) else {}
        scope = self.scope if scope == "project" else GLOBAL
        return Draft(content, type[:60], source[:200] or "conversation", importance, scope, self.session,
                     metadata=metadata)  # fmt: skip

    def _vector(self, draft: Draft) -> Vector | None:
        """Its vector, if the embedder is there and quick: what takes longer is done in the background."""
        embedder = self.embedder
        if embedder is None or not embedder.available():
            return None
        text = embeddable(draft.text, people_of(draft.metadata))
        try:
            [vector] = self._quick.ask(lambda: embedder.embed([text]), _QUICK)
        except (Late, RalphError):
            return None
        made: Vector = vector
        return made

    def _refuse_secret(self, text: str) -> None:
        if kind := self.secret(text):
            raise StoreError(f"this holds {kind}; secrets are not remembered", hint="leave it out")

    def _replace(self, old: Document, draft: Draft) -> Document:
        if old.index != LONG_TERM:
            raise StoreError(f"{old.id} is not a memory but belongs to {old.index}")
        before: Sequence[Any] = old.metadata.get("before", [])
        kept = [*before, {"content": old.text, "until": time.strftime("%Y-%m-%d", time.localtime())}][-10:]
        draft = replace(draft, metadata={**old.metadata, **draft.metadata, "before": kept})
        fields = ("text", "type", "source", "importance", "scope", "session", "metadata")
        changed = self.store.update(old.id, **{name: getattr(draft, name) for name in fields})
        self.wake(LONG_TERM)
        return changed
