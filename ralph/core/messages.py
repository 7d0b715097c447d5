"""What was said: one neutral model of a conversation. Only a provider's encoder knows a vendor's shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class Thinking:
    """Reasoning. `signature` is opaque and is echoed back, untouched, only to the `vendor` that sent it.

    `redacted`: the vendor hid the text; `signature` then holds its whole encrypted payload.
    """

    text: str
    signature: str = ""
    vendor: str = ""
    redacted: bool = False


@dataclass(frozen=True, slots=True)
class Image:
    """`data` is base64 without line breaks; `media_type` as in RFC 6838, such as image/png."""

    media_type: str
    data: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """`args` is parsed once. `problem` says why they could not be parsed; such a call is refused, never run."""

    id: str
    name: str
    args: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """`text` is for the model, `display` for the person (None: show a summary of the text)."""

    call_id: str
    text: str
    is_error: bool = False
    display: str | None = None


Block = Text | Thinking | Image | ToolCall | ToolResult


@dataclass(frozen=True, slots=True)
class Message:
    role: Role
    blocks: tuple[Block, ...]

    @property
    def text(self) -> str:
        return "".join(block.text for block in self.blocks if isinstance(block, Text))

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        return tuple(block for block in self.blocks if isinstance(block, ToolCall))


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one request. `input` counts everything sent, cached parts included; None: the server did not say."""

    input: int | None = None
    output: int | None = None
    cache_read: int = 0
    cache_write: int = 0

    def __add__(self, other: Usage) -> Usage:
        def total(a: int | None, b: int | None) -> int | None:
            return b if a is None else a if b is None else a + b

        return Usage(
            total(self.input, other.input),
            total(self.output, other.output),
            self.cache_read + other.cache_read,
            self.cache_write + other.cache_write,
        )


_KINDS: dict[str, type[Block]] = {
    "text": Text, "thinking": Thinking, "image": Image, "tool_call": ToolCall, "tool_result": ToolResult,
}  # fmt: skip
_NAMES = {kind: name for name, kind in _KINDS.items()}


def dump(message: Message) -> dict[str, Any]:
    """JSON-able form, the one session files hold. `load(dump(m)) == m`."""
    blocks = []
    for block in message.blocks:
        fields = {name: getattr(block, name) for name in block.__dataclass_fields__}
        blocks.append({"type": _NAMES[type(block)], **fields})
    return {"role": message.role, "blocks": blocks}


def load(data: Mapping[str, Any]) -> Message:
    """Inverse of `dump`. Raises KeyError or TypeError on anything else."""
    blocks = []
    for item in data["blocks"]:
        fields = dict(item)
        blocks.append(_KINDS[fields.pop("type")](**fields))
    return Message(data["role"], tuple(blocks))
