"""A shorter view of a history that outgrows the model's window. The history itself is never edited.

Old tool results go first, then whole old messages; what is left out is named. A cut once made stays, and moves in
large steps, so that the provider's prompt cache holds from request to request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ralph.core.events import Compacted, Event
from ralph.core.messages import Block, Image, Message, Text, Thinking, ToolCall, ToolResult

CHARS_PER_TOKEN = 3.5
"""Mean over English and code for current tokenizers; an estimate, corrected by nothing."""
FULL, ROOMY = 0.8, 0.5
"""Shorten when the view takes this part of the window, down to that part."""
KEPT = 6
"""Messages at the end that are never shortened."""
SHORT = 400


class Compactor:
    """Callable as `Prepare`'s shorten: messages -> (view, what to tell the person or None)."""

    def __init__(self, window: int, overhead: int = 0) -> None:
        """`window` and `overhead` (system prompt and tools) in tokens."""
        self._room = window - overhead
        self._results = 0  # tool results of messages before this index are shortened
        self._start = 0  # messages before this index are left out
        self._sizes: dict[int, tuple[Message, int]] = {}  # by identity; held so that it stays one
        self._short: dict[int, Message] = {}  # by identity of the whole one

    def __call__(self, messages: Sequence[Message]) -> tuple[tuple[Message, ...], Event | None]:
        if len(messages) < self._start:  # a new session
            self._results = self._start = 0
        view = self._view(messages)
        before = self._tokens(view)
        if before <= FULL * self._room:
            return view, None
        last = max(len(messages) - KEPT, 0)
        while self._results < last and self._tokens(self._view(messages)) > ROOMY * self._room:
            self._results = min(self._results + 4, last)
        while self._start < last and self._tokens(self._view(messages)) > ROOMY * self._room:
            self._start = _turn_after(messages, self._start, last)
        view = self._view(messages)
        after = self._tokens(view)
        return view, Compacted(max(self._results, self._start), before, after) if after < before else None

    def _view(self, messages: Sequence[Message]) -> tuple[Message, ...]:
        shortened = tuple(self._shortened(message) for message in messages[self._start : self._results])
        kept = (*shortened, *messages[max(self._start, self._results) :])
        if not self._start:
            return kept
        note = Text(f"[{self._start} earlier messages of this conversation are left out here]")
        return (Message("user", (note,)), *kept)

    def _tokens(self, view: Sequence[Message]) -> int:
        return int(sum(map(self._size, view)) / CHARS_PER_TOKEN)

    def _size(self, message: Message) -> int:
        known = self._sizes.get(id(message))
        if known is None:
            known = self._sizes[id(message)] = message, sum(map(_chars, message.blocks))
        return known[1]

    def _shortened(self, message: Message) -> Message:
        """The same object each time, so that its encoding can be kept."""
        if message.role != "tool":
            return message
        self._size(message)  # holds it
        short = self._short.get(id(message))
        if short is None:
            short = self._short[id(message)] = replace(message, blocks=tuple(map(_short, message.blocks)))
        return short


def _turn_after(messages: Sequence[Message], start: int, last: int) -> int:
    """Where the next turn of the person begins, so that no call is left without its result."""
    for index in range(start + 1, last):
        if messages[index].role == "user":
            return index
    return last if messages[last].role != "tool" else last + 1


def _short(block: Block) -> Block:
    if isinstance(block, ToolResult) and len(block.text) > SHORT:
        note = f"\n[{len(block.text) - SHORT:,} characters left out to save room; call the tool again if they matter]"
        return replace(block, text=block.text[:SHORT] + note)
    return block


def _chars(block: Block) -> int:
    if isinstance(block, Text | Thinking | ToolResult):
        return len(block.text) + 10
    if isinstance(block, ToolCall):
        return len(str(block.args)) + len(block.name) + 20
    return 5_000 if isinstance(block, Image) else 0
