"""History -> Request: the one seam for everything that shapes what the model sees.

`system[0]` (PROMPT.md) is the same for every session, `system[1]` (machine, directory, project instructions) for the
whole of this one, so that prompt caches hold. What changes from turn to turn travels with the person's message.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ralph.core.events import Event, Notice
from ralph.core.messages import Message, Text
from ralph.core.provider import Request
from ralph.core.tools import Toolbox
from ralph.errors import LimitReached

INSTRUCTION_BYTES = 32_000
STATUS_BYTES = 2_000

Recall = Callable[[str], tuple[str, Event | None]]
"""The prompt -> text to put before the model (empty: nothing relevant) and what to show the person.

It is called in a thread: looking things up must not stop the screen, and Ctrl+C ends the wait."""


@dataclass
class Budget:
    """Money spent in this session. An unknown price counts as nothing, and is said once."""

    limit_usd: float | None = None
    spent_usd: float = 0.0
    unpriced: bool = False

    def spend(self, cost_usd: float | None) -> None:
        self.spent_usd += cost_usd or 0.0
        self.unpriced = self.unpriced or cost_usd is None

    def check(self) -> None:
        """Raise LimitReached once the limit is used up: the next request is not sent."""
        if self.limit_usd is not None and self.spent_usd >= self.limit_usd:
            raise LimitReached(
                f"the cost limit is reached: {self.spent_usd:.4f} of {self.limit_usd:.4f} USD",
                code="max_cost", hint="raise --max-cost and go on with `ralph -c`",
            )  # fmt: skip
        if self.limit_usd is not None and self.unpriced:
            raise LimitReached(
                "the price of this model is unknown, so --max-cost cannot be kept",
                code="max_cost", hint="give its price under `models` in the config, or drop --max-cost",
            )  # fmt: skip


class Prepare:
    """Callable `history -> Request`. Recalled text is looked up once per prompt and stays in later views of it."""

    def __init__(
        self, system: tuple[str, ...], tools: Toolbox, *, budget: Budget, recall: Recall | None = None,
        shorten: Callable[[Sequence[Message]], tuple[tuple[Message, ...], Event | None]] | None = None,
        output_schema: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        self._system, self._tools, self.budget = system, tools, budget
        self._recall, self._shorten, self._output_schema = recall, shorten, output_schema
        self._attached: dict[int, str] = {}
        self._views: dict[int, Message] = {}
        self._notices: list[Event] = []

    def notice(self, text: str, topic: str = "") -> None:
        """Show this to the person before the next request."""
        self._notices.append(Notice(text, topic))

    def forget(self) -> None:
        """The history starts anew: nothing recalled for the old one belongs to it."""
        self._attached.clear()
        self._views.clear()

    async def __call__(self, history: list[Message]) -> Request:
        self.budget.check()
        last = len(history) - 1
        if self._recall is not None and history[last].role == "user" and last not in self._attached:
            import asyncio

            text, event = await asyncio.to_thread(self._recall, history[last].text)
            self._attached[last] = text
            if event is not None:
                self._notices.append(event)
        messages: tuple[Message, ...] = tuple(history)
        if any(self._attached.values()):
            messages = tuple(self._with_recalled(index, message) for index, message in enumerate(history))
        if self._shorten is not None:
            messages, shortened = self._shorten(messages)
            if shortened is not None:
                self._notices.append(shortened)
        notices, self._notices = tuple(self._notices), []
        return Request(self._system, messages, self._tools.specs, notices, self._output_schema)

    def _with_recalled(self, index: int, message: Message) -> Message:
        """The same object each time, so that its encoding can be kept."""
        text = self._attached.get(index)
        if not text:
            return message
        if index not in self._views:
            self._views[index] = Message(message.role, (Text(text), *message.blocks))
        return self._views[index]


def environment_text(cwd: Path, git: str, *, now: float | None = None) -> str:
    """Where and when the model works: platform, directory, date, git branch and status (at most 2 kB of it)."""
    day = time.strftime("%Y-%m-%d", time.localtime(now))
    machine = os.uname()
    lines = [f"Machine: {machine.sysname} {machine.machine}", f"Working directory: {cwd}", f"Date: {day}"]
    if git:
        shown = git.encode()[:STATUS_BYTES].decode(errors="ignore")
        cut = "\n[the rest of the status is cut]" if len(shown) < len(git) else ""
        lines.append(f"Git:\n{shown}{cut}")
    return "# Environment\n\n" + "\n".join(lines)


def project_instructions(cwd: Path) -> str:
    """AGENTS.md of this directory and its parents up to the repository root, outermost first."""
    found: list[tuple[Path, str]] = []
    for folder in (cwd, *cwd.parents):
        path = folder / "AGENTS.md"
        try:
            text = path.read_bytes()[:INSTRUCTION_BYTES].decode("utf-8", "replace").strip()
        except OSError:
            text = ""
        if text:
            found.append((path, text))
        if (folder / ".git").exists():
            break
    else:
        found = [item for item in found if item[0].parent == cwd]  # no repository: this directory only
    return "\n\n".join(f"# Project instructions from {path}\n\n{text}" for path, text in reversed(found))


def schema_instruction(schema: Mapping[str, Any]) -> str:
    """What tells the model the form its last answer must have."""
    form = json.dumps(schema, ensure_ascii=False, separators=(",", ":"))
    return f"# Answer form\n\nYour final answer must be one JSON value, nothing else, that fits this schema:\n{form}"
