"""A file that was taken in before and has changed: only the pieces that differ are stored and embedded again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import islice

from ralph.memory.rows import Document, Draft, Where
from ralph.memory.store import Store, digest_of

_BATCH = 200
"""Changes in one transaction: other processes wait that long, some 50 ms."""


@dataclass(frozen=True, slots=True)
class Renewed:
    """Pieces: `added`, `changed` in place, `kept` with their vectors, `removed`."""

    added: int = 0
    changed: int = 0
    kept: int = 0
    removed: int = 0


def pieces_of(store: Store, index: str, source: str) -> list[Document]:
    """What is stored of a source, in its order."""
    found = store.find(index, Where(sources=(source,)), oldest_first=True)
    return sorted(found, key=lambda document: (document.metadata.get("part", 0), document.id))


def is_whole(pieces: Sequence[Document], digest: str) -> bool:
    """Whether these are all the pieces of the file with this digest: an interrupted renewal leaves some of another."""
    return bool(pieces) and all(
        piece.metadata.get("digest") == digest and piece.metadata.get("parts") == len(pieces) for piece in pieces
    )


def renew(
    store: Store, index: str, source: str, drafts: Sequence[Draft], progress: Callable[[int], None] = lambda _done: None
) -> Renewed:
    """Make the pieces of `source` in `index` be `drafts`, in short transactions. After a kill, do it again."""
    old = pieces_of(store, index, source)
    counts = dict.fromkeys(("add", "change", "keep", "remove"), 0)
    steps = _steps(old, drafts)
    done = 0
    while batch := list(islice(steps, _BATCH)):
        with store.writing():
            store.add(index, [draft for kind, _, draft in batch if kind == "add" and draft])
            store.delete([document.id for kind, document, _ in batch if kind == "remove" and document])
            for kind, document, draft in batch:
                counts[kind] += 1
                if document and draft and _differs(document, draft):
                    fields = ("text", "type", "source", "importance", "scope", "session", "about", "metadata")
                    store.update(document.id, **{name: getattr(draft, name) for name in fields})
        done += len(batch)
        progress(done)
    return Renewed(counts["add"], counts["change"], counts["keep"], counts["remove"])


def _steps(old: list[Document], new: Sequence[Draft]) -> Iterator[tuple[str, Document | None, Draft | None]]:
    """What to do with each piece. A changed one takes the place of an old one, so that neighbours stay neighbours."""
    matcher = SequenceMatcher(None, [d.digest for d in old], [digest_of(d.text) for d in new], autojunk=False)
    for _, low, high, new_low, new_high in matcher.get_opcodes():
        for offset in range(max(high - low, new_high - new_low)):
            before = old[low + offset] if low + offset < high else None
            after = new[new_low + offset] if new_low + offset < new_high else None
            if before and after:
                yield "keep" if before.digest == digest_of(after.text) else "change", before, after
            else:
                yield "remove" if before else "add", before, after


def _differs(document: Document, draft: Draft) -> bool:
    return document.text != draft.text or document.about != draft.about or document.metadata != draft.metadata
