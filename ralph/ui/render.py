"""Events on a screen: the answer through its writer, everything else as short lines beside it."""

from __future__ import annotations

import json
import re
import time
from collections import deque
from collections.abc import Callable
from typing import Any, TextIO

from ralph.core.events import (
    Compacted,
    Event,
    Notice,
    Recalled,
    Reply,
    Retrying,
    TextDelta,
    ThinkingDelta,
    ToolFinished,
    ToolOutput,
    ToolStarted,
    TurnFinished,
    TurnStarted,
)
from ralph.core.messages import ToolCall, Usage
from ralph.errors import RalphError
from ralph.ui.plain import Writer, put
from ralph.ui.visible import cropped, one_line, printable

TAIL = 5
"""Lines of a running tool's output kept on screen."""
REDRAW_S = 0.05
_COLOURS = re.compile("\x1b\\[[0-9;:]*m")  # programs colour their output; other sequences of theirs are spelled out
_PROBES = ("--version", "which ", "command -v", "type ")
_ENDINGS = {
    "max_steps": "the step limit was reached (--max-steps)",
    "repetition": "stopped: the model kept making the same call with the same result",
    "stopped": "turn ended",
}
_LABELS = (
    ("path", ""), ("file_path", ""), ("directory_path", ""), ("command", ""), ("url", ""), ("query", "query: "),
    ("pattern", "pattern: "), ("key", "key: "), ("collection", "collection: "), ("text", "text: "), ("subject", ""),
    ("content", ""),
)  # fmt: skip


class Screen:
    """aside: where everything but the answer goes. live: aside is a terminal, so a running tool may be shown there.

    size: columns and lines of that terminal. thoughts: the model's reasoning is shown, dim.
    """

    def __init__(
        self, answer: Writer, aside: TextIO, *, live: bool = False, colour: bool = False, thoughts: bool = False,
        size: Callable[[], tuple[int, int]] = lambda: (80, 24), clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._answer, self._aside, self._live, self._colour = answer, aside, live, colour
        self._thoughts, self._size, self._clock = thoughts, size, clock
        self._marks = ("✓", "✗", "○") if _says(aside.encoding, "✓✗○") else ("+", "x", "-")
        self.usage, self.cost_usd, self._started = Usage(), 0.0, clock()
        self._priced = self._answered = self._heard = self._thinking = False
        self._running: dict[str, ToolCall] = {}
        self._tail: deque[str] = deque(maxlen=TAIL)
        self._partial, self._drawn, self._drawn_at = "", 0, 0.0

    def show(self, event: Event) -> None:
        match event:
            case TextDelta(text):
                self._say(text)
            case ThinkingDelta(text):
                self._think(text)
            case Reply():
                self._reply(event)
            case ToolStarted(call):
                self._running[call.id] = call
                self._draw()
            case ToolOutput(_, text):
                self._overhear(text)
            case ToolFinished():
                self._finish(event)
            case TurnStarted():
                self._answered, self._heard = False, False
            case TurnFinished(reason) if reason != "done":
                self.note(_ENDINGS.get(reason, reason), "33")
            case Retrying() | Notice() | Recalled() | Compacted():
                self._remark(event)
            case _:
                pass  # a call that was only asked for is shown when it starts or is refused

    def note(self, text: str, style: str = "2") -> None:
        """One line beside the answer, below whatever is on screen."""
        self.settle()
        put(self._aside, self._paint(style, text) + "\n")
        self._draw()

    def complain(self, error: RalphError) -> None:
        self.note(f"error: {printable(str(error))}", "31")

    def settle(self) -> None:
        """Complete the line begun and take away what is shown of running tools, so that others can write."""
        self._stop_thinking()
        self._answer.end()
        self._erase()

    def end(self) -> None:
        """After a turn, whole or interrupted."""
        self._running.clear()
        self.settle()

    def totals(self) -> str:
        """Tokens, cost and time since the start, one line; empty when no model was asked."""
        used = [f"{count:,} {name}" for count, name in ((self.usage.input, "in"), (self.usage.output, "out")) if count]
        cost = [f"${self.cost_usd:.4f}"] if self._priced else []
        return " · ".join([*(["tokens " + ", ".join(used)] if used else []), *cost,
                           f"{self._clock() - self._started:.1f} s"]) if used or cost else ""  # fmt: skip

    def _remark(self, event: Retrying | Notice | Recalled | Compacted) -> None:
        match event:
            case Retrying(attempt, wait, reason):
                self.note(f"retry {attempt} in {wait:.1f} s: {printable(reason)}", "33")
            case Notice(text, _, kind):
                warning = kind == "warning"
                self.note(f"warning: {printable(text)}" if warning else printable(text), "33" if warning else "2")
            case Recalled(items):
                self.note(f"recalled {len(items)}: {one_line(_sources(items), 60)}")
            case Compacted(messages, before, after):
                self.note(f"{messages} earlier messages shortened, about {before:,} to {after:,} tokens")

    def _say(self, text: str) -> None:
        if not self._heard:
            self._stop_thinking()
            self._erase()
            if self._answered:  # a paragraph of its own after the tools
                text = "\n" + text
            self._heard = self._answered = True
        self._answer.text(text)

    def _think(self, text: str) -> None:
        if self._thoughts:
            self._thinking = True
            put(self._aside, self._paint("2", printable(text)))

    def _stop_thinking(self) -> None:
        if self._thinking:
            self._thinking = False
            put(self._aside, "\n")

    def _reply(self, reply: Reply) -> None:
        if not self._heard and reply.message.text:  # not streamed
            self._say(reply.message.text)
        self.settle()
        self._heard = False
        self.usage += reply.usage
        self._priced = self._priced or reply.cost_usd is not None
        self.cost_usd += reply.cost_usd or 0.0

    def _finish(self, event: ToolFinished) -> None:
        self._running.pop(event.call.id, None)
        self._tail.clear()
        self._partial = ""
        self.settle()
        put(self._aside, "".join(f"{line}\n" for line in self._tool_lines(event)))
        self._draw()

    def _tool_lines(self, event: ToolFinished) -> list[str]:
        call, result = event.call, event.result
        good, bad, open_ = self._marks
        mark, style = (good, "32") if not result.is_error else (bad, "31")
        if result.is_error and call.name == "shell" and any(word in str(call.args.get("command")) for word in _PROBES):
            mark, style = open_, "33"  # looking whether a program is there is no failure
        ended = "" if result.is_error else _exit_code(event)
        if ended:  # done as asked, but no success: only who asked can say what it means
            mark, style = open_, "33"
        text = summary(call)
        took = f" {event.seconds:.1f} s" if event.seconds >= 1 else ""
        line = f"{self._paint(style, mark)} {one_line(call.name, 60)}"
        lines = [line + self._paint("2", (f" ({text})" if text else "") + ended + took)]
        if event.refusal:
            lines.append(self._paint(style, f"  refused, {event.refusal}: {one_line(_message(event), 200)}"))
        elif result.is_error:
            lines.append(self._paint(style, f"  {_short(_message(event))}"))
        elif result.display:
            lines.append(self._paint("2", f"  {_short(result.display)}"))
        return lines

    def _overhear(self, text: str) -> None:
        if not self._live:
            return
        *lines, self._partial = (self._partial + text)[-10_000:].split("\n")
        self._tail.extend(lines[-TAIL:])
        if self._clock() - self._drawn_at >= REDRAW_S:
            self._draw()

    def _draw(self) -> None:
        """The running calls and the last lines of what they print, each cut to one row, to be erased again."""
        if not (self._live and self._running):
            return
        columns, height = self._size()
        room = max(height - 2, 1)
        mark = self._marks[2]
        lines = [f"{mark} {one_line(call.name, 60)} ({summary(call)})" for call in self._running.values()][:room]
        tail = [*self._tail, *([self._partial] if self._partial else [])][-TAIL:]
        for line in tail[max(len(tail) + len(lines) - room, 0) :]:
            last = line.rstrip("\r").rsplit("\r", 1)[-1]  # a progress bar overwrites itself
            lines.append(f"  {printable(_COLOURS.sub('', last))}")
        self._erase()
        put(self._aside, "".join(self._paint("2", cropped(line, columns - 1)) + "\n" for line in lines))
        self._drawn, self._drawn_at = len(lines), self._clock()

    def _erase(self) -> None:
        if self._drawn:
            put(self._aside, f"\x1b[{self._drawn}A\r\x1b[J")
            self._drawn = 0

    def _paint(self, style: str, text: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self._colour else text


def summary(call: ToolCall) -> str:
    """What a call is about, in 50 characters at most."""
    args = call.args
    if call.name == "search_files":
        return one_line(f"{args.get('path', '.')} → /{one_line(str(args.get('regex_pattern', '')), 40)}/", 50)
    if call.name == "TodoWrite":
        todos = args.get("todos")
        if not isinstance(todos, list) or not todos or not isinstance(todos[0], dict):
            return "updated"
        return one_line(f"{len(todos)} tasks: {todos[0].get('content', '')}", 50)
    if "taskId" in args:
        return one_line(f"#{args['taskId']} → {args.get('status', '')}", 50)
    return next((one_line(label + str(args[key]), 50) for key, label in _LABELS if args.get(key)), "")


def _says(encoding: str | None, text: str) -> bool:
    try:
        text.encode(encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _message(event: ToolFinished) -> str:
    """The error of a result, for a person."""
    if event.result.display is not None:
        return event.result.display
    body = _body(event)
    if trace := body.get("exception"):
        return str(trace).rstrip().rpartition("\n")[2]
    return str(body.get("message") or body.get("error") or event.result.text)


def _exit_code(event: ToolFinished) -> str:
    """How a command ended, when not with 0."""
    if event.call.name != "shell":
        return ""
    body = _body(event)
    return " timed out" if body.get("timed_out") else f" exit {code}" if (code := body.get("exit_code")) else ""


def _body(event: ToolFinished) -> dict[str, Any]:
    """The fields of a result; none where it is no object."""
    try:
        body = json.loads(event.result.text)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _short(text: str) -> str:
    return one_line(text, 70)


def _sources(items: tuple[dict[str, Any], ...]) -> str:
    return ", ".join(str(item.get("source") or item.get("id", "?")) for item in items)
