"""Secrets out of what the model says and what running tools print, before anything is kept or shown."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from ralph.core.events import Delta, Event, Reply, TextDelta, ThinkingDelta, ToolFinished, ToolOutput
from ralph.core.messages import Block, Message, Text, Thinking, ToolCall
from ralph.core.provider import Provider, Request
from ralph.policy.secrets import TAG, Redactor, Stream


class Guarded:
    """A provider whose answers hold no secret: neither the deltas nor the message that becomes history.

    A call with a known value among its arguments comes out with a `problem`, so the gate refuses it: what runs must be
    what was written, and what was written must not be kept.
    """

    def __init__(self, provider: Provider, redact: Redactor) -> None:
        self.provider, self._redact = provider, redact
        self.name, self.model = provider.name, provider.model

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        open_kind: type[TextDelta] | type[ThinkingDelta] = TextDelta
        held = self._redact.stream()
        async with aclosing(self.provider.stream(request)) as items:
            async for item in items:
                if not isinstance(item, open_kind):
                    if rest := held.finish():
                        yield open_kind(rest)
                    open_kind = ThinkingDelta if isinstance(item, ThinkingDelta) else TextDelta
                if isinstance(item, TextDelta | ThinkingDelta):
                    if shown := held.feed(item.text):
                        yield open_kind(shown)
                else:
                    yield replace(item, message=self._message(item.message)) if isinstance(item, Reply) else item

    async def close(self) -> None:
        await self.provider.close()

    def _message(self, message: Message) -> Message:
        return Message(message.role, tuple(map(self._block, message.blocks)))

    def _block(self, block: Block) -> Block:
        if isinstance(block, Text):
            return Text(self._redact(block.text))
        if isinstance(block, Thinking) and not block.signature:  # signed reasoning must go back as it came
            return replace(block, text=self._redact(block.text))
        if isinstance(block, ToolCall):
            written = json.dumps(dict(block.args), ensure_ascii=False, default=str)
            if name := self._redact.holds_known(written):
                problem = f"the arguments hold the secret {name}; refer to it by its variable instead"
                return replace(block, args=self._redact.data(dict(block.args)), problem=block.problem or problem)
        return block


async def redacted(events: AsyncGenerator[Event, None], redact: Redactor) -> AsyncGenerator[Event, None]:
    """The same events; the live output of each running tool without secrets, also without one cut in two."""
    streams: dict[str, Stream] = {}
    async with aclosing(events):
        async for event in events:
            if isinstance(event, ToolOutput):
                shown = streams.setdefault(event.call_id, redact.stream()).feed(event.text)
                if shown:
                    yield ToolOutput(event.call_id, shown)
                continue
            if isinstance(event, ToolFinished) and (stream := streams.pop(event.call.id, None)) and (
                rest := stream.finish()
            ):
                yield ToolOutput(event.call.id, rest)
            yield event


def tag_in(call: ToolCall) -> str:
    """A redaction tag among a call's arguments, or "". Writing one down would overwrite the secret it stands for."""
    found = TAG.search(json.dumps(dict(call.args), ensure_ascii=False, default=str))
    return found[0] if found else ""
