"""Fold the pieces of a streamed answer into one Message; shared by every provider's decoder."""

from __future__ import annotations

import json
import secrets
from collections.abc import Hashable
from typing import Any

from ralph.core.events import Reply, TextDelta, ThinkingDelta
from ralph.core.messages import Block, Message, Text, Thinking, ToolCall, Usage


class _Run:
    """A block still growing. `kind`: text, thinking or call."""

    __slots__ = ("id", "kind", "name", "pieces", "redacted", "signature")

    def __init__(self, kind: str, *, id: str = "", name: str = "") -> None:
        self.kind, self.id, self.name = kind, id, name
        self.pieces: list[str] = []
        self.signature = ""
        self.redacted = False


class Assembler:
    """Feed it with `text`, `thinking`, `sign`, `call`; `drain` gives what to show, `reply` the whole.

    `key` tells the calls of one answer apart: an index or an id, whatever the wire uses. Pieces of several calls may
    arrive interleaved. `finished` is set by the decoder when the wire said the answer is complete.
    """

    def __init__(self, vendor: str) -> None:
        self.vendor = vendor
        self.usage = Usage()
        self.model = ""
        self.stop = ""
        self.finished = False
        self._runs: list[_Run] = []
        self._calls: dict[Hashable, _Run] = {}
        self._shown: list[TextDelta | ThinkingDelta] = []
        self._fresh: list[str] = []
        self._fresh_kind = ""

    def text(self, chunk: str) -> None:
        self._grow("text", chunk)

    def thinking(self, chunk: str) -> None:
        self._grow("thinking", chunk)

    def sign(self, signature: str, *, redacted: bool = False) -> None:
        """The signature of the current thinking block, or a whole hidden one when `redacted`."""
        if redacted or not self._runs or self._runs[-1].kind != "thinking":
            self._runs.append(_Run("thinking"))
        self._runs[-1].signature += signature
        self._runs[-1].redacted = redacted

    def split(self) -> None:
        """The next piece of text or thinking starts a block of its own."""
        if self._runs:
            self._runs.append(_Run("split"))

    def call(self, key: Hashable, *, id: str = "", name: str = "", args: str = "") -> None:
        run = self._calls.get(key)
        if run is None:
            run = self._calls[key] = _Run("call")
            self._runs.append(run)
        run.id = run.id or id
        run.name = run.name or name
        if args:
            run.pieces.append(args)

    def drain(self) -> list[TextDelta | ThinkingDelta]:
        """What arrived since the last drain, neighbours of one kind joined: one event, one write per network read."""
        self._flush()
        shown, self._shown = self._shown, []
        return shown

    def reply(self, *, cost_usd: float | None = None) -> Reply:
        ids: set[str] = set()
        for run in self._runs:  # servers repeat ids or leave them out; results are matched by them
            if run.kind == "call" and (not run.id or run.id in ids):
                run.id = f"call_{secrets.token_hex(6)}"
            ids.add(run.id)
        blocks = tuple(block for run in self._runs if (block := self._block(run)) is not None)
        has_calls = any(isinstance(block, ToolCall) for block in blocks)
        stop = "tool_use" if has_calls and self.stop != "max_tokens" else self.stop or "end"
        return Reply(Message("assistant", blocks), self.usage, self.model, stop, cost_usd)

    def _grow(self, kind: str, chunk: str) -> None:
        if not chunk:
            return
        if not self._runs or self._runs[-1].kind != kind or (kind == "thinking" and self._runs[-1].signature):
            self._runs.append(_Run(kind))
        self._runs[-1].pieces.append(chunk)
        if kind != self._fresh_kind:
            self._flush()
            self._fresh_kind = kind
        self._fresh.append(chunk)

    def _flush(self) -> None:
        if self._fresh:
            joined = "".join(self._fresh)
            self._shown.append(TextDelta(joined) if self._fresh_kind == "text" else ThinkingDelta(joined))
            self._fresh.clear()

    def _block(self, run: _Run) -> Block | None:
        body = "".join(run.pieces)
        if run.kind == "text":
            return Text(body)
        if run.kind == "thinking":
            return Thinking(body, run.signature, self.vendor if run.signature else "", run.redacted)
        if run.kind == "call":
            args, problem = parse_args(body)
            if not run.name:
                problem = "the call names no tool"
            return ToolCall(run.id, run.name, args, problem)
        return None


def parse_args(text: str) -> tuple[dict[str, Any], str]:
    """The arguments of a call from their JSON text, or an empty object and what is wrong with them."""
    if not text.strip():
        return {}, ""
    try:
        args = json.loads(text)
    except (ValueError, RecursionError) as error:
        return {}, f"the arguments are not valid JSON ({error}): {text[:200]!r}"
    if not isinstance(args, dict):
        return {}, f"the arguments must be a JSON object, not {text[:80]!r}"
    return args, ""
