"""The model's own list of steps: TodoWrite replaces it, TodoRead gives it back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from ralph.core.tools import Context, Output, Tool, ToolSpec
from ralph.errors import ToolError

STATUSES = ("pending", "in_progress", "completed")
PRIORITIES = ("low", "medium", "high")
_LONGEST = 4095  # characters of one item
_MOST = 100

_ITEM = {
    "type": "object",
    "properties": {
        "content": {"type": "string"},
        "status": {"type": "string", "enum": list(STATUSES), "default": "pending"},
        "priority": {"type": "string", "enum": list(PRIORITIES), "default": "medium"},
        "id": {"type": "string"},
    },
    "required": ["content"],
}
_WRITE = ToolSpec(
    "TodoWrite",
    "Replace your whole to-do list, and show it to the user. Use it for work of three or more steps: exactly one item "
    "in_progress, an item completed as soon as it is done and not before. An empty list clears it.",
    {"type": "object", "properties": {"todos": {"type": "array", "items": _ITEM}}, "required": ["todos"],
     "additionalProperties": False},
    "memory",
)  # fmt: skip
_READ = ToolSpec(
    "TodoRead", "Your to-do list as it is now.",
    {"type": "object", "properties": {}, "required": [], "additionalProperties": False}, "memory",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Todo:
    id: str
    content: str
    status: str = "pending"
    priority: str = "medium"


class TodoStore(Protocol):
    """Where one session's list is kept."""

    def replace(self, todos: Sequence[Todo]) -> None: ...

    def list(self) -> Sequence[Todo]: ...


class Todos:
    """A list that lasts as long as the process."""

    def __init__(self) -> None:
        self._todos: tuple[Todo, ...] = ()

    def replace(self, todos: Sequence[Todo]) -> None:
        self._todos = tuple(todos)

    def list(self) -> Sequence[Todo]:
        return self._todos


def todo_tools(store: TodoStore) -> list[Tool]:
    """TodoWrite and TodoRead on this list."""

    async def write(args: Mapping[str, Any], _context: Context) -> Output:
        if len(args["todos"]) > _MOST:
            raise ToolError(f"a list holds {_MOST} items at most; these are {len(args['todos'])}")
        todos = [_todo(number, item) for number, item in enumerate(args["todos"], 1)]
        store.replace(todos)
        active = next((todo.content for todo in todos if todo.status == "in_progress"), "")
        now = f"; in progress: {active}" if active else ""
        return Output(f"The to-do list was {'updated' if todos else 'cleared'}{now}.", display=status_line(todos))

    async def read(_args: Mapping[str, Any], _context: Context) -> Output:
        todos = store.list()
        return Output(json.dumps({"tasks": [asdict(todo) for todo in todos]}, ensure_ascii=False),
                      display=status_line(todos))  # fmt: skip

    return [Tool(_WRITE, write), Tool(_READ, read)]


def status_line(todos: Sequence[Todo]) -> str:
    """One line for the person: `2 of 5 done, now: write the tests`."""
    if not todos:
        return "the to-do list is empty"
    done = sum(todo.status == "completed" for todo in todos)
    current = next((todo.content for todo in todos if todo.status == "in_progress"), "")
    current = " ".join(current.split())
    shown = current if len(current) <= 76 else f"{current[:75]}…"
    return f"{done} of {len(todos)} done" + (f", now: {shown}" if shown else "")


def _todo(number: int, item: Mapping[str, Any]) -> Todo:
    """`title` is another name for `content`; ids are given anew."""
    content = str(item.get("content") or item.get("title") or "").strip()
    if not content:
        raise ToolError(f"todos[{number - 1}] has no content; nothing was changed")
    if len(content) > _LONGEST:
        raise ToolError(f"todos[{number - 1}].content is longer than {_LONGEST} characters; nothing was changed")
    return Todo(str(number), content, item.get("status") or "pending", item.get("priority") or "medium")
