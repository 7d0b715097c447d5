"""What the gate stands on, made when the first call is judged or while the model thinks.

Loading the rules, the sandbox and the audit log takes 40 ms, which the first request does not wait for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ralph import __version__
from ralph.config import Config
from ralph.core.gate import Answer, Judgement, Question
from ralph.core.messages import Message, ToolCall, ToolResult
from ralph.core.tools import Output, ToolSpec
from ralph.place import Place, Wishes
from ralph.policy.secret_sources import known_values
from ralph.policy.secrets import Redactor, load_key

if TYPE_CHECKING:
    from ralph.audit.log import AuditLog
    from ralph.policy.rules import Rules
    from ralph.policy.taint import Finishing, Taint
    from ralph.sandbox.box import Sandbox


def make_redactor(place: Place, config: Config) -> Redactor:
    """Takes the secrets this session knows of, and everything that looks like one, out of texts."""
    return Redactor(known_values(place.env, place.cwd, config), load_key(place.home))


@dataclass
class Session:
    """The session the gate works for. `history`: what was said before, when it is gone on with."""

    id: str
    scratch: Path
    history: list[Message]
    redact: Redactor


@dataclass
class _Made:
    """All of it, once it is made."""

    rules: Rules
    taint: Taint
    finishing: Finishing
    log: AuditLog


@dataclass
class LatePolicy:
    """Policy, witness and the last hand on results of one session (see core.gate and core.runner).

    `tell`: given sentences for the person about what was done on their behalf, each with its topic.
    """

    place: Place
    config: Config
    wishes: Wishes
    session: Session
    tell: Callable[[str, str], None] = lambda _text, _topic: None
    _made: _Made | None = None
    _boxes: dict[str, Sandbox] = field(default_factory=dict)
    _loading: threading.RLock = field(default_factory=threading.RLock)

    @property
    def rules(self) -> Rules:
        return self._all().rules

    def box(self, kind: str) -> Sandbox:
        """`python`: with a /tmp of its own. `shell`: sees the person's, where the model may have put things."""
        with self._loading:
            if kind not in self._boxes:
                from ralph.rulebook import make_sandbox  # noqa: PLC0415  # late, see above

                private = kind == "python"
                self._boxes[kind] = make_sandbox(
                    self.place, self.config, self.session.scratch, private=private,
                    tell=lambda text: self.tell(text, "held_back"),
                )  # fmt: skip
            return self._boxes[kind]

    def load_soon(self, after_s: float = 0.3) -> None:
        """In the background, once the request is surely on its way."""
        timer = threading.Timer(after_s, self._all)
        timer.daemon = True
        timer.start()

    def restart(self, session_id: str) -> None:
        """A new session: nothing was read in it yet, and its decisions go to a log of their own."""
        with self._loading:
            if self._made is not None:
                self._made.log.close()
            self._made = None
            self.session = Session(session_id, self.session.scratch, [], self.session.redact)

    def close(self) -> None:
        for box in self._boxes.values():
            box.close()
        if self._made is not None:
            self._made.log.close()

    def judge(self, call: ToolCall, spec: ToolSpec) -> Judgement:
        return self.rules.judge(call, spec)

    def learn(self, question: Question, answer: Answer) -> None:
        self.rules.learn(question, answer)

    def refresh(self, judgement: Judgement, call: ToolCall, spec: ToolSpec) -> Judgement | None:
        return self.rules.refresh(judgement, call, spec)

    def decided(self, call: ToolCall, judgement: Judgement, answer: Answer) -> None:
        self._all().log.decided(call, judgement, answer)

    def refused(self, call: ToolCall, error: str, message: str) -> None:
        self._all().log.refused(call, error, message)

    def starting(self, call: ToolCall) -> None:
        self._all().log.starting(call)

    def performed(self, call: ToolCall, result: ToolResult, seconds: float) -> None:
        self._all().log.performed(call, result, seconds)

    def finish(self, spec: ToolSpec, call: ToolCall, output: Output) -> Output:
        return self._all().finishing(spec, call, output)

    def _all(self) -> _Made:
        with self._loading:
            if self._made is None:
                from ralph.rulebook import make_finishing, make_log, make_rules, make_taint  # noqa: PLC0415  # late

                box = self.box("python")
                offline = box.holds and not self.config.sandbox.network
                taint = make_taint(self.place, self.session.history, offline=offline)
                rules = make_rules(self.place, self.config, self.wishes, taint=taint.asks, sandbox_holds=box.holds)
                finishing = make_finishing(self.session.redact, taint, self.session.scratch)
                about = {"version": __version__, "cwd": str(self.place.cwd)}
                log = make_log(self.place, self.session.id, self.session.redact, about, box.state())
                self._made = _Made(rules, taint, finishing, log)
            return self._made
