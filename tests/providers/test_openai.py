from __future__ import annotations

import asyncio
import json
import re
from functools import partial
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralph.core.events import Reply, Retrying, TextDelta
from ralph.core.messages import Image, Message, Text, Thinking, ToolCall, ToolResult, Usage
from ralph.core.provider import Request
from ralph.core.tools import ToolSpec
from ralph.errors import ConfigError, ProviderError
from ralph.net import EventReader, Http, ServerEvent
from ralph.providers import openai
from ralph.providers.compatible import dialect_of, endpoint
from ralph.providers.openai import ChatDecoder, encode_message
from ralph.providers.wire import ProviderSettings, explain

DATA = Path(__file__).parent.parent / "data/openai"
EXPLAIN = partial(explain, name="Test", model="m-1", key_name="OPENAI_API_KEY")
TOOLS = ("read_file", "list_dir", "write_file", "shell")
A, B = {"path": "a"}, {"path": "b"}
USAGE = Usage(20, 5)


def decode(name: str, *, step: int = 0) -> ChatDecoder:
    """The recorded bytes through the event reader, whole or `step` bytes at a time, into a decoder."""
    decoder = ChatDecoder(EXPLAIN, TOOLS)
    data = (DATA / name).read_bytes()
    reader = EventReader()
    if name.endswith(".json"):
        batches = [[ServerEvent("json", data.decode())]]
    else:
        chunks = [data[at : at + step] for at in range(0, len(data), step)] if step else [data]
        batches = [*(reader.feed(chunk) for chunk in chunks), reader.finish()]
    for batch in batches:
        for event, text in batch:
            decoder.feed(event, text)
    return decoder


def summary(decoder: ChatDecoder) -> dict[str, object]:
    """What differs from a plain finished answer without text."""
    reply = decoder.assembler.reply()
    seen = {
        "text": reply.message.text,
        "thinking": "".join(block.text for block in reply.message.blocks if isinstance(block, Thinking)),
        "calls": [(call.name, dict(call.args)) for call in reply.message.calls],
        "ids": [call.id for call in reply.message.calls if not re.fullmatch("call_[0-9a-f]{12}", call.id)],
        "problem": "".join(call.problem for call in reply.message.calls)[:22],
        "usage": reply.usage,
        "stop": reply.stop,
    }
    plain = {"text": "", "thinking": "", "calls": [], "ids": [], "problem": "", "usage": Usage(), "stop": "end"}
    return {key: value for key, value in seen.items() if value != plain[key]}


def called(*calls: tuple[str, dict[str, object]], ids: str = "", **more: object) -> dict[str, object]:
    return {"calls": list(calls), "stop": "tool_use", **({"ids": ids.split()} if ids else {}), **more}


ANSWERS = {
    "official_text.sse": {"text": "Grüße 世界 \U0001f600\u2028end", "usage": Usage(20, 5, cache_read=16)},
    "official_two_calls.sse": called(("read_file", A), ("list_dir", {}), ids="call_a call_b", usage=USAGE),
    "azure_filter_chunk_first.sse": {"text": "hi"},
    "deepseek_reasoning_content.sse": {"thinking": "Let me see.", "text": "42", "usage": Usage(20, 5, cache_read=8)},
    "openrouter_reasoning.sse": {"thinking": "Hm. Yes.", "text": "Done", "usage": USAGE},
    "think_tags_split.sse": {"thinking": "I wonder", "text": "So: a < b"},
    "think_tag_never_closed.sse": {"thinking": "The answer is 4", "text": "The answer is 4"},
    "think_tag_cut_at_limit.sse": {"thinking": "The answer ", "stop": "max_tokens"},
    "think_tag_later.sse": {"text": "Write <think>x</think> here"},
    "calls_interleaved.sse": called(("read_file", A), ("list_dir", B), ids="c0 c1"),
    "calls_without_ids.sse": called(("read_file", A), ("list_dir", {})),
    "call_id_comes_later.sse": called(("list_dir", {}), ids="late_1"),
    "calls_without_index.sse": called(("read_file", A), ("list_dir", B), ids="x1 x2"),
    "calls_without_index_or_id.sse": called(("read_file", A), ("read_file", B)),
    "calls_all_numbered_zero.sse": called(("read_file", A), ("read_file", B), ids="z1 z2"),
    "calls_all_numbered_zero_without_ids.sse": called(("list_dir", A), ("list_dir", B)),
    "calls_twice_the_same_id.sse": called(("list_dir", {}), ("list_dir", B), ids="same"),
    "calls_whole_in_one_chunk_stop.sse": called(("list_dir", A), ("list_dir", B), ids="w1 w2"),
    "call_arguments_object.sse": called(("read_file", {"path": "a", "n": 3}), ids="o1"),
    "call_arguments_null.sse": called(("list_dir", {}), ids="n1"),
    "call_name_in_every_chunk.sse": called(("read_file", A), ids="e1"),
    "call_new_id_in_every_chunk.sse": called(("read_file", A), ids="r1"),
    "call_cut_at_limit.sse": {
        "calls": [("write_file", {})], "ids": ["k1"], "problem": "the arguments are not ", "stop": "max_tokens",
    },
    "call_without_name.sse": called(("", {}), ids="u1", problem="the call names no tool"),
    "empty_choices_and_null_deltas.sse": {"text": "ok"},
    "usage_in_every_chunk.sse": {"text": "ab", "usage": Usage(20, 3)},
    "usage_absent.sse": {"text": "a"},
    "usage_groq.sse": {"text": "a", "usage": USAGE},
    "done_without_finish_reason.sse": {"text": "all"},
    "finish_reason_without_done.sse": {"text": "all"},
    "refusal.sse": {"text": "I cannot do that.", "stop": "refusal"},
    "content_filter.sse": {"text": "Well,", "stop": "refusal"},
    "length.sse": {"text": "Once upon", "stop": "max_tokens"},
    "content_in_parts.sse": {"thinking": "Hm", "text": "Yes"},
    "tool_call_markup.sse": called(("list_dir", A), text="I look:\n"),
    "tool_call_markup_unknown_tool.sse": {
        "text": '<tool_call>{"name": "format_disk", "arguments": {}}</tool_call>',
    },
    "tool_call_markup_unclosed.sse": {"text": '<tool_call>{"name": "list_dir", "arguments": {}}'},
    "crlf_lines.sse": {"text": "ab"},
    "whole_text.json": {"thinking": "why", "text": "Because", "usage": USAGE},
    "whole_without_finish_reason.json": {"text": "ok"},
    "whole_calls.json": called(("list_dir", A), ("list_dir", B), ids="p1 p2", thinking="Look.", usage=USAGE),
}  # fmt: skip

ERRORS = {
    "error_openai.sse": ("overloaded", "The server had an error while processing your request"),
    "error_openrouter.sse": ("limit", "Rate limited upstream"),
    "error_in_choice.sse": ("overloaded", "Upstream died"),
    "error_vllm.sse": ("too_long", "maximum context length is 4096"),
    "error_text_only.sse": ("overloaded", "model runner has unexpectedly stopped"),
    "error_event.sse": ("limit", "slow down"),
    "not_json.sse": ("broken", "<html>"),
    "whole_not_ours.json": ("broken", "not a chat completion"),
    "whole_error.json": ("auth", "Incorrect API key provided: [key]"),
}


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("step", [0, 1])
def test_recorded_answers(name, step):
    decoder = decode(name, step=step)
    assert decoder.assembler.finished
    assert summary(decoder) == ANSWERS[name]


@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.parametrize("step", [0, 1])
def test_recorded_errors(name, step):
    kind, words = ERRORS[name]
    with pytest.raises(ProviderError) as caught:
        decode(name, step=step)
    assert caught.value.kind == kind
    assert words in str(caught.value)


def test_an_answer_that_is_cut_off_is_not_finished():
    decoder = decode("cut_off.sse")
    assert not decoder.assembler.finished
    assert decoder.assembler.drain() == [TextDelta("half of ")]


def test_every_recording_is_expected_to_be_something():
    assert {path.name for path in DATA.iterdir()} == {*ANSWERS, *ERRORS, "cut_off.sse"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2) | st.sampled_from(["", "a", "stop", "<think>"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from([
        "choices", "delta", "message", "content", "tool_calls", "function", "name", "arguments", "index", "id", "usage",
        "finish_reason", "model", "reasoning", "refusal", "x_groq", "prompt_tokens", "prompt_tokens_details", "text",
    ]), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(st.lists(JSON, max_size=4))
def test_any_json_is_an_answer_or_an_error_and_never_a_crash(chunks):
    decoder = ChatDecoder(EXPLAIN, TOOLS)
    try:
        for chunk in chunks:
            decoder.feed("message", json.dumps({"choices": [{"delta": chunk}], "usage": chunk}))
            decoder.feed("message", json.dumps(chunk))
    except ProviderError:
        pass
    decoder.assembler.reply()


CALLS = st.lists(
    st.tuples(
        st.sampled_from(TOOLS), st.dictionaries(st.sampled_from("ab{}"), st.text("{}\"\\\u00fc\u2028a", max_size=6))
    ),
    min_size=1,
    max_size=4,
)


@given(CALLS, st.data(), st.sampled_from(["index and id", "index", "id", "id once", "all zero"]))
def test_calls_come_whole_out_of_any_pieces(calls, data, style):
    """Pieces of one call keep their order; with an index or with ids those of several may be interleaved."""
    queues = []
    for number, (name, args) in enumerate(calls):
        text = json.dumps(args, ensure_ascii=False)
        cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=3)))
        pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        index = {} if style.startswith("id") else {"index": 0 if style == "all zero" else number}
        id = {} if style == "index" else {"id": f"id{number}"}
        first = {**index, **id, "function": {"name": name, "arguments": pieces[0]}}
        rest = [{**index, **(id if style in ("id", "all zero") else {}), "function": {"arguments": piece}}
                for piece in pieces[1:]]  # fmt: skip
        queues.append([first, *rest])
    if style in ("id once", "all zero"):
        deltas = [delta for queue in queues for delta in queue]
    else:
        deltas = []
        while any(queues):
            deltas.append(data.draw(st.sampled_from([queue for queue in queues if queue])).pop(0))
    decoder = ChatDecoder(EXPLAIN, TOOLS)
    for delta in deltas:
        decoder.feed("message", json.dumps({"choices": [{"delta": {"tool_calls": [delta]}}]}))
    decoder.feed("message", "[DONE]")
    got = [(call.name, dict(call.args), call.problem) for call in decoder.assembler.reply().message.calls]
    assert sorted(map(repr, got)) == sorted(repr((name, args, "")) for name, args in calls)


# Requests


HISTORY = (
    Message("user", (Text("<file>a</file>"), Text("Look"))),
    Message("assistant", (Thinking("Hm", "sig", "anthropic"), Text("Sure. "), ToolCall("c1", "read_file", A))),
    Message("tool", (ToolResult("c1", "hello"), ToolResult("c2", '{"error": "no"}', is_error=True))),
    Message("assistant", (ToolCall("c3", "no such tool!", {}, "broken"), ToolCall("c4", ""))),
    Message("tool", (ToolResult("c3", "x"), ToolResult("c4", "y"))),
    Message("assistant", (Thinking("only thought"),)),
    Message("user", (Image("image/png", "AAAA"), Text("and this?"))),
)
SPEC = ToolSpec("list_dir", "Lists.", {"type": "object", "properties": {"path": {"type": "string"}}}, "file_read")


def test_messages():
    assert [item for message in HISTORY for item in encode_message(message)] == [
        {"role": "user", "content": "<file>a</file>\n\nLook"},
        {"role": "assistant", "content": "Sure. ", "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "read_file", "arguments": '{"path": "a"}'}}]},
        {"role": "tool", "tool_call_id": "c1", "content": "hello"},
        {"role": "tool", "tool_call_id": "c2", "content": '{"error": "no"}'},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "c3", "type": "function", "function": {"name": "no_such_tool_", "arguments": "{}"}},
            {"id": "c4", "type": "function", "function": {"name": "unknown", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c3", "content": "x"},
        {"role": "tool", "tool_call_id": "c4", "content": "y"},
        {"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            {"type": "text", "text": "and this?"}]},
    ]  # fmt: skip


def test_reasoning_goes_back_only_where_it_is_wanted_and_only_with_calls():
    assert encode_message(HISTORY[1], "reasoning_content")[0]["reasoning_content"] == "Hm"
    assert encode_message(Message("assistant", (Thinking("t"), Text("a"))), "reasoning_content") == [
        {"role": "assistant", "content": "a"}
    ]


class Server:
    """An httpx transport: answers in order (status, body), the requests kept."""

    def __init__(self, *answers: tuple[int, str | bytes]) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        status, body = self.answers.pop(0)
        return httpx.Response(status, content=body)

    @property
    def bodies(self):
        return [json.loads(request.content) for request in self.requests]


GOOD = (200, (DATA / "official_text.sse").read_bytes())


def ask(server: Server, request: Request | None = None, *, times: int = 1, **settings: object) -> list[object]:
    given = {"model": "m-1", "api_url": "http://h/v1", **settings}
    request = request or Request(("You are.", "Today."), HISTORY[:1], (SPEC,))

    async def run() -> list[object]:
        http = Http(transport=httpx.MockTransport(server))
        provider = openai.create(ProviderSettings(**given), http)
        try:
            return [item for _ in range(times) async for item in provider.stream(request)]
        finally:
            await http.close()

    return asyncio.run(run())


def test_a_request_and_its_answer():
    server = Server(GOOD)
    *deltas, reply = ask(server, api_key="sk-1", extra={"temperature": 0})
    assert server.requests[0].url == "http://h/v1/chat/completions"
    assert server.requests[0].headers["authorization"] == "Bearer sk-1"
    assert server.bodies == [{
        "model": "m-1", "stream": True, "stream_options": {"include_usage": True}, "temperature": 0,
        "messages": [{"role": "system", "content": "You are.\n\nToday."},
                     {"role": "user", "content": "<file>a</file>\n\nLook"}],
        "tools": [{"type": "function", "function": {
            "name": "list_dir", "description": "Lists.", "parameters": dict(SPEC.parameters)}}],
    }]  # fmt: skip
    assert isinstance(reply, Reply)
    assert "".join(delta.text for delta in deltas) == reply.message.text == "Grüße 世界 \U0001f600\u2028end"


def test_messages_of_the_person_in_a_row_become_one():
    server = Server(GOOD)
    ask(server, Request((), (Message("user", (Text("one"),)), Message("user", (Text("two"),)), *HISTORY[1:3])))
    assert [(m["role"], m["content"]) for m in server.bodies[0]["messages"]] == [
        ("user", "one\n\ntwo"), ("assistant", "Sure. "), ("tool", "hello"), ("tool", '{"error": "no"}'),
    ]  # fmt: skip
    assert "tools" not in server.bodies[0]


@pytest.mark.parametrize(
    ("api_url", "field"),
    [
        ("https://api.openai.com/v1", "max_completion_tokens"),
        ("https://my.openai.azure.com/openai/v1", "max_completion_tokens"),
        ("https://api.groq.com/openai/v1", "max_completion_tokens"),
        ("http://127.0.0.1:8080", "max_tokens"),
        ("https://api.openai.com.evil.example/v1", "max_tokens"),
    ],
)
def test_the_field_that_caps_the_answer(api_url, field):
    server = Server(GOOD)
    ask(server, api_url=api_url, max_tokens=99)
    assert {key: value for key, value in server.bodies[0].items() if key.startswith("max")} == {field: 99}


def test_a_model_known_to_have_no_tools_and_a_host_with_a_low_cap_of_its_own():
    server = Server(GOOD)
    rows = {"m-1": {"tools": False, "output": 777, "price": {"input": 1, "output": 2}}}
    *_, reply = ask(server, api_url="https://api.deepseek.com", rows=rows)
    assert "tools" not in server.bodies[0]
    assert server.bodies[0]["max_tokens"] == 777
    assert reply.cost_usd == (20 * 1 + 5 * 2) / 1e6


REFUSALS = [
    ('{"error":{"message":"Unknown parameter: \'stream_options\'.","param":"stream_options"}}', "stream_options", None),
    ('{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"],"msg":"Extra inputs are not permitted"}]}',
     "stream_options", None),
    ('{"error":{"message":"Unsupported parameter: \'max_tokens\' is not supported with this model. '
     'Use \'max_completion_tokens\' instead."}}', "max_tokens", "max_completion_tokens"),
    ('{"error":{"message":"Unsupported value: \'reasoning_effort\' does not support \'none\'"}}',
     "reasoning_effort", None),
]  # fmt: skip


@pytest.mark.parametrize(("body", "refused", "instead"), REFUSALS)
@pytest.mark.parametrize("status", [400, 422])
def test_a_field_the_server_refuses_is_left_out_for_the_session(body, refused, instead, status):
    server = Server((status, body), GOOD, GOOD)
    first, *_ = ask(server, times=2, max_tokens=9, thinking="off")
    assert first == Retrying(1, 0.0, f"h does not take {refused}")
    before, *after = server.bodies
    assert refused in before
    for later in after:
        assert refused not in later
        assert instead is None or later[instead] == 9


def test_both_names_of_a_field_may_be_refused():
    names = [f'{{"error": "unknown field {name}"}}' for name in ("max_tokens", "max_completion_tokens")]
    server = Server(*((400, body) for body in names), GOOD)
    assert isinstance(ask(server, max_tokens=9)[-1], Reply)
    assert not [key for key in server.bodies[-1] if key.startswith("max")]


@pytest.mark.parametrize(
    "body",
    [
        '{"error": "max_tokens is too large: 99. This model takes at most 16"}',
        '{"error": "unknown model; stream_options_x"}',
        '{"error": "unsupported content in messages"}',
    ],
)
def test_other_refusals_are_errors_at_once(body):
    server = Server((400, body))
    with pytest.raises(ProviderError) as caught:
        ask(server, max_tokens=99)
    assert caught.value.kind == "bad_request"
    assert len(server.requests) == 1


@pytest.mark.parametrize("key", ["sk-\u043a", "sk-1\nx-evil: 1", "sk-\u2026"])
def test_a_key_that_cannot_be_one(key):
    with pytest.raises(ConfigError, match="copy it once more"):
        ask(Server(), api_key=key)


def test_a_blank_key_is_none():
    server = Server(GOOD)
    ask(server, api_key=" \n")
    assert "authorization" not in server.requests[0].headers


def test_azure():
    server = Server(GOOD)
    url = "https://my.openai.azure.com/openai/deployments/gpt/chat/completions?api-version=2024-10-21"
    ask(server, api_url=url, api_key="k")
    assert str(server.requests[0].url) == url
    assert server.requests[0].headers["api-key"] == "k"
    assert "authorization" not in server.requests[0].headers


@pytest.mark.parametrize(
    ("given", "whole"),
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/v1/chat/completions"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080/v1/chat/completions"),
        ("http://127.0.0.1:1234/v1/", "http://127.0.0.1:1234/v1/chat/completions"),
        ("http://h/v1/chat/completions", "http://h/v1/chat/completions"),
        ("http://h/v1/responses", "http://h/v1/chat/completions"),
        ("https://openrouter.ai", "https://openrouter.ai/api/v1/chat/completions"),
        ("https://api.groq.com", "https://api.groq.com/openai/v1/chat/completions"),
        ("https://x.openai.azure.com/openai/deployments/d?api-version=1",
         "https://x.openai.azure.com/openai/deployments/d/chat/completions?api-version=1"),
        ("http://[::1]:8080", "http://[::1]:8080/v1/chat/completions"),
    ],
)  # fmt: skip
def test_addresses(given, whole):
    assert endpoint(given, "/chat/completions") == whole


def test_calls_as_text_count_only_where_calls_have_no_field_of_their_own():
    body = (DATA / "tool_call_markup.sse").read_bytes()
    *_, local = ask(Server((200, body)), api_url="http://h/v1")
    *_, hosted = ask(Server((200, body)), api_url="https://api.openai.com/v1")
    assert [call.name for call in local.message.calls] == ["list_dir"]
    assert not hosted.message.calls
    assert "<tool_call>" in hosted.message.text
    assert dialect_of("https://api.openai.com/v1").native


def test_an_output_schema():
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    server = Server(GOOD, GOOD)
    ask(server, Request((), HISTORY[:1], output_schema=schema))
    ask(server, Request((), HISTORY[:1], (SPEC,), output_schema=schema))
    assert server.bodies[0]["response_format"]["json_schema"]["schema"] == schema
    assert "response_format" not in server.bodies[1], "most local servers cannot combine it with tools"


def test_the_context_overflow_of_llama_cpp():
    words = "request (40020 tokens) exceeds the available context size (32768 tokens), try increasing it"
    error = {"code": 400, "message": words, "type": "exceed_context_size_error", "n_ctx": 32768}
    with pytest.raises(ProviderError) as caught:
        ask(Server((400, json.dumps({"error": error}))))
    assert caught.value.kind == "too_long"
