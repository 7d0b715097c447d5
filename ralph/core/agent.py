"""The loop: prompt, reply, tools, reply, until the model has nothing more to do."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from ralph.core.events import Event, Reply, TextDelta, ToolFinished, TurnFinished, TurnStarted
from ralph.core.gate import Refusal
from ralph.core.messages import Block, Message, Text, ToolCall, ToolResult
from ralph.core.provider import Provider, Request
from ralph.core.runner import Runner, interrupted
from ralph.errors import ProviderError

Prepare = Callable[[list[Message]], Awaitable[Request]]

CUT = "\n\n[cut off here]"
REPEATS = 5
"""The same call with the same result this often among the last 20 ends the turn: the model is going in circles."""


class Agent:
    """History is the record and only grows; `prepare` makes the view of it that is sent.

    Consume `turn` under `contextlib.aclosing`: closing it early is the interrupt, and leaves every call answered.
    """

    def __init__(
        self, provider: Provider, prepare: Prepare, runner: Runner, *,
        max_steps: int = 50, history: list[Message] | None = None,
    ) -> None:  # fmt: skip
        self.provider, self._prepare, self._runner = provider, prepare, runner
        self._max_steps = max_steps
        self.history: list[Message] = history if history is not None else []

    async def turn(self, prompt: str, attached: tuple[Block, ...] = ()) -> AsyncGenerator[Event, None]:
        self.history.append(Message("user", (*attached, Text(prompt))))
        yield TurnStarted(prompt)
        recent: deque[str] = deque(maxlen=20)
        for _ in range(self._max_steps):
            reply: Reply | None = None
            async with aclosing(self._listen()) as events:
                async for event in events:
                    reply = event if isinstance(event, Reply) else reply
                    yield event
            if reply is None:
                raise ProviderError("the model's stream ended without an answer", kind="broken", hint="try again")
            calls = reply.message.calls
            if not calls:
                yield TurnFinished("done", reply.message.text)
                return
            stopped = False
            async with aclosing(self._answer(calls, recent)) as events:
                async for outcome in events:
                    if isinstance(outcome, Refusal):
                        stopped = True
                    else:
                        yield outcome
            if stopped or recent.count(recent[-1]) >= REPEATS:
                yield TurnFinished("stopped" if stopped else "repetition", reply.message.text)
                return
        yield TurnFinished("max_steps")

    async def _listen(self) -> AsyncGenerator[Event, None]:
        """One request and its reply. What was heard of an answer that is cut off stays in the history, marked."""
        request = await self._prepare(self.history)
        for notice in request.notices:
            yield notice
        heard: list[str] = []
        whole = False
        try:
            async with aclosing(self.provider.stream(request)) as stream:
                async for item in stream:
                    if isinstance(item, TextDelta):
                        heard.append(item.text)
                    elif isinstance(item, Reply):
                        self.history.append(item.message)
                        whole = True
                    yield item
        finally:
            if heard and not whole:
                self.history.append(Message("assistant", (Text("".join(heard) + CUT),)))

    async def _answer(self, calls: tuple[ToolCall, ...], recent: deque[str]) -> AsyncGenerator[Event | Refusal, None]:
        """Run the calls; every one gets its result in the history, in call order, whatever interrupts."""
        results: dict[str, ToolResult] = {}
        try:
            async with aclosing(self._runner.run(calls)) as events:
                async for event in events:
                    if isinstance(event, ToolFinished):
                        results[event.call.id] = event.result
                        recent.append(_fingerprint(event))
                    yield event
        finally:
            answered = tuple(results.get(call.id) or interrupted(call) for call in calls)
            self.history.append(Message("tool", answered))


def _fingerprint(event: ToolFinished) -> str:
    result = re.sub(r'"execution_time": ?[\d.]+', "", event.result.text)
    return json.dumps([event.call.name, dict(event.call.args), result], sort_keys=True, default=str)
