"""A model that says what a script tells it, for tests and demonstrations. Selected like any model: `-m scripted:FILE`.

A script is a JSON array or JSON lines; each step is one reply:

    {"text": "...", "thinking": "...", "calls": [{"name": "shell", "args": {...}, "id": "c1"}],
     "raw_args": "...", "usage": {"input": 10, "output": 5}, "cost_usd": 0.01, "delay_s": 0.1,
     "chunks": ["piece ", "by piece"], "error": {"kind": "overloaded", "message": "..."}, "cut": true}

Every key is optional. `chunks` streams the text in these pieces, `delay_s` waits before each; `error` raises after what
was streamed, `cut` ends the stream without an answer. A request past the end of the script is an error.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ralph.core.assemble import Assembler
from ralph.core.events import Delta
from ralph.core.messages import Usage
from ralph.core.provider import Request
from ralph.errors import ConfigError, ProviderError

if TYPE_CHECKING:
    from ralph.net import Http
    from ralph.providers.wire import ProviderSettings


class Scripted:
    name = "scripted"

    def __init__(self, steps: Iterable[Mapping[str, Any]], *, model: str = "scripted") -> None:
        self.model = model
        self.requests: list[Request] = []
        self._steps = list(steps)

    @property
    def left(self) -> int:
        """Steps nobody asked for; a test that leaves any has not tested what it says."""
        return len(self._steps) - len(self.requests)

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        if not self.left:
            raise ProviderError("the script has no further reply", kind="bad_request", hint="add a step to the script")
        step = self._steps[len(self.requests)]
        self.requests.append(request)
        assembler = Assembler(self.name)
        assembler.model = self.model
        assembler.thinking(step.get("thinking", ""))
        for chunk in step.get("chunks") or [step.get("text", "")]:
            await _pause(step.get("delay_s", 0))
            assembler.text(chunk)
            for delta in assembler.drain():
                yield delta
        if error := step.get("error"):
            raise ProviderError(error["message"], kind=error["kind"], hint=error.get("hint", ""))
        if step.get("cut"):
            return
        for index, call in enumerate(step.get("calls", ())):
            args = call.get("raw_args") or json.dumps(call.get("args", {}))
            call_id = call.get("id") or f"call_{len(self.requests)}_{index + 1}"
            assembler.call(index, id=call_id, name=call["name"], args=args)
        assembler.usage = Usage(**step.get("usage", {"input": 0, "output": 0}))
        yield assembler.reply(cost_usd=step.get("cost_usd", 0.0))

    async def close(self) -> None:
        return None


async def _pause(seconds: float) -> None:
    if seconds:
        import asyncio

        await asyncio.sleep(seconds)


def load(path: Path) -> list[dict[str, Any]]:
    """The steps of a script file. Raises ConfigError when it cannot be read or is not a list of objects."""
    try:
        text = path.read_text(encoding="utf-8")
        steps = json.loads(text) if text.lstrip().startswith("[") else [json.loads(s) for s in text.splitlines() if s]
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read the script {str(path)!r}: {error}", hint="give -m scripted:FILE") from error
    if not all(isinstance(step, dict) for step in steps):
        raise ConfigError(f"the script {str(path)!r} is not a list of objects", hint="one JSON object a reply")
    return steps


def create(settings: ProviderSettings, http: Http) -> Scripted:
    return Scripted(load(Path(settings.model)), model=settings.model)
