"""One session on disk: append-only JSON lines, written as things happen, so that `kill -9` loses nothing acknowledged.

Lines: {"type":"session",...} first; {"type":"message","message":...} for what was said; {"type":"result",...} for each
tool result the moment it exists (the message that gathers them follows); {"type":"usage",...} after each reply;
{"type":"title",...}. A torn last line, which a kill may leave, is skipped and the next line starts on a new row.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ralph.core.events import Event, Reply, ToolFinished
from ralph.core.messages import Message, ToolResult, Usage, dump, load
from ralph.core.runner import interrupted
from ralph.errors import ConfigError, StoreError


@dataclass(frozen=True, slots=True)
class Summary:
    """One row of a session list. `started` is seconds since the epoch."""

    id: str
    cwd: str
    started: float
    title: str
    messages: int


class Transcript:
    """The file of one session. `written`: how many messages it already holds; `head`: the first row of a new one."""

    def __init__(self, folder: Path, session_id: str, *, written: int = 0, head: dict[str, Any] | None = None) -> None:
        self.id = session_id
        self.path = folder / f"{session_id}.jsonl"
        self.usage = Usage()
        self.cost_usd: float | None = 0.0
        self._written, self._head = written, head
        self._fd: int | None = None

    def record(self, event: Event, history: list[Message]) -> None:
        """Write what `event` added. Only whole replies, results and messages are kept, no deltas."""
        if isinstance(event, ToolFinished):
            self._append({"type": "result", "result": _fields(event.result), "seconds": round(event.seconds, 4)})
        self.sync(history)
        if isinstance(event, Reply):
            self.usage += event.usage
            cost = None if event.cost_usd is None or self.cost_usd is None else self.cost_usd + event.cost_usd
            self.cost_usd = cost
            row = {"type": "usage", "model": event.model, "cost_usd": event.cost_usd, **_fields(event.usage)}
            self._append(row)

    def sync(self, history: list[Message]) -> None:
        """Write the messages that are not in the file yet."""
        for message in history[self._written :]:
            self._append({"type": "message", "message": dump(message)})
            self._written += 1

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _append(self, row: dict[str, Any]) -> None:
        if self._head is not None:
            head, self._head = self._head, None
            self._append({"type": "session", **head})
        line = json.dumps({"at": round(time.time(), 3), **row}, ensure_ascii=True, separators=(",", ":"))
        try:
            if self._fd is None:
                self._fd = _open(self.path)
            os.write(self._fd, line.encode() + b"\n")
        except OSError as error:
            hint = "free some space, or give --home DIR on a disk you can write to"
            raise StoreError(f"cannot write the session to {self.path}: {error.strerror}", hint=hint) from error


def _open(path: Path) -> int:
    """Append-only and private. A line torn by a crash gets its line end first."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    size = os.fstat(fd).st_size
    if size and os.pread(fd, 1, size - 1) != b"\n":
        os.write(fd, b"\n")
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(fd)
        raise StoreError(f"session {path.stem} is open in another process", hint="start a new one") from error
    return fd


def _fields(value: ToolResult | Usage) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


def start(folder: Path, *, cwd: Path, version: str) -> Transcript:
    """A new session; its file appears with the first thing said. Ids sort by time."""
    session_id = time.strftime("%Y%m%d-%H%M%S-", time.gmtime()) + secrets.token_hex(3)
    return Transcript(folder, session_id, head={"id": session_id, "cwd": str(cwd), "version": version})


def find(folder: Path, session_id: str) -> Path:
    """The file of a session, by its id or a unique beginning of it. Raises ConfigError unless there is exactly one."""
    matching = sorted(path for path in folder.glob("*.jsonl") if path.stem.startswith(session_id))
    exact = [path for path in matching if path.stem == session_id]
    if len(exact or matching) != 1:
        what = "no session" if not matching else f"{len(matching)} sessions"
        raise ConfigError(f"{what} with an id that begins {session_id!r}", hint="see `ralph sessions list`")
    return (exact or matching)[0]


def resume(folder: Path, session_id: str) -> tuple[Transcript, list[Message]]:
    """Open a session to go on with it; answers that a crash left out are written down now."""
    path = find(folder, session_id)
    messages = read_messages(path)
    transcript = Transcript(folder, path.stem, written=_stored(path))
    transcript.sync(messages)
    return transcript, messages


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a session file; lines that are not whole JSON objects are skipped."""
    try:
        with path.open("rb") as file:
            for line in file:
                try:
                    row = json.loads(line)
                except ValueError:
                    continue
                if isinstance(row, dict):
                    yield row
    except OSError as error:
        raise StoreError(f"cannot read the session {path}: {error.strerror}", hint="check its permissions") from error


def read_messages(path: Path) -> list[Message]:
    """The conversation, every tool call answered: by its recorded result, or as interrupted when there is none."""
    messages: list[Message] = []
    results: dict[str, ToolResult] = {}
    for row in rows(path):
        if row.get("type") == "message":
            messages.append(load(row["message"]))
            results.clear()  # some servers use the same ids in every reply
        elif row.get("type") == "result":
            result = ToolResult(**row["result"])
            results[result.call_id] = result
    if messages and messages[-1].calls:
        answers = tuple(results.get(call.id) or interrupted(call) for call in messages[-1].calls)
        messages.append(Message("tool", answers))
    return messages


def _stored(path: Path) -> int:
    return sum(row.get("type") == "message" for row in rows(path))


def sessions(folder: Path, *, cwd: Path | None = None) -> list[Summary]:
    """All sessions, newest first; with `cwd` only those started in that directory."""
    found = []
    for path in sorted(folder.glob("*.jsonl"), reverse=True):
        summary = _summary(path)
        if summary and (cwd is None or summary.cwd == str(cwd)):
            found.append(summary)
    return found


def latest(folder: Path, cwd: Path) -> str | None:
    """The id of the newest session of a directory that has something in it."""
    for path in sorted(folder.glob("*.jsonl"), reverse=True):
        first = next(rows(path), {})
        if first.get("cwd") == str(cwd) and _stored(path):
            return path.stem
    return None


def _summary(path: Path) -> Summary | None:
    first, title, count = None, "", 0
    for row in rows(path):
        if first is None:
            first = row
        if row.get("type") == "message":
            count += 1
            if not title and row["message"]["role"] == "user":
                title = " ".join(load(row["message"]).text.split())[:72]
    if first is None or first.get("type") != "session":
        return None
    return Summary(path.stem, first.get("cwd", ""), first.get("at", 0.0), title, count)


async def recorded(
    events: AsyncGenerator[Event, None], transcript: Transcript, history: list[Message]
) -> AsyncGenerator[Event, None]:
    """The same events, written down before they are passed on; an interrupt writes what the loop added last."""
    try:
        async with aclosing(events):
            async for event in events:
                transcript.record(event, history)
                yield event
    finally:
        transcript.sync(history)
