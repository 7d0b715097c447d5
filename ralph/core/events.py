"""What happened: facts in the past tense, JSON-able, one closed union. Screen, `--json` and session files only read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ralph.core.messages import Message, ToolCall, ToolResult, Usage


@dataclass(frozen=True, slots=True)
class TurnStarted:
    prompt: str


@dataclass(frozen=True, slots=True)
class TextDelta:
    text: str


@dataclass(frozen=True, slots=True)
class ThinkingDelta:
    text: str


@dataclass(frozen=True, slots=True)
class Reply:
    """One whole answer of the model, the last thing a provider's stream yields.

    `stop`: `end`, `tool_use`, `max_tokens`, `refusal` or the vendor's own word. `cost_usd` None: price unknown.
    """

    message: Message
    usage: Usage = field(default_factory=Usage)
    model: str = ""
    stop: str = "end"
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True)
class Retrying:
    """A request failed before its first byte and will be sent again after `wait_s` seconds."""

    attempt: int
    wait_s: float
    reason: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the person should know. `kind`: `info` or `warning`; `topic` is a stable word for scripts."""

    text: str
    topic: str = ""
    kind: str = "info"


@dataclass(frozen=True, slots=True)
class Recalled:
    """Memories and document pieces put before the model. `items`: JSON-able rows with id, score and source."""

    items: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Compacted:
    """The view of the history was shortened; the history itself was not. Token counts are estimates."""

    messages: int
    tokens_before: int
    tokens_after: int


@dataclass(frozen=True, slots=True)
class ToolRequested:
    call: ToolCall


@dataclass(frozen=True, slots=True)
class ToolStarted:
    """The call passed the gate. `rule` says which rule, grant or person let it through."""

    call: ToolCall
    rule: str


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """A piece of a running tool's output, for the person's eyes; the model gets the result."""

    call_id: str
    text: str


@dataclass(frozen=True, slots=True)
class ToolFinished:
    """`refusal` is the error name of a call that was not run (`operation_denied`, ...), else empty."""

    call: ToolCall
    result: ToolResult
    seconds: float = 0.0
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class TurnFinished:
    """`reason`: `done`, `max_steps`, `repetition` or `stopped` (the person said stop at a question)."""

    reason: str
    text: str = ""


Event = (
    TurnStarted | TextDelta | ThinkingDelta | Reply | Retrying | Notice | Recalled | Compacted
    | ToolRequested | ToolStarted | ToolOutput | ToolFinished | TurnFinished
)  # fmt: skip
Delta = TextDelta | ThinkingDelta | Retrying | Notice | Reply
