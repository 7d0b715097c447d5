"""The `--json` face: a compact JSON object per line, schema `ralph.events/1` (events.schema.json, beside this file)."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TextIO

from ralph.core.events import (
    Compacted,
    Event,
    Notice,
    Recalled,
    Reply,
    Retrying,
    TextDelta,
    ToolFinished,
    ToolStarted,
    TurnFinished,
    TurnStarted,
)
from ralph.core.messages import Text, Thinking, ToolCall, Usage
from ralph.errors import RalphError
from ralph.ui.plain import put

SCHEMA = "ralph.events/1"


class JsonLines:
    """Writes `init`, then a line for each event worth one, then `result`. Totals are over everything shown."""

    def __init__(self, out: TextIO, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._out, self._clock, self._started = out, clock, clock()
        self._usage, self._cost, self._unpriced = Usage(), 0.0, False
        self._turns = 0
        self._heard: list[str] = []
        self._answer, self._reason = "", ""
        self._rules: dict[str, str] = {}
        self._denials: list[dict[str, str]] = []

    def init(
        self, *, version: str, session_id: str, model: str, tools: Iterable[str],
        mcp_servers: Iterable[Mapping[str, Any]] = (), cwd: str, gate: Mapping[str, Any], sandbox: Mapping[str, Any],
    ) -> None:  # fmt: skip
        """The first line. `mcp_servers`: rows with name, status and, when it failed, error."""
        self._system(
            "init", schema=SCHEMA, version=version, session_id=session_id, model=model, tools=list(tools),
            mcp_servers=[dict(server) for server in mcp_servers], cwd=cwd, gate=dict(gate), sandbox=dict(sandbox),
        )  # fmt: skip

    def show(self, event: Event) -> None:
        match event:
            case TurnStarted():
                self._heard, self._answer, self._reason = [], "", ""
            case TextDelta(text):
                self._heard.append(text)
            case Reply():
                self._reply(event)
            case ToolStarted(call, rule):
                self._rules[call.id] = rule
            case ToolFinished():
                self._finished(event)
            case TurnFinished(reason, text):
                self._reason, self._answer = reason, text or self._answer
            case Retrying(attempt, wait, why):
                self._system("retry", attempt=attempt, wait_s=wait, reason=why)
            case Notice(text, topic, kind):
                self._system("notice", message=text, topic=topic, kind=kind)
            case Recalled(items):
                self._system("recalled", items=list(items))
            case Compacted(messages, before, after):
                self._system("compacted", messages=messages, tokens_before=before, tokens_after=after)
            case _:
                pass  # deltas of thoughts and pieces of output arrive whole in the lines above

    def result(self, *, exit_code: int, error: RalphError | None = None, subtype: str = "") -> None:
        """The last line, always written, also after an error or Ctrl+C. `result` is what was heard of the answer."""
        described = None
        if error is not None:
            described = {"code": error.code, "message": error.message, "hint": error.hint}
        self._line({
            "type": "result", "ok": exit_code == 0, "subtype": subtype or self._outcome(exit_code, error),
            "result": "".join(self._heard) or self._answer, "error": described,
            "usage": _usage(self._usage), "cost_usd": None if self._unpriced else round(self._cost, 6),
            "turns": self._turns, "duration_ms": round((self._clock() - self._started) * 1000),
            "denials": self._denials, "exit_code": exit_code,
        })  # fmt: skip

    def _outcome(self, exit_code: int, error: RalphError | None) -> str:
        if error is not None:
            return error.code
        if exit_code == 4:
            return "denied"
        return "success" if self._reason in ("", "done") and exit_code == 0 else self._reason or "error"

    def _reply(self, reply: Reply) -> None:
        self._turns += 1
        self._usage += reply.usage
        self._cost += reply.cost_usd or 0.0
        self._unpriced = self._unpriced or reply.cost_usd is None
        self._heard, self._answer = [], reply.message.text
        content = [_block(block) for block in reply.message.blocks if isinstance(block, Text | Thinking | ToolCall)]
        message = {"content": content, "usage": _usage(reply.usage)}
        self._line({
            "type": "assistant", "message": message, "model": reply.model, "stop_reason": reply.stop,
            "cost_usd": reply.cost_usd,
        })  # fmt: skip

    def _finished(self, event: ToolFinished) -> None:
        result = event.result
        if event.refusal:
            message = result.text if result.display is None else result.display
            self._denials.append({"tool": event.call.name, "error": event.refusal, "message": message})
        block = {
            "type": "tool_result", "tool_use_id": result.call_id, "content": result.text, "is_error": result.is_error
        }  # fmt: skip
        self._line({
            "type": "user", "message": {"content": [block]}, "tool": event.call.name,
            "seconds": round(event.seconds, 4), "rule": self._rules.pop(event.call.id, ""), "refusal": event.refusal,
        })  # fmt: skip

    def _system(self, subtype: str, **fields: Any) -> None:
        self._line({"type": "system", "subtype": subtype, **fields})

    def _line(self, value: dict[str, Any]) -> None:
        put(self._out, encoded(value) + "\n")


def encoded(value: Any) -> str:
    """Strict JSON in ASCII, so that no locale, line splitter or parser trips: numbers finite, surrogates paired."""
    try:
        line = json.dumps(value, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError):
        return json.dumps(_jsonable(value), separators=(",", ":"))
    if "\\ud" in line:  # a pair, half of one, or a harmless backslash
        return json.dumps(_jsonable(value), separators=(",", ":"))
    return line


def _jsonable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, Mapping):
        return {_jsonable(str(key)): _jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, int | float) else _jsonable(str(value))


def _usage(usage: Usage) -> dict[str, int | None]:
    return {
        "input_tokens": usage.input, "output_tokens": usage.output,
        "cache_read_tokens": usage.cache_read, "cache_write_tokens": usage.cache_write,
    }  # fmt: skip


def _block(block: Text | Thinking | ToolCall) -> dict[str, Any]:
    if isinstance(block, Text):
        return {"type": "text", "text": block.text}
    if isinstance(block, Thinking):
        return {"type": "thinking", "thinking": block.text}
    return {"type": "tool_use", "id": block.id, "name": block.name, "input": dict(block.args)}
