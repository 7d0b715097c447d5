from __future__ import annotations

import asyncio
import json
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
from ralph.errors import ProviderError
from ralph.net import EventReader, Http, ServerEvent
from ralph.providers import responses
from ralph.providers.responses import ResponsesDecoder, encode_message
from ralph.providers.wire import ProviderSettings, explain

DATA = Path(__file__).parent.parent / "data/responses"
EXPLAIN = partial(explain, name="Test", model="m-1", key_name="OPENAI_API_KEY")
USAGE = Usage(20, 5, cache_read=16)
A, B = {"path": "a"}, {"path": "b"}


def signature(number: int, *summary: str) -> str:
    parts = [{"type": "summary_text", "text": text} for text in summary]
    return json.dumps({"type": "reasoning", "id": f"rs_{number}", "encrypted_content": "gAAAA", "summary": parts})


def thought(text: str, number: int, *summary: str) -> Thinking:
    return Thinking(text, signature(number, *summary), "responses")


def decode(name: str, *, step: int = 0) -> ResponsesDecoder:
    decoder = ResponsesDecoder(EXPLAIN)
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


CALL = ToolCall("call_1", "list_dir", A)
EMPTY_CALL = ToolCall("call_1", "list_dir", {})

ANSWERS = {  # file -> blocks, stop
    "text.sse": ([Text("Grüße 世界 \U0001f600\u2028end")], "end"),
    "two_calls.sse": ([CALL, ToolCall("call_2", "list_dir", {})], "tool_use"),
    "calls_interleaved.sse": ([CALL, ToolCall("call_2", "list_dir", B)], "tool_use"),
    "reasoning_then_call.sse": (
        [thought("**Look** first\n\nThen act", 1, "**Look** first", "Then act"), EMPTY_CALL], "tool_use",
    ),
    "reasoning_twice_hidden.sse": ([thought("", 1), thought("", 2), Text("ok")], "end"),
    "reasoning_unsigned.sse": ([Thinking("Hm"), Text("ok")], "end"),
    "call_without_deltas.sse": ([CALL], "tool_use"),
    "call_in_done_item_only.sse": ([CALL], "tool_use"),
    "completed_only.sse": ([thought("Hm", 1, "Hm"), Text("ok"), EMPTY_CALL], "tool_use"),
    "without_output_index.sse": ([CALL, Text("x")], "tool_use"),
    "ids_change_between_events.sse": ([CALL], "tool_use"),
    "incomplete.sse": ([Text("Once upon")], "max_tokens"),
    "incomplete_filter.sse": ([Text("Well")], "refusal"),
    "refusal.sse": ([Text("I cannot do that.")], "refusal"),
    "refusal_unstreamed.sse": ([Text("I cannot do that.")], "refusal"),
    "unknown_events.sse": ([Text("ok")], "end"),
    "whole.json": ([thought("Hm", 1, "Hm"), Text("ok"), CALL], "tool_use"),
    "whole_incomplete.json": ([Text("Once")], "max_tokens"),
}  # fmt: skip

ERRORS = {
    "failed.sse": ("overloaded", "The model failed to generate a response."),
    "failed_limit.sse": ("limit", "Rate limit reached"),
    "failed_too_long.sse": ("too_long", "exceeds the context window"),
    "error.sse": ("overloaded", "Something went wrong"),
    "error_nested.sse": ("limit", "Slow down"),
    "whole_error.json": ("not_found", "No such model"),
    "whole_not_ours.json": ("broken", "not one of the Responses API"),
}


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("step", [0, 1])
def test_recorded_answers(name, step):
    decoder = decode(name, step=step)
    reply = decoder.assembler.reply()
    assert (list(reply.message.blocks), reply.stop) == ANSWERS[name]
    assert decoder.assembler.finished
    assert reply.usage == (Usage() if name == "whole_incomplete.json" else USAGE)
    assert reply.model == "m-1"


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
    st.none() | st.booleans() | st.integers(-1, 2) | st.sampled_from(["", "function_call", "message", "reasoning"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from([
        "item", "item_id", "output_index", "delta", "arguments", "response", "output", "usage", "summary", "content",
        "id", "type", "text", "call_id", "name", "encrypted_content", "incomplete_details", "reason", "refusal",
        "status",
    ]), inner, max_size=4),
    max_leaves=15,
)  # fmt: skip
KINDS = st.sampled_from([
    "response.output_item.added", "response.output_item.done", "response.output_text.delta", "response.completed",
    "response.function_call_arguments.delta", "response.function_call_arguments.done", "response.refusal.delta",
    "response.reasoning_summary_text.delta", "response.reasoning_summary_part.added", "response.failed", "json",
    "error",
])  # fmt: skip


BODIES = st.dictionaries(st.sampled_from(["item", "output_index", "item_id", "delta", "response"]), JSON)


@given(st.lists(st.tuples(KINDS, BODIES), max_size=5))
def test_any_json_is_an_answer_or_an_error_and_never_a_crash(events):
    decoder = ResponsesDecoder(EXPLAIN)
    try:
        for kind, body in events:
            decoder.feed(kind, json.dumps({**body, "type": kind}))
    except ProviderError:
        pass
    decoder.assembler.reply()


# Requests


def test_messages():
    history = (
        Message("user", (Image("image/png", "AAAA"), Text("what?"))),
        Message("assistant", (thought("Hm", 1, "Hm"), Thinking("other", "s", "anthropic"), Text("Look: "), CALL)),
        Message("tool", (ToolResult("call_1", "a.txt"),)),
        Message("assistant", (Thinking("unsigned"), Text(""))),
    )
    assert [item for message in history for item in encode_message(message)] == [
        {"type": "message", "role": "user", "content": [
            {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "auto"},
            {"type": "input_text", "text": "what?"}]},
        {"type": "reasoning", "id": "rs_1", "encrypted_content": "gAAAA",
         "summary": [{"type": "summary_text", "text": "Hm"}]},
        {"type": "message", "role": "assistant", "content": "Look: "},
        {"type": "function_call", "call_id": "call_1", "name": "list_dir", "arguments": '{"path": "a"}'},
        {"type": "function_call_output", "call_id": "call_1", "output": "a.txt"},
    ]  # fmt: skip


def test_what_was_decoded_goes_back_as_it_came():
    message = decode("reasoning_then_call.sse").assembler.reply().message
    reasoning, call = encode_message(message)
    assert reasoning == json.loads(signature(1, "**Look** first", "Then act"))
    assert (call["call_id"], call["name"], call["arguments"]) == ("call_1", "list_dir", "{}")


SPEC = ToolSpec("list_dir", "Lists.", {"type": "object", "properties": {"path": {"type": "string"}}}, "file_read")
GOOD = (200, (DATA / "text.sse").read_bytes())


def ask(answers: list[tuple[int, str | bytes]], *, times: int = 1, **settings: object):
    """The bodies that were sent, and all that was yielded."""
    bodies: list[dict[str, object]] = []
    left = list(answers)

    def serve(request: httpx.Request) -> httpx.Response:
        assert request.url == "https://api.openai.com/v1/responses"
        bodies.append(json.loads(request.content))
        status, body = left.pop(0)
        return httpx.Response(status, content=body)

    async def run() -> list[object]:
        http = Http(transport=httpx.MockTransport(serve))
        given = ProviderSettings(**{"model": "m-1", "api_url": "https://api.openai.com/v1", **settings})
        provider = responses.create(given, http)
        request = Request(("You are.", "Today."), (Message("user", (Text("Hi"),)),), (SPEC,))
        try:
            return [item for _ in range(times) async for item in provider.stream(request)]
        finally:
            await http.close()

    return bodies, asyncio.run(run())


def test_a_request_and_its_answer():
    bodies, (*deltas, reply) = ask([GOOD], api_key="sk-1", max_tokens=50, thinking="low")
    assert bodies == [{
        "model": "m-1", "stream": True, "store": False, "instructions": "You are.\n\nToday.", "max_output_tokens": 50,
        "include": ["reasoning.encrypted_content"], "reasoning": {"summary": "auto", "effort": "low"},
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}],
        "tools": [{"type": "function", "name": "list_dir", "description": "Lists.", "strict": False,
                   "parameters": dict(SPEC.parameters)}],
    }]  # fmt: skip
    assert isinstance(reply, Reply)
    assert "".join(delta.text for delta in deltas) == reply.message.text


def test_a_model_known_not_to_reason_is_not_asked_to():
    bodies, (*_, reply) = ask([GOOD], model="gpt-4.1")
    assert not {"include", "reasoning"} & bodies[0].keys()
    assert reply.cost_usd > 0


def test_a_model_that_does_not_reason_is_met():
    refusals = [
        (400, '{"error":{"message":"Encrypted content is not supported with this model.","param":"include"}}'),
        (400, '{"error":{"message":"Unsupported parameter: \'reasoning.summary\'","param":"reasoning.summary"}}'),
    ]
    bodies, events = ask([*refusals, GOOD, GOOD], times=2)
    assert [event for event in events if isinstance(event, Retrying)] == [
        Retrying(1, 0.0, "OpenAI does not take include"), Retrying(2, 0.0, "OpenAI does not take reasoning"),
    ]  # fmt: skip
    assert not {"include", "reasoning"} & {*bodies[2], *bodies[3]}
