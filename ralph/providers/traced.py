"""`--debug`: what was sent and how long it took, as notices beside the answer. Never what a key is."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from ralph.core.events import Delta, Notice, Reply
from ralph.core.provider import Provider, Request


class Traced:
    """A provider that tells on another. `clock` is monotonic, in seconds."""

    def __init__(self, provider: Provider, clock: Callable[[], float] = time.perf_counter) -> None:
        self._provider, self._clock = provider, clock
        self.name, self.model = provider.name, provider.model
        self._requests = 0

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        self._requests += 1
        chars = sum(map(len, request.system))
        what = f"{len(request.messages)} messages, {len(request.tools)} tools, {chars:,} characters of instructions"
        yield Notice(f"request {self._requests} to {self.name}:{self.model}: {what}", "debug")
        started, first = self._clock(), 0.0
        async with aclosing(self._provider.stream(request)) as deltas:
            async for delta in deltas:
                first = first or self._clock()
                if isinstance(delta, Reply):
                    yield self._told(delta, first - started, self._clock() - started)
                yield delta

    async def close(self) -> None:
        await self._provider.close()

    def _told(self, reply: Reply, first: float, whole: float) -> Notice:
        usage = reply.usage
        tokens = f"{usage.input} tokens in ({usage.cache_read} cached), {usage.output} out"
        times = f"first piece after {first * 1000:.0f} ms, whole after {whole * 1000:.0f} ms"
        return Notice(f"reply {self._requests}: {times}, {tokens}, stop: {reply.stop}", "debug")
