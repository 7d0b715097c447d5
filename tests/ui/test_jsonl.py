from __future__ import annotations

import io
import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ralph.ui.jsonl
from ralph.core.events import (
    Compacted,
    Notice,
    Recalled,
    Reply,
    Retrying,
    TextDelta,
    ThinkingDelta,
    ToolFinished,
    ToolOutput,
    ToolRequested,
    ToolStarted,
    TurnFinished,
    TurnStarted,
)  # fmt: skip
from ralph.core.messages import Message, Text, Thinking, ToolCall, ToolResult, Usage
from ralph.errors import Interrupted, ProviderError
from ralph.ui.jsonl import JsonLines, encoded

SCHEMA = json.loads(Path(ralph.ui.jsonl.__file__).with_name("events.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
CALL = ToolCall("c1", "shell", {"command": "ls"})
HALF = "half \ud83d of a smile"


class Recorder(io.StringIO):
    """Counts writes and flushes."""

    def __init__(self):
        super().__init__()
        self.writes = self.flushes = 0

    def write(self, text):
        self.writes += 1
        return super().write(text)

    def flush(self):
        self.flushes += 1


def start(out):
    face = JsonLines(out, clock=iter([10.0, 12.5]).__next__)
    face.init(
        version="0.1.0", session_id="s1", model="m", tools=["shell"], cwd="/w", gate={"enabled": True},
        mcp_servers=[{"name": "x", "status": "failed", "error": "no such program"}], sandbox={"mode": "none"},
    )  # fmt: skip
    return face


def lines(out):
    parsed = [json.loads(line) for line in out.getvalue().splitlines()]
    for line in parsed:
        VALIDATOR.validate(line)
    return parsed


EVERYTHING = (
    TurnStarted("hi"),
    Recalled(({"id": 1, "score": 0.5, "source": "notes"},)),
    Compacted(12, 9000, 3000),
    Retrying(1, 0.5, "503"),
    Notice("careful", "topic", "warning"),
    ThinkingDelta("hm"),
    TextDelta("let me "),
    TextDelta("look"),
    Reply(Message("assistant", (Thinking("hm", "sig"), Text("let me look"), CALL)), Usage(10, 5, 3, 2), "m", "tool_use",
          0.25),
    ToolRequested(CALL),
    ToolStarted(CALL, "allowlist"),
    ToolOutput("c1", "a"),
    ToolFinished(CALL, ToolResult("c1", "a.txt"), 0.01234567),
    ToolFinished(ToolCall("c2", "write_file"), ToolResult("c2", '{"error":"protected_file"}', True, "protected"),
                 refusal="protected_file"),
    Reply(Message("assistant", (Text("done"),)), Usage(20, 7), "m", "end", 0.5),
    TurnFinished("done", "done"),
)  # fmt: skip


def test_every_event_gives_valid_lines_in_order():
    out = Recorder()
    face = start(out)
    for event in EVERYTHING:
        face.show(event)
    face.result(exit_code=0)
    shown = lines(out)
    kinds = [line.get("subtype") if line["type"] == "system" else line["type"] for line in shown]
    start_of_turn = ["init", "recalled", "compacted", "retry", "notice"]
    assert kinds == [*start_of_turn, "assistant", "user", "user", "assistant", "result"]
    assert out.writes == out.flushes == len(shown)


def test_text_and_calls_of_a_reply_share_one_line_and_usage_is_counted_once():
    out = io.StringIO()
    face = start(out)
    for event in EVERYTHING:
        face.show(event)
    face.result(exit_code=0)
    shown = lines(out)
    replies = [line["message"] for line in shown if line["type"] == "assistant"]
    assert [block["type"] for block in replies[0]["content"]] == ["thinking", "text", "tool_use"]
    assert replies[0]["content"][2] == {"type": "tool_use", "id": "c1", "name": "shell", "input": {"command": "ls"}}
    last = shown[-1]
    assert last["usage"]["input_tokens"] == sum(reply["usage"]["input_tokens"] for reply in replies) == 30
    assert last["usage"] == {"input_tokens": 30, "output_tokens": 12, "cache_read_tokens": 3, "cache_write_tokens": 2}
    assert (last["ok"], last["subtype"], last["result"], last["error"]) == (True, "success", "done", None)
    assert (last["turns"], last["cost_usd"], last["duration_ms"]) == (2, 0.75, 2500)
    assert last["denials"] == [{"tool": "write_file", "error": "protected_file", "message": "protected"}]


def test_a_tool_result_says_which_rule_let_it_run():
    out = io.StringIO()
    face = start(out)
    for event in EVERYTHING:
        face.show(event)
    ran, refused = (line for line in lines(out) if line["type"] == "user")
    assert ran["message"]["content"] == [
        {"type": "tool_result", "tool_use_id": "c1", "content": "a.txt", "is_error": False}
    ]
    assert (ran["rule"], ran["refusal"], ran["seconds"]) == ("allowlist", "", 0.0123)
    assert (refused["rule"], refused["refusal"]) == ("", "protected_file")


def test_an_unknown_price_or_usage_is_null_not_zero():
    out = io.StringIO()
    face = start(out)
    face.show(Reply(Message("assistant", (Text("x"),))))
    face.result(exit_code=0)
    last = lines(out)[-1]
    assert last["cost_usd"] is None
    assert last["usage"]["input_tokens"] is None


@pytest.mark.parametrize(
    ("error", "code", "subtype"),
    [
        (ProviderError("no", kind="auth", hint="set a key"), 5, "provider_auth"),
        (Interrupted("interrupted"), 130, "interrupted"),
    ],
)
def test_the_result_line_comes_after_errors_with_what_was_heard(error, code, subtype):
    out = io.StringIO()
    face = start(out)
    face.show(TurnStarted("q"))
    face.show(TextDelta("half an ans"))
    face.result(exit_code=code, error=error)
    last = lines(out)[-1]
    assert (last["ok"], last["subtype"], last["exit_code"]) == (False, subtype, code)
    assert last["result"] == "half an ans"
    assert last["error"] == {"code": subtype, "message": error.message, "hint": error.hint}


@pytest.mark.parametrize(
    ("reason", "code", "subtype"), [("max_steps", 3, "max_steps"), ("done", 4, "denied"), ("stopped", 130, "stopped")]
)
def test_the_outcome_without_an_error(reason, code, subtype):
    out = io.StringIO()
    face = start(out)
    face.show(TurnFinished(reason, "so far"))
    face.result(exit_code=code)
    last = lines(out)[-1]
    assert (last["ok"], last["subtype"], last["result"]) == (False, subtype, "so far")


def test_lone_surrogates_and_numbers_json_lacks_do_not_crash():
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    face = start(out)
    call = ToolCall("c", "t", {HALF: [HALF, float("nan"), float("inf"), 1.5, None, True, b"x"]})
    face.show(Reply(Message("assistant", (Text(HALF), call))))
    face.show(ToolFinished(call, ToolResult("c", HALF, True, HALF), refusal="x"))
    face.result(exit_code=0)
    raw = out.buffer.getvalue()
    shown = [json.loads(line) for line in raw.splitlines()]
    fixed = "half \ufffd of a smile"
    assert shown[1]["message"]["content"][0]["text"] == fixed
    assert shown[1]["message"]["content"][1]["input"] == {fixed: [fixed, None, None, 1.5, None, True, "b'x'"]}
    assert shown[-1]["denials"][0]["message"] == fixed


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters()), inner, max_size=3),
    max_leaves=8,
)


def refuse_constant(name):
    raise AssertionError(f"{name} is not JSON")


@given(JSON)
def test_any_value_is_one_strict_ascii_line_that_reads_back(value):
    line = encoded(value)
    assert line.isascii()
    assert len(line.splitlines()) == 1
    back = json.loads(line, parse_constant=refuse_constant)
    json.dumps(back, ensure_ascii=False).encode()  # no half of a pair is left
    assert encoded(back) == encoded(json.loads(encoded(back)))


@given(st.text())
def test_well_formed_text_comes_back_unchanged(text):
    assert json.loads(encoded({"t": text, "slash": "\\ud800"})) == {"t": text, "slash": "\\ud800"}


def test_a_closed_pipe_is_the_callers_to_handle():
    class Closed(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        start(Closed())


def test_the_schema_refuses_a_line_of_another_kind():
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate({"type": "assistant", "message": {"content": [{"type": "text"}], "usage": {}}})
