"""Files and pages into memory: read, cut, stored, with their page numbers; and the tool that reads a PDF."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path, PurePath
from typing import Any, BinaryIO

from ralph.core.tools import Context, Output, Tool, ToolSpec
from ralph.errors import RalphError, ToolError
from ralph.ingest.chunk import Preset, pieces
from ralph.ingest.cite import citations, cite
from ralph.ingest.document import Document, blackened
from ralph.ingest.pdf import MOST_BYTES, read_pdf
from ralph.ingest.readers import document_of, kind_of, read_text
from ralph.memory.memory import GLOBAL, Memory
from ralph.memory.rows import DOCUMENTS, Draft
from ralph.memory.sources import is_whole, pieces_of, renew
from ralph.memory.store import Store
from ralph.tools.apart import module_argv, run_apart
from ralph.tools.files import judged_path, open_judged
from ralph.tools.page import readable

_SECONDS = 30.0  # for one HTML page
_PDF = ToolSpec(
    "pdf_extract_text",
    "Text of a PDF, each page under a line `[page N]` with N from 1. A whole PDF also becomes searchable in memory. "
    'Quote it as "words" (file.pdf, p. N).',
    {"type": "object", "properties": {
        "file_path": {"type": "string"},
        "start_page": {"type": "integer", "description": "0 is the first page; -1: from the start", "default": -1},
        "end_page": {"type": "integer", "description": "0-based, inclusive; -1: to the end", "default": -1},
    }, "required": ["file_path"], "additionalProperties": False},
    "file_read", "file_path",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of one file. `unchanged`: the same bytes were stored before. `note`: what could not be read."""

    source: str
    kind: str
    pages: int
    pieces: int
    added: int
    changed: int
    kept: int
    removed: int
    unchanged: bool
    note: str


async def read_document(
    data: bytes, name: str, *, content_type: str = "", first: int = 1, last: int | None = None
) -> Document:
    """Any file that can be read, by its content and its name. Raises RalphError for the rest, saying why."""
    kind = kind_of(name)
    if data[:1024].lstrip().startswith(b"%PDF-") or (kind == "pdf" and b"%PDF-" in data[:4096]):
        return await read_pdf(data, name, _run_apart, first=first, last=last)
    if kind == "pdf":
        raise RalphError(f"{name} is damaged or not a PDF", hint="open and save it again in a PDF viewer")
    if kind == "html" or "html" in content_type:
        text, note = await readable(data, content_type or "text/html", name, seconds=_SECONDS)
        if not text.strip():
            raise RalphError(f"{name} holds no text" + (f": {note}" if note else ""), hint="nothing was stored")
        return document_of(text, "html", note)
    return read_text(data, name)


async def ingest(
    memory: Memory, data: bytes, source: str, *, index: str = DOCUMENTS, content_type: str = "",
    preset: Preset | None = None, scope: str = GLOBAL, progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Ingested:  # fmt: skip
    """Store a file's pieces; a file that is stored already is recognised, of a changed one only what differs is new.

    `source`: its path or URL, which names it from now on. `progress`: pieces stored, pieces in all.
    """
    import asyncio

    digest = _digest(data, preset)
    old = await asyncio.to_thread(pieces_of, memory.store, index, source)
    if is_whole(old, digest):
        kind, count = old[0].metadata["kind"], old[0].metadata.get("page_count", 0)
        return Ingested(source, kind, count, len(old), 0, 0, len(old), 0, unchanged=True, note="")
    document = await read_document(data, PurePath(source).name or source, content_type=content_type)
    document = blackened(document, memory.blacken(document.text))
    drafts = drafts_of(document, source, digest, preset=preset, scope=scope)
    return await asyncio.to_thread(_store, memory, document, drafts, source, index, progress)


def _store(
    memory: Memory, document: Document, drafts: list[Draft], source: str, index: str,
    progress: Callable[[int, int], None],
) -> Ingested:  # fmt: skip
    memory.ensure(index)
    done = renew(memory.store, index, source, drafts, lambda count: progress(min(count, len(drafts)), len(drafts)))
    memory.wake(index)
    return Ingested(source, document.kind, document.page_total, len(drafts), done.added, done.changed, done.kept,
                    done.removed, unchanged=False, note=document.note)  # fmt: skip


def drafts_of(
    document: Document, source: str, digest: str, *, preset: Preset | None = None, scope: str = GLOBAL
) -> list[Draft]:
    """The pieces as they are stored. File name and headings are found by full text, but are no part of the words."""
    found = list(pieces(document, preset))
    name = PurePath(source).name or source
    drafts = []
    for part, piece in enumerate(found):
        metadata: dict[str, Any] = {"file": name, "kind": document.kind, "part": part, "parts": len(found),
                                    "start": piece.start, "end": piece.end, "digest": digest}  # fmt: skip
        if piece.page is not None:
            metadata |= {"page": piece.page, "page_count": document.page_total}
        if piece.path:
            metadata["heading"] = list(piece.path)
        kind = "pdf_chunk" if document.kind == "pdf" else "chunk"
        drafts.append(Draft(piece.text, kind, source, scope=scope, about=" ".join((name, *piece.path)),
                            metadata=metadata))  # fmt: skip
    return drafts


def document_tools(memory: Memory) -> list[Tool]:
    """pdf_extract_text."""

    async def extract(args: Mapping[str, Any], context: Context) -> Output:
        start, end = int(args.get("start_page", -1)), int(args.get("end_page", -1))
        judged = judged_path(context, "file_path", args["file_path"])
        name = PurePath(args["file_path"]).name
        try:
            with open_judged(judged) as stream:
                data = read_stream(stream, name)
            document = await read_document(data, name, first=max(start, 0) + 1, last=None if end < 0 else end + 1)
            if document.kind != "pdf":
                raise ToolError(f"{name} is not a PDF; read_file reads text")
            whole = len(document.pages) == document.page_total
            stored = await ingest(memory, data, judged.resolved) if whole else None
        except RalphError as error:
            raise ToolError(str(error)) from error
        return _extracted(document, stored)

    return [Tool(_PDF, extract)]


def _extracted(document: Document, stored: Ingested | None) -> Output:
    numbers = [document.first_page + index for index in range(len(document.pages))]
    texts = [(number, text) for number in numbers if (text := document.page(number).strip())]
    text = "\n".join(f"[page {number}]\n{text}" for number, text in texts)
    result: dict[str, Any] = {"success": True, "text": text, "page_count": len(texts), "length": len(text)}
    if stored is not None:
        result["searchable_pieces"] = stored.pieces
    if document.note:
        result["note"] = document.note
    return Output(json.dumps(result, ensure_ascii=False), display=f"{len(texts)} of {document.page_total} pages")


async def pages(path: Path, first: int, last: int) -> str:
    """Pages `first` to `last` (from 1) of a PDF, each under `[page N]`: what `@paper.pdf#3-5` in a prompt stands for.

    Raises RalphError when the file has no such pages or cannot be read.
    """
    import asyncio

    document = await read_document(await asyncio.to_thread(read_file, path), path.name, first=first, last=last)
    if document.kind != "pdf":
        raise RalphError(f"{path.name} has no pages", hint="name the file alone: @" + path.name)
    if first < 1 or last < first or first > document.page_total:
        raise RalphError(f"{path.name} has pages 1 to {document.page_total}, not {first}-{last}")
    numbers = range(document.first_page, document.first_page + len(document.pages))
    return "\n".join(f"[page {number}]\n{document.page(number).strip()}" for number in numbers)


def wrong_citations(store: Store, answer: str, *, index: str = DOCUMENTS) -> list[str]:
    """What an answer quotes from a page of a stored document that does not have these words, one line each."""
    wrong = []
    for citation in citations(answer):
        name = PurePath(citation.name).name
        found = store.get_many([hit for hit, _ in store.search_text(index, [name], limit=50)])
        sources = {document.source for document in found if document.metadata.get("file") == name}
        texts = [_page_text(store, index, source, citation.page) for source in sources]
        if any(texts) and not any(cite(citation.quote, text) for text in texts):
            wrong.append(f"{name}, p. {citation.page} does not hold the words “{citation.quote[:80]}”")
    return wrong


def _page_text(store: Store, index: str, source: str, page: int) -> str:
    """A page put together again from its overlapping pieces."""
    text, reached = "", 0
    for piece in pieces_of(store, index, source):
        if piece.metadata.get("page") == page:
            start, end = piece.metadata["start"], piece.metadata["end"]
            text += " " * (start > reached) + piece.text[max(0, reached - start) :]
            reached = end
    return text


def read_file(path: Path) -> bytes:
    """The bytes of a file of bearable size. Raises RalphError."""
    try:
        with path.open("rb") as stream:
            return read_stream(stream, path.name)
    except OSError as error:
        raise RalphError(f"cannot read {path}: {error.strerror}", hint="check its name and permissions") from error


def read_stream(stream: BinaryIO, name: str) -> bytes:
    data = stream.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise RalphError(f"{name} is larger than {MOST_BYTES >> 20} MB", hint="split it first")
    return data


def _digest(data: bytes, preset: Preset | None) -> str:
    """Of the bytes and of how they are cut, so that other sizes are another thing."""
    sizes = f"{preset.most}/{preset.overlap}" if preset else ""
    return blake2b(data, digest_size=16, key=sizes.encode()).hexdigest()


async def _run_apart(module: str, given: bytes, seconds: float) -> tuple[bytes, int | None]:
    argv = module_argv(module, site=True)
    return await run_apart(argv, cwd=Path(tempfile.gettempdir()), given=given, timeout=seconds)
