"""The `openai` and `anthropic` SDKs take what Ralph sends, and add the same bytes up to the same answer."""

from __future__ import annotations

import asyncio
import json
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from ralph.core.messages import Image, Message, Text, Thinking, ToolCall, ToolResult
from ralph.core.provider import Request
from ralph.core.tools import ToolSpec
from ralph.errors import ProviderError
from ralph.net import EventReader, Http
from ralph.providers import create
from ralph.providers.anthropic import MessagesDecoder
from ralph.providers.openai import ChatDecoder
from ralph.providers.responses import ResponsesDecoder
from ralph.providers.wire import ProviderSettings, explain

pytestmark = pytest.mark.timeout(600)  # the first one on a machine installs the counterparts
HERE = Path(__file__).parent
DATA = HERE.parent / "data"
Ask = Callable[..., dict[str, Any]]
EXPLAIN = partial(explain, name="Test", model="m-1", key_name="KEY")


@pytest.fixture(scope="module")
def ask(counterpart_python: Path) -> Iterator[Ask]:
    """`ask(kind=..., request=... | stream=...)`: what the SDK makes of it."""
    command = [counterpart_python, HERE / "ask_sdk.py"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as sdk:
        assert sdk.stdin is not None
        assert sdk.stdout is not None

        def run(**task: object) -> dict[str, Any]:
            sdk.stdin.write(json.dumps(task) + "\n")
            sdk.stdin.flush()
            return dict(json.loads(sdk.stdout.readline() ))

        yield run
        sdk.stdin.close()


# What is sent

SPECS = (
    ToolSpec("read_file", "Reads.", {"type": "object", "properties": {"path": {"type": "string"}},
                                     "required": ["path"], "additionalProperties": False}, "file_read"),
    ToolSpec("todo", "", {"type": "object", "properties": {"items": {"type": "array", "items": {"type": "object"}}}},
             "python"),
)  # fmt: skip
SIGNED = json.dumps({"type": "reasoning", "id": "rs_1", "encrypted_content": "gAAAA", "summary": []})
HISTORY = (
    Message("user", (Image("image/png", "iVBORw0KGgo="), Text("What is this?"))),
    Message("assistant", (
        Thinking("Hm", "EqQB", "anthropic"), Thinking("", "EmwK", "anthropic", redacted=True), Thinking("unsigned"),
        Thinking("", SIGNED, "responses"), Text("Let me see."),
        ToolCall("call_1", "read_file", {"path": "a \U0001f600"}),
        ToolCall("call_2", "no such tool!", {}, "the arguments are not JSON"),
    )),
    Message("tool", (ToolResult("call_1", ""), ToolResult("call_2", '{"error": "unknown_tool"}', is_error=True))),
    Message("assistant", (Text("Half an ans"),)),
    Message("user", (Text("go on"),)),
    Message("user", (Text("please"), Text("now"))),
)  # fmt: skip


def sent(kind: str, model: str, **settings: object) -> dict[str, Any]:
    """The body Ralph sends for HISTORY."""
    bodies: list[bytes] = []

    def serve(request: httpx.Request) -> httpx.Response:
        bodies.append(request.content)
        return httpx.Response(400, content=b"{}")

    async def run() -> None:
        http = Http(transport=httpx.MockTransport(serve))
        provider = create(kind, ProviderSettings(model=model, api_url=f"http://{kind}", **settings), http)
        with pytest.raises(ProviderError):
            async for _ in provider.stream(Request(("You are Ralph.", "Today is Monday."), HISTORY, SPECS)):
                pass
        await http.close()

    asyncio.run(run())
    return dict(json.loads(bodies[0]))


@pytest.mark.parametrize(
    ("kind", "model", "settings"),
    [
        ("openai", "some-local-model", {}),
        ("openai", "gpt-5-mini", {"max_tokens": 100, "thinking": "low"}),
        ("responses", "gpt-5-mini", {"max_tokens": 100, "thinking": "high"}),
        ("responses", "gpt-4.1", {}),
        ("anthropic", "claude-sonnet-4-5", {"thinking": "medium"}),
        ("anthropic", "claude-3-5-haiku-latest", {"max_tokens": 100}),
    ],
)
def test_the_sdks_types_take_what_is_sent(ask, kind, model, settings):
    body = sent(kind, model, **settings)
    assert len(body.get("messages") or body["input"]) >= 5
    assert ask(kind=kind, request=body) == {"differs": ""}


def test_the_check_can_fail(ask):
    body = sent("openai", "m")
    body["messages"][0]["rule"] = "x"
    assert "rule" in ask(kind="openai", request=body)["differs"]
    del body["messages"][0]["rule"], body["model"]
    assert "model" in ask(kind="openai", request=body)["differs"]


# What is received

STOPS = {
    "end": {"stop", "completed", "end_turn"},
    "tool_use": {"tool_calls", "completed", "tool_use"},
    "max_tokens": {"max_tokens"},
    "refusal": {"stop", "completed"},
}


def decoded(kind: str, stream: str) -> dict[str, Any]:
    decoder = {
        "openai": lambda: ChatDecoder(EXPLAIN), "responses": lambda: ResponsesDecoder(EXPLAIN),
        "anthropic": lambda: MessagesDecoder("Test", EXPLAIN),
    }[kind]()  # fmt: skip
    reader = EventReader()
    for event, data in [*reader.feed(stream.encode()), *reader.finish()]:
        decoder.feed(event, data)
    assert decoder.assembler.finished
    reply = decoder.assembler.reply()
    thoughts = [block.text for block in reply.message.blocks if isinstance(block, Thinking)]
    return {
        "text": reply.message.text,
        "thinking": "".join(thoughts),
        "calls": [[call.id, call.name, dict(call.args)] for call in reply.message.calls],
        "usage": [reply.usage.input, reply.usage.output],
        "stop": reply.stop,
    }


def assert_agreement(ask: Ask, kind: str, stream: str) -> None:
    ours, theirs = decoded(kind, stream), ask(kind=kind, stream=stream)
    assert theirs.pop("stop", theirs) in STOPS[ours.pop("stop")]
    assert ours == theirs


RECORDED = {  # what keeps to the formats as the SDKs know them
    "openai": [
        "official_text", "official_two_calls", "azure_filter_chunk_first", "deepseek_reasoning_content",
        "openrouter_reasoning", "think_tag_later", "calls_interleaved", "call_id_comes_later", "usage_in_every_chunk",
        "calls_whole_in_one_chunk_stop", "usage_absent", "finish_reason_without_done", "refusal", "crlf_lines",
    ],
    "responses": [
        "text", "two_calls", "calls_interleaved", "reasoning_then_call", "reasoning_twice_hidden", "reasoning_unsigned",
        "call_without_deltas", "call_in_done_item_only",
    ],
}  # fmt: skip


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in RECORDED.items() for name in names])
def test_recorded_streams_add_up_to_the_same(ask, kind, name):
    stream = (DATA / kind / f"{name}.sse").read_bytes().decode()
    if name == "calls_whole_in_one_chunk_stop":  # the SDK believes the stop, Ralph the calls
        stream = stream.replace('"finish_reason":"stop"', '"finish_reason":"tool_calls"')
    assert_agreement(ask, kind, stream)


@pytest.mark.parametrize("name", ["messages_thinking_and_calls", "messages_cut_at_limit"])
def test_recorded_messages_add_up_to_the_same(ask, name):
    assert_agreement(ask, "anthropic", (HERE / f"data/{name}.sse").read_text("utf-8"))


PLACES = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}
NOTHING: dict[str, Any] = {"type": "object", "properties": {}}
TOOLS = {
    "openai": {"type": "function", "function": {"name": "list_dir", "parameters": NOTHING}},
    "anthropic": {"name": "list_dir", "input_schema": NOTHING},
}


@pytest.mark.parametrize("kind", PLACES)
@pytest.mark.parametrize("tools", [True, False])
def test_what_a_real_server_streams_adds_up_to_the_same(ask, llama_server, kind, tools):
    """Not for `responses`: the server leaves `output_index` out, which that SDK cannot read and Ralph can."""
    body = {"model": "m", "stream": True, "max_tokens": 200, "messages": [{"role": "user", "content": "hi"}]}
    body |= {"tools": [TOOLS[kind]]} if tools else {}
    body |= {"stream_options": {"include_usage": True}} if kind == "openai" else {}
    request = urllib.request.Request(llama_server + PLACES[kind], json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=30) as answer:
        stream = answer.read().decode()
    assert bool(decoded(kind, stream)["calls"]) == tools
    assert_agreement(ask, kind, stream)
