"""What many tests need: an agent on a script, permissive or refusing gates, and events gathered into a list."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

from ralph.core.agent import Agent
from ralph.core.gate import Answer, Gate, Judgement, Rule
from ralph.core.provider import Request
from ralph.core.runner import Runner
from ralph.core.tools import Output, Tool, Toolbox, ToolSpec
from ralph.providers.scripted import Scripted

READERS = ("look", "slow_look")


class TestPolicy:
    """Verdict by tool name: `verdicts[name]` or allow. Tools in READERS are read-only."""

    __test__ = False

    def __init__(self, verdicts=None, *, fresh=True):
        self.verdicts = verdicts or {}
        self.fresh = fresh
        self.learned = []

    def judge(self, call, spec):
        verdict = self.verdicts.get(call.name, "allow")
        if isinstance(verdict, Exception):
            raise verdict
        return Judgement(
            verdict, Rule("test", "test rule"), read_only=call.name in READERS,
            error="operation_denied" if verdict == "deny" else "", message="not here" if verdict == "deny" else "",
            remember={"tool": call.name},
        )  # fmt: skip

    def learn(self, question, answer):
        self.learned.append((question.call.name, answer.allowed))
        if answer.remember:
            self.verdicts[question.call.name] = "allow"

    def refresh(self, judgement, call, spec):
        return judgement if self.fresh else None


class Answers:
    """An approver with its answers ready; asked more often than that it fails."""

    def __init__(self, *answers, survey=None):
        self.answers = list(answers)
        self.asked = []
        self._survey = survey or {}

    async def ask(self, question):
        self.asked.append(question.call.name)
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer if isinstance(answer, Answer) else Answer(bool(answer))

    async def survey(self, questions):
        return self._survey


class Record:
    """A witness that keeps what it was told."""

    def __init__(self):
        self.decisions, self.results, self.refusals, self.started = [], [], [], []

    def decided(self, call, judgement, answer):
        self.decisions.append((call.name, judgement.verdict, answer.allowed))

    def refused(self, call, error, message):
        self.refusals.append((call.name, error))

    def starting(self, call):
        self.started.append(call.name)

    def performed(self, call, result, seconds):
        self.results.append((call.name, result.is_error))


def tool(name, perform, properties=None, **spec):
    """A Tool around `perform(args, ctx) -> str | Output`, plain or async."""

    async def run(args, ctx):
        out = perform(args, ctx)
        if asyncio.iscoroutine(out):
            out = await out
        return out if isinstance(out, Output) else Output(out)

    schema = {"type": "object", "properties": properties or {}, "additionalProperties": properties is None}
    return Tool(ToolSpec(name, f"the {name} tool", schema, spec.pop("category", "python"), **spec), run)


def make_agent(script, tools=(), *, policy=None, approver=None, witness=None, cwd=Path("/"), max_steps=50):
    """An Agent whose model is Scripted; `.provider.requests` holds what was sent."""
    box = Toolbox(tools)
    gate = Gate(box, policy or TestPolicy(), approver or Answers(), witness or Record())
    runner = Runner(gate, cwd=cwd, scratch=cwd, env={})

    async def prepare(history):
        return Request(("system",), tuple(history), box.specs)

    return Agent(Scripted(script), prepare, runner, max_steps=max_steps)


async def collect(agent, prompt="go"):
    events = []
    async with aclosing(agent.turn(prompt)) as turn:
        async for event in turn:
            events.append(event)
    return events


def run_turn(agent, prompt="go"):
    return asyncio.run(collect(agent, prompt))
