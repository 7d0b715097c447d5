"""The loop: order, refusals, interrupts, limits. The model is scripted, everything else is the real thing."""

import asyncio
import json
from contextlib import aclosing

import pytest

from ralph.core.events import (
    Reply,
    TextDelta,
    ToolFinished,
    ToolOutput,
    ToolRequested,
    ToolStarted,
    TurnFinished,
    TurnStarted,
)
from ralph.core.gate import Answer
from ralph.core.messages import Message, Text, ToolResult
from ralph.errors import ProviderError, ToolError
from tests.helpers import Answers, Record, TestPolicy, collect, make_agent, run_turn, tool


def calls(*names, **args):
    return {"calls": [{"name": name, "args": args} for name in names]}


def every_call_answered(history):
    for index, message in enumerate(history):
        if message.calls:
            following = history[index + 1]
            assert following.role == "tool"
            assert [b.call_id for b in following.blocks] == [c.id for c in message.calls]
    return True


def test_plain_turn():
    agent = make_agent([{"chunks": ["Hel", "lo"]}])
    events = run_turn(agent, "hi")
    assert [type(e) for e in events] == [TurnStarted, TextDelta, TextDelta, Reply, TurnFinished]
    assert events[-1] == TurnFinished("done", "Hello")
    assert agent.history == [Message("user", (Text("hi"),)), Message("assistant", (Text("Hello"),))]


def test_tool_result_reaches_the_model():
    agent = make_agent([calls("look"), {"text": "done"}], [tool("look", lambda a, c: "seen")])
    events = run_turn(agent)
    assert [type(e).__name__ for e in events] == [
        "TurnStarted", "Reply", "ToolRequested", "ToolStarted", "ToolFinished", "TextDelta", "Reply", "TurnFinished",
    ]  # fmt: skip
    sent = agent.provider.requests[1].messages[-1]
    assert sent == Message("tool", (ToolResult("call_1_1", "seen"),))


def test_read_only_calls_run_together_and_results_keep_call_order():
    running = []

    async def slow(args, ctx):
        running.append("slow")
        await asyncio.sleep(0.05)
        return "slow"

    async def quick(args, ctx):
        while "slow" not in running:
            await asyncio.sleep(0)
        return "quick"

    agent = make_agent([calls("look", "slow_look"), {"text": "x"}], [tool("slow_look", slow), tool("look", quick)])
    events = run_turn(agent)  # `look` could not finish if `slow_look` waited for it
    assert [e.call.name for e in events if isinstance(e, ToolFinished)] == ["look", "slow_look"]
    assert [b.text for b in agent.history[2].blocks] == ["quick", "slow"]


def test_writers_never_overlap():
    log = []

    async def write(args, ctx):
        log.append(f"+{args['n']}")
        await asyncio.sleep(0.01)
        log.append(f"-{args['n']}")
        return "ok"

    script = [{"calls": [{"name": "write", "args": {"n": n}} for n in (1, 2, 3)]}, {"text": "x"}]
    run_turn(make_agent(script, [tool("write", write)]))
    assert log == ["+1", "-1", "+2", "-2", "+3", "-3"]


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        ({"name": "nope"}, "unknown_tool", "the tools are: strict"),
        ({"name": "strict", "args": {"n": "one"}}, "invalid_arguments", "n must be integer"),
        ({"name": "strict", "args": {}}, "invalid_arguments", "missing argument n"),
        ({"name": "strict", "args": {"n": 1, "m": 2}}, "invalid_arguments", "unknown argument m"),
        ({"name": "strict", "raw_args": '{"n": 1'}, "invalid_arguments", "not valid JSON"),
        ({"name": "strict", "raw_args": "[1]"}, "invalid_arguments", "must be a JSON object"),
        ({"name": "strict", "args": {"n": 1, "s": "a\0b"}}, "invalid_arguments", "NUL"),
        ({"name": "strict", "raw_args": '{"n": 1, "s": "\\ud800"}'}, "invalid_arguments", "surrogate"),
    ],
)
def test_bad_calls_are_values_the_model_reads(call, error, says):
    strict = tool("strict", lambda a, c: "ran", {"n": {"type": "integer"}, "s": {"type": "string"}})
    strict.spec.parameters["required"] = ["n"]
    agent = make_agent([{"calls": [call]}, {"text": "sorry"}], [strict])
    finished = next(e for e in run_turn(agent) if isinstance(e, ToolFinished))
    body = json.loads(finished.result.text)
    assert (body["error"], finished.refusal, finished.result.is_error) == (error, error, True)
    assert says in body["message"]
    assert every_call_answered(agent.history)


def test_raising_tools_become_results():
    def known(args, ctx):
        raise ToolError("no such file: a.txt")

    def bug(args, ctx):
        raise ZeroDivisionError("oops")

    agent = make_agent([calls("known", "bug"), {"text": "x"}], [tool("known", known), tool("bug", bug)])
    results = [e.result for e in run_turn(agent) if isinstance(e, ToolFinished)]
    assert [json.loads(r.text)["error"] for r in results] == ["no such file: a.txt", "ZeroDivisionError: oops"]
    assert all(r.is_error for r in results)


def test_refused_call_does_not_run_and_the_rest_do():
    ran = []
    tools = [tool(name, lambda a, c, name=name: ran.append(name) or "ok") for name in ("one", "two", "three")]
    policy = TestPolicy({"one": "deny", "two": "ask"})
    record = Record()
    agent = make_agent([calls("one", "two", "three"), {"text": "x"}], tools, policy=policy,
                       approver=Answers(False), witness=record)  # fmt: skip
    events = run_turn(agent)
    assert ran == ["three"]
    assert [e.refusal for e in events if isinstance(e, ToolFinished)] == ["operation_denied", "operation_denied", ""]
    assert record.decisions == [("one", "deny", False), ("three", "allow", True), ("two", "ask", False)]
    assert record.results == [("three", False)]


def test_policy_that_crashes_runs_nothing():
    ran = []
    agent = make_agent([calls("boom")], [tool("boom", lambda a, c: ran.append(1))],
                       policy=TestPolicy({"boom": RuntimeError("rules are broken")}))  # fmt: skip
    with pytest.raises(RuntimeError, match="rules are broken"):
        run_turn(agent)
    assert ran == []
    assert every_call_answered(agent.history)


def test_always_silences_the_next_question_of_the_same_batch():
    approver = Answers(Answer(True, remember={"tool": "write"}))
    agent = make_agent([calls("write", "write"), {"text": "x"}], [tool("write", lambda a, c: "ok")],
                       policy=TestPolicy({"write": "ask"}), approver=approver)  # fmt: skip
    events = run_turn(agent)
    assert approver.asked == ["write"]
    assert sum(isinstance(e, ToolStarted) for e in events) == 2


def test_survey_settles_some_and_asks_the_rest():
    approver = Answers(True, survey={"call_1_1": Answer(False)})
    agent = make_agent([calls("a", "b"), {"text": "x"}], [tool(n, lambda a, c: "ok") for n in "ab"],
                       policy=TestPolicy({"a": "ask", "b": "ask"}), approver=approver)  # fmt: skip
    events = run_turn(agent)
    assert approver.asked == ["b"]
    assert [e.refusal for e in events if isinstance(e, ToolFinished)] == ["operation_denied", ""]


def test_stop_at_a_question_runs_nothing_of_the_batch_and_ends_the_turn():
    ran = []
    tools = [tool(n, lambda a, c: ran.append(1) or "ok") for n in ("free", "asks", "later")]
    agent = make_agent([calls("free", "asks", "later")], tools, policy=TestPolicy({"asks": "ask", "later": "ask"}),
                       approver=Answers(Answer(False, stop=True, error="aborted")))  # fmt: skip
    events = run_turn(agent)
    assert ran == []
    assert events[-1] == TurnFinished("stopped", "")
    assert [e.refusal for e in events if isinstance(e, ToolFinished)] == ["aborted"] * 3
    assert every_call_answered(agent.history)


def test_changed_path_is_refused_after_a_writer_ran():
    tools = [tool("first", lambda a, c: "ok"), tool("second", lambda a, c: "ok")]
    agent = make_agent([calls("first", "second"), {"text": "x"}], tools, policy=TestPolicy(fresh=False))
    assert [e.refusal for e in run_turn(agent) if isinstance(e, ToolFinished)] == ["", "path_changed"]


async def interrupt(agent, until):
    async with aclosing(agent.turn("go")) as turn:
        async for event in turn:
            if until(event):
                break
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not left


def test_interrupt_in_the_stream_keeps_what_was_heard():
    agent = make_agent([{"chunks": ["Hel", "lo"]}])
    asyncio.run(interrupt(agent, lambda e: isinstance(e, TextDelta)))
    assert agent.history[-1].role == "assistant"
    assert agent.history[-1].text.startswith("Hel\n\n[cut off")


def test_interrupt_in_a_tool_answers_every_call_and_leaves_no_task():
    cancelled = []

    async def forever(args, ctx):
        ctx.say("started")
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(1)
            raise

    names, record = ("look", "slow_look", "third"), Record()
    agent = make_agent([calls(*names)], [tool(n, forever) for n in names], witness=record)
    asyncio.run(interrupt(agent, lambda e: isinstance(e, ToolOutput)))
    assert cancelled == [1, 1]
    assert sorted(record.results) == [("look", True), ("slow_look", True)]  # the third was never begun
    assert every_call_answered(agent.history)
    assert [json.loads(b.text)["error"] for b in agent.history[-1].blocks] == ["aborted"] * 3


def test_cancel_in_a_question_answers_every_call():
    class Waiting(Answers):
        async def ask(self, question):
            await asyncio.sleep(60)

    agent = make_agent([calls("asks")], [tool("asks", lambda a, c: "ran")], policy=TestPolicy({"asks": "ask"}),
                       approver=Waiting())  # fmt: skip

    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await collect(agent)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
    assert every_call_answered(agent.history)


def test_next_turn_after_an_interrupt_goes_on():
    agent = make_agent([calls("look"), {"text": "fine"}], [tool("look", lambda a, c: asyncio.sleep(60))])
    asyncio.run(interrupt(agent, lambda e: isinstance(e, ToolStarted)))
    assert run_turn(agent, "and now?")[-1].text == "fine"
    assert every_call_answered(agent.history)


@pytest.mark.parametrize("step", [{"text": "half", "cut": True}, {"cut": True}])
def test_stream_that_ends_early_is_an_error(step):
    agent = make_agent([step])
    with pytest.raises(ProviderError, match="without an answer"):
        run_turn(agent)


def test_error_in_the_stream_keeps_the_prompt_and_what_was_heard():
    agent = make_agent([{"text": "half", "error": {"kind": "overloaded", "message": "busy"}}])
    with pytest.raises(ProviderError, match="busy"):
        run_turn(agent)
    assert [m.role for m in agent.history] == ["user", "assistant"]


def test_step_limit():
    script = [{"calls": [{"name": "look", "args": {"n": n}}]} for n in range(3)]
    agent = make_agent(script, [tool("look", lambda a, c: "x")], max_steps=3)
    assert run_turn(agent)[-1].reason == "max_steps"
    assert agent.provider.left == 0


def test_the_same_call_forever_is_stopped():
    agent = make_agent([calls("look")] * 50, [tool("look", lambda a, c: '{"execution_time": 0.12}')])
    events = run_turn(agent)
    assert events[-1].reason == "repetition"
    assert sum(isinstance(e, ToolRequested) for e in events) == 5


def test_polling_with_changing_results_is_not_repetition():
    count = iter(range(100))
    agent = make_agent([calls("look")] * 8 + [{"text": "x"}], [tool("look", lambda a, c: f"state {next(count)}")])
    assert run_turn(agent)[-1].reason == "done"


def test_duplicate_call_ids_are_told_apart():
    step = {"calls": [{"name": "look", "id": "same", "args": {"n": n}} for n in (1, 2)]}
    agent = make_agent([step, {"text": "x"}], [tool("look", lambda a, c: f"saw {a['n']}")])
    run_turn(agent)
    assert [b.text for b in agent.history[2].blocks] == ["saw 1", "saw 2"]
    assert every_call_answered(agent.history)
