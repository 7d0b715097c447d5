"""Memory in files: JSON lines, one document each, and the older layout of one file for every document.

JSON lines: {"id","index","content","type","source","importance","scope","session","about","metadata","created",
"updated"}, times in seconds; "vector" where nobody could make it again from the text. Lines that begin
{"ralph":"index",...} describe the indices that were made by hand. Older layout: documents/<index>/doc_<id>.json and
metadata/<index>/chunk_<id>.json.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

from ralph.errors import ConfigError, RalphError, StoreError
from ralph.memory.checks import as_json, checked
from ralph.memory.definitions import check_spec
from ralph.memory.rows import LONG_TERM, Document, Draft, Embedder, IndexSpec, Where
from ralph.memory.store import Store, digest_of
from ralph.memory.vectors import packed, unpacked

_BATCH = 200
_SECOND = 1 - 1e-6
_DEFAULTS = {
    "type": "general", "source": "import", "importance": "normal", "scope": "global", "session": "", "about": "",
}  # fmt: skip
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Imported:
    """`skipped`: documents that were there already, word for word and from the same source."""

    added: int
    skipped: int


def export_lines(store: Store, path: Path, progress: Progress = lambda _done: None) -> int:
    """Write everything to a file that does not exist yet, readable by its owner only; how many documents."""
    count = 0
    with _created(path) as file, store.reading():
        made = [spec for spec in store.definitions.list() if spec.kind == "custom"]
        own = {spec.name for spec in made if spec.embedder and not spec.embedder.name}
        file.writelines(_line(_index_row(spec)) for spec in made)
        for count, document in enumerate(_documents(store), 1):
            file.write(_line(_row(document) | _vector(store, document, own=document.index in own)))
            progress(count)
        file.flush()
        os.fsync(file.fileno())
    return count


def export_files(store: Store, folder: Path, progress: Progress = lambda _done: None) -> int:
    """The older layout, in a folder that does not exist yet or is empty. Texts only: vectors do not fit into it."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} is not an empty folder", hint="choose another one")
    count = 0
    for count, document in enumerate((document for document in _documents(store) if document.text), 1):
        stamp = int(document.created)
        for kind, name, row in (
            ("documents", f"doc_{document.id}", {
                "id": document.id, "content": document.text, "type": document.type, "source": document.source,
                "timestamp": stamp, "metadata": document.metadata,
            }),
            ("metadata", f"chunk_{document.id}", {
                "chunk_id": document.id, "content": document.text, "index_name": document.index,
                "type": document.type, "source": document.source, "importance": document.importance,
                "timestamp": stamp, "custom_metadata": document.metadata,
            }),
        ):  # fmt: skip
            with _created(folder / kind / document.index / f"{name}.json") as file:
                file.write(json.dumps(row, ensure_ascii=False, indent=2) + "\n")
        progress(count)
    return count


def import_from(
    store: Store, path: Path, *, secret: Callable[[str], str] = lambda _text: "",
    progress: Progress = lambda _done: None,
) -> Imported:  # fmt: skip
    """Take in JSON lines or a folder in the older layout. A line that cannot be stored stops it before any is."""
    rows = _folder_rows if path.is_dir() else _line_rows
    specs = {spec.name: spec for spec in store.definitions.list()}
    for where, row in rows(path):
        try:
            _check(where, row, specs, secret)
        except StoreError as error:
            raise StoreError(f"{where}: {error}", hint="nothing was imported") from error
    added = skipped = done = 0
    reader = rows(path)
    while batch := list(islice(reader, _BATCH)):
        with store.writing():
            for where, row in batch:
                done += 1
                if row.get("ralph") == "index":
                    _make_index(store, row)
                elif _store_row(store, *_draft(where, row)):
                    added += 1
                else:
                    skipped += 1
        progress(done)
    return Imported(added, skipped)


def _documents(store: Store) -> Iterator[Document]:
    """Everything, oldest first in each index, a page at a time."""
    for spec in store.definitions.list():
        offset = 0
        while page := store.find(spec.name, limit=500, offset=offset, oldest_first=True):
            yield from page
            offset += len(page)


def _row(document: Document) -> dict[str, Any]:
    names = ("id", "index", *_DEFAULTS, "metadata", "created", "updated")
    return {"content": document.text, **{name: getattr(document, name) for name in names}}


def _vector(store: Store, document: Document, *, own: bool) -> dict[str, Any]:
    """`own`: the vectors of this index were brought along, those of its texts too."""
    if document.text and not own:
        return {}
    data = store.vectors.get(document.index, [document.id]).get(document.id)
    return {"vector": unpacked(data)} if data else {}


def _index_row(spec: IndexSpec) -> dict[str, Any]:
    maker = {"embedder": spec.embedder.name, "dimension": spec.embedder.dimension} if spec.embedder else {}
    return {"ralph": "index", "name": spec.name, "metric": spec.metric, "links": spec.links, "effort": spec.effort,
            "capacity": spec.capacity, **maker}  # fmt: skip


def _check(where: str, row: Mapping[str, Any], specs: dict[str, IndexSpec], secret: Callable[[str], str]) -> None:
    """Raise RalphError when the row cannot be stored. specs: the indices there are, or will be by then."""
    if row.get("ralph") == "index":
        spec = _spec(row)
        check_spec(spec)
        specs.setdefault(spec.name, spec)
        return
    index, draft = _draft(where, row)
    if index not in specs:
        specs[index] = IndexSpec(index)
        check_spec(specs[index])
    checked(draft, has_vector=draft.vector is not None)
    as_json(draft.metadata)
    if draft.vector is not None:
        maker = specs[index].embedder
        if maker is None:
            raise StoreError(f"index {index!r} takes no vectors yet")
        packed(draft.vector, maker.dimension, specs[index].metric)
    if kind := secret(draft.text):
        raise RalphError(f"{where} holds {kind}; nothing was imported", hint="leave that line out")


def _spec(row: Mapping[str, Any]) -> IndexSpec:
    wanted = {"name": str, "metric": str, "links": int, "effort": int, "capacity": int}
    wanted |= {"embedder": str, "dimension": int} if "dimension" in row else {}
    odd = next((name for name, kind in wanted.items() if type(row.get(name)) is not kind), "")
    if odd:
        raise StoreError(f"{odd} of an index is missing or has a wrong type")
    maker = Embedder(row["embedder"], row["dimension"]) if "dimension" in row else None
    return IndexSpec(row["name"], "custom", row["metric"], row["links"], row["effort"], row["capacity"], maker)


def _make_index(store: Store, row: Mapping[str, Any]) -> None:
    spec = _spec(row)
    if store.definitions.find(spec.name) is None:
        store.definitions.create(spec)


def _store_row(store: Store, index: str, draft: Draft) -> bool:
    if store.definitions.find(index) is None:
        store.definitions.create(IndexSpec(index))
    elif _is_there(store, index, draft):
        return False
    store.add(index, [draft])
    return True


def _is_there(store: Store, index: str, draft: Draft) -> bool:
    """The same text from the same place, or a vector of the same moment."""
    until = draft.created
    if until is not None and until.is_integer() and draft.text:
        until += _SECOND  # the older layout has whole seconds, and no session
    same = Where(sources=(draft.source,), digests=(digest_of(draft.text),), since=draft.created, until=until)
    return any(found.metadata == draft.metadata and draft.session in ("", found.session)
               for found in store.find(index, same))  # fmt: skip


def _draft(where: str, row: Mapping[str, Any]) -> tuple[str, Draft]:
    """(index, draft) of a line of ours, of an older file, or of a question set ({"id","text","meta"})."""
    if row.get("ralph") == "index":
        return "", Draft("")
    text = row.get("content", row.get("text", ""))
    metadata = row.get("metadata") or row.get("custom_metadata") or row.get("meta") or {}
    created = row.get("created", row.get("timestamp"))
    words = {name: row.get(name) or default for name, default in _DEFAULTS.items()}
    odd = next((name for name, value in (*words.items(), ("content", text)) if not isinstance(value, str)), "")
    if odd or not isinstance(metadata, dict) or not isinstance(created, int | float | None):
        raise RalphError(f"{where}: {odd or 'metadata or the time'} has a wrong type", hint="nothing was imported")
    if not text.strip() and "vector" not in row:
        raise RalphError(f"{where} holds no content", hint="nothing was imported")
    return str(row.get("index") or row.get("index_name") or LONG_TERM), Draft(
        text, **words, metadata=metadata, created=float(created) if created else None, vector=row.get("vector"))


def _line_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield f"{path.name}:{number}", _object(line, f"{path.name}:{number}")
    except UnicodeDecodeError as error:
        raise RalphError(f"{path} is not UTF-8: {error.reason}", hint="nothing was imported") from error
    except OSError as error:
        raise RalphError(f"cannot read {path}: {error.strerror}", hint="nothing was imported") from error


def _folder_rows(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Metadata files say more than document files; a document that has no such file counts by itself."""
    described = set()
    for path in _numbered(folder / "metadata"):
        described.add((path.parent.name, path.stem.rpartition("_")[2]))
        yield str(path), {"index": path.parent.name} | _json_file(path)
    for path in _numbered(folder / "documents"):
        if (path.parent.name, path.stem.rpartition("_")[2]) not in described:
            yield str(path), {"index": path.parent.name} | _json_file(path)
    if not (folder / "metadata").is_dir() and not (folder / "documents").is_dir():
        raise RalphError(f"{folder} has neither documents/ nor metadata/ in it", hint="give the folder above them")


def _numbered(folder: Path) -> Iterable[Path]:
    return sorted(folder.glob("*/*_*.json"), key=lambda path: (path.parent.name, len(path.stem), path.stem))


def _json_file(path: Path) -> dict[str, Any]:
    try:
        return _object(path.read_text(encoding="utf-8-sig"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise RalphError(f"cannot read {path}: {error}", hint="nothing was imported") from error


def _object(text: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(text)
    except ValueError as error:
        raise RalphError(f"{where} is not JSON ({error})", hint="nothing was imported") from error
    if not isinstance(row, dict):
        raise RalphError(f"{where} is not a JSON object", hint="nothing was imported")
    return row


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n"


@contextmanager
def _created(path: Path) -> Iterator[IO[str]]:
    """A new file of the person's own; what could not be written whole is not left behind."""
    hint = "choose another place"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise ConfigError(f"{path} exists already", hint="choose another name") from None
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}", hint=hint) from error
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            yield file
    except OSError as error:
        path.unlink()
        raise StoreError(f"cannot write {path}: {error.strerror}; nothing was kept of it", hint=hint) from error
