"""Ralph's providers against a real llama.cpp server, over real HTTP, in all three formats."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from ralph.core.agent import Agent
from ralph.core.events import Reply, TextDelta, ToolFinished, TurnFinished
from ralph.core.gate import Answer, Gate
from ralph.core.messages import Message, Text
from ralph.core.provider import Provider, Request
from ralph.core.runner import Runner
from ralph.core.tools import Toolbox
from ralph.errors import ProviderError
from ralph.net import Http
from ralph.providers import create
from ralph.providers.wire import ProviderSettings
from tests.helpers import Answers, Record, TestPolicy, collect, tool

pytestmark = pytest.mark.timeout(600)  # the first one on a machine installs the counterparts
KINDS = pytest.mark.parametrize("kind", ["openai", "responses", "anthropic"])
SENTENCE = "done all good tests pass."


async def with_provider(kind, url, use, **settings):
    """`await use(provider)`, its connection closed afterwards."""
    http = Http()
    try:
        return await use(create(kind, ProviderSettings(model="table", api_url=url, **settings), http))
    finally:
        await http.close()


async def hear(provider: Provider, prompt: str = "hi") -> list[object]:
    request = Request(("You are Ralph.",), (Message("user", (Text(prompt),)),))
    return [event async for event in provider.stream(request)]


@KINDS
def test_two_turns_with_a_tool_call_between(llama_server, kind, tmp_path):
    performed, questions = [], Answers(Answer(True))

    def list_dir(args, context):
        performed.append(dict(args))
        return "a.txt\nb \u00fc \U0001f600.txt"

    box = Toolbox([
        tool("list_dir", list_dir, {"path": {"type": "string"}, "deep": {"type": "boolean"}}),
        tool("read_file", lambda args, context: "", {"path": {"type": "string"}}),
    ])  # fmt: skip
    gate = Gate(box, TestPolicy({"list_dir": "ask"}), questions, Record())

    async def prepare(history: list[Message]) -> Request:
        return Request(("You are Ralph.", "Today is Monday."), tuple(history), box.specs)

    async def run(provider: Provider) -> tuple[list[object], list[Message]]:
        agent = Agent(provider, prepare, Runner(gate, cwd=tmp_path, scratch=tmp_path, env={}), max_steps=4)
        events = await collect(agent, "What is here?")
        return [*events, *await collect(agent, "And now?")], agent.history

    questions.answers.append(Answer(True))
    events, history = asyncio.run(with_provider(kind, llama_server, run))
    assert questions.asked == ["list_dir"] * 2
    assert len(performed) == 2
    assert [event.reason for event in events if isinstance(event, TurnFinished)] == ["done", "done"]
    assert [event.text.strip() for event in events if isinstance(event, TurnFinished)] == [SENTENCE, SENTENCE]
    assert [message.role for message in history] == ["user", "assistant", "tool", "assistant"] * 2
    replies = [event for event in events if isinstance(event, Reply)]
    assert [reply.stop for reply in replies] == ["tool_use", "end"] * 2
    assert all(reply.usage.input > 10 and reply.usage.output > 5 for reply in replies)
    assert not [event for event in events if isinstance(event, ToolFinished) and event.result.is_error]
    shown = "".join(event.text for event in events if isinstance(event, TextDelta))
    assert shown.replace(" ", "") == SENTENCE.replace(" ", "") * 2


@KINDS
def test_a_conversation_that_is_too_long(llama_server, kind):
    with pytest.raises(ProviderError) as caught:
        asyncio.run(with_provider(kind, llama_server, lambda provider: hear(provider, "x" * 40_000)))
    assert caught.value.kind == "too_long"
    assert caught.value.exit_code == 5
    assert "exceeds the available context size" in str(caught.value)
    assert caught.value.hint


@KINDS
def test_noise_is_an_answer_like_any_other_and_ends_at_the_cap(noise_server, kind):
    events = asyncio.run(with_provider(kind, noise_server, hear, max_tokens=700, extra={"temperature": 1.0}))
    *deltas, reply = events
    assert isinstance(reply, Reply)
    assert reply.stop == ("end" if kind == "responses" else "max_tokens")  # that is what the server says
    assert reply.usage.output == 700
    assert len(reply.message.text) > 100
    assert not reply.message.calls
    assert "".join(delta.text for delta in deltas if isinstance(delta, TextDelta)) == reply.message.text
    json.dumps(reply.message.text, ensure_ascii=False).encode()  # no lone surrogate anywhere


@KINDS
def test_an_endless_answer_can_be_left_at_any_time(noise_server, kind):
    """The server goes on to its context's end; who stops listening is free at once and can ask again."""

    async def run(provider: Provider) -> int:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.25):
                    await hear(provider)
        seen = 0
        stream = provider.stream(Request((), (Message("user", (Text("hi"),)),)))
        async for _ in stream:
            seen += 1
            if seen == 5:
                break
        await stream.aclose()
        return seen

    assert asyncio.run(with_provider(kind, noise_server, run, max_tokens=30_000)) == 5


def test_the_wrong_address_says_what_to_do(llama_server):
    with pytest.raises(ProviderError) as caught:
        asyncio.run(with_provider("openai", f"{llama_server}/nowhere", hear))
    assert caught.value.kind == "not_found"
    assert "api_url" in str(caught.value)


def test_the_model_is_the_same_every_time(counterpart_python, tmp_path: Path):
    from tests.counterparts.fixtures import make_model

    first, second = (make_model(tmp_path / name, counterpart_python) for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()
