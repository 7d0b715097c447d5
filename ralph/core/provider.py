"""Who answers: the one protocol every model, local or remote, real or scripted, is reached by."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ralph.core.events import Delta, Event
from ralph.core.messages import Message
from ralph.core.tools import ToolSpec


@dataclass(frozen=True, slots=True)
class Request:
    """What the model is shown. `system[0]` never changes within a session (prompt caches hold); later parts may.

    `notices` are events the loop shows before the request is sent.
    """

    system: tuple[str, ...]
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    notices: tuple[Event, ...] = ()
    output_schema: Mapping[str, Any] | None = None


class Provider(Protocol):
    """Yields deltas, then exactly one Reply, last. Raises ProviderError; never yields a half-parsed tool call."""

    name: str
    model: str

    def stream(self, request: Request) -> AsyncGenerator[Delta, None]: ...

    async def close(self) -> None: ...
