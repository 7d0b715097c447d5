"""remember, recall_memories, forget_memory: what the model keeps for later; and all tools that sit on memory."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from ralph.core.tools import Context, Output, Tool, ToolSpec
from ralph.errors import RalphError, ToolError
from ralph.memory.checks import IMPORTANCES
from ralph.memory.memory import Memory
from ralph.memory.recall import HYBRID, Found, Hit
from ralph.memory.resemblance import Remembered, Similar, said_in
from ralph.memory.rows import CONVERSATIONS, LONG_TERM
from ralph.tools.documents import document_tools
from ralph.tools.vectors import vector_tools

RELEVANT = 0.1
"""Score from which a hit is worth the model's attention when it asks by itself."""
_MOST = 50
_REMEMBER = ToolSpec(
    "remember",
    "Keep a fact, preference or decision for later sessions: one self-contained statement, no secrets.",
    {"type": "object", "properties": {
        "content": {"type": "string"},
        "type": {"type": "string", "description": "e.g. preference, fact, decision", "default": "general"},
        "source": {"type": "string", "default": "conversation"},
        "importance": {"type": "string", "enum": list(IMPORTANCES), "default": "normal"},
        "scope": {"type": "string", "enum": ["global", "project"], "description": "project: only about this directory",
                  "default": "global"},
        "replaces": {"type": "integer", "description": "memory_id whose place it takes"},
        "keep_both": {"type": "boolean", "description": "store it beside the similar ones reported", "default": False},
    }, "required": ["content"], "additionalProperties": False},
    "memory",
)  # fmt: skip
_RECALL = ToolSpec(
    "recall_memories", "Search what was remembered and what was said in earlier sessions.",
    {"type": "object", "properties": {"query": {"type": "string"}, "k": {"type": "integer", "default": 5}},
     "required": ["query"], "additionalProperties": False},
    "memory",
)  # fmt: skip
_FORGET = ToolSpec(
    "forget_memory", "Delete one memory for good.",
    {"type": "object", "properties": {"memory_id": {"type": "integer"}}, "required": ["memory_id"],
     "additionalProperties": False},
    "memory",
)  # fmt: skip


def tools_for(memory: Memory) -> list[Tool]:
    """Every tool that works on this memory: 3 of its own, 13 of the vector database, and the PDF reader."""
    return [*memory_tools(memory), *vector_tools(memory), *document_tools(memory)]


def memory_tools(memory: Memory) -> list[Tool]:
    def remember(args: Mapping[str, Any]) -> Output:
        given = {name: args[name] for name in ("type", "source", "importance", "scope", "replaces", "keep_both")
                 if args.get(name) is not None}  # fmt: skip
        if "replaces" in given:
            given["replaces"] = int(given["replaces"])
        return _remembered(memory.remember(args["content"], **given))

    def recall(args: Mapping[str, Any]) -> Output:
        k = min(int(args.get("k", 5)), _MOST)
        if not args["query"].strip() or k < 1:
            raise ToolError("recall_memories needs a query, and k of at least 1")
        found = memory.recall(args["query"], k, threshold=RELEVANT)
        said = memory.recall(args["query"], k + 20, index=CONVERSATIONS, threshold=RELEVANT)
        earlier = [hit for hit in said.hits if not memory.session or hit.document.session != memory.session]
        return _recalled(sorted([*found.hits, *earlier], key=lambda hit: -hit.score)[:k], found)

    def forget(args: Mapping[str, Any]) -> Output:
        memory_id = int(args["memory_id"])
        found = memory.store.get(memory_id) if memory_id > 0 else None
        if found is None or found.index not in (LONG_TERM, CONVERSATIONS):
            raise ToolError(f"there is no memory {memory_id}")
        memory.forget(memory_id)
        message = f"Memory {memory_id} is deleted"
        body: dict[str, Any] = {"success": True, "memory_id": memory_id, "message": message,
                                "deleted": {"type": found.type, "preview": _short(found.text, 50)}}  # fmt: skip
        if turns := said_in(memory.store, found.text):
            body["message"] = f"{message}; conversations still hold its words: forget those turns too if they must go"
            body["said_in"] = [{"memory_id": turn.id, "session": turn.session, "preview": _short(turn.text, 50)}
                               for turn in turns]  # fmt: skip
        return _output(body, f"forgot #{memory_id}: {_short(found.text, 60)}")

    return [_tool(_REMEMBER, remember), _tool(_RECALL, recall), _tool(_FORGET, forget)]


def _tool(spec: ToolSpec, work: Callable[[Mapping[str, Any]], Output]) -> Tool:
    """Away from the event loop: the embedding model and a busy database take their time."""

    async def perform(args: Mapping[str, Any], _context: Context) -> Output:
        import asyncio

        try:
            return await asyncio.to_thread(work, args)
        except RalphError as error:
            raise ToolError(str(error)) from error

    return Tool(spec, perform)


def _remembered(done: Remembered) -> Output:
    document = done.document
    if document is None:
        ids = ", ".join(str(item.document.id) for item in done.similar)
        body: dict[str, Any] = {
            "success": False, "error": "similar_memory", "similar": [_similar(item) for item in done.similar],
            "message": f"Nothing was stored: memory {ids} is similar. If the new one is right and the old one is not, "
            "call again with replaces; if both hold, with keep_both.",
        }  # fmt: skip
        return _output(body, f"not stored: similar to #{ids}")
    metadata = {"timestamp": _stamp(document.updated), "type": document.type, "source": document.source,
                "importance": document.importance, "memory_id": document.id}  # fmt: skip
    known = f"Known already as memory {document.id}; nothing added"
    message = f"Stored as memory {document.id}" if done.stored else known
    body = {"success": True, "memory_id": document.id, "message": message, "metadata": metadata}
    if done.stored and done.similar:
        body["message"] = f"{message}; it may contradict what was stored before: forget whichever no longer holds"
        body["similar"] = [_similar(item) for item in done.similar]
    if not done.stored:
        body["duplicate"] = True
        body["content"] = document.text
    return _output(body, f"{'remembered' if done.stored else 'known'} #{document.id}: {_short(document.text, 60)}")


def _recalled(hits: list[Hit], found: Found) -> Output:
    body: dict[str, Any] = {"success": True, "memories": [_hit(hit) for hit in hits]}
    body["message"] = f"{len(hits)} memories" if hits else "No relevant memories"
    if found.mode != HYBRID:
        body["note"] = found.mode
    if found.meant:
        body["searched_for"] = dict(found.meant)
    return _output(body, ", ".join(f"#{hit.document.id} ({hit.score:.2f})" for hit in hits) or "nothing relevant")


def _hit(hit: Hit) -> dict[str, Any]:
    document = hit.document
    semantic = any(name in hit.parts for name in ("vector", "likeness"))
    row = {"memory_id": document.id, "score": round(hit.score, 4), "match_type": "semantic" if semantic else "text",
           "content": document.text, "type": document.type, "source": document.source,
           "importance": document.importance, "timestamp": _stamp(document.created)}  # fmt: skip
    return row | ({"session": document.session} if document.session else {})


def _similar(item: Similar) -> dict[str, Any]:
    document = item.document
    return {"memory_id": document.id, "relation": item.relation, "content": document.text,
            "timestamp": _stamp(document.created)}  # fmt: skip


def _output(body: Mapping[str, Any], display: str) -> Output:
    return Output(json.dumps(body, ensure_ascii=False), display=display)


def _stamp(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def _short(text: str, most: int) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= most else f"{flat[:most]}..."
