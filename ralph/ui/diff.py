"""What a file tool would change, as lines a person can check before saying yes. Reads files, writes nothing."""

from __future__ import annotations

import difflib
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ralph.errors import ToolError
from ralph.policy.diffs import FilePatch, parse
from ralph.ui.visible import visible

LARGEST = 1_000_000
MOST_LINES = 3_000
"""Bounds in bytes of a file and in lines that differ; comparing takes time that grows with the square of the latter."""


@dataclass(frozen=True, slots=True)
class Line:
    """`kind`: `+`, `-`, ` `, `@` (where) or `!` (a remark of ours). `text` is as in the file, not yet made visible."""

    kind: str
    text: str


def changes(name: str, args: Mapping[str, Any], locate: Callable[[str], Path]) -> list[Line]:
    """Lines for the file tools; empty for any other tool. `locate` turns an argument's name into the judged path."""
    if name == "apply_delta":
        diff = args.get("diff")
        if isinstance(diff, str):
            return _patched(diff, args.get("path"))
        return list(_operations(args.get("operations"), locate("path")))
    content = args.get("content")
    if not isinstance(content, str):
        return []
    if name == "append_file":
        return [Line("@", "at the end of the file"), *(Line("+", text) for text in _lines(content))]
    return _rewrite(locate("path"), content) if name == "write_file" else []


def painted(line: Line) -> str:
    """One line in colour, safe for a terminal, no line feed."""
    colour = {"+": "\x1b[32m", "-": "\x1b[31m", "@": "\x1b[36m", "!": "\x1b[33m"}.get(line.kind, "")
    sign = "" if line.kind in "@!" else line.kind + " "
    text = sign + visible(line.text, keep="\t", mark=("\x1b[7m", "\x1b[27m") if colour else ("", ""))
    return f"{colour}{text}\x1b[0m" if colour else text


def plain(line: Line) -> str:
    return ("" if line.kind in "@!" else line.kind + " ") + visible(line.text, keep="\t")


def _rewrite(path: Path, content: str) -> list[Line]:
    old, remark = _current(path)
    if remark:
        return [Line("!", remark), *(Line("+", text) for text in _lines(content))]
    before, after = _lines(old), _lines(content)
    if before == after:
        return [Line("!", "no line changes")]
    return list(_compared(before, after))


def _compared(before: list[str], after: list[str]) -> Iterator[Line]:
    same = _alike(before, after)
    first = max(0, same - 3)  # three lines around a change, as in every diff
    end = _alike(before[same:][::-1], after[same:][::-1])
    keep = max(0, end - 3)
    before, after = before[first : len(before) - keep], after[first : len(after) - keep]
    if len(before) + len(after) > MOST_LINES:
        yield Line("!", f"from line {first + 1}: {len(before)} lines become {len(after)}; the new ones are")
        yield from (Line("+", text) for text in after)
        return
    for group in difflib.SequenceMatcher(None, before, after).get_grouped_opcodes(3):
        yield Line("@", f"line {group[0][1] + first + 1}")
        for tag, a, b, c, d in group:
            if tag == "equal":
                yield from (Line(" ", text) for text in before[a:b])
            else:
                yield from (Line("-", text) for text in before[a:b])
                yield from (Line("+", text) for text in after[c:d])


def _alike(before: list[str], after: list[str]) -> int:
    """How many lines both begin with."""
    pairs = zip(before, after, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(before), len(after)))


def _operations(operations: Any, path: Path) -> Iterator[Line]:
    """Each operation with the lines it names, in the order of the file."""
    if not isinstance(operations, list) or not all(isinstance(item, dict) for item in operations):
        return
    old, remark = _current(path)
    if remark:
        yield Line("!", remark)
    lines = _lines(old)
    for item in sorted(operations, key=lambda item: _number(item.get("start_line"))):
        kind = str(item.get("type", "?")).lower()
        start = _number(item.get("start_line"))
        end = _number(item.get("end_line"), start)
        yield Line("@", f"{kind} line {start}" if kind == "insert" or end == start else f"{kind} lines {start}-{end}")
        if kind != "insert":
            yield from (Line("-", text) for text in lines[max(start - 1, 0) : end])
        content = item.get("content", ())
        added = [content] if isinstance(content, str) else content if isinstance(content, list) else []
        if kind != "delete":
            yield from (Line("+", text) for piece in added for text in _lines(str(piece)))


def _number(value: Any, default: int = 1) -> int:
    return int(value) if isinstance(value, int | float) and abs(value) < 1e9 else default


def _patched(diff: str, path: Any) -> list[Line]:
    """A diff as the tool will read it: what it does to each file, then its hunks. Nothing else in it is a change."""
    try:
        patches = parse(diff, path if isinstance(path, str) else "")
    except ToolError as error:
        return [Line("!", f"this diff cannot be applied: {error}")]
    return [line for patch in patches for line in _of_file(patch)]


def _of_file(patch: FilePatch) -> Iterator[Line]:
    moved = patch.action in ("renamed", "copied")
    name = f"{_quoted(patch.source)} to {_quoted(patch.target)}" if moved else _quoted(patch.path)
    yield Line("@", f"{_ACTIONS[patch.action]} {name}")
    if patch.executable is not None:
        yield Line("!", "made executable" if patch.executable else "not executable")
    for hunk in patch.hunks:
        yield Line("@", f"line {max(hunk.old_start, 1)}")
        for mark, text in hunk.lines:
            yield Line(mark, text.removesuffix("\n").removesuffix("\r"))
            if not text.endswith("\n"):
                yield Line("!", "(the file ends here, without a line end)")


_ACTIONS = {"created": "new file", "deleted": "deletes", "copied": "copies", "renamed": "renames", "changed": "changes"}


def _quoted(name: str | None) -> str:
    """A name as it is; in quotes where it would not be seen to be one name."""
    text = name or ""
    return text if text and " " not in text else f'"{text}"'


def _current(path: Path) -> tuple[str, str]:
    """The file's text, and a remark when it is not one that can be compared."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return "", "a new file"
    except OSError as error:
        return "", f"the present file cannot be read: {error.strerror}"
    try:
        found = os.fstat(number)
        if not stat.S_ISREG(found.st_mode):
            return "", "not a plain file"
        if found.st_size > LARGEST:
            return "", f"replaces a file of {found.st_size:,} bytes, too large to compare"
        data = os.read(number, LARGEST)
    finally:
        os.close(number)
    if b"\0" in data:
        return "", f"replaces a binary file of {len(data):,} bytes"
    return data.decode("utf-8", "replace"), ""


def _lines(text: str) -> list[str]:
    """Lines without their ends, split at line feeds only; the file tools keep a file's own line ends."""
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return [line.removesuffix("\r") for line in lines]
