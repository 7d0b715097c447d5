"""No model at all: plain requests become tool calls by a small grammar, through the same loop and the same gate.

It answers from results only, needs no network, costs nothing, and says so when it does not understand.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import TYPE_CHECKING

from ralph.core.events import Delta, Notice, Reply, TextDelta
from ralph.core.messages import Message, Text, ToolCall, ToolResult, Usage
from ralph.core.provider import Request
from ralph.core.tools import ToolSpec
from ralph.errors import ProviderError
from ralph.providers.grammar import Intent, NotUnderstood, understand
from ralph.providers.reflexes import ANSWERING, Ask, Failed, Unanswered, reflex

if TYPE_CHECKING:
    from ralph.net import Http
    from ralph.providers.wire import ProviderSettings

SET_UP = (
    "set ANTHROPIC_API_KEY or OPENAI_API_KEY, start a local server (Ollama, LM Studio, llama.cpp, vLLM), "
    "or give --api-url"
)
EXAMPLES = (
    "read README.md", "list files in src", 'search "TODO" in src', "run `git status`", 'write "text" to notes.txt',
)  # fmt: skip
NOTICE = f"no model configured: built-in reflexes only; {SET_UP} for a full agent"


class Reflex:
    """One wish after another: each reply asks for one call, the last one answers."""

    name = "reflex"
    model = "reflex"

    def __init__(self) -> None:
        self._told = False

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        if not self._told:
            self._told = True
            yield Notice(NOTICE, "reflex")
        step = _next(request)
        if isinstance(step, ToolCall):
            yield Reply(Message("assistant", (step,)), Usage(0, 0), self.model, "tool_use", 0.0)
            return
        yield TextDelta(step)
        yield Reply(Message("assistant", (Text(step),)), Usage(0, 0), self.model, "end", 0.0)

    async def close(self) -> None:
        return None


def create(settings: ProviderSettings, http: Http) -> Reflex:
    return Reflex()


def _next(request: Request) -> ToolCall | str:
    """The next call, or the answer. Raises ProviderError for what is not understood or cannot be done here."""
    prompt, results = _since_prompt(request.messages)
    if request.output_schema is not None:
        raise _cannot("answers in a given form need a model, and none is configured")
    specs = {spec.name: spec for spec in request.tools}
    intents = _understood(prompt, specs)
    answers: list[str] = []
    for number, intent in enumerate(intents):
        work = reflex(intent, specs.__contains__)
        try:
            ask = next(work)
            while results:
                ask = work.send(results.popleft())
            return _call(ask, specs, request.messages)
        except StopIteration as done:
            answers.append(str(done.value))
        except Unanswered as nothing:
            if len(intents) == 1:
                raise _cannot(f"no model is configured, and {nothing}") from None
            answers.append(f"[{nothing}]")
        except Failed as failed:
            left = "; ".join(later.said for later in intents[number + 1 :])
            answers.append(f"[{failed}]" + (f"\n[not done because of that: {left}]" if left else ""))
            break
    return "\n\n".join(answers)


def _understood(prompt: str, specs: Mapping[str, ToolSpec]) -> list[Intent]:
    try:
        intents = understand(prompt)
        for intent in intents:
            if intent.kind == "ask" and not ANSWERING & specs.keys():
                raise NotUnderstood(intent.said)
    except NotUnderstood as error:
        what = "this request" if error.said.strip() == prompt.strip() else repr(error.said[:80])
        reason = f" ({error.reason})" if error.reason else ""
        raise _cannot(f"no model is configured, and the built-in reflexes do not understand {what}{reason}") from None
    return intents


def _since_prompt(messages: Sequence[Message]) -> tuple[str, deque[ToolResult]]:
    """What the person asked last, without what was attached, and the results that came since, in order."""
    start = max((at for at, message in enumerate(messages) if message.role == "user"), default=-1)
    texts = [block.text for block in messages[start].blocks if isinstance(block, Text)] if start >= 0 else []
    results = (block for message in messages[start + 1 :] for block in message.blocks if isinstance(block, ToolResult))
    return (texts[-1] if texts else ""), deque(results)


def _call(ask: Ask, specs: Mapping[str, ToolSpec], messages: Sequence[Message]) -> ToolCall:
    """The call under an id no call of this conversation has."""
    name, args = ask
    if name not in specs:
        raise _cannot(f"no model is configured, and this needs the tool {name}, which is not there")
    if problem := specs[name].problem_with(args):
        raise _cannot(f"no model is configured, and the tool {name} does not take this: {problem}")
    numbers = [
        int(call.id.removeprefix("reflex_")) for message in messages for call in message.calls
        if call.id.startswith("reflex_") and call.id.removeprefix("reflex_").isdecimal()
    ]  # fmt: skip
    return ToolCall(f"reflex_{max(numbers, default=0) + 1}", name, args)


def _cannot(message: str) -> ProviderError:
    hint = f"try {' · '.join(EXAMPLES)}; for a full agent {SET_UP}"
    return ProviderError(message, kind="bad_request", hint=hint)
