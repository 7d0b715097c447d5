"""What the vendors' own SDKs make of Ralph's bytes. Runs in the counterparts' environment; JSON lines in and out.

{"kind": openai|responses|anthropic, "request": {...}}   -> {"differs": how what the SDK's types took differs, or ""}
{"kind": ..., "stream": "recorded text"}                 -> {"text", "thinking", "calls", "usage", "stop"} as it adds up

An SDK that raises gives {"raised": the traceback}.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Iterable, Mapping
from typing import Any

import anthropic
import httpx2
import openai
from anthropic.types.message_create_params import MessageCreateParamsStreaming
from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming
from openai.types.responses.response_create_params import ResponseCreateParamsStreaming
from pydantic import TypeAdapter, ValidationError

TYPES: dict[str, TypeAdapter[Any]] = {  # kept: what pydantic validates late refers to them
    "openai": TypeAdapter(CompletionCreateParamsStreaming),
    "responses": TypeAdapter(ResponseCreateParamsStreaming),
    "anthropic": TypeAdapter(MessageCreateParamsStreaming),
}
KEY = {"api_key": "x", "base_url": "http://recorded", "max_retries": 0}


def check(kind: str, request: dict[str, Any]) -> dict[str, Any]:
    """The SDK's types ignore fields they do not know, so what is missing afterwards is what they did not take."""
    try:
        taken = unroll(TYPES[kind].validate_python(request))
    except ValidationError as error:
        return {"differs": str(error)}
    return {"differs": difference(request, taken, "")}


def unroll(value: Any) -> Any:
    """Plain dicts and lists; pydantic validates an Iterable only while it is walked through."""
    if isinstance(value, Mapping):
        return {key: unroll(item) for key, item in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [unroll(item) for item in value]
    return value


def difference(sent: Any, taken: Any, where: str) -> str:
    if isinstance(sent, dict) and isinstance(taken, dict):
        if unknown := sent.keys() - taken.keys():
            return f"{where}: unknown {sorted(unknown)}"
        pairs = [(sent[key], taken[key], f"{where}.{key}") for key in sent]
    elif isinstance(sent, list) and isinstance(taken, list) and len(sent) == len(taken):
        pairs = [(a, b, f"{where}[{n}]") for n, (a, b) in enumerate(zip(sent, taken, strict=True))]
    else:
        return "" if sent == taken else f"{where}: {sent!r} became {taken!r}"
    return next((found for pair in pairs if (found := difference(*pair))), "")


def add_up(kind: str, recorded: str) -> dict[str, Any]:
    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=recorded.encode())

    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    if kind == "openai":
        return of_chat(openai.OpenAI(**KEY, http_client=http))
    if kind == "responses":
        return of_responses(openai.OpenAI(**KEY, http_client=http))
    return of_messages(anthropic.Anthropic(**KEY, http_client=http))


def of_chat(client: openai.OpenAI) -> dict[str, Any]:
    with client.chat.completions.stream(model="m", messages=[]) as stream:
        whole = stream.get_final_completion()
    choice = whole.choices[0]
    calls = choice.message.tool_calls or []
    thinking = getattr(choice.message, "reasoning_content", None) or getattr(choice.message, "reasoning", None)
    return {
        "text": choice.message.content or choice.message.refusal or "",
        "thinking": thinking or "",
        "calls": [[call.id, call.function.name, json.loads(call.function.arguments)] for call in calls],
        "usage": [whole.usage.prompt_tokens, whole.usage.completion_tokens] if whole.usage else [None, None],
        "stop": choice.finish_reason,
    }


def of_responses(client: openai.OpenAI) -> dict[str, Any]:
    with client.responses.stream(model="m", input=[]) as stream:
        whole = stream.get_final_response()
    items = [item for item in whole.output if item.type == "function_call"]
    summaries = [part.text for item in whole.output if item.type == "reasoning" for part in item.summary]
    return {
        "text": whole.output_text,
        "thinking": "\n\n".join(summaries),
        "calls": [[item.call_id, item.name, json.loads(item.arguments)] for item in items],
        "usage": [whole.usage.input_tokens, whole.usage.output_tokens] if whole.usage else [None, None],
        "stop": whole.incomplete_details.reason if whole.incomplete_details else whole.status,
    }


def of_messages(client: anthropic.Anthropic) -> dict[str, Any]:
    with client.messages.stream(model="m", max_tokens=1, messages=[]) as stream:
        whole = stream.get_final_message()
    usage = whole.usage
    cached = (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
    return {
        "text": "".join(block.text for block in whole.content if block.type == "text"),
        "thinking": "".join(block.thinking for block in whole.content if block.type == "thinking"),
        "calls": [[block.id, block.name, block.input] for block in whole.content if block.type == "tool_use"],
        "usage": [usage.input_tokens + cached, usage.output_tokens],
        "stop": whole.stop_reason,
    }


def main() -> None:
    for line in sys.stdin:
        task = json.loads(line)
        try:
            result = (check if "request" in task else add_up)(task["kind"], task.get("request", task.get("stream")))
        except Exception:
            result = {"raised": traceback.format_exc()}
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
