"""Who turns text into vectors: a server by URL, the embedded model, or nobody; and the work of catching up with it.

Nobody means keyword search, and that is said. There are no made-up vectors.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ralph.errors import RalphError
from ralph.memory import rows
from ralph.memory.minilm import DIMENSION, MOST_TOKENS, NAME, MiniLM
from ralph.memory.model import folder_of, installed, packaged
from ralph.memory.people import embeddable, people_of
from ralph.memory.remote import Remote
from ralph.memory.store import Store, digest_of
from ralph.memory.vectors import unpacked
from ralph.memory.windows import embed_whole

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

BATCH = 64
READ = MOST_TOKENS - 6
"""Word pieces of one part of a long text: its marks, and words that are read otherwise once cut, need some room."""


class TextEmbedder(Protocol):
    """`embed` gives float32 rows [texts, dimension] of length one; it may take its time and raises RalphError.

    `available`: whether `embed` would answer now. `warm` begins to load or connect in the background.
    `common`: how common a word is in the language, 0 to 1; 0 when it does not know.
    """

    @property
    def name(self) -> str: ...

    @property
    def dimension(self) -> int: ...

    def available(self) -> bool: ...

    def common(self, word: str) -> float: ...

    def warm(self) -> None: ...

    def embed(self, texts: Sequence[str]) -> Floats: ...

    def close(self) -> None: ...


def choose(home: Path, *, url: str = "", model: str = "", key: str = "") -> TextEmbedder | None:
    """The configured server, else the embedded model when it is installed, else None: keyword search only."""
    if url:
        return Remote(url, model=model, key=key)
    if installed(home):
        return Embedded(lambda: MiniLM(folder_of(home)))
    source = packaged()
    if source is not None:
        return Embedded(lambda: _converted(source, home))
    return None


def _converted(source: Path, home: Path) -> MiniLM:
    from ralph.memory.install import check, convert  # noqa: PLC0415  # once, and it needs zipfile, tempfile and hashlib

    check(source)
    return MiniLM(convert(source, folder_of(home)))


class Embedded:
    """The embedded model, loaded by the first `embed` or before it, in a thread of its own, by `warm`."""

    name = NAME
    dimension = DIMENSION

    def __init__(self, load: Callable[[], MiniLM]) -> None:
        self._load = load
        self._model: MiniLM | None = None
        self._trouble: RalphError | None = None
        self._loading = False
        self._lock = threading.Lock()

    def available(self) -> bool:
        return self._model is not None or self._trouble is not None  # either way `embed` answers at once

    def warm(self) -> None:
        if not self._loading and not self.available():
            self._loading = True
            threading.Thread(target=self._ready, name="embedding model", daemon=True).start()

    def embed(self, texts: Sequence[str]) -> Floats:
        self._ready()
        if self._model is None:
            assert self._trouble is not None
            raise self._trouble
        return embed_whole(self._model.embed, texts, self._model.tokenizer.count, READ)

    def _ready(self) -> None:
        """Load once; what went wrong is told to everyone who asks for vectors."""
        with self._lock:
            if not self.available():
                try:
                    self._model = self._load()
                except RalphError as error:
                    self._trouble = error

    def common(self, word: str) -> float:
        return self._model.tokenizer.common(word) if self._model else 0.0

    def close(self) -> None:
        self._model = None


def identity(embedder: TextEmbedder) -> rows.Embedder:
    return rows.Embedder(embedder.name, embedder.dimension)


def catch_up(
    store: Store, index: str, embedder: TextEmbedder, *, stop: Callable[[], bool] = lambda: False,
    progress: Callable[[int], None] = lambda _done: None,
) -> int:  # fmt: skip
    """Give every document of `index` that wants one its vector, oldest first; how many got theirs.

    May be stopped between two batches, killed, and run by several processes: what is done is stored.
    """
    store.definitions.use(index, identity(embedder))
    done = 0
    while not stop() and (pending := store.vectors.pending(index, BATCH)):
        documents = store.get_many([document_id for document_id, _ in pending])
        texts = {document.id: embeddable(document.text, people_of(document.metadata)) for document in documents}
        known = store.vectors.known(identity(embedder), [digest_of(text) for text in texts.values()])
        fresh = sorted({text for text in texts.values() if digest_of(text) not in known})
        made: dict[str, Any] = dict(zip(fresh, embedder.embed(fresh), strict=True)) if fresh else {}
        stored = store.vectors.set(index, identity(embedder), [
            (document.id, document.text, _vector(texts[document.id], known, made)) for document in documents
        ])  # fmt: skip
        done += stored
        progress(done)
        if not stored:
            break  # another process took them
    return done


def _vector(text: str, known: Mapping[bytes, bytes], made: Mapping[str, Any]) -> rows.Vector:
    if text in made:
        vector: rows.Vector = made[text]
        return vector
    return unpacked(known[digest_of(text)])
