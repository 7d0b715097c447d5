"""Asking the person: one question at a time, one key each, and nothing but a deliberate key says yes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ralph.core.gate import Answer, Question
from ralph.errors import ConfigError
from ralph.policy.rules import flags_that_help
from ralph.ui.terminal import Terminal
from ralph.ui.visible import rows, visible

if TYPE_CHECKING:
    from ralph.ui.card import Card

Explain = Callable[[Question], list[str]]
STOP = Answer(False, reason="the user ended the turn at this question", stop=True, error="aborted")
_KEYS = "y once · n no · {always}r no, because… · ? details"
_STYLE = re.compile("\x1b\\[[0-9;]*m")
_REACH = {"session": "for this session", "project": "for this project, from now on", "user": "for good, everywhere"}
_SCOPES = {"s": "session", "p": "project", "u": "user"}
_HOW_LONG = (
    "Enter as shown · s session · p project · u for good, everywhere · 1-9 uses · t minutes · e edit · x exact · n back"
)
_HINT = "  one of y n a r ? please, or Ctrl+C to end the turn"


def unexplained(_question: Question) -> list[str]:
    """For where the rules cannot be asked."""
    return []


class TerminalApprover:
    """Implements core.gate.Approver on a terminal.

    settle: called before anything is drawn, to complete what is on screen. explain: lines that say which rules were
    considered, for the details.
    """

    def __init__(
        self, terminal: Terminal, *, cwd: Path, colour: bool = True, settle: Callable[[], None] = lambda: None,
        explain: Explain = unexplained,
    ) -> None:  # fmt: skip
        import asyncio

        self._terminal, self._settle, self._explain = terminal, settle, explain
        self._cwd, self._colour = Path(cwd), colour
        self._turn = asyncio.Lock()  # subagents ask too: one question at a time

    @cached_property
    def _card(self) -> Card:
        from ralph.ui.card import Card  # noqa: PLC0415  # it reads calls as the policy does, whose loading takes 25 ms

        return Card(self._cwd, colour=self._colour)

    async def ask(self, question: Question) -> Answer:
        async with self._turn:
            self._settle()
            try:
                with self._terminal.attention():
                    return await self._ask(question)
            except EOFError:
                self._ended()
                return STOP
            except OSError:  # in the background of a terminal that is gone
                return unasked(question)

    async def survey(self, questions: tuple[Question, ...]) -> Mapping[str, Answer]:
        """One list of all that waits. What stays undecided, and whatever is dangerous, is asked singly afterwards."""
        answers: dict[str, Answer] = {}
        async with self._turn:
            self._settle()
            try:
                with self._terminal.attention():
                    while len(answers) < len(questions) and await self._survey(questions, answers):
                        pass
            except EOFError:
                self._ended()
                answers |= {item.call.id: STOP for item in questions if item.call.id not in answers}
            except OSError:
                return {item.call.id: unasked(item) for item in questions}
        return answers

    async def _ask(self, question: Question) -> Answer:
        width, _ = self._terminal.size()
        self._say(*self._card.short(question, width))
        keys = _KEYS.format(always="" if question.judgement.remember is None else "a always · ")
        while True:
            self._terminal.show(self._card.paint("1", f"  └ allow? {keys} "))
            key = (await self._terminal.key()).lower()
            self._say(key if key in tuple("ynar?") else "")
            answer: Answer | None = None
            match key:
                case "y":
                    answer = Answer(True)
                case "n":
                    answer = Answer(False)
                case "a":
                    answer = await self._always(question)
                case "r":
                    answer = await self._because(question)
                case "?":
                    await self._page(self._details(question))
                case _:
                    self._say(_HINT)
            if answer is not None:
                return answer

    def _details(self, question: Question) -> list[str]:
        explained = [f"  {visible(line, keep='')}" for line in self._explain(question)]
        width, _ = self._terminal.size()
        return [*self._card.details(question, width), *(["", "  which rule decides:", *explained] if explained else [])]

    async def _always(self, question: Question) -> Answer | None:
        """Show the very rule before it is stored, and how long it would hold; None goes back to the question."""
        rule = question.judgement.remember
        if rule is None:
            self._say(f"  no rule may cover this call: {self._card.why_never(question)} (y or n)")
            return None
        while True:
            self._say(f"  always would store this rule, {_reach(rule)}:", f"    {self._card.rule(rule)}")
            self._terminal.show(self._card.paint("1", f"  └ {_HOW_LONG} "))
            key = (await self._terminal.key()).lower()
            self._say(key if key.isprintable() and len(key) == 1 else "")
            if key in ("\r", "\n", "y"):
                return Answer(True, remember=rule)
            if key in _SCOPES:
                return Answer(True, remember={**rule, "scope": _SCOPES[key]})
            if key == "n":
                return None
            changed = await self._changed(rule, key, question)
            if changed is None:
                self._say("  one of those keys please, or Ctrl+C to end the turn")
            rule = changed or rule

    async def _changed(self, rule: Mapping[str, Any], key: str, question: Question) -> Mapping[str, Any] | None:
        """The rule after a key that changes it; None for any other key."""
        if key == "e":
            return await self._edited(rule, question)
        if key == "x":
            ends = {name: rule[name] for name in ("scope", "uses", "minutes") if name in rule}
            return {"tool": question.call.name, "arguments": dict(question.call.args), **ends}
        if key == "t":
            return self._tried(rule, "minutes", await self._terminal.line("  for how many minutes? "), question)
        if key.isdecimal() and key.isascii() and len(key) == 1:
            return self._tried(rule, "uses", await self._terminal.line("  for how many more uses? ", key), question)
        return None

    def _tried(self, rule: Mapping[str, Any], name: str, number: str | None, question: Question) -> Mapping[str, Any]:
        try:
            changed = {**rule, name: int(number)} if number else dict(rule)
            self._check(changed, question)
        except (ValueError, ConfigError) as error:
            self._say(f"  {visible(str(error), keep='')}; the rule is unchanged")
            return rule
        return changed

    async def _edited(self, rule: Mapping[str, Any], question: Question) -> Mapping[str, Any]:
        """The rule as the person rewrote it; as it was when they left, or when it would not cover this very call."""
        line = await self._terminal.line("    ", json.dumps(rule))
        if not line or not line.strip():
            return rule
        try:
            edited = json.loads(line)
            if not isinstance(edited, dict):
                raise ConfigError('a rule is an object such as {"tool": ...}')
            self._check(edited, question)
        except (ValueError, ConfigError) as error:
            self._say(f"  {visible(str(error), keep='')}; the rule is unchanged")
            return rule
        return edited

    def _check(self, rule: Mapping[str, Any], question: Question) -> None:
        from ralph.ui.always import check_rule, facts_of  # noqa: PLC0415  # as for the card

        check_rule(rule, question, facts_of(question, self._cwd))

    async def _because(self, question: Question) -> Answer | None:
        reason = await self._terminal.line("  no, because: ")
        if not reason or not reason.strip():
            return None
        return Answer(False, reason=f"the user denied this {question.call.name} call and says: {reason.strip()}")

    async def _page(self, lines: list[str]) -> None:
        """All lines, a screenful at a time."""
        width, height = self._terminal.size()
        room = height - 2
        for index, line in enumerate(lines):
            taken = rows(_STYLE.sub("", line), width) or len(line) // width + 1
            if taken > room and index:
                self._terminal.show(self._card.paint("7", f" {len(lines) - index} more: any key · q enough "))
                key = await self._terminal.key()
                self._say("")
                if key.lower() == "q":
                    return
                room = height - 2
            self._say(line)
            room -= taken

    async def _survey(self, questions: tuple[Question, ...], answers: dict[str, Answer]) -> bool:
        """One look at the list and one key. False: ask the rest singly."""
        width, _ = self._terminal.size()
        self._say("", self._card.paint("1", f"● {len(questions)} operations wait"))
        for number, question in enumerate(questions, 1):
            answer = answers.get(question.call.id)
            state = "   " if answer is None else "[+]" if answer.allowed else "[-]"
            mark = self._card.paint("31", "!") if question.judgement.dangerous else " "
            self._say(f"  {number:>2} {state}{mark} {self._card.brief(question, width - 10)}")
        careful = " but !" if any(item.judgement.dangerous for item in questions) else ""
        prompt = f"  └ y allow all{careful} · n deny all · 1-{len(questions)} one of them · Enter one by one "
        self._terminal.show(self._card.paint("1", prompt))
        key = (await self._terminal.key()).lower()
        self._say(key if key.isprintable() and len(key) == 1 else "")
        if key in ("\r", "\n"):
            return False
        open_ones = [item for item in questions if item.call.id not in answers]
        if key == "y":
            answers |= {item.call.id: Answer(True) for item in open_ones if not item.judgement.dangerous}
            return False
        if key == "n":
            answers |= {item.call.id: Answer(False) for item in open_ones}
        elif key.isdecimal() and len(key) == 1:
            if len(questions) > 9:
                key += await self._terminal.digit(0.5)
            if 1 <= int(key) <= len(questions):
                question = questions[int(key) - 1]
                answers[question.call.id] = await self._ask(question)
        else:
            self._say("  one of y n Enter or a number please, or Ctrl+C to end the turn")
        return True

    def _ended(self) -> None:
        with suppress(OSError):  # hung up: there is nobody to tell
            self._say("  turn ended")

    def _say(self, *lines: str) -> None:
        self._terminal.show("".join(f"{line}\n" for line in lines))


def _reach(rule: Mapping[str, Any]) -> str:
    """How long the rule would hold, in words."""
    words = [_REACH.get(str(rule.get("scope", "session")), "")]
    words += [f"{rule['uses']} more times" if rule["uses"] != 1 else "once more"] if "uses" in rule else []
    words += [f"for {rule['minutes']:g} minutes"] if "minutes" in rule else []
    return ", ".join(words)


class Refuse:
    """The approver where there is no terminal: no, with what the person could do about it."""

    async def ask(self, question: Question) -> Answer:
        return unasked(question)

    async def survey(self, _questions: tuple[Question, ...]) -> Mapping[str, Answer]:
        return {}


def unasked(question: Question) -> Answer:
    category, rule = question.spec.category, question.judgement.rule
    why = f"category {category} needs the user's yes" if rule.name == "category" else rule.text
    *others, last = flags_that_help(rule, category, question.call.name)
    flags = f"{', '.join(others)} or {last}" if others else last
    reason = f"nobody can be asked here (no terminal), and {why}; the user can allow it with {flags}"
    return Answer(False, by="no terminal", reason=reason, error="non_interactive_gate")
