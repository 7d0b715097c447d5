"""The only module that runs a tool, and it runs permits only."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ralph.core.events import Event, ToolFinished, ToolOutput, ToolRequested, ToolStarted
from ralph.core.gate import Gate, Permit, Refusal
from ralph.core.messages import ToolCall, ToolResult
from ralph.core.tools import Context, Output, ToolSpec
from ralph.errors import ToolError

if TYPE_CHECKING:
    from asyncio import Queue

Finish = Callable[[ToolSpec, ToolCall, Output], Output]
"""Last hand on every output before anybody reads it: secrets out, provenance in, length capped."""


class Runner:
    """Runs the calls of one reply: asked in order, permitted read-only calls together, writers alone and in order."""

    def __init__(
        self, gate: Gate, *, cwd: Path, scratch: Path, env: Mapping[str, str],
        finish: Finish = lambda _s, _c, out: out,
        launch: Callable[[Sequence[str], Mapping[str, str]], Any] | None = None,
    ) -> None:  # fmt: skip
        self._gate, self._cwd, self._scratch, self._env, self._finish = gate, cwd, scratch, env, finish
        self._launch = launch

    async def run(self, calls: tuple[ToolCall, ...]) -> AsyncGenerator[Event | Refusal, None]:
        """Events of the batch. A Refusal that says `stop` is yielded last, as itself, for the loop to end the turn."""
        for call in calls:
            yield ToolRequested(call)
        decided = await self._gate.check(calls)
        stop: Refusal | None = None
        disturbed = False  # a writer of this batch has run: paths judged before it are looked up again
        for group in _groups(decided):
            permits: list[Permit] = []
            for item in group:
                fresh = self._gate.refresh(item) if disturbed and isinstance(item, Permit) else item
                if isinstance(fresh, Refusal):
                    stop = fresh if fresh.stop else stop
                    yield ToolFinished(fresh.call, fresh.result, refusal=fresh.error)
                else:
                    permits.append(fresh)
                    yield ToolStarted(fresh.call, fresh.answer.by)
            disturbed = disturbed or any(not permit.judgement.read_only for permit in permits)
            async with aclosing(self._run_together(permits)) as events:
                async for event in events:
                    yield event
        if stop is not None:
            yield stop

    async def _run_together(self, permits: list[Permit]) -> AsyncGenerator[Event, None]:
        import asyncio

        queue: asyncio.Queue[ToolOutput | ToolFinished] = asyncio.Queue()
        tasks = [asyncio.create_task(self._invoke(permit, queue)) for permit in permits]
        try:
            left = len(tasks)
            while left:
                event = await queue.get()
                left -= isinstance(event, ToolFinished)
                yield event
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in tasks:
            task.result()  # a bug outside the tool itself must show

    async def _invoke(self, permit: Permit, queue: Queue[ToolOutput | ToolFinished]) -> None:
        import asyncio

        call = permit.call
        context = Context(
            call.id, self._cwd, self._scratch, self._env, lambda chunk: queue.put_nowait(ToolOutput(call.id, chunk)),
            permit.judgement.judged, permit.judgement.argv, self._launch if permit.judgement.confined else None,
        )  # fmt: skip
        self._gate.witness_start(call)
        started = time.perf_counter()
        try:
            output = await permit.tool.perform(call.args, context)
        except asyncio.CancelledError:
            self._gate.witness_result(call, interrupted(call), time.perf_counter() - started)
            raise
        except ToolError as error:
            output = Output(json.dumps({"error": str(error), "success": False}, ensure_ascii=False), True, str(error))
        except Exception as error:  # noqa: BLE001  # the one place: a broken tool is a result, not the end of the session
            text = f"{type(error).__name__}: {error}"
            output = Output(json.dumps({"error": text, "success": False}, ensure_ascii=False), True, text)
        output = self._finish(permit.tool.spec, call, output)
        seconds = time.perf_counter() - started
        result = ToolResult(call.id, output.text, output.is_error, output.display)
        self._gate.witness_result(call, result, seconds)
        queue.put_nowait(ToolFinished(call, result, seconds))


def _groups(decided: list[Permit | Refusal]) -> list[list[Permit | Refusal]]:
    """Neighbouring read-only permits share a group; everything else stands alone."""
    groups: list[list[Permit | Refusal]] = []
    open_group = False
    for item in decided:
        quiet = isinstance(item, Permit) and item.judgement.read_only
        if quiet and open_group:
            groups[-1].append(item)
        else:
            groups.append([item])
        open_group = quiet
    return groups


def interrupted(call: ToolCall) -> ToolResult:
    """The answer of a call that was cut short, so that every call in the history has one."""
    body = {"error": "aborted", "message": "interrupted before it finished; its effects are unknown", "tool": call.name}
    return ToolResult(call.id, json.dumps(body), is_error=True, display="interrupted")
