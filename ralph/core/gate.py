"""May it run? The one place that turns a call into a Permit.

The runner executes permits, never calls, so a call nobody judged cannot be expressed. The policy judges, the approver
asks a person (or refuses when there is none), the witness writes down what was decided. A policy that raises ends the
turn with nothing run: there is no path on which silence means yes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from ralph.core.messages import ToolCall, ToolResult
from ralph.core.tools import Judged, Tool, Toolbox, ToolSpec

VerdictName = Literal["allow", "ask", "deny"]


@dataclass(frozen=True, slots=True)
class Effect:
    """One fact about what a call would do.

    `kind`: reads, writes, deletes, executes, contacts, secret, history, unknown. `target`: a path, program or host.
    """

    kind: str
    target: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """What decided: `name` is a stable word, `text` a sentence, `where` the file, flag or table it is written in."""

    name: str
    text: str
    where: str = "built in"


@dataclass(frozen=True, slots=True)
class Judgement:
    """The policy's answer for one call, and everything a person needs to check it.

    deny: `error` is the name the model reads (reference: operation_denied, protected_file, rate_limited, ...), `extra`
    its further fields.
    checks: each kind of rule that was looked at and its verdict, "" where it had none.
    ask: `remember` is the exact rule an "always" would store, None when there must be none.
    `read_only` calls may run side by side. `argv`: a shell command judged to be one plain command. `confined`: its
    processes run in the sandbox.
    """

    verdict: VerdictName
    rule: Rule
    effects: tuple[Effect, ...] = ()
    judged: Mapping[str, Judged] = field(default_factory=dict)
    read_only: bool = False
    dangerous: bool = False
    confined: bool = False
    argv: tuple[str, ...] | None = None
    error: str = ""
    message: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    remember: Mapping[str, Any] | None = None
    checks: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """Put to a person. `origin` labels the asker (empty: this agent; else a subagent's name)."""

    call: ToolCall
    spec: ToolSpec
    judgement: Judgement
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """`by`: who decided (`person`, `no terminal`, ...). `remember`: the rule to store. `stop`: end the turn.

    `error` names the refusal for the model when it is not the person's plain no.
    """

    allowed: bool
    by: str = "person"
    reason: str = ""
    remember: Mapping[str, Any] | None = None
    stop: bool = False
    error: str = ""


class Policy(Protocol):
    def judge(self, call: ToolCall, spec: ToolSpec) -> Judgement: ...

    def learn(self, question: Question, answer: Answer) -> None:
        """Called after every answer: stores an "always", counts refusals."""
        ...

    def refresh(self, judgement: Judgement, call: ToolCall, spec: ToolSpec) -> Judgement | None:
        """Judge the paths again just before use; None when they no longer lead where they led when it was allowed."""
        ...


class Approver(Protocol):
    async def ask(self, question: Question) -> Answer: ...

    async def survey(self, questions: tuple[Question, ...]) -> Mapping[str, Answer]:
        """Several calls of one reply wait: answers by call id for those settled at once; the rest are asked singly."""
        ...


class Witness(Protocol):
    """Writes decisions and effects down. Raising StoreError ends the turn: what cannot be recorded does not run."""

    def decided(self, call: ToolCall, judgement: Judgement, answer: Answer) -> None: ...

    def refused(self, call: ToolCall, error: str, message: str) -> None:
        """A call that nothing was decided about (malformed, unknown), or that will not run although it was allowed."""
        ...

    def starting(self, call: ToolCall) -> None:
        """Told just before it runs; the decision may be minutes old."""
        ...

    def performed(self, call: ToolCall, result: ToolResult, seconds: float) -> None: ...


class Permit:
    """Proof that one call may run. Only Gate makes one; it carries the call, paths and words that were judged."""

    __slots__ = ("answer", "call", "judgement", "tool")

    def __init__(self, call: ToolCall, tool: Tool, judgement: Judgement, answer: Answer) -> None:
        self.call, self.tool, self.judgement, self.answer = call, tool, judgement, answer


@dataclass(frozen=True, slots=True)
class Refusal:
    """A call that will not run, as the value the model reads. `stop`: the person ended the turn."""

    call: ToolCall
    error: str
    message: str
    extra: Mapping[str, Any] = field(default_factory=dict)
    stop: bool = False

    @property
    def result(self) -> ToolResult:
        body = {"error": self.error, "message": self.message, "tool": self.call.name, **self.extra}
        return ToolResult(self.call.id, json.dumps(body, ensure_ascii=False), is_error=True, display=self.message)


class Gate:
    def __init__(
        self, tools: Toolbox, policy: Policy, approver: Approver, witness: Witness, *, origin: str = ""
    ) -> None:
        self._tools, self._policy, self._approver, self._witness = tools, policy, approver, witness
        self._origin = origin

    async def check(self, calls: tuple[ToolCall, ...]) -> list[Permit | Refusal]:
        """Judge the calls of one reply in order; questions are asked one at a time, after one survey of them all."""
        decided = [self._judge(call) for call in calls]
        waiting = tuple(item for item in decided if isinstance(item, Question))
        surveyed = await self._approver.survey(waiting) if len(waiting) > 1 else {}
        outcome: list[Permit | Refusal] = []
        stopped = False
        for item in decided:
            settled = item if stopped or not isinstance(item, Question) else await self._ask(item, surveyed)
            outcome.append(settled if not isinstance(settled, Question) else self._aborted(settled.call))
            stopped = stopped or (isinstance(settled, Refusal) and settled.stop)
        if stopped:  # the person ended the turn: what was already permitted does not run either
            return [self._aborted(item.call) if isinstance(item, Permit) else item for item in outcome]
        return outcome

    def refresh(self, permit: Permit) -> Permit | Refusal:
        """The same permit with its paths looked up again, after an earlier call of the batch may have changed them."""
        fresh = self._policy.refresh(permit.judgement, permit.call, permit.tool.spec)
        if fresh is None:
            text = "the path changed after it was approved; nothing was done"
            return self._refused(Refusal(permit.call, "path_changed", text))
        return Permit(permit.call, permit.tool, fresh, permit.answer)

    def witness_start(self, call: ToolCall) -> None:
        self._witness.starting(call)

    def witness_result(self, call: ToolCall, result: ToolResult, seconds: float) -> None:
        self._witness.performed(call, result, seconds)

    def _judge(self, call: ToolCall) -> Permit | Refusal | Question:
        if call.problem:
            return self._refused(Refusal(call, "invalid_arguments", call.problem))
        tool = self._tools.find(call.name)
        if tool is None:
            known = ", ".join(spec.name for spec in self._tools.specs)
            text = f"there is no tool named {call.name!r}; the tools are: {known}"
            return self._refused(Refusal(call, "unknown_tool", text))
        if problem := tool.spec.problem_with(call.args):
            return self._refused(Refusal(call, "invalid_arguments", problem))
        judgement = self._policy.judge(call, tool.spec)
        if judgement.verdict == "ask":
            return Question(call, tool.spec, judgement, self._origin)
        answer = Answer(judgement.verdict == "allow", by=judgement.rule.name)
        self._witness.decided(call, judgement, answer)
        if answer.allowed:
            return Permit(call, tool, judgement, answer)
        return Refusal(call, judgement.error, judgement.message, judgement.extra)

    async def _ask(self, question: Question, surveyed: Mapping[str, Answer]) -> Permit | Refusal:
        answer = surveyed.get(question.call.id)
        if answer is None:
            again = self._judge(question.call)  # an "always" given a moment ago may cover this one
            if not isinstance(again, Question):
                return again
            question = again
            answer = await self._approver.ask(question)
        self._policy.learn(question, answer)
        self._witness.decided(question.call, question.judgement, answer)
        tool = self._tools.find(question.call.name)
        if answer.allowed and tool is not None:
            return Permit(question.call, tool, question.judgement, answer)
        return Refusal(
            question.call, answer.error or "operation_denied",
            answer.reason or f"the user denied this {question.call.name} call",
            question.judgement.extra, stop=answer.stop,
        )  # fmt: skip

    def _refused(self, refusal: Refusal) -> Refusal:
        self._witness.refused(refusal.call, refusal.error, refusal.message)
        return refusal

    def _aborted(self, call: ToolCall) -> Refusal:
        return self._refused(Refusal(call, "aborted", "the user ended the turn before this call ran", stop=True))
