"""Asking the person: one question at a time, one key each, and nothing but a deliberate key says yes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ralph.core.gate import Answer, Question
from ralph.errors import ConfigError
from ralph.ui.card import Card
from ralph.ui.terminal import Terminal
from ralph.ui.visible import rows, visible

STOP = Answer(False, reason="the user ended the turn at this question", stop=True, error="aborted")
_KEYS = "y once · n no · a always · r no, because… · ? details"
_STYLE = re.compile("\x1b\\[[0-9;]*m")
_REACH = {"session": ", for this session", "project": ", for this project", "user": ", for good and everywhere"}
_HINT = "  one of y n a r ? please, or Ctrl+C to end the turn"


class TerminalApprover:
    """Implements core.gate.Approver on a terminal.

    settle: called before anything is drawn, to complete what is on screen. check: raises ConfigError for a rule the
    person edited into something the policy could not read.
    """

    def __init__(
        self, terminal: Terminal, *, cwd: Path, colour: bool = True, settle: Callable[[], None] = lambda: None,
        check: Callable[[Mapping[str, Any]], object] = lambda _rule: None,
    ) -> None:  # fmt: skip
        import asyncio

        self._terminal, self._settle, self._check = terminal, settle, check
        self._card = Card(cwd, colour=colour)
        self._turn = asyncio.Lock()  # subagents ask too: one question at a time

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
        while True:
            self._terminal.show(self._card.paint("1", f"  └ allow? {_KEYS} "))
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
                    await self._page(self._card.details(question))
                case _:
                    self._say(_HINT)
            if answer is not None:
                return answer

    async def _always(self, question: Question) -> Answer | None:
        """Show the very rule before it is stored; None goes back to the question."""
        rule = question.judgement.remember
        if rule is None:
            self._say("  no rule may cover this call: it is asked every time (y or n)")
            return None
        keys = "y store it · e edit it · x exactly this call only · n back"
        while True:
            reach = _REACH.get(str(rule.get("scope", "session")), "")
            self._say(f"  always would store this rule{reach}:", f"    {self._card.rule(rule)}")
            self._terminal.show(self._card.paint("1", f"  └ {keys} "))
            key = (await self._terminal.key()).lower()
            self._say(key if key in ("y", "e", "x", "n") else "")
            if key == "y":
                return Answer(True, remember=rule)
            if key == "x":
                rule = {"tool": question.call.name, "arguments": dict(question.call.args)}
            elif key == "e":
                rule = await self._edit(rule) or rule
            elif key == "n":
                return None
            else:
                self._say("  one of those keys please, or Ctrl+C to end the turn")

    async def _edit(self, rule: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The rule as the person rewrote it, for the same tool; None when it was left or cannot be read."""
        line = await self._terminal.line("    ", json.dumps(rule))
        if not line or not line.strip():
            return None
        try:
            edited = json.loads(line)
            if not isinstance(edited, dict) or edited.get("tool") != rule.get("tool"):
                raise ConfigError("a rule is an object for the same tool")
            self._check(edited)
        except (ValueError, ConfigError) as error:
            self._say(f"  {visible(str(error), keep='')}; the rule is unchanged")
            return None
        return edited

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


class Refuse:
    """The approver where there is no terminal: no, with what the person could do about it."""

    async def ask(self, question: Question) -> Answer:
        return unasked(question)

    async def survey(self, _questions: tuple[Question, ...]) -> Mapping[str, Answer]:
        return {}


def unasked(question: Question) -> Answer:
    name, category = question.call.name, question.spec.category
    reason = (
        f"nobody can be asked here (no terminal), and category {category} needs the user's yes; they can give it with "
        f'--allow-category={category}, --allow "{name}:..." or --yolo'
    )
    return Answer(False, by="no terminal", reason=reason, error="non_interactive_gate")
