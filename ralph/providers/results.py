"""What a tool's result says, read back from its JSON text, also when its middle was cut out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_CUT = re.compile(r"\n(\[\.\.\. [\d,]+ characters left out.{0,600}? \.\.\.\])\n", re.DOTALL)
_FIRST = re.compile(r'\{"(\w+)": (["\[])')
_ENDING = re.compile(r', "(exit_code|timed_out)": (-?\d+|true|false)')


def fields_of(text: str) -> dict[str, Any]:
    """The fields of a result; plain text is its field `result`. Of a cut one: what is left of its first field, `note`
    about the cut, `cut`, and how a command ended."""
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        return _left_of(text)
    return fields if isinstance(fields, dict) else {"result": text}


def rows(fields: Mapping[str, Any], name: str) -> list[dict[str, Any]] | None:
    """The objects in a list field; None when there is no such field, which is not the same as an empty one."""
    value = fields.get(name)
    return [dict(row) for row in value if isinstance(row, Mapping)] if isinstance(value, list) else None


def noted(text: str, fields: Mapping[str, Any]) -> str:
    """The text with the result's own note below it, in brackets."""
    note = str(fields.get("note") or "")
    if not note:
        return text
    above = text if not text or text.endswith("\n") else text + "\n"
    return above + (note if note.startswith("[") else f"[{note}]")


def _left_of(text: str) -> dict[str, Any]:
    cut, first = _CUT.search(text), _FIRST.match(text)
    if not cut or not first:
        return {"result": text}
    body = text[first.end() : cut.start()]
    fields: dict[str, Any] = {"note": cut[1], "cut": True}
    fields[first[1]] = _string(body) if first[2] == '"' else _items(body)
    for name, value in _ENDING.findall(text, cut.end()):  # inside a string its quotes would be escaped
        fields[name] = json.loads(value)
    return fields


def _string(body: str) -> str:
    for end in range(len(body), max(len(body) - 12, -1), -1):  # the cut may have split an escape
        try:
            return str(json.loads(f'"{body[:end]}"'))
        except ValueError:
            continue
    return body


def _items(body: str) -> list[Any]:
    """The whole items at the start of a list's JSON text."""
    items: list[Any] = []
    decoder = json.JSONDecoder()
    at = 0
    while at < len(body):
        try:
            item, at = decoder.raw_decode(body, at)
        except ValueError:
            break
        items.append(item)
        at += len(", ")
    return items
