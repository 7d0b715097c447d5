"""Anthropic's Messages API, and servers that offer it too. Source: the API reference, "Messages" and "Streaming"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import groupby
from typing import Any

from ralph.core.assemble import Assembler
from ralph.core.messages import Block, Image, Message, Text, Thinking, ToolCall, ToolResult, Usage
from ralph.core.provider import Provider, Request
from ralph.core.tools import ToolSpec
from ralph.errors import ProviderError
from ralph.net import Http
from ralph.providers import models
from ralph.providers.wire import Encoded, Explain, ProviderSettings, Wire, clean, explain, from_json, to_json

BASE = "https://api.anthropic.com"
VERSION = "2023-06-01"
CACHED = b',"cache_control":{"type":"ephemeral"}}'
"""Takes the place of a block's closing brace: everything up to there is kept by the service for the next request."""
MOST_TOKENS = 32_000
"""An answer longer than this is asked for only by setting `max_tokens`."""
BUDGETS = {"low": 4_096, "medium": 10_000, "high": 24_000}
STOPS = {"end_turn": "end", "stop_sequence": "end", "model_context_window_exceeded": "max_tokens"}
STATUSES = {
    "invalid_request_error": 400, "authentication_error": 401, "billing_error": 402, "permission_error": 403,
    "not_found_error": 404, "timeout_error": 408, "request_too_large": 413, "rate_limit_error": 429,
    "overloaded_error": 529,
}  # fmt: skip


def create(settings: ProviderSettings, http: Http) -> Provider:
    url = endpoint(settings.api_url or BASE)
    known = models.row(settings.model, settings.rows, url)
    host = url.partition("://")[2].partition("/")[0]
    name = "Anthropic" if host == "api.anthropic.com" else host
    headers = {"anthropic-version": VERSION}
    if settings.api_key.strip():
        headers["x-api-key"] = settings.api_key.strip()

    def refused(status: int, body: str) -> ProviderError:
        return explain(status, body, name=name, model=settings.model, key_name="ANTHROPIC_API_KEY")

    return Wire(
        name=name, model=settings.model, url=url, headers=headers, http=http, encode=Encoder(settings, known),
        decoder=lambda: MessagesDecoder(name, refused), price=lambda usage: models.cost(usage, known), explain=refused,
    )  # fmt: skip


def endpoint(api_url: str) -> str:
    """The whole address of the messages, from a base address with or without `/v1` or `/v1/messages`."""
    address, mark, query = api_url.strip().partition("?")
    base = address.rstrip("/").removesuffix("/messages").removesuffix("/v1")
    return f"{base}/v1/messages{mark}{query}"


class Encoder:
    """Request -> body. What was encoded once is kept as bytes; only the frame is built anew."""

    def __init__(self, settings: ProviderSettings, known: models.ModelRow) -> None:
        limit = settings.max_tokens or min(known.output or 8_192, MOST_TOKENS)
        fields = {"model": settings.model, "max_tokens": limit, "stream": True}
        self._fields = {**fields, **thinking(settings.thinking, known, limit), **settings.extra}
        self._messages = Encoded[Message](lambda message: to_json(list(map(block, sayable(message))))[1:-1])
        self._tools = Encoded[ToolSpec](lambda spec: to_json(tool(spec)))

    def __call__(self, request: Request) -> bytes:
        parts = [to_json(self._fields)[:-1]]
        if request.tools:
            parts.append(b',"tools":[%b]' % _mark(b",".join(self._tools(request.tools))))
        if system := [to_json({"type": "text", "text": text}) for text in request.system if text.strip()]:
            parts.append(b',"system":[%b]' % b",".join([_mark(system[0]), *system[1:]]))
        parts.append(b',"messages":[%b]}' % b",".join(self._turns(request.messages)))
        return b"".join(parts)

    def _turns(self, messages: tuple[Message, ...]) -> list[bytes]:
        """Neighbours of one side as one message, as the API wants it. The last two of the person's side are marked:

        the one is found by the next request, the other was put there by the one before.
        """
        said = [
            (message.role == "assistant", text)
            for message, text in zip(messages, self._messages(messages), strict=True) if text
        ]  # fmt: skip
        turns = [(mine, b",".join(text for _, text in some)) for mine, some in groupby(said, key=lambda pair: pair[0])]
        marked = [number for number, (mine, _) in enumerate(turns) if not mine][-2:]
        return [
            b'{"role":"%b","content":[%b]}' % (b"assistant" if mine else b"user", _mark(text) if n in marked else text)
            for n, (mine, text) in enumerate(turns)
        ]


def thinking(asked: str | None, known: models.ModelRow, limit: int) -> dict[str, Any]:
    """The fields that ask for reasoning. Newer models refuse a budget and any word that would switch it off."""
    if not asked or asked == "off":
        return {}
    budget = int(asked) if asked.isdigit() else BUDGETS.get(asked, BUDGETS["medium"])
    if known.thinking == "adaptive":
        effort = asked if asked in BUDGETS else "low" if budget < 8_192 else "medium" if budget < 16_384 else "high"
        return {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": effort}}
    budget = min(budget, limit - 1_024)
    return {"thinking": {"type": "enabled", "budget_tokens": budget}} if budget >= 1_024 else {}


def sayable(message: Message) -> list[Block]:
    """What the API takes of a message: nothing blank, no reasoning of others, and no reasoning without a word after it.

    Results come before what the person says next.
    """
    blocks = [item for item in message.blocks if _is_sayable(item)]
    if all(isinstance(item, Thinking) for item in blocks):
        return []
    return sorted(blocks, key=lambda item: not isinstance(item, ToolResult)) if message.role != "assistant" else blocks


def block(item: Block) -> dict[str, Any]:
    match item:
        case Text(text):
            return {"type": "text", "text": text}
        case Thinking(_, signature, _, True):
            return {"type": "redacted_thinking", "data": signature}
        case Thinking(text, signature):
            return {"type": "thinking", "thinking": text, "signature": signature}
        case Image(media_type, data):
            return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}}
        case ToolCall(id, name, args):
            return {"type": "tool_use", "id": _word(id, 256), "name": _word(name, 128), "input": dict(args)}
        case ToolResult(call_id, text, is_error):
            result: dict[str, Any] = {"type": "tool_result", "tool_use_id": _word(call_id, 256)}
            if text.strip():
                result["content"] = text
            return {**result, "is_error": True} if is_error else result


def tool(spec: ToolSpec) -> dict[str, Any]:
    return {"name": spec.name, "description": spec.description, "input_schema": dict(spec.parameters)}


class MessagesDecoder:
    """Server events -> Assembler. Unknown events, blocks and deltas are passed over, as the API asks of clients."""

    def __init__(self, name: str, explain: Explain) -> None:
        self.assembler = Assembler("anthropic")
        self._name, self._explain = name, explain
        self._usage: dict[str, int] = {}
        self._inputs: dict[int, bytes] = {}  # given whole at a block's start, by servers that do not stream them

    def feed(self, event: str, data: str) -> None:
        if data == "[DONE]":  # added by some proxies
            self.assembler.finished = self.assembler.finished or bool(self.assembler.stop)
            return
        body = from_json(data, self._name)
        kind = body.get("type") or event
        if kind == "content_block_delta":
            self._delta(_number(body.get("index")), _object(body.get("delta")))
        elif kind == "content_block_start":
            self._start(_number(body.get("index")), _object(body.get("content_block")))
        elif kind == "content_block_stop":
            self._stop(_number(body.get("index")))
        elif kind == "message_start":
            self._about(_object(body.get("message")))
        elif kind == "message_delta":
            self._about({**_object(body.get("delta")), "usage": body.get("usage")})
        elif kind == "message_stop":
            self._finish()
        elif kind == "error" or "error" in body:
            raise self._error(body, data)
        elif event == "json":
            self._whole(body, data)

    def _delta(self, index: int, delta: Mapping[str, Any]) -> None:
        kind = delta.get("type")
        if kind == "text_delta":
            self.assembler.text(_text(delta.get("text")))
        elif kind == "thinking_delta":
            self.assembler.thinking(_text(delta.get("thinking")))
        elif kind == "signature_delta":
            self.assembler.sign(_text(delta.get("signature")))
        elif kind == "input_json_delta" and (piece := _text(delta.get("partial_json"))):
            self._inputs.pop(index, None)
            self.assembler.call(index, args=piece)

    def _start(self, index: int, content: Mapping[str, Any]) -> None:
        kind = content.get("type")
        if kind == "tool_use":
            self.assembler.call(index, id=_text(content.get("id")), name=_text(content.get("name")))
            if content.get("input"):
                self._inputs[index] = to_json(content["input"])
            return
        self.assembler.split()
        if kind == "text":
            self.assembler.text(_text(content.get("text")))
        elif kind == "thinking":
            self.assembler.thinking(_text(content.get("thinking")))
            if signature := _text(content.get("signature")):
                self.assembler.sign(signature)
        elif kind == "redacted_thinking":
            self.assembler.sign(_text(content.get("data")), redacted=True)

    def _stop(self, index: int) -> None:
        if index in self._inputs:
            self.assembler.call(index, args=self._inputs.pop(index).decode())

    def _about(self, facts: Mapping[str, Any]) -> None:
        """Counts are running totals: a later one replaces an earlier one. Cached input comes as counts of its own."""
        self.assembler.model = self.assembler.model or _text(facts.get("model"))
        if stop := _text(facts.get("stop_reason")):
            self.assembler.stop = STOPS.get(stop, stop)
        counts = {key: value for key, value in _object(facts.get("usage")).items() if type(value) is int and value >= 0}
        self._usage.update(counts)
        read = self._usage.get("cache_read_input_tokens", 0)
        write = self._usage.get("cache_creation_input_tokens", 0)
        fresh = self._usage.get("input_tokens")
        whole = None if fresh is None else fresh + read + write
        self.assembler.usage = Usage(whole, self._usage.get("output_tokens"), read, write)

    def _finish(self) -> None:
        for index in list(self._inputs):
            self._stop(index)
        self.assembler.finished = True

    def _whole(self, body: Mapping[str, Any], data: str) -> None:
        content = body.get("content")
        if not isinstance(content, list):
            message = f"{self._name} answered with something that is no message ({clean(data, 80)})"
            raise ProviderError(message, kind="broken", hint="check the api_url")
        for index, item in enumerate(content):
            self._start(index, _object(item))
        self._about(body)
        self._finish()

    def _error(self, body: Mapping[str, Any], data: str) -> ProviderError:
        kind = _object(body.get("error")).get("type")
        return self._explain(STATUSES.get(str(kind), 500), data)


def _mark(blocks: bytes) -> bytes:
    return blocks[:-1] + CACHED


def _is_sayable(item: Block) -> bool:
    if isinstance(item, Thinking):
        return item.vendor == "anthropic" and bool(item.signature)
    return not isinstance(item, Text) or bool(item.text.strip())


def _word(name: str, most: int) -> str:
    """A name or id the API takes in a history, whoever made it up: it would refuse the whole request."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", name)[:most] or "unknown"


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0
