"""The faces of one job: JSON lines or a screen, and who answers questions."""

from __future__ import annotations

import select
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, TextIO

from ralph.core.events import Event, Reply, TextDelta
from ralph.core.gate import Approver
from ralph.core.messages import Message, Text
from ralph.errors import Interrupted, RalphError
from ralph.ui.approve import Explain, Refuse, TerminalApprover, unexplained
from ralph.ui.jsonl import JsonLines
from ralph.ui.oneshot import screen_for
from ralph.ui.plain import put
from ralph.ui.terminal import Terminal
from ralph.ui.visible import printable

PATIENCE_S = 2.0


class JobFace(Protocol):
    """Shows one job. `opened` comes first, `result` last; `result` alone when the session could not be opened."""

    def approver(self, terminal: Terminal | None, cwd: Path, explain: Explain = unexplained) -> Approver: ...

    def opened(self, about: Callable[[], Mapping[str, Any]], *, hold: bool, streaming: bool) -> None: ...

    def show(self, event: Event) -> None: ...

    def result(self, *, exit_code: int, error: RalphError | None = None) -> None: ...


class JsonFace:
    def __init__(self, out: TextIO) -> None:
        self._lines = JsonLines(out)
        self.show = self._lines.show

    def approver(self, terminal: Terminal | None, cwd: Path, explain: Explain = unexplained) -> Approver:
        return TerminalApprover(terminal, cwd=cwd, colour=False, explain=explain) if terminal else Refuse()

    def opened(self, about: Callable[[], Mapping[str, Any]], *, hold: bool, streaming: bool) -> None:
        self._lines.init(**about())

    def result(self, *, exit_code: int, error: RalphError | None = None) -> None:
        self._lines.result(exit_code=exit_code, error=error)


class ScreenFace:
    """`streaming` False: each answer is shown when it is whole. A held one (it must fit a form) comes last, alone.

    who: the name of the provider that answers, to be set once there is one.
    """

    def __init__(self, out: TextIO, err: TextIO, *, colour: bool) -> None:
        self._out, self._err, self._colour, self._streaming = out, err, colour, True
        self.who: Callable[[], str] = lambda: ""
        self.screen = screen_for(out, err, colour=colour, verbatim=self._verbatim)
        self._hold = False
        self._held = ""

    def approver(self, terminal: Terminal | None, cwd: Path, explain: Explain = unexplained) -> Approver:
        if terminal is None:
            return Refuse()
        return TerminalApprover(
            terminal, cwd=cwd, colour=self._colour, settle=self.screen.settle, explain=explain
        )  # fmt: skip

    def opened(self, about: Callable[[], Mapping[str, Any]], *, hold: bool, streaming: bool) -> None:
        self._hold, self._streaming = hold, streaming

    def _verbatim(self) -> bool:
        return self.who() == "reflex"  # what it answers is no Markdown

    def show(self, event: Event) -> None:
        if isinstance(event, TextDelta) and (self._hold or not self._streaming):
            return
        if isinstance(event, Reply) and self._hold:
            self._held = event.message.text
            blocks = tuple(block for block in event.message.blocks if not isinstance(block, Text))
            event = replace(event, message=Message("assistant", blocks))
        self.screen.show(event)

    def result(self, *, exit_code: int, error: RalphError | None = None) -> None:
        self.screen.end()
        if self._held:
            put(self._out, self._held.strip() + "\n")
        if error is not None:
            self.screen.note(f"ralph: {printable(str(error))}", "31")
        elif self._err.isatty() and (totals := self.screen.totals()):
            self.screen.note(totals)


def face_for(*, as_json: bool, env: Mapping[str, str]) -> JobFace:
    if as_json:
        return JsonFace(sys.stdout)
    colour = not env.get("NO_COLOR") and env.get("TERM") != "dumb"
    return ScreenFace(sys.stdout, sys.stderr, colour=colour)


async def ask_yes_no(terminal: Terminal, question: str) -> bool:
    """One key before there is a session: y is yes, any other no. Raises Interrupted for Ctrl+C."""
    try:
        with terminal.attention():
            terminal.show(f"{question} [y/N] ")
            key = (await terminal.key()).lower()
            terminal.show(f"{'yes' if key == 'y' else 'no'}\n")
    except EOFError:
        terminal.show("\n")
        raise Interrupted("interrupted") from None
    except OSError:  # the terminal went away
        return False
    return key == "y"


def read_piped(stdin: TextIO | None, *, wait: Callable[[float], bool] | None = None) -> str:
    """All of piped input; empty from a terminal. Says on stderr that it waits when nothing comes for two seconds."""
    if stdin is None or stdin.closed or stdin.isatty():
        return ""
    ready = wait or (lambda seconds: _readable(stdin, seconds))
    if not ready(PATIENCE_S):
        put(sys.stderr, "waiting for piped input to end (start with `< /dev/null` when there is none)\n")
    return stdin.buffer.read().decode("utf-8", "replace")


def _readable(stdin: TextIO, seconds: float) -> bool:
    return bool(select.select([stdin.fileno()], [], [], seconds)[0])
