"""Line operations onto text: insert, delete, replace by line number. Pure. All numbers mean the text as it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ralph.errors import ToolError
from ralph.tools.hunks import BOM, line_end, split_lines

_EXAMPLE = 'for example {"type": "replace", "start_line": 3, "end_line": 4, "content": ["first line", "second line"]}'
_FIELDS = {"type", "start_line", "end_line", "content"}


@dataclass(frozen=True, slots=True)
class _Edit:
    """Lines `start` to before `end` (from 0) become `lines`, which have no line ends. An insert has start == end."""

    index: int
    start: int
    end: int
    lines: tuple[str, ...]


def apply_operations(text: str, operations: Sequence[Any]) -> tuple[str, list[str]]:
    """The text with every operation applied, and what was adjusted. Nothing is applied when one is wrong.

    Raises ToolError naming operation and field.
    """
    bom = BOM if text.startswith(BOM) else ""
    lines = split_lines(text.removeprefix(bom))
    if not operations:
        raise ToolError(f"operations is empty: give at least one, {_EXAMPLE}")
    edits = sorted((_edit(index, item, len(lines)) for index, item in enumerate(operations)), key=_order)
    notes = [
        f"operation {edit.index}: end_line reaches past the end of the file and was taken as {len(lines)}"
        for edit in edits if edit.end > len(lines)
    ]  # fmt: skip
    end = line_end(lines)
    result: list[str] = []
    done, last = 0, edits[0]
    for edit in edits:
        if edit.start < done:
            raise ToolError(
                f"operations {last.index} and {edit.index} both touch line {edit.start + 1}: join them into one. "
                "All line numbers mean the file as it was before the call"
            )
        result += lines[done : edit.start]
        result += [line + end for line in edit.lines]
        done, last = min(edit.end, len(lines)), edit
    result += lines[done:]
    open_end = (
        bool(lines) and not lines[-1].endswith("\n") and done == len(lines) and last.end > last.start and last.lines
    )
    whole = "".join(line if line.endswith("\n") else line + end for line in result[:-1]) + "".join(result[-1:])
    return bom + (whole.removesuffix(end) if open_end else whole), notes


def _order(edit: _Edit) -> tuple[int, bool, int]:
    return edit.start, edit.end > edit.start, edit.index


def _edit(index: int, item: Any, count: int) -> _Edit:
    where = f"operation {index}"
    if not isinstance(item, Mapping):
        raise ToolError(f"{where} must be an object, {_EXAMPLE}")
    if unknown := ", ".join(sorted(set(map(str, item)) - _FIELDS)):
        raise ToolError(
            f"{where}: unknown field {unknown}; it takes type, start_line, end_line and content, {_EXAMPLE}"
        )
    kind = str(item.get("type", "")).lower()
    if kind not in ("insert", "delete", "replace"):
        raise ToolError(f"{where}, type: must be insert, delete or replace, not {item.get('type')!r}; {_EXAMPLE}")
    start = _line_number(where, "start_line", item.get("start_line"), 1)
    if kind == "insert":
        at = min(start - 1, count)
        return _Edit(index, at, at, _content(where, item))
    end = _line_number(where, "end_line", item.get("end_line"), start)
    if start > count:
        raise ToolError(f"{where}, start_line: {start} is past the end; the file has {count} lines. "
                        "To add lines at the end use insert")  # fmt: skip
    if kind == "delete" and item.get("content"):
        raise ToolError(f"{where}, content: delete takes none; use replace to put these lines there")
    return _Edit(index, start - 1, end, _content(where, item) if kind == "replace" else ())


def _line_number(where: str, field: str, value: Any, least: int) -> int:
    whole = isinstance(value, int) and not isinstance(value, bool)
    whole = whole or (isinstance(value, float) and value.is_integer())
    if not whole or value < least:
        raise ToolError(f"{where}, {field}: must be a whole number from {least}, not {value!r}; {_EXAMPLE}")
    return int(value)


def _content(where: str, item: Mapping[str, Any]) -> tuple[str, ...]:
    """The lines to put in. One string may hold several lines; one line end at its end is no further line."""
    content = item.get("content")
    if not isinstance(content, list | tuple) or not all(isinstance(line, str) for line in content):
        raise ToolError(f"{where}, content: must be a list of strings, one a line; {_EXAMPLE}")
    if not content:
        raise ToolError(f'{where}, content: is empty; use delete to take lines out, and [""] for an empty line')
    return tuple(
        part.removesuffix("\r") for line in content for part in line.removesuffix("\n").split("\n")
    )  # fmt: skip
