"""`--debug` tells what was sent and how long it took, and changes nothing."""

import asyncio
from itertools import count

from ralph.core.events import Notice
from ralph.core.messages import Message, Text
from ralph.core.provider import Request
from ralph.providers.scripted import Scripted
from ralph.providers.traced import Traced


def test_the_answer_is_the_same_with_notices_around_it():
    def deltas(provider):
        async def main():
            request = Request(("be brief",), (Message("user", (Text("hi"),)),))
            return [delta async for delta in provider.stream(request)]

        return asyncio.run(main())

    script = [{"chunks": ["a", "b"], "usage": {"input": 7, "output": 2}}]
    clock = count()
    traced = deltas(Traced(Scripted(script), clock=lambda: next(clock)))
    notices = [delta.text for delta in traced if isinstance(delta, Notice)]
    assert [delta for delta in traced if not isinstance(delta, Notice)] == deltas(Scripted(script))
    assert notices == [
        "request 1 to scripted:scripted: 1 messages, 0 tools, 8 characters of instructions",
        "reply 1: first piece after 1000 ms, whole after 2000 ms, 7 tokens in (0 cached), 2 out, stop: end",
    ]
