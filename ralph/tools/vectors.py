"""The 13 vector_db_* tools: indices of vectors and of texts, made and searched by the model.

A label is the number of a stored document; it is never given twice. The indices that every home has can be searched
and added to like any other, but not deleted as a whole.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import PurePath
from typing import Any

from ralph.core.tools import Context, Output, Tool, ToolSpec
from ralph.errors import RalphError, ToolError
from ralph.ingest.chunk import pieces, sized
from ralph.ingest.document import Document as TextDocument
from ralph.ingest.document import blackened
from ralph.ingest.readers import document_of
from ralph.memory.definitions import Definition
from ralph.memory.embed import identity
from ralph.memory.memory import Memory
from ralph.memory.recall import HYBRID
from ralph.memory.rows import Document, Draft, Embedder, IndexSpec, Where
from ralph.memory.vectors import unpacked
from ralph.tools.documents import ingest, read_stream
from ralph.tools.files import judged_path, open_judged

_MOST = 1000  # results of one search
_STR: dict[str, Any] = {"type": "string"}
_INT: dict[str, Any] = {"type": "integer"}
_OBJ: dict[str, Any] = {"type": "object"}
_VECTOR: dict[str, Any] = {"type": "array", "items": {"type": "number"}}

Work = Callable[[Mapping[str, Any]], dict[str, Any]]


def vector_tools(memory: Memory) -> list[Tool]:
    """All 13, on the store of this memory."""
    of = _Indices(memory)
    name, label = {"index_name": _STR}, {"label": _INT}
    vector = {"vector": _VECTOR, "metadata": _OBJ}
    sizes = {"max_chunk_size": {**_INT, "default": 1000}, "overlap_size": {**_INT, "default": 200}}
    pdf_sizes = {"max_chunk_size": {**_INT, "default": 1500}, "overlap_size": {**_INT, "default": 300}}
    create = {**name, "dimension": _INT, "max_elements": {**_INT, "default": 10000}, "M": {**_INT, "default": 16},
              "ef_construction": {**_INT, "default": 200},
              "metric": {"type": "string", "enum": ["l2", "cosine", "ip"], "default": "l2"}}  # fmt: skip
    times = {**name, "start_time": {"type": "number", "description": "Unix seconds", "default": 0},
             "end_time": {"type": "number", "description": "default: now"},
             "limit": {**_INT, "default": 100}}  # fmt: skip
    return [
        _tool("create_index", "Make an index for your own vectors.", create, 2, of.create),
        _tool("delete_index", "Delete an index you made.", name, 1, of.delete),
        _tool("list_indices", "Names of all indices.", {}, 0, of.names),
        _tool("add_vector", "Store a vector; gives its label.", {**name, **vector}, 2, of.add),
        _tool("update_vector", "Replace a vector.", {**name, **label, **vector}, 3, of.update),
        _tool("delete_vector", "Delete by label.", {**name, **label}, 2, of.remove),
        _tool("get_vector", "The vector of a label.", {**name, **label}, 2, of.get),
        _tool("search", "Labels nearest to a vector.", {**name, "query_vector": _VECTOR, "k": _INT}, 3, of.search),
        _tool("add_text", "Store a text to be found by meaning or words; makes the index.",
              {**name, "text": _STR, "metadata": _OBJ}, 2, of.add_text),
        _tool("add_chunked_text", "The same for a long text, cut in pieces.",
              {**name, "text": _STR, **sizes, "metadata": _OBJ}, 2, of.add_chunked),
        _answering(_spec("add_pdf_document", "The same for a PDF.", {**name, "pdf_path": _STR, **pdf_sizes}, 2),
                   of.add_pdf),
        _tool("search_text", "Texts of an index by meaning or words.",
              {**name, "query": _STR, "k": {**_INT, "default": 5}}, 2, of.search_text),
        _tool("search_by_time", "Texts of an index by when they were stored.", times, 1, of.search_by_time),
    ]  # fmt: skip


def _spec(name: str, about: str, properties: Mapping[str, Any], required: int) -> ToolSpec:
    """The first `required` properties must be given."""
    schema = {"type": "object", "properties": dict(properties), "required": [*properties][:required],
              "additionalProperties": False}  # fmt: skip
    return ToolSpec(f"vector_db_{name}", about, schema, "memory")


def _tool(name: str, about: str, properties: Mapping[str, Any], required: int, work: Work) -> Tool:
    """Away from the event loop: a store that waits for another process must not stop the screen."""

    async def perform(args: Mapping[str, Any], _context: Context) -> dict[str, Any]:
        import asyncio

        return await asyncio.to_thread(work, args)

    return _answering(_spec(name, about, properties, required), perform)


def _answering(spec: ToolSpec, work: Callable[[Mapping[str, Any], Context], Awaitable[dict[str, Any]]]) -> Tool:
    async def perform(args: Mapping[str, Any], context: Context) -> Output:
        try:
            result = await work(args, context)
        except RalphError as error:
            raise ToolError(str(error)) from error
        return Output(json.dumps({"success": True, **result}, ensure_ascii=False))

    return Tool(spec, perform)


class _Indices:
    """What each tool does; a wrong argument is a ToolError that says what would be right."""

    def __init__(self, memory: Memory) -> None:
        self._memory, self._store = memory, memory.store

    def create(self, args: Mapping[str, Any]) -> dict[str, Any]:
        name, dimension = args["index_name"], _positive(args, "dimension")
        self._store.definitions.create(IndexSpec(
            name, "custom", args.get("metric", "l2"), int(args.get("M", 16)), int(args.get("ef_construction", 200)),
            int(args.get("max_elements", 10_000)), Embedder("", dimension),
        ))  # fmt: skip
        return {"message": f"Index '{name}' created with {dimension} dimensions"}

    def delete(self, args: Mapping[str, Any]) -> dict[str, Any]:
        definition = self._find(args)
        if definition.spec.kind != "custom":
            raise ToolError(f"index '{definition.spec.name}' is part of this memory and stays; forget single entries")
        self._memory.drop(definition.spec.name)
        return {"message": f"Index '{definition.spec.name}' deleted"}

    def names(self, _args: Mapping[str, Any]) -> dict[str, Any]:
        return {"indices": [spec.name for spec in self._store.definitions.list()]}

    def add(self, args: Mapping[str, Any]) -> dict[str, Any]:
        spec = self._for_vectors(args)
        self._check(spec, args["vector"])
        draft = Draft("", "vector", "api", metadata=args.get("metadata", {}), vector=args["vector"])
        [label] = self._store.add(spec.name, [draft])
        return {"label": label, "message": f"Vector added to '{spec.name}'"}

    def update(self, args: Mapping[str, Any]) -> dict[str, Any]:
        spec = self._for_vectors(args)
        document = self._document(spec, args)
        self._check(spec, args["vector"])
        assert spec.embedder is not None
        with self._store.writing():
            self._store.vectors.set(spec.name, spec.embedder, [(document.id, None, args["vector"])])
            if "metadata" in args:
                self._store.update(document.id, metadata=args["metadata"])
        return {"message": f"Vector {document.id} updated"}

    def remove(self, args: Mapping[str, Any]) -> dict[str, Any]:
        document = self._document(self._find(args).spec, args)
        self._store.delete([document.id])
        return {"message": f"Vector {document.id} deleted"}

    def get(self, args: Mapping[str, Any]) -> dict[str, Any]:
        spec = self._find(args).spec
        document = self._document(spec, args)
        data = self._store.vectors.get(spec.name, [document.id]).get(document.id)
        if data is None:
            raise ToolError(f"{document.id} in '{spec.name}' has no vector yet; it is found by its words")
        return {"label": document.id, "vector": unpacked(data), **_metadata(document)}

    def search(self, args: Mapping[str, Any]) -> dict[str, Any]:
        spec, k = self._find(args).spec, min(_positive(args, "k"), _MOST)
        self._check(spec, args["query_vector"])
        found = self._memory.index(spec.name).search(args["query_vector"], k)
        return {"results": [{"label": label, "distance": round(distance, 6)} for label, distance in found]}

    def add_text(self, args: Mapping[str, Any]) -> dict[str, Any]:
        text = self._clean(args["text"]).text
        [document_id] = self._add(args["index_name"], [Draft(text, "text", "api", metadata=args.get("metadata", {}))])
        preview = text if len(text) <= 50 else f"{text[:50]}..."
        return {"id": document_id, "message": f"Text added to '{args['index_name']}'", "text_preview": preview,
                **self._mode(args["index_name"])}  # fmt: skip

    def add_chunked(self, args: Mapping[str, Any]) -> dict[str, Any]:
        preset = _sizes(args, 1000, 200)
        found = [piece.text for piece in pieces(self._clean(args["text"]), preset)]
        if not found:
            raise ToolError("chunking failed: the text is empty")
        metadata = args.get("metadata", {})
        drafts = [Draft(text, "chunk", "api", metadata={**metadata, "part": part, "parts": len(found)})
                  for part, text in enumerate(found)]  # fmt: skip
        for first in range(0, len(drafts), 200):
            self._add(args["index_name"], drafts[first : first + 200])
        return {"message": f"{len(found)} pieces added to '{args['index_name']}'", "successful_chunks": len(found),
                "failed_chunks": 0, "total_chunks": len(found), **self._mode(args["index_name"])}  # fmt: skip

    async def add_pdf(self, args: Mapping[str, Any], context: Context) -> dict[str, Any]:
        preset = _sizes(args, 1500, 300)
        judged = judged_path(context, "pdf_path", args["pdf_path"])
        name = PurePath(args["pdf_path"]).name
        with open_judged(judged) as stream:
            data = read_stream(stream, name)
        if b"%PDF-" not in data[:4096]:
            raise ToolError(f"PDF extraction failed: {name} is not a PDF")
        self._use_for_text(args["index_name"])
        done = await ingest(self._memory, data, judged.resolved, index=args["index_name"], preset=preset)
        note = {"note": done.note} if done.note else {}
        what = "was there already" if done.unchanged else f"{done.pieces} pieces in '{args['index_name']}'"
        return {"message": f"{name}: {what}", "successful_chunks": done.pieces, "failed_chunks": 0,
                "total_chunks": done.pieces, "pdf_pages": done.pages, **note,
                **self._mode(args["index_name"])}  # fmt: skip

    def search_text(self, args: Mapping[str, Any]) -> dict[str, Any]:
        spec, k = self._find(args).spec, min(_positive({"k": 5, **args}, "k"), _MOST)
        if not args["query"].strip():
            raise ToolError("the query is empty")
        found = self._memory.recall(args["query"], k, index=spec.name, everywhere=True)
        results = [{**_row(hit.document), "distance": round(1 - hit.score, 4)} for hit in found.hits]
        mode = {} if found.mode == HYBRID else {"note": found.mode}
        return {"count": len(results), "results": results, **mode}

    def search_by_time(self, args: Mapping[str, Any]) -> dict[str, Any]:
        since, until = float(args.get("start_time", 0)), float(args.get("end_time", time.time()))
        limit = min(_positive({"limit": 100, **args}, "limit"), _MOST)
        found = self._store.find(self._find(args).spec.name, Where(since=since, until=until), limit=limit)
        return {"count": len(found), "results": [_row(document) for document in found]}

    def _find(self, args: Mapping[str, Any]) -> Definition:
        found = self._store.definitions.find(args["index_name"])
        if found is None:
            names = ", ".join(spec.name for spec in self._store.definitions.list())
            raise ToolError(f"index not found: '{args['index_name']}'; these exist: {names}")
        return found

    def _for_vectors(self, args: Mapping[str, Any]) -> IndexSpec:
        spec = self._find(args).spec
        if spec.embedder is None or spec.embedder.name or spec.kind != "custom":
            raise ToolError(f"index '{spec.name}' takes texts and makes their vectors itself; use vector_db_add_text")
        return spec

    def _check(self, spec: IndexSpec, vector: list[float]) -> None:
        dimension = spec.embedder.dimension if spec.embedder else 0
        if len(vector) != dimension:
            raise ToolError(f"dimension mismatch: {len(vector)} numbers, index '{spec.name}' takes {dimension}")

    def _document(self, spec: IndexSpec, args: Mapping[str, Any]) -> Document:
        label = int(args["label"])
        found = self._store.get(label) if label > 0 else None
        if found is None or found.index != spec.name:
            raise ToolError(f"element not found: index '{spec.name}' has no label {label}")
        return found

    def _clean(self, text: str) -> TextDocument:
        return blackened(document_of(text, "text"), self._memory.blacken(text))

    def _add(self, name: str, drafts: list[Draft]) -> list[int]:
        self._use_for_text(name)
        return self._memory.add(name, drafts)

    def _use_for_text(self, name: str) -> None:
        """An index made for vectors, with none in it yet and of the right size, becomes one for texts."""
        spec, embedder = self._memory.ensure(name), self._memory.embedder
        ours = identity(embedder) if embedder else None
        if ours and spec.embedder == Embedder("", ours.dimension) and not self._store.vectors.count(name):
            self._store.definitions.use(name, ours)

    def _mode(self, name: str) -> dict[str, Any]:
        if self._memory.takes_text(name):
            return {}
        why = "the index holds vectors of another kind" if self._memory.embedder else "there is no embedding model"
        return {"note": f"keyword only: {why}"}


def _positive(args: Mapping[str, Any], name: str) -> int:
    value = int(args[name])
    if value <= 0:
        raise ToolError(f"{name} must be at least 1, not {value}")
    return value


def _sizes(args: Mapping[str, Any], most: int, overlap: int) -> Any:
    try:
        return sized(int(args.get("max_chunk_size", most)), int(args.get("overlap_size", overlap)))
    except ValueError as error:
        raise ToolError(f"chunking failed: {error}") from error


def _row(document: Document) -> dict[str, Any]:
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(document.created))
    return {"id": document.id, "content": document.text, "type": document.type, "source": document.source,
            "timestamp": stamp, **_metadata(document)}  # fmt: skip


def _metadata(document: Document) -> dict[str, Any]:
    return {"metadata": dict(document.metadata)} if document.metadata else {}
