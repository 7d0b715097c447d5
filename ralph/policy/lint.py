"""Faults in the rules a person wrote: patterns that do not compile, rules that never fire or allow too much."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ralph.core.messages import ToolCall
from ralph.core.tools import ToolSpec
from ralph.errors import ConfigError
from ralph.policy.allowlist import BUILT_IN, Entry, built_in, read_entry, why_not
from ralph.policy.categories import stand_in
from ralph.policy.facts import Places, gather
from ralph.policy.patterns import never_always

Level = Literal["error", "warning"]

_SAMPLES = ("x", "/etc/passwd", "../x", "a/b/c.py", "https://evil.example/?q=1", "http://10.0.0.1/")
_ANCHORED_HOST = re.compile(r"\^https?\??:(//|\\/\\/)(?:[\w-]|\\\.|\\-)+(:\d+)?(/|\(|\$|\[)")
_PLACES = Places("/workspace", "/workspace", "/nowhere/ralph", "/nowhere")


@dataclass(frozen=True, slots=True)
class Fault:
    """`where`: the file or flag the rule is written in. `rule`: the rule as `--allow` would spell it."""

    level: Level
    where: str
    rule: str
    text: str


def lint(
    rows: Sequence[Mapping[str, Any]], categories: Mapping[str, str], specs: Mapping[str, ToolSpec] | None = None
) -> tuple[Fault, ...]:
    """The faults of allowlist rows as settings hold them, in order. `specs`: the tools there are; none: not checked."""
    found: list[Fault] = []
    earlier: list[Entry] = list(built_in())
    for row in rows:
        try:
            entry = read_entry(row)
        except ConfigError as error:
            found.append(Fault("error", str(row.get("where", BUILT_IN)), str(row.get("tool", "?")), str(error)))
            continue
        for level, text in _faults(entry, earlier, categories, specs):
            found.append(Fault(level, entry.where, entry.text, text))
        earlier.append(entry)
    return tuple(found)


def broken_examples(entry: Entry, spec: ToolSpec | None = None) -> Iterator[str]:
    """A sentence for each `should_match` and `should_not_match` example the entry gets wrong."""
    for text in entry.should_match:
        if reason := _tried(entry, text, spec):
            yield f"should match {text!r}, but does not: {reason}"
    for text in entry.should_not_match:
        if not _tried(entry, text, spec):
            yield f"should not match {text!r}, but does"


def _tried(entry: Entry, text: str, spec: ToolSpec | None) -> str:
    """Why the entry does not cover a call with this match argument; "" when it does."""
    spec = spec or stand_in(entry.tool)
    call = ToolCall("example", entry.tool, {spec.match or "text": text})
    facts = gather(call, spec, _PLACES)
    return facts.problem or why_not(entry, facts, shell=entry.shell or "posix")


def _faults(
    entry: Entry, earlier: Iterable[Entry], categories: Mapping[str, str], specs: Mapping[str, ToolSpec] | None
) -> Iterator[tuple[Level, str]]:
    spec = (specs or {}).get(entry.tool) or stand_in(entry.tool)
    yield from (("error", text) for text in broken_examples(entry, spec))
    if specs is not None and entry.tool not in specs and not entry.tool.startswith("mcp_"):
        yield "warning", f"it can never fire: there is no tool named {entry.tool}"
    if categories.get(spec.category) == "deny":
        yield "warning", f"it can never fire: category {spec.category} is denied, and deny beats an entry"
    if covering := next((one for one in earlier if _covers(one, entry)), None):
        yield "warning", f"it can never fire first: {covering.text} ({covering.where}) already covers it"
    yield from _words(entry) if entry.words else _pattern(entry, spec)


def _words(entry: Entry) -> Iterator[tuple[Level, str]]:
    if never_always(entry.words):
        kind = "it would allow too much if it fired" if len(entry.words) == 1 else "look at it twice"
        yield "warning", f"{entry.words[0]} runs programs, reaches the network or destroys: {kind}"
    if any(" " in word for word in entry.words):
        yield "warning", "a word holds a space: an entry lists the words of a command one by one"


def _pattern(entry: Entry, spec: ToolSpec) -> Iterator[tuple[Level, str]]:
    if entry.tool.endswith("*"):
        yield "warning", "it covers every tool whose name begins like this, also tools added later"
    if not entry.pattern:
        return
    if spec.match is None:
        yield "warning", f"it can never fire: {entry.tool} has no match argument; write its exact arguments instead"
        return
    pattern = re.compile(entry.pattern)
    if all(pattern.search(sample) for sample in _SAMPLES):
        yield "warning", "over-broad: it fits everything"
    elif spec.category == "network" and not _ANCHORED_HOST.match(entry.pattern):
        yield "warning", "the host is not closed: write ^https://example\\.com/ so that no other host fits"
    elif spec.category in ("file_read", "file_write") and not entry.pattern.startswith("^"):
        yield "warning", "it is searched anywhere in the path: begin it with ^ to fix where it starts"


def _covers(one: Entry, other: Entry) -> bool:
    """Whether every call `other` covers is covered by `one`, as far as their spelling shows."""
    if one.tool != other.tool or one.shell not in ("", other.shell):
        return False
    if other.words:
        return bool(one.words) and other.words[: len(one.words)] == one.words
    return (one.pattern, one.arguments) == (other.pattern, other.arguments) and not one.words
