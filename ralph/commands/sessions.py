"""`ralph sessions`: list, search, show, export and delete what was said. Nothing is deleted but by this."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ralph.commands.shown import Show, Shown, group
from ralph.core.messages import Message, Text, ToolCall, ToolResult, dump
from ralph.errors import ConfigError
from ralph.memory.rows import CONVERSATIONS, Where
from ralph.memory.store import FILE, Store
from ralph.place import Place
from ralph.session.transcript import find, read_messages, sessions
from ralph.ui.table import table
from ralph.ui.visible import one_line, printable


def add(app: Any, place: Place, show: Show) -> None:
    made = group(app, "sessions", "Past conversations.")

    @made.command("list")
    def list_sessions(here: bool = False) -> None:
        """Newest first; --here: only those of this directory."""
        found = sessions(place.sessions, cwd=place.cwd if here else None)
        rows = [(s.id, time.strftime("%Y-%m-%d %H:%M", time.localtime(s.started)), s.messages, s.title, s.cwd)
                for s in found]  # fmt: skip
        text = table(("id", "started", "messages", "title", "directory"), rows) if rows else "no sessions"
        show(Shown([asdict(s) for s in found], text))

    @made.command("search")
    def search(words: list[str]) -> None:
        """Messages that hold all the words, newest session first."""
        hits = list(_hits(place.sessions, [word.lower() for word in words]))
        text = table(("id", "message", "text"), [(h["id"], h["message"], h["text"]) for h in hits]) or "nothing found"
        show(Shown(hits, text if hits else "nothing found"))

    @made.command("show")
    def show_session(session_id: str) -> None:
        """What was said, in order."""
        messages = read_messages(find(place.sessions, session_id))
        show(Shown([dump(message) for message in messages], "\n\n".join(map(_readable, messages))))

    @made.command("export")
    def export(session_id: str, file: Path) -> None:
        """Write one session as Markdown (.md) or JSON (any other ending) to a file that does not exist yet."""
        messages = read_messages(find(place.sessions, session_id))
        as_json = json.dumps([dump(message) for message in messages], indent=1)
        try:
            with file.open("x", encoding="utf-8") as out:
                out.write("\n\n".join(map(_readable, messages)) if file.suffix == ".md" else as_json)
        except OSError as error:
            raise ConfigError(f"cannot write {file}: {error.strerror}", hint="choose another file") from error
        show(Shown({"file": str(file), "messages": len(messages)}, f"{len(messages)} messages in {file}"))

    @made.command("delete")
    def delete(session_id: str) -> None:
        """Delete one session for good, also what memory holds of it; the audit log keeps what was decided."""
        path = find(place.sessions, session_id)
        turns = _forget_turns(place, path.stem)
        path.unlink()
        told = f" and its {turns} searchable turns" if turns else ""
        show(Shown({"deleted": path.stem, "turns": turns}, f"deleted {path.stem}{told}"))


def _forget_turns(place: Place, session: str) -> int:
    if not (place.home / FILE).exists():
        return 0
    store = Store(place.home)
    try:
        turns = store.find(CONVERSATIONS, Where(sessions=(session,))) if store.definitions.find(CONVERSATIONS) else []
        if turns:
            store.delete(turn.id for turn in turns)
            store.purge()
    finally:
        store.close()
    return len(turns)


def _hits(folder: Path, words: list[str]) -> Iterator[dict[str, Any]]:
    for summary in sessions(folder):
        for number, message in enumerate(read_messages(folder / f"{summary.id}.jsonl")):
            lowered = message.text.lower()
            if all(word in lowered for word in words):
                start = max(0, lowered.index(words[0]) - 30) if words else 0
                yield {"id": summary.id, "message": number, "role": message.role,
                       "text": one_line(message.text[start:], 120)}  # fmt: skip


def _readable(message: Message) -> str:
    lines = [f"## {message.role}"]
    for block in message.blocks:
        if isinstance(block, Text):
            lines.append(printable(block.text))
        elif isinstance(block, ToolCall):
            lines.append(f"[{block.name} {one_line(json.dumps(dict(block.args), ensure_ascii=False), 200)}]")
        elif isinstance(block, ToolResult):
            lines.append(f"[{'failed' if block.is_error else 'result'}: {one_line(block.text, 200)}]")
    return "\n".join(lines)
