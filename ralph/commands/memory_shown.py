"""Memory as a person reads it on a terminal, and as `--json` gives it."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ralph.memory.rows import CONVERSATIONS, Document, IndexStats
from ralph.ui.table import table
from ralph.ui.visible import printable

if TYPE_CHECKING:
    from ralph.memory.recall import Hit

NO_EMBEDDER = "none: texts are found by their words only; `ralph memory embedder install` gets one"
_UNCUT = 1_000


def help_text(usage: Sequence[tuple[str, str]]) -> str:
    """Commands and what they do, wrapped and never cut."""
    from textwrap import fill  # noqa: PLC0415  # of all that is shown only the help needs it

    size = max(len(name) for name, _ in usage) + 2
    return "\n".join(fill(about, max(_room(), size + 20), initial_indent=name.ljust(size), subsequent_indent=" " * size)
                     for name, about in usage)  # fmt: skip


def as_row(document: Document) -> dict[str, Any]:
    """A document for --json. Times are seconds since the epoch."""
    names = ("id", "index", "type", "source", "importance", "scope", "session", "created", "updated", "metadata")
    return {**{name: getattr(document, name) for name in names}, "content": document.text}


def as_hit(hit: Hit) -> dict[str, Any]:
    return {"score": hit.score, "parts": dict(hit.parts), "also": list(hit.also), **as_row(hit.document)}


def as_stats(row: IndexStats) -> dict[str, Any]:
    spec = row.spec
    maker = {"embedder": spec.embedder.name, "dimension": spec.embedder.dimension} if spec.embedder else {}
    return {"index": spec.name, "kind": spec.kind, "metric": spec.metric, "documents": row.documents,
            "vectors": row.vectors, "pending": row.pending, "capacity": spec.capacity, "links": spec.links,
            "effort": spec.effort, **maker}  # fmt: skip


def list_text(documents: Sequence[Document], page: int, pages: int, total: int) -> str:
    if not documents:
        return f"page {page} of {pages}: nothing here" if total else "nothing here"
    rows = [(d.id, d.type if d.importance == "normal" else f"{d.type} ({d.importance})", _day(d.created), _origin(d),
             d.text) for d in documents]  # fmt: skip
    more = f"; --page {page + 1} goes on" if page < pages else ""
    return f"{table(('id', 'type', 'stored', 'from', 'text'), rows)}\npage {page} of {pages} ({total:,} in all){more}"


def hits_text(hits: Sequence[Hit], mode: str, meant: Mapping[str, str]) -> str:
    notes = [f"searched for: {', '.join(f'{right} (not {word})' for word, right in meant.items())}"] if meant else []
    notes += [mode] if mode != "hybrid" else []
    rows = [(hit.document.id, f"{hit.score:.2f}", _origin(hit.document), hit.document.text) for hit in hits]
    return "\n".join([table(("id", "score", "from", "text"), rows) if rows else "nothing relevant", *notes])


def _origin(document: Document) -> str:
    """Where it is from, short: a file and its page, a session, or what the memory says itself."""
    if document.index == CONVERSATIONS:
        return f"{document.metadata.get('role', '')} {document.session}".strip()
    return _place({"source": document.source, **document.metadata})


def _place(item: Mapping[str, Any]) -> str:
    if "file" in item:
        return f"{item['file']}, p. {item['page']}" if "page" in item else str(item["file"])
    return str(item.get("source", ""))


def card_text(document: Document) -> str:
    stamp = "%Y-%m-%d %H:%M:%S"
    rows = [
        ("id", document.id), ("index", document.index), ("type", document.type), ("importance", document.importance),
        ("source", document.source), ("scope", document.scope), ("session", document.session),
        ("stored", time.strftime(stamp, time.localtime(document.created))),
        ("changed", time.strftime(stamp, time.localtime(document.updated))),
        *((name, value if isinstance(value, str | int | float) else json.dumps(value, ensure_ascii=False))
          for name, value in document.metadata.items()),
    ]  # fmt: skip
    lines = [f"{name:<12}{printable(str(value))}" for name, value in rows if value != ""]
    return "\n".join([*lines, "", printable(document.text)])


def _room() -> int:
    return shutil.get_terminal_size((100, 24)).columns


def indices_text(rows: Sequence[IndexStats]) -> str:
    cells = [(row.spec.name, row.spec.kind, row.spec.metric, row.spec.embedder.dimension if row.spec.embedder else "-",
              (row.spec.embedder.name or "you") if row.spec.embedder else "-", row.documents, row.vectors, row.pending)
             for row in rows]  # fmt: skip
    heads = ("index", "kind", "metric", "size", "vectors by", "entries", "vectors", "waiting")
    whole = table(heads, cells, width=_UNCUT)
    if max(map(len, whole.split("\n"))) <= _room():
        return whole
    counts = [(cell[0], *cell[5:]) for cell in cells]
    return f"{table(heads[:5], [cell[:5] for cell in cells])}\n\n{table((heads[0], *heads[5:]), counts)}"


def state_text(data: Mapping[str, Any]) -> str:
    counts = ("documents", "vectors", "pending")
    rows = [(row["index"], *(f"{row[name]:,}" for name in counts)) for row in data["indices"]]
    return "\n".join([
        table(("index", "entries", "vectors", "waiting"), rows), "",
        f"search    {data['mode']}", f"embedder  {data['embedder'] or NO_EMBEDDER}",
        f"engine    {data['engine']}", *map(_engine, data["engines"].items()),
        f"on disk   {data['bytes'] / 1e6:.1f} MB in {data['home']}",
    ])  # fmt: skip


def _engine(item: tuple[str, Mapping[str, Any]]) -> str:
    name, state = item
    rows = f"{state['graph']:,} in hnswlib, {state['matrix']:,} exact" if state["graph"] else "exact search"
    return f"          {name}: {rows}" + (f" ({state['note']})" if state["note"] else "")


def why_text(data: Mapping[str, Any] | None) -> str:
    if not data:
        return "nothing was put before the model yet"
    when = _day(data.get("at", 0.0), "%Y-%m-%d %H:%M")
    head = ", ".join(filter(None, (f"session {data.get('session') or '-'}", when, data.get("mode"))))
    rows = [(item["id"], f"{item['score']:.2f}", _parts(item["parts"]), _place(item), item["text"])
            for item in data["items"]]  # fmt: skip
    return f"{head}\n{table(('id', 'score', 'made of', 'from', 'text'), rows) if rows else 'nothing was relevant'}"


def _parts(parts: Mapping[str, float]) -> str:
    return " + ".join(f"{name} {value:.2f}" for name, value in parts.items())


def _day(seconds: float, form: str = "%Y-%m-%d") -> str:
    return time.strftime(form, time.localtime(seconds))
