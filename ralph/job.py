"""One job: a prompt through the agent to an exit code, whatever happens on the way."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from typing import Any, Protocol

from ralph.app import App
from ralph.core.events import Event, ToolFinished, TurnFinished
from ralph.core.messages import Block
from ralph.errors import Interrupted, LimitReached, RalphError, SchemaNotMet
from ralph.session.answer import REPAIRS, fit, repair_request

REFUSED_UNASKED = "non_interactive_gate"
DENIED = 4
LIMITS = {
    "max_steps": ("the model wanted more steps than --max-steps allows", "raise it and go on with `ralph -c`"),
    "repetition": ("the model repeated one call with the same result", "say what it should do differently"),
}


class Face(Protocol):
    """Shows a job. `result` comes once, last, whatever happened."""

    def show(self, event: Event) -> None: ...

    def result(self, *, exit_code: int, error: RalphError | None = None) -> None: ...


async def run_job(
    app: App, prompt: str, face: Face, *, attached: tuple[Block, ...] = (),
    timeout_s: float | None = None, schema: Mapping[str, Any] | None = None,
) -> int:  # fmt: skip
    """The exit code of the job (see errors.py; 4: done, but a call was refused because nobody could be asked)."""
    import asyncio

    error: RalphError | None = None
    refused = False
    try:
        async with asyncio.timeout(timeout_s):
            refused = await _answer(app, prompt, face, attached, schema)
    except TimeoutError:
        hint = "raise --timeout and go on with `ralph -c`"
        error = LimitReached(f"not done within {timeout_s:g} s", code="timeout", hint=hint)
    except asyncio.CancelledError:
        error = Interrupted("interrupted", hint="go on with `ralph -c`")
    except RalphError as raised:
        error = raised
    exit_code = error.exit_code if error else DENIED if refused else 0
    face.result(exit_code=exit_code, error=error)
    return exit_code


async def _answer(
    app: App, prompt: str, face: Face, attached: tuple[Block, ...], schema: Mapping[str, Any] | None
) -> bool:
    """Turns until the answer fits. True when a call was refused because nobody could be asked."""
    refused = False
    for round_ in range(REPAIRS + 1):
        finished, unasked = await _turn(app, prompt, face, attached)
        refused = refused or unasked
        if schema is None:
            return refused
        _, problems = fit(finished.text, schema)
        if not problems:
            return refused
        if round_ < REPAIRS:
            prompt, attached = repair_request(problems), ()
    raise SchemaNotMet(f"the answer does not fit the schema: {'; '.join(problems)}", hint="the best attempt is printed")


async def _turn(app: App, prompt: str, face: Face, attached: tuple[Block, ...]) -> tuple[TurnFinished, bool]:
    finished = TurnFinished("interrupted")
    unasked = False
    async with aclosing(app.turn(prompt, attached)) as events:
        async for event in events:
            face.show(event)
            if isinstance(event, TurnFinished):
                finished = event
            elif isinstance(event, ToolFinished):
                unasked = unasked or event.refusal == REFUSED_UNASKED
    if finished.reason in LIMITS:
        text, hint = LIMITS[finished.reason]
        raise LimitReached(text, code=finished.reason, hint=hint)
    if finished.reason == "stopped":
        raise Interrupted("you ended the turn", hint="go on with `ralph -c`")
    return finished, unasked
