"""One session's audit log: every decision before anything runs, every effect after it.

What is safe when: a row is handed to the system before `decided` returns, so neither a crash of Ralph nor `kill -9`
loses it. A decision a person took is on the disk before the call runs. Other decisions that allow an effect, and the
effects, are brought to the disk by a second thread at once (a disk may need 4 ms, a tool round should not); only a
power cut within these milliseconds can lose them, and the chain then shows a clean end.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ralph.audit.chain import Chain, Head
from ralph.audit.disk import Disk
from ralph.audit.index import Ending, held
from ralph.core.gate import Answer, Judgement
from ralph.core.messages import ToolCall, ToolResult

LONGEST = 1_000
"""Characters kept of one argument; the digest is over all of it."""
LARGEST = 8 * 1024 * 1024
"""Bytes of a file that are hashed; of a larger one the size is recorded."""
_CHANGES = frozenset({"writes", "deletes"})


class AuditLog:
    """A Witness. The file `<home>/audit/<session_id>.jsonl` appears with the first decision.

    redact: takes secrets out of a text. clock: seconds since the epoch. about: JSON-able facts for the first row
    (version, directory, parent agent). sandbox: the state of the sandbox, for every decision. Methods raise StoreError.
    """

    def __init__(
        self, home: Path, session_id: str, *, redact: Callable[[str], str], clock: Callable[[], float] = time.time,
        about: Mapping[str, Any] | None = None, sandbox: str = "",
    ) -> None:  # fmt: skip
        self._folder, self._session = home / "audit", session_id
        self._redact, self._clock = redact, clock
        self._about, self._sandbox = dict(about or {}), sandbox
        self._chain: Chain | None = None
        self._disk: Disk | None = None
        self._changing: dict[str, tuple[str, ...]] = {}

    def decided(self, call: ToolCall, judgement: Judgement, answer: Answer) -> None:
        row = {
            "effects": [[effect.kind, effect.target] for effect in judgement.effects],
            "verdict": judgement.verdict, "dangerous": judgement.dangerous,
            "rule": {"name": judgement.rule.name, "text": judgement.rule.text, "where": judgement.rule.where},
            "checks": [list(check) for check in judgement.checks],
            "allowed": answer.allowed, "by": answer.by, "reason": answer.reason,
            "error": answer.error or judgement.error, "remember": answer.remember, "sandbox": self._sandbox,
        }  # fmt: skip
        if answer.allowed and (changed := _changed(judgement)):
            self._changing[call.id] = changed
        sync = not answer.allowed or not judgement.read_only
        self._add(self._asked("decided", call, row), wait=judgement.verdict == "ask", sync=sync)

    def refused(self, call: ToolCall, error: str, message: str) -> None:
        self._changing.pop(call.id, None)
        row = {"allowed": False, "by": "gate", "error": error, "reason": message}
        self._add(self._asked("refused", call, row), sync=True)

    def starting(self, call: ToolCall) -> None:
        """A row for a call that changes files: what they are just before it."""
        if changed := self._changing.get(call.id):
            before = {path: fingerprint(path) for path in changed}
            self._add({"event": "started", "call": call.id, "tool": call.name, "before": before}, sync=True)

    def performed(self, call: ToolCall, result: ToolResult, seconds: float) -> None:
        row: dict[str, Any] = {
            "event": "performed", "call": call.id, "tool": call.name, "is_error": result.is_error,
            "result_sha256": _sha256(result.text.encode("utf-8", "surrogatepass")), "result_chars": len(result.text),
            "seconds": round(seconds, 4),
        }  # fmt: skip
        changed = self._changing.pop(call.id, ())
        if changed:
            row["after"] = {path: fingerprint(path) for path in changed}
        self._add(row, sync=bool(changed))

    def close(self) -> None:
        """Write the last row and leave its hash in the index. Nothing when nothing was decided."""
        if self._chain is None or self._disk is None:
            return
        chain, self._chain = self._chain, None
        try:
            self._disk.close()
            chain.add({"event": "closed", "at": self._now()})
            chain.sync()
            with held(self._folder) as index:
                index.note(Ending(self._session, chain.head, closed=True))
        finally:
            chain.close()

    def _asked(self, event: str, call: ToolCall, row: dict[str, Any]) -> dict[str, Any]:
        """With the call before it. Long arguments are cut; the digest is over all of them, without secrets."""
        args = _each(dict(call.args), self._redact)
        whole = json.dumps(args, sort_keys=True, ensure_ascii=False, default=str)
        named = {"event": event, "call": call.id, "tool": call.name, "args": _each(args, _clipped)}
        digest = _sha256(whole.encode("utf-8", "surrogatepass"))
        return {**self._clean({**named, **row}), "args_sha256": digest}

    def _add(self, row: Mapping[str, Any], *, wait: bool = False, sync: bool = False) -> None:
        if self._chain is None or self._disk is None:
            self._chain = self._open()
            self._disk = Disk(self._chain)
        self._disk.check()
        self._chain.add({"event": row["event"], "at": self._now(), **row})
        if wait:
            self._chain.sync()
        elif sync:
            self._disk.sync_soon()

    def _open(self) -> Chain:
        """The file, with a row (the first, or one for going on) that anchors what is known of all other sessions."""
        with held(self._folder) as index:
            anchors = index.catch_up()
            known = index.head
            index.note(Ending(self._session, Head()))  # announced first: a log nobody knows of is never there
            chain = Chain(self._folder / f"{self._session}.jsonl")
            try:
                chain.add({
                    "event": "opened", "at": self._now(), "session": self._session, "about": self._clean(self._about),
                    "index": list(known), "anchors": {ending.session: list(ending.head) for ending in anchors},
                })  # fmt: skip
                index.note(Ending(self._session, chain.head))
                chain.sync()
                index.sync()
            except BaseException:
                chain.close()
                raise
        return chain

    def _now(self) -> float:
        return round(self._clock(), 3)

    def _clean(self, row: dict[str, Any]) -> dict[str, Any]:
        """Without secrets, wherever in the row they stand."""
        text = json.dumps(row, ensure_ascii=False, default=str)
        if self._redact(text) == text:
            return row
        cleaned: dict[str, Any] = _each(row, self._redact)
        return cleaned


def fingerprint(path: str) -> dict[str, Any] | None:
    """`sha256` and `size` (bytes) of a regular file; None when there is none, `unread` with the reason when not."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        return {"unread": error.strerror}
    with os.fdopen(fd, "rb") as file:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            return {"unread": "not a regular file"}
        if found.st_size > LARGEST:
            return {"size": found.st_size, "unread": "too large"}
        data = file.read()
        return {"sha256": _sha256(data), "size": len(data)}


def _changed(judgement: Judgement) -> tuple[str, ...]:
    """The judged paths that the call writes or deletes."""
    targets = {effect.target for effect in judgement.effects if effect.kind in _CHANGES}
    paths = (judged.resolved for judged in judgement.judged.values())
    return tuple(dict.fromkeys(path for path in paths if path in targets))


def _each(value: Any, change: Callable[[str], str]) -> Any:
    """`value` with every string in it, names too, changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {change(str(name)): _each(item, change) for name, item in value.items()}
    return [_each(item, change) for item in value] if isinstance(value, list | tuple) else value


def _clipped(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}[... {len(text):,} characters in all]"


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
