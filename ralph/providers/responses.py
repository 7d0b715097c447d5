"""The Responses API, used without server-side state: the whole history is sent, and nothing is stored there.

Source: OpenAI's API reference, "Responses" and "Streaming events". A model's reasoning comes as an encrypted item,
which is kept whole as the signature of the Thinking block and sent back as it came.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import partial
from typing import Any

from ralph.core.assemble import Assembler
from ralph.core.messages import Block, Image, Message, Text, Thinking, ToolCall, ToolResult, Usage
from ralph.core.provider import Provider, Request
from ralph.core.tools import ToolSpec
from ralph.errors import ProviderError
from ralph.net import Http
from ralph.providers.compatible import Compatible, stream_error
from ralph.providers.models import cost, row
from ralph.providers.openai import args_text, count, effort_of, of, wire_name
from ralph.providers.wire import Encoded, Explain, ProviderSettings, from_json, to_json

VENDOR = "responses"


def create(settings: ProviderSettings, http: Http) -> Provider:
    known = row(settings.model, settings.rows, settings.api_url)
    reasons = bool(known.thinking or settings.thinking or not known.name)
    return Compatible(settings, http, Responses(settings, reasons=reasons), partial(cost, known=known))


class Responses:
    """The format: how a request is written and which decoder reads the answer."""

    resource = "/responses"

    def __init__(self, settings: ProviderSettings, *, reasons: bool) -> None:
        self._settings, self._reasons = settings, reasons
        self._messages = Encoded[Message](lambda message: to_json(encode_message(message))[1:-1])
        self._tools = Encoded[ToolSpec](lambda spec: to_json(encode_tool(spec)))

    def fields(self, request: Request) -> dict[str, Any]:
        fields: dict[str, Any] = {"model": self._settings.model, "stream": True, "store": False}
        if request.system:
            fields["instructions"] = "\n\n".join(request.system)
        if self._settings.max_tokens:
            fields["max_output_tokens"] = self._settings.max_tokens
        if self._reasons:
            fields["include"] = ["reasoning.encrypted_content"]
            fields["reasoning"] = {"summary": "auto"}
            if effort := effort_of(self._settings.thinking):
                fields["reasoning"]["effort"] = effort
        if request.output_schema is not None:
            schema = {"type": "json_schema", "name": "answer", "schema": dict(request.output_schema), "strict": False}
            fields["text"] = {"format": schema}
        return fields

    def content(self, request: Request) -> bytes:
        items = b",".join(filter(None, self._messages(request.messages)))
        tools = b",".join(self._tools(request.tools))
        return b'"input":[%b]' % items + (b',"tools":[%b]' % tools if tools else b"")

    def decoder(self, request: Request, explain: Explain) -> ResponsesDecoder:
        return ResponsesDecoder(explain)


def encode_message(message: Message) -> list[dict[str, Any]]:
    """One message of ours as input items, in the order of its blocks: reasoning must stand before what it led to."""
    if message.role == "user":
        return [{"type": "message", "role": "user", "content": _user_content(message.blocks)}]
    return [item for block in message.blocks if (item := _item(block)) is not None]


def encode_tool(spec: ToolSpec) -> dict[str, Any]:
    return {
        "type": "function", "name": spec.name, "description": spec.description, "parameters": dict(spec.parameters),
        "strict": False,
    }  # fmt: skip


def _item(block: Block) -> dict[str, Any] | None:
    match block:
        case Text(text):
            return {"type": "message", "role": "assistant", "content": text} if text else None
        case ToolCall():
            name, args = wire_name(block.name), args_text(block)
            return {"type": "function_call", "call_id": block.id, "name": name, "arguments": args}
        case ToolResult():
            return {"type": "function_call_output", "call_id": block.call_id, "output": block.text}
        case Thinking(signature=signature, vendor="responses"):
            return dict(json.loads(signature))
        case _:
            return None


def _user_content(blocks: Iterable[Block]) -> list[dict[str, Any]]:
    return [
        {"type": "input_text", "text": block.text} if isinstance(block, Text)
        else {"type": "input_image", "image_url": f"data:{block.media_type};base64,{block.data}", "detail": "auto"}
        for block in blocks if isinstance(block, Text | Image)
    ]  # fmt: skip


class ResponsesDecoder:
    """Typed events of a streamed answer, or a whole one.

    Deltas are what counts; the `done` forms of an item fill in what a server did not stream.
    """

    def __init__(self, explain: Explain) -> None:
        self.assembler = Assembler(VENDOR)
        self._explain = explain
        self._aliases: dict[Any, Any] = {}  # an item's id and its output index -> the key of its pieces
        self._streamed: set[Any] = set()  # keys whose text or arguments came in deltas

    def feed(self, event: str, data: str) -> None:
        if data.strip() == "[DONE]":
            return
        body = from_json(data, "the server")
        kind = of(str, body.get("type")) or event
        if event == "json" and not body.get("error"):
            self._end(body)
        elif kind in ("error", "json"):
            raise stream_error(body, data, self._explain)
        elif kind == "response.failed":
            raise stream_error(of(dict, body.get("response")), data, self._explain)
        elif kind in ("response.completed", "response.incomplete", "response.done"):
            self._end(of(dict, body.get("response")))
        elif kind.startswith("response."):
            self._take(kind.removeprefix("response."), body)

    def _take(self, kind: str, body: dict[str, Any]) -> None:
        item, delta = of(dict, body.get("item")), of(str, body.get("delta"))
        key = self._key(body.get("output_index"), body.get("item_id") or item.get("id"))
        match kind:
            case "output_item.added":
                self._open(key, item)
            case "output_item.done":
                self._close(key, item)
            case "output_text.delta" | "refusal.delta":
                self._streamed.add(key)
                self.assembler.text(delta)
                if kind == "refusal.delta":
                    self.assembler.stop = "refusal"
            case "reasoning_summary_text.delta" | "reasoning_text.delta":
                self._streamed.add(key)
                self.assembler.thinking(delta)
            case "reasoning_summary_part.added" if key in self._streamed:
                self.assembler.thinking("\n\n")
            case "function_call_arguments.delta":
                self._streamed.add(key)
                self.assembler.call(key, args=delta)
            case "function_call_arguments.done" if key not in self._streamed:
                self._streamed.add(key)
                self.assembler.call(key, args=of(str, body.get("arguments")))

    def _key(self, index: Any, id: Any) -> Any:
        """One key for an item, though some servers leave the index out and others change the id between events."""
        names = [name for name in (id, index) if isinstance(name, int | str)]
        key = next((self._aliases[name] for name in names if name in self._aliases), names[0] if names else None)
        self._aliases.update(dict.fromkeys(names, key))
        return key

    def _open(self, key: Any, item: dict[str, Any]) -> None:
        if item.get("type") == "function_call":
            self.assembler.call(key, id=of(str, item.get("call_id")), name=of(str, item.get("name")))
        else:
            self.assembler.split()

    def _close(self, key: Any, item: dict[str, Any]) -> None:
        """The whole item: what was not streamed of it, and of reasoning the part that has to be sent back."""
        whole = key not in self._streamed
        self._streamed.add(key)
        match item.get("type"):
            case "function_call":
                args = of(str, item.get("arguments")) if whole else ""
                id, name = of(str, item.get("call_id")), of(str, item.get("name"))
                self.assembler.call(key, id=id, name=name, args=args)
            case "message" if whole:
                for part in (of(dict, part) for part in of(list, item.get("content"))):
                    self.assembler.text(of(str, part.get("text")) or of(str, part.get("refusal")))
                    if part.get("type") == "refusal":
                        self.assembler.stop = "refusal"
            case "reasoning":
                summary = [of(dict, part) for part in of(list, item.get("summary"))]
                if whole:
                    self.assembler.thinking("\n\n".join(of(str, part.get("text")) for part in summary))
                if item.get("encrypted_content"):
                    kept = {name: item[name] for name in ("type", "id", "encrypted_content") if name in item}
                    self.assembler.sign(json.dumps({**kept, "summary": summary}))

    def _end(self, response: dict[str, Any]) -> None:
        """The whole answer comes once more; only what was not streamed is taken from it."""
        if response.get("error") or response.get("status") == "failed":
            raise stream_error(response, json.dumps(response), self._explain)
        if not isinstance(response.get("output"), list) and not self._streamed:
            message = "the server's answer is not one of the Responses API"
            raise ProviderError(message, kind="broken", hint="check api_url")
        for index, item in enumerate(of(dict, item) for item in of(list, response.get("output"))):
            key = self._key(index, item.get("id"))
            if key not in self._streamed:
                self._open(key, item)
                self._close(key, item)
        self.assembler.model = of(str, response.get("model")) or self.assembler.model
        if usage := of(dict, response.get("usage")):
            cached = of(dict, usage.get("input_tokens_details")).get("cached_tokens")
            self.assembler.usage = Usage(
                count(usage.get("input_tokens")), count(usage.get("output_tokens")), count(cached) or 0
            )
        reason = of(str, of(dict, response.get("incomplete_details")).get("reason"))
        self.assembler.stop = _STOPS.get(reason, reason) or self.assembler.stop
        self.assembler.finished = True


_STOPS = {"max_output_tokens": "max_tokens", "max_tokens": "max_tokens", "content_filter": "refusal"}
