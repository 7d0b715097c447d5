"""Chat Completions, for OpenAI and everything compatible with it.

Source: OpenAI's API reference, "Chat Completions", and what Azure, Groq, OpenRouter, DeepSeek, LM Studio, Ollama,
llama.cpp and vLLM do differently. Lenient where servers differ; never lenient about which call a piece belongs to.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from functools import partial
from itertools import groupby
from typing import Any, TypeVar

from ralph.core.assemble import Assembler
from ralph.core.messages import Block, Image, Message, Text, Thinking, ToolCall, ToolResult, Usage
from ralph.core.provider import Provider, Request
from ralph.core.tools import ToolSpec
from ralph.errors import ProviderError
from ralph.net import Http
from ralph.providers.compatible import Compatible, Dialect, dialect_of, stream_error
from ralph.providers.models import ModelRow, cost, row
from ralph.providers.think import Splitter, parse_call
from ralph.providers.wire import Encoded, Explain, ProviderSettings, from_json, to_json

Kind = TypeVar("Kind")


def create(settings: ProviderSettings, http: Http) -> Provider:
    known = row(settings.model, settings.rows, settings.api_url)
    return Compatible(settings, http, Chat(settings, dialect_of(settings.api_url), known), partial(cost, known=known))


class Chat:
    """The format: how a request is written and which decoder reads the answer."""

    resource = "/chat/completions"

    def __init__(self, settings: ProviderSettings, dialect: Dialect, known: ModelRow) -> None:
        self._settings, self._dialect, self._known = settings, dialect, known
        self._messages = Encoded[Message](lambda message: to_json(encode_message(message, dialect.echo))[1:-1])
        self._tools = Encoded[ToolSpec](lambda spec: to_json(encode_tool(spec)))

    def fields(self, request: Request) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "model": self._settings.model, "stream": True, "stream_options": {"include_usage": True},
        }  # fmt: skip
        if most := self._settings.max_tokens or (self._known.output if self._dialect.frugal else None):
            fields[self._dialect.limit] = most
        if effort := effort_of(self._settings.thinking):
            fields["reasoning_effort"] = effort
        if request.output_schema is not None and (self._dialect.schemas or not request.tools):
            schema = {"name": "answer", "schema": dict(request.output_schema)}
            fields["response_format"] = {"type": "json_schema", "json_schema": schema}
        return fields

    def content(self, request: Request) -> bytes:
        system = [{"role": "system", "content": "\n\n".join(request.system)}] if request.system else []
        parts = [to_json(system)[1:-1]]
        for role, group in groupby(
            zip(request.messages, self._messages(request.messages), strict=True), key=lambda pair: pair[0].role
        ):
            messages, encoded = zip(*group, strict=True)
            parts.extend([_joined(messages)] if role == "user" and len(messages) > 1 else encoded)
        tools = b",".join(self._tools(request.tools if self._known.tools else ()))
        return b'"messages":[%b]' % b",".join(filter(None, parts)) + (b',"tools":[%b]' % tools if tools else b"")

    def decoder(self, request: Request, explain: Explain) -> ChatDecoder:
        names = () if self._dialect.native else [spec.name for spec in request.tools]
        return ChatDecoder(explain, names)


def encode_message(message: Message, echo: str = "") -> list[dict[str, Any]]:
    """One message of ours as messages of theirs: one for each tool result, none when there is nothing to say.

    `echo`: the field for the reasoning that led to calls, for servers that want it back.
    """
    if message.role == "tool":
        results = (block for block in message.blocks if isinstance(block, ToolResult))
        return [{"role": "tool", "tool_call_id": result.call_id, "content": result.text} for result in results]
    if message.role == "user":
        return [{"role": "user", "content": _user_content(message.blocks)}]
    encoded: dict[str, Any] = {"role": "assistant", "content": message.text or None}
    if message.calls:
        encoded["tool_calls"] = [encode_call(call) for call in message.calls]
        thought = "".join(block.text for block in message.blocks if isinstance(block, Thinking))
        if echo and thought:
            encoded[echo] = thought
    return [encoded] if message.text or message.calls else []


def encode_call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": wire_name(call.name), "arguments": args_text(call)}}


def encode_tool(spec: ToolSpec) -> dict[str, Any]:
    function = {"name": spec.name, "description": spec.description, "parameters": dict(spec.parameters)}
    return {"type": "function", "function": function}


def wire_name(name: str) -> str:
    """A name the API takes in a history, whatever the model made up: it would refuse the whole request."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", name)[:64] or "unknown"


def args_text(call: ToolCall) -> str:
    return json.dumps(dict(call.args), ensure_ascii=False)


def effort_of(thinking: str | None) -> str:
    """Their three words, from ours or from a number of tokens; empty: as the model's maker chose."""
    if thinking is None or not thinking.isdigit():
        return "none" if thinking == "off" else thinking or ""
    return "low" if int(thinking) < 4096 else "medium" if int(thinking) < 16384 else "high"


def _joined(messages: Iterable[Message]) -> bytes:
    """Messages of the person in a row, as after an interrupt, as one: some chat templates insist on turns."""
    blocks = tuple(block for message in messages for block in message.blocks)
    return to_json(encode_message(Message("user", blocks)))[1:-1]


def _user_content(blocks: Iterable[Block]) -> str | list[dict[str, Any]]:
    """A string where it can be one: not every server takes a list."""
    said = [block for block in blocks if isinstance(block, Text | Image)]
    if not any(isinstance(block, Image) for block in said):
        return "\n\n".join(block.text for block in said if isinstance(block, Text))
    return [
        {"type": "text", "text": block.text} if isinstance(block, Text)
        else {"type": "image_url", "image_url": {"url": f"data:{block.media_type};base64,{block.data}"}}
        for block in said
    ]  # fmt: skip


class _Slot:
    """A call still growing. `key` is ours; `index` and `id` are whatever the server sent so far."""

    __slots__ = ("id", "key", "pieces")

    def __init__(self, key: int, id: str) -> None:
        self.key, self.id = key, id
        self.pieces: list[str] = []

    def is_whole(self) -> bool:
        if not self.pieces or not self.pieces[-1].rstrip().endswith("}"):
            return False
        try:
            json.loads("".join(self.pieces))
        except (ValueError, RecursionError):
            return False
        return True


class ChatDecoder:
    """Chunks of a streamed answer, or a whole one. `tools`: names for which a call written as text counts."""

    def __init__(self, explain: Explain, tools: Collection[str] = ()) -> None:
        self.assembler = Assembler("openai")
        self._explain = explain
        self._splitter: Splitter | None = Splitter(tools)
        self._slots: list[_Slot] = []
        self._by_index: dict[int, _Slot] = {}
        self._has_text = False

    def feed(self, event: str, data: str) -> None:
        if data.strip() == "[DONE]":
            self._finish()
            return
        chunk = from_json(data, "the server")
        if chunk.get("error") or chunk.get("object") == "error" or event == "error":
            raise stream_error(chunk, data, self._explain)
        self.assembler.model = self.assembler.model or of(str, chunk.get("model"))
        if usage := of(dict, chunk.get("usage") or of(dict, chunk.get("x_groq")).get("usage")):
            self.assembler.usage = usage_of(usage)  # cumulative where it comes with every chunk: the last one counts
        choices = of(list, chunk.get("choices"))
        for choice in choices[:1]:
            self._choose(of(dict, choice), data)
        if event == "json":
            if not choices:
                message = "the server's answer is not a chat completion"
                raise ProviderError(message, kind="broken", hint="check the api_url")
            self._finish()

    def _choose(self, choice: dict[str, Any], data: str) -> None:
        if choice.get("error"):
            raise stream_error(choice, data, self._explain)
        delta = of(dict, choice.get("delta") or choice.get("message"))
        self.assembler.thinking(of(str, delta.get("reasoning_content") or delta.get("reasoning")))
        for kind, piece in _parts(delta.get("content")):
            self._hear(kind, piece)
        if refusal := of(str, delta.get("refusal")):
            self._tell("text", refusal)
            self.assembler.stop = "refusal"
        for call in of(list, delta.get("tool_calls")):
            self._call(of(dict, call))
        if reason := of(str, choice.get("finish_reason")):
            self.assembler.stop = self.assembler.stop or _STOPS.get(reason, reason)
            self._finish()

    def _hear(self, kind: str, piece: str) -> None:
        if kind == "text" and self._splitter is not None:
            for inner, text in self._splitter.feed(piece):
                self._tell(inner, text)
        else:
            self._tell(kind, piece)

    def _tell(self, kind: str, text: str) -> None:
        if kind == "thinking":
            self.assembler.thinking(text)
        elif kind == "call":
            name, args = parse_call(text)
            slot = self._open("")
            self.assembler.call(slot.key, name=name, args=args)
        else:
            self._has_text = self._has_text or bool(text.strip())
            self.assembler.text(text)

    def _call(self, delta: dict[str, Any]) -> None:
        function = of(dict, delta.get("function"))
        id, name, args = of(str, delta.get("id")), of(str, function.get("name")), function.get("arguments")
        args = args if isinstance(args, str) else "" if args is None else json.dumps(args)
        slot = self._slot_for(delta.get("index"), id, name, args)
        slot.id = slot.id or id
        slot.pieces.append(args)
        self.assembler.call(slot.key, id=id, name=name, args=args)

    def _slot_for(self, index: Any, id: str, name: str, args: str) -> _Slot:
        """By index; without one by id, else the latest. A name may open a new call although the index is an old one:

        some servers number every call 0. It does when its id is another, or when the arguments so far are whole.
        """
        if isinstance(index, int):
            slot = self._by_index.get(index)
        else:
            slot = next((slot for slot in self._slots if id and slot.id == id), None) or (
                self._slots[-1] if self._slots else None
            )
        if slot is None or (name and _differs(id, slot.id)) or (name and args and slot.is_whole()):
            slot = self._open(id)
            if isinstance(index, int):
                self._by_index[index] = slot
        return slot

    def _open(self, id: str) -> _Slot:
        self._slots.append(_Slot(len(self._slots), id))
        return self._slots[-1]

    def _finish(self) -> None:
        """The answer is whole. Thinking that was never closed and is all there is was the answer."""
        if self._splitter is not None:
            splitter, self._splitter = self._splitter, None
            for kind, text in splitter.end():
                self._tell(kind, text)
            if not self._has_text and not self._slots and self.assembler.stop != "max_tokens":
                self.assembler.text(splitter.thought)
        self.assembler.finished = True


_STOPS = {"stop": "end", "length": "max_tokens", "tool_calls": "tool_use", "function_call": "tool_use",
          "content_filter": "refusal"}  # fmt: skip


def of(kind: type[Kind], value: Any) -> Kind:
    """`value` if it is of that kind, else an empty one: servers send null, or leave out."""
    return value if isinstance(value, kind) else kind()


def usage_of(usage: dict[str, Any]) -> Usage:
    details = of(dict, usage.get("prompt_tokens_details"))
    cached = details.get("cached_tokens") or usage.get("prompt_cache_hit_tokens")
    return Usage(count(usage.get("prompt_tokens")), count(usage.get("completion_tokens")), count(cached) or 0)


def count(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _parts(content: Any) -> Iterable[tuple[str, str]]:
    """Text, or a list of parts as some servers send it: (kind, text) pairs."""
    if isinstance(content, str):
        yield "text", content
    for part in (of(dict, item) for item in of(list, content)):
        if part.get("type") == "thinking":
            yield from (("thinking", text) for _, text in _parts(part.get("thinking")))
        else:
            yield "text", of(str, part.get("text"))


def _differs(id: str, other: str) -> bool:
    return bool(id and other and id != other)
