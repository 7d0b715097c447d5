"""Tags some servers leave in the text: `<think>…</think>` before an answer, `<tool_call>{…}</tool_call>` in one.

Where a server has no field of its own for reasoning or calls, the model's chat template writes them as text. The tags
arrive cut at any place, so what might still become one is held back, and given out as text when it does not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from typing import Any, Literal

Piece = tuple[Literal["text", "thinking", "call"], str]

_THINK, _THOUGHT = "<think>", "</think>"
_CALL, _CALLED = "<tool_call>", "</tool_call>"


class Splitter:
    """Feed it the text of one answer in chunks of any size; the pieces do not depend on how it was cut.

    `<think>` counts at the very start only, `<tool_call>` only at the start of a line and around a call of one of
    `tools` (none given: never). Everything else, tags included, is text. White space after a closing tag is dropped.
    `thought` is the thinking of a tag that was never closed: such an answer may be all there is.
    """

    def __init__(self, tools: Collection[str] = ()) -> None:
        self._tools = tools
        self._held = ""
        self._step: Callable[[], bool] = self._start
        self._thought: list[str] = []
        self._line_is_blank = True
        self._pieces: list[Piece] = []

    def feed(self, chunk: str) -> list[Piece]:
        self._held += chunk
        while self._step():
            pass
        return self._take()

    def end(self) -> list[Piece]:
        """What was held back; `feed` must not follow."""
        if self._step == self._think:
            self._emit_thinking(self._held)
        elif self._step != self._skip:
            self._emit_text((_CALL if self._step == self._hear else "") + self._held)
        return self._take()

    @property
    def thought(self) -> str:
        return "".join(self._thought) if self._step == self._think else ""

    def _start(self) -> bool:
        body = self._held.lstrip()
        if body.startswith(_THINK):
            self._held, self._step = body[len(_THINK) :], self._think
            return True
        if _THINK.startswith(body):
            return False
        self._step = self._tell
        return True

    def _think(self) -> bool:
        inside, closed, rest = self._held.partition(_THOUGHT)
        if closed:
            self._emit_thinking(inside)
            self._held, self._step = rest, self._skip
            return True
        kept = _tail(self._held, _THOUGHT)
        self._emit_thinking(self._held[: len(self._held) - kept])
        self._held = self._held[len(self._held) - kept :]
        return False

    def _skip(self) -> bool:
        self._held = self._held.lstrip()
        if self._held:
            self._step, self._line_is_blank = self._tell, True
        return bool(self._held)

    def _tell(self) -> bool:
        if not self._tools or "<" not in self._held:
            self._emit_text(self._held)
            self._held = ""
            return False
        before, opened, rest = self._held.partition(_CALL)
        if not opened:
            kept = _tail(self._held, _CALL)
            self._emit_text(self._held[: len(self._held) - kept])
            self._held = self._held[len(self._held) - kept :]
            return False
        self._emit_text(before)
        self._held = rest
        if self._line_is_blank:
            self._step = self._hear
        else:
            self._emit_text(_CALL)
        return True

    def _hear(self) -> bool:
        body, closed, rest = self._held.partition(_CALLED)
        if closed and _is_call(body, self._tools):
            self._pieces.append(("call", body))
            self._held, self._step = rest, self._skip
            return True
        if closed or self._held[:64].lstrip()[:1] not in ("", "{"):  # it cannot become a call any more
            self._emit_text(_CALL)
            self._step = self._tell
            return True
        return False

    def _emit_thinking(self, text: str) -> None:
        if text:
            self._thought.append(text)
            self._pieces.append(("thinking", text))

    def _emit_text(self, text: str) -> None:
        if text:
            _, newline, line = text.rpartition("\n")
            self._line_is_blank = (bool(newline) or self._line_is_blank) and not line.strip()
            self._pieces.append(("text", text))

    def _take(self) -> list[Piece]:
        pieces, self._pieces = self._pieces, []
        return pieces


def parse_call(body: str) -> tuple[str, str]:
    """Name and arguments (JSON text) of what stood between the tags. Raises ValueError when it is not a call."""
    try:
        call: Any = json.loads(body)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(call, dict) or not isinstance(call.get("name"), str):
        raise ValueError("not a call")
    args = call.get("arguments", call.get("parameters"))
    return call["name"], args if isinstance(args, str) else json.dumps({} if args is None else args)


def _is_call(body: str, tools: Collection[str]) -> bool:
    try:
        return parse_call(body)[0] in tools
    except ValueError:
        return False


def _tail(text: str, tag: str) -> int:
    """How many characters at the end of `text` may be the start of `tag`."""
    return next((size for size in range(min(len(tag) - 1, len(text)), 0, -1) if tag.startswith(text[-size:])), 0)
