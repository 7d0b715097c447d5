from __future__ import annotations

import asyncio
import json
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ralph.core.events import Reply, TextDelta, ThinkingDelta
from ralph.core.messages import Image, Message, Text, Thinking, ToolCall, ToolResult, Usage
from ralph.core.provider import Request
from ralph.core.tools import ToolSpec
from ralph.errors import ProviderError
from ralph.net import EventReader, Http
from ralph.providers import models
from ralph.providers.anthropic import Encoder, MessagesDecoder, create, endpoint
from ralph.providers.wire import ProviderSettings, explain

DATA = Path(__file__).parent.parent / "data" / "anthropic"
CACHED = {"type": "ephemeral"}
ADAPTIVE = {"type": "adaptive", "display": "summarized"}


def decode(stream: bytes, size: int | None = None) -> MessagesDecoder:
    decoder = MessagesDecoder("A", lambda status, body: explain(status, body, name="A", model="m", key_name="K"))
    reader = EventReader()
    pieces = [stream] if size is None else [stream[n : n + size] for n in range(0, len(stream), size)]
    for piece in pieces:
        for event, data in reader.feed(piece):
            decoder.feed(event, data)
    return decoder


def recorded(name: str) -> bytes:
    return (DATA / f"{name}.sse").read_bytes()


ANSWERS = {
    "text": Reply(
        Message("assistant", (Text("Grüße\u2028, 世界!"),)), Usage(25, 15), "claude-sonnet-4-5-20250929", "end"),
    "thinking_and_tools": Reply(
        Message("assistant", (
            Thinking("Let me look.", "EqQBsig1", "anthropic"), Thinking("", "EmwKhidden", "anthropic", True),
            Text("I will read both."), ToolCall("toolu_1", "read_file", {"path": "a.py"}),
            ToolCall("toolu_2", "list_dir"),
        )), Usage(3210, 89, 3000, 200), "claude-sonnet-4-5-20250929", "tool_use"),
    "signature_only": Reply(
        Message("assistant", (
            Thinking("", "one", "anthropic"), Thinking("", "two", "anthropic"), Text("a"), Text("b"),
        )), Usage(25, 15), "claude-sonnet-4-5-20250929", "end"),
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("size", [None, 1, 7, 64])
def test_recorded_answers(name, size):
    decoder = decode(recorded(name), size)
    assert decoder.assembler.finished
    assert decoder.assembler.reply() == ANSWERS[name]


def test_deltas_come_in_order_and_joined():
    deltas = decode(recorded("thinking_and_tools")).assembler.drain()
    assert deltas == [ThinkingDelta("Let me look."), TextDelta("I will read both.")]


def test_a_call_cut_off_by_the_limit_is_marked_and_never_complete():
    reply = decode(recorded("cut_call")).assembler.reply()
    assert reply.stop == "max_tokens"
    assert reply.message.calls[0].args == {}
    assert "not valid JSON" in reply.message.calls[0].problem


def test_inputs_given_whole_ids_missing_or_twice():
    reply = decode(recorded("whole_inputs")).assembler.reply()
    assert [(call.name, call.args, call.problem) for call in reply.message.calls] == [
        ("a", {"x": 1}, ""), ("b", {"x": 3}, ""), ("c", {"y": []}, ""),
    ]  # fmt: skip
    assert len({call.id for call in reply.message.calls} - {""}) == 3
    assert reply.usage == Usage(9, 15)


@pytest.mark.parametrize("size", [None, 1])
def test_an_error_event_is_an_error_after_what_came(size):
    with pytest.raises(ProviderError, match="Overloaded") as caught:
        decode(recorded("overloaded"), size)
    assert (caught.value.kind, caught.value.exit_code) == ("overloaded", 75)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("rate_limit_error", "limit"), ("authentication_error", "auth"), ("permission_error", "auth"),
     ("api_error", "overloaded"),
     ("invalid_request_error", "bad_request"), ("request_too_large", "too_long"), ("not_found_error", "not_found"),
     ("timeout_error", "network"), (None, "overloaded"), (["odd"], "overloaded")],
)  # fmt: skip
def test_error_kinds(kind, expected):
    body = json.dumps({"type": "error", "error": {"type": kind, "message": "m"}})
    with pytest.raises(ProviderError) as caught:
        decode(f"event: error\ndata: {body}\n\n".encode())
    assert caught.value.kind == expected


def test_a_stream_that_ends_early_is_not_finished():
    assert not decode(recorded("broken_off")).assembler.finished


def test_a_whole_answer_of_a_server_that_does_not_stream():
    body = {
        "type": "message", "model": "m", "stop_reason": "tool_use", "usage": {"input_tokens": 3, "output_tokens": 4},
        "content": [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "hi"},
                    {"type": "tool_use", "id": "t", "name": "n", "input": {"a": 1}}],
    }  # fmt: skip
    decoder = decode(b"")
    decoder.feed("json", json.dumps(body))
    assert decoder.assembler.finished
    assert decoder.assembler.reply() == Reply(
        Message("assistant", (Thinking("hm", "s", "anthropic"), Text("hi"), ToolCall("t", "n", {"a": 1}))),
        Usage(3, 4), "m", "tool_use",
    )  # fmt: skip


def test_a_whole_answer_that_is_none():
    with pytest.raises(ProviderError, match="no message"):
        decode(b"").feed("json", '{"hello": 1}')
    with pytest.raises(ProviderError, match="quota"):
        decode(b"").feed("json", '{"error": {"message": "quota"}}')


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["type", "delta", "index", "content_block", "usage", "text", "message"]), inner),
    max_leaves=8,
)  # fmt: skip
KINDS = st.sampled_from(["message_start", "content_block_start", "content_block_delta", "content_block_stop",
                         "message_delta", "message_stop", "error", "ping", "json"])  # fmt: skip


@settings(max_examples=200)
@given(st.lists(st.tuples(KINDS, st.dictionaries(
    st.sampled_from(["index", "delta", "content_block", "message", "usage"]), JSON)), max_size=6))  # fmt: skip
def test_a_hostile_server_causes_provider_errors_at_worst(events):
    decoder = decode(b"")
    try:
        for kind, body in events:
            decoder.feed(kind, json.dumps(body))
    except ProviderError:
        return
    decoder.assembler.reply()


@pytest.mark.parametrize("data", ["no json", "[1]", "", "[" * 100_000])
def test_data_that_is_no_object(data):
    with pytest.raises(ProviderError) as caught:
        decode(b"").feed("message", data)
    assert caught.value.kind == "broken"


# Encoding.


def encode(request: Request, *, model: str = "claude-sonnet-4-5", **options) -> dict:
    return json.loads(Encoder(ProviderSettings(model=model, **options), models.row(model))(request))


def asked(*messages: Message, **options) -> dict:
    return encode(Request((), messages), **options)


SHELL = ToolSpec("shell", "Run it.", {"type": "object", "properties": {"command": {"type": "string"}}}, "shell")


def test_a_request_has_its_parts_and_its_cache_marks():
    body = encode(Request(("static", "today"), (Message("user", (Text("hi"),)),), (SHELL, SHELL)))
    assert body == {
        "model": "claude-sonnet-4-5", "max_tokens": 32000, "stream": True,
        "tools": [
            {"name": "shell", "description": "Run it.", "input_schema": SHELL.parameters},
            {"name": "shell", "description": "Run it.", "input_schema": SHELL.parameters, "cache_control": CACHED},
        ],
        "system": [{"type": "text", "text": "static", "cache_control": CACHED}, {"type": "text", "text": "today"}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": CACHED}]}],
    }  # fmt: skip


def test_an_empty_request_has_no_empty_parts():
    assert set(asked(Message("user", (Text("hi"),)))) == {"model", "max_tokens", "stream", "messages"}


def test_results_join_what_the_person_says_next():
    messages = asked(
        Message("user", (Text("go"),)),
        Message("assistant", (Text("ok"), ToolCall("a", "shell", {"command": "ls"}), ToolCall("b", "shell"))),
        Message("tool", (ToolResult("a", "out"), ToolResult("b", " ", is_error=True))),
        Message("user", (Text("and now?"),)),
    )["messages"]  # fmt: skip
    assert [message["role"] for message in messages] == ["user", "assistant", "user"]
    assert messages[1]["content"] == [
        {"type": "text", "text": "ok"},
        {"type": "tool_use", "id": "a", "name": "shell", "input": {"command": "ls"}},
        {"type": "tool_use", "id": "b", "name": "shell", "input": {}},
    ]
    assert messages[2]["content"] == [
        {"type": "tool_result", "tool_use_id": "a", "content": "out"},
        {"type": "tool_result", "tool_use_id": "b", "is_error": True},
        {"type": "text", "text": "and now?", "cache_control": CACHED},
    ]


def test_thinking_goes_back_to_its_vendor_only():
    said = (
        Thinking("mine", "sig", "anthropic"), Thinking("", "data", "anthropic", True), Thinking("other", "x", "openai"),
        Thinking("unsigned"), Text("answer"),
    )  # fmt: skip
    content = asked(Message("user", (Text("q"),)), Message("assistant", said))["messages"][1]["content"]
    assert content == [
        {"type": "thinking", "thinking": "mine", "signature": "sig"}, {"type": "redacted_thinking", "data": "data"},
        {"type": "text", "text": "answer"},
    ]  # fmt: skip


def test_blank_text_and_empty_messages_are_left_out():
    messages = asked(
        Message("user", (Text("a"), Text(" \n"))), Message("assistant", (Text(""),)), Message("assistant", ()),
        Message("assistant", (Thinking("hm", "s", "anthropic"),)), Message("user", (Text("b"),)),
    )["messages"]  # fmt: skip
    assert len(messages) == 1
    assert [block["text"] for block in messages[0]["content"]] == ["a", "b"]


def test_images_and_names_made_up_by_a_model():
    messages = asked(
        Message("user", (Image("image/png", "QUJD"), Text("see"))),
        Message("assistant", (ToolCall("call:1/ü", "no such tool!", {}),)),
        Message("tool", (ToolResult("call:1/ü", "x"),)),
    )["messages"]  # fmt: skip
    source = {"type": "base64", "media_type": "image/png", "data": "QUJD"}
    assert messages[0]["content"][0] == {"type": "image", "source": source}
    call, result = messages[1]["content"][0], messages[2]["content"][0]
    assert (call["name"], call["id"]) == ("no_such_tool_", result["tool_use_id"])


def test_a_lone_surrogate_survives():
    assert asked(Message("user", (Text("a\ud800b"),)))["messages"][0]["content"][0]["text"] == "a\ud800b"


@pytest.mark.parametrize(
    ("model", "setting", "expected"),
    [
        ("claude-sonnet-4-5", None, {}), ("claude-sonnet-4-5", "off", {}),
        ("claude-sonnet-4-5", "low", {"thinking": {"type": "enabled", "budget_tokens": 4096}}),
        ("claude-sonnet-4-5", "90000", {"thinking": {"type": "enabled", "budget_tokens": 30976}}),
        ("claude-opus-4-7", "high", {"thinking": ADAPTIVE, "output_config": {"effort": "high"}}),
        ("claude-opus-4-7", "1024", {"thinking": ADAPTIVE, "output_config": {"effort": "low"}}),
    ],
)  # fmt: skip
def test_thinking_is_asked_for_as_the_model_wants_it(model, setting, expected):
    body = asked(Message("user", (Text("q"),)), model=model, thinking=setting)
    assert {key: body[key] for key in ("thinking", "output_config") if key in body} == expected


def test_limits_and_extra_fields():
    body = asked(Message("user", (Text("q"),)), max_tokens=100, thinking="high", extra={"top_k": 1})
    assert (body["max_tokens"], body["top_k"], "thinking" in body) == (100, 1, False)
    assert asked(Message("user", (Text("q"),)), model="unheard-of")["max_tokens"] == 8192


BLOCKS = st.one_of(
    st.builds(Text, st.text(max_size=3)), st.builds(Thinking, st.text(max_size=3), st.sampled_from(["", "s"]),
    st.sampled_from(["", "anthropic"])), st.builds(ToolCall, st.text(max_size=3), st.text(max_size=3)),
)  # fmt: skip
RESULTS = st.builds(ToolResult, st.text(max_size=3), st.text())
MESSAGES = st.one_of(
    st.builds(Message, st.just("assistant"), st.lists(BLOCKS, max_size=3).map(tuple)),
    st.builds(Message, st.just("user"), st.lists(st.builds(Text, st.text(max_size=3)), max_size=3).map(tuple)),
    st.builds(Message, st.just("tool"), st.lists(RESULTS, max_size=3).map(tuple)),
)


@settings(max_examples=150)
@given(st.lists(MESSAGES, max_size=8))
def test_any_history_alternates_and_has_at_most_four_marks(history):
    encoder = Encoder(ProviderSettings(model="claude-sonnet-4-5"), models.row("claude-sonnet-4-5"))
    request = Request(("s",), tuple(history), (SHELL,))
    text = encoder(request)
    assert encoder(request) == text  # from what was kept
    roles = [message["role"] for message in json.loads(text)["messages"]]
    assert all(a != b for a, b in pairwise(roles))
    assert text.count(b"cache_control") <= 4
    for message in json.loads(text)["messages"]:
        assert message["content"]
        assert not any(block["type"] == "text" and not block["text"].strip() for block in message["content"])
        assert not any("cache_control" in block for block in message["content"][:-1])


# The whole provider.


@pytest.mark.parametrize(
    "url", ["https://a.test", "https://a.test/", "https://a.test/v1", "https://a.test/v1/", "https://a.test/v1/messages"])
def test_any_spelling_of_the_address(url):
    assert endpoint(url) == "https://a.test/v1/messages"
    assert endpoint(f"{url}?x=1") == "https://a.test/v1/messages?x=1"


def test_a_conversation_over_http():
    requests = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, content=recorded("text"), headers={"content-type": "text/event-stream"})

    async def main():
        http = Http(transport=httpx.MockTransport(answer))
        provider = create(ProviderSettings(model="claude-sonnet-4-5", api_key=" sk-ant-1 \n"), http)
        items = [item async for item in provider.stream(Request((), (Message("user", (Text("hi"),)),)))]
        await provider.close()
        await http.close()
        return items

    *deltas, reply = asyncio.run(main())
    assert deltas == [TextDelta("Grüße\u2028, 世界!")]
    assert reply.cost_usd == pytest.approx((25 * 3 + 15 * 15) / 1e6)
    assert str(requests[0].url) == "https://api.anthropic.com/v1/messages"
    assert requests[0].headers["x-api-key"] == "sk-ant-1"
    assert requests[0].headers["anthropic-version"] == "2023-06-01"
