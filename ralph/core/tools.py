"""What can be done: tools of every origin (file, built-in, MCP, subagent) are one kind of thing in one Toolbox."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ralph.errors import ConfigError


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """`parameters` is a JSON Schema object; `match` names the argument an allowlist pattern is tried on.

    `category` is a gate category (policy.categories). `origin`: `default`, `user`, `builtin`, `mcp:<server>`.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]
    category: str
    match: str | None = None
    origin: str = "builtin"

    def problem_with(self, args: Mapping[str, Any]) -> str:
        """Why `args` do not fit the schema, for the model to read; empty when they do."""
        return _mismatch(args, self.parameters, "") or _bad_text(args, "")


@dataclass(frozen=True, slots=True)
class Judged:
    """A path as the gate judged it: `resolved` is absolute and free of symlinks; `inode` is (device, inode) or None."""

    given: str
    resolved: str
    inode: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Context:
    """All a tool gets besides its arguments.

    say: shows a piece of output to the person while the tool runs. cwd: the workspace. scratch: where long output is
    kept for the model to page through. env: the environment for child processes, free of provider keys.
    judged: argument name (or path inside a diff) -> the path that was judged. argv: when the gate allowed a
    shell command as one plain command, the words to execute without a shell. launch: set when child processes of this
    call must be confined: (argv, env) -> what to start instead.
    """

    call_id: str
    cwd: Path
    scratch: Path
    env: Mapping[str, str] = field(default_factory=dict)
    say: Callable[[str], None] = lambda _chunk: None
    judged: Mapping[str, Judged] = field(default_factory=dict)
    argv: tuple[str, ...] | None = None
    launch: Callable[[Sequence[str], Mapping[str, str]], Any] | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """What a tool answers: `text` for the model, `display` for the person (None: a summary of the text)."""

    text: str
    is_error: bool = False
    display: str | None = None


Perform = Callable[[Mapping[str, Any], Context], Awaitable[Output]]


@dataclass(frozen=True, slots=True)
class Tool:
    """Only the runner calls `perform`, with a permit. It raises ToolError for what the model should read."""

    spec: ToolSpec
    perform: Perform


class Toolbox:
    """Tools by name. A second tool of the same name is an error unless `override` is set."""

    def __init__(self, tools: Iterable[Tool] = ()) -> None:
        self._tools: dict[str, Tool] = {}
        self._late: dict[str, tuple[ToolSpec, Callable[[], Iterable[Tool]]]] = {}
        for tool in tools:
            self.add(tool)

    def add(self, tool: Tool, *, override: bool = False) -> None:
        name = tool.spec.name
        self._late.pop(name, None)
        if name in self._tools and not override:
            raise ConfigError(f"two tools are named {name!r}", hint="rename one of them")
        self._tools[name] = tool

    def add_late(self, specs: Iterable[ToolSpec], load: Callable[[], Iterable[Tool]]) -> None:
        """Tools that are only described until one of them is called for: `load` then gives them all."""
        for spec in specs:
            if spec.name not in self._tools:
                self._late[spec.name] = spec, load

    def find(self, name: str) -> Tool | None:
        if name in self._late:
            for tool in self._late[name][1]():
                if self._late.pop(tool.spec.name, None):
                    self._tools[tool.spec.name] = tool
        return self._tools.get(name)

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        """In the same order throughout a session, so that prompt caches hold."""
        return tuple(spec for _, spec in sorted(self._all().items()))

    def _all(self) -> dict[str, ToolSpec]:
        return {name: spec for name, (spec, _) in self._late.items()} | {
            name: tool.spec for name, tool in self._tools.items()
        }


_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,), "number": (int, float), "integer": (int,), "boolean": (bool,),
    "array": (list, tuple), "object": (dict,), "null": (type(None),),
}  # fmt: skip
_SURROGATE = re.compile("[\ud800-\udfff]")


def _is(value: Any, kind: str) -> bool:
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _TYPES.get(kind, (object,)))


def _mismatch(value: Any, schema: Mapping[str, Any], where: str) -> str:
    """The part of JSON Schema that tool files can express; a server's richer schema is checked by its own tool."""
    name = where or "the arguments"
    if "anyOf" in schema and "type" not in schema:
        problems = [_mismatch(value, option, where) for option in schema["anyOf"]]
        return "" if "" in problems else problems[0]
    kinds = schema.get("type")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(_is(value, kind) for kind in kinds):
        return f"{name} must be {' or '.join(kinds)}, not {_json_type(value)}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{name} must be one of {', '.join(map(repr, schema['enum']))}, not {value!r:.80}"
    if isinstance(value, dict):
        return _object_mismatch(value, schema, where)
    if isinstance(value, list | tuple) and isinstance(schema.get("items"), dict):
        for index, item in enumerate(value):
            if problem := _mismatch(item, schema["items"], f"{where}[{index}]"):
                return problem
    return ""


def _object_mismatch(value: Mapping[str, Any], schema: Mapping[str, Any], where: str) -> str:
    properties: Mapping[str, Any] = schema.get("properties", {})
    for key in schema.get("required", ()):
        if key not in value:
            return f"missing argument {_join(where, key)}"
    for key, item in value.items():
        if key in properties:
            if problem := _mismatch(item, properties[key], _join(where, key)):
                return problem
        elif schema.get("additionalProperties") is False:
            known = ", ".join(properties) or "none"
            return f"unknown argument {_join(where, key)}; it takes {known}"
    return ""


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _json_type(value: Any) -> str:
    return next((kind for kind in ("null", "boolean", "integer", "number", "string", "array", "object")
                 if _is(value, kind)), "unknown")  # fmt: skip


def _bad_text(value: Any, where: str) -> str:
    if isinstance(value, str):
        if "\0" in value:
            return f"{where or 'an argument'} holds a NUL character"
        return f"{where or 'an argument'} holds an unpaired surrogate" if _SURROGATE.search(value) else ""
    items: Iterable[tuple[str, Any]] = ()
    if isinstance(value, Mapping):
        items = ((_join(where, str(key)), item) for key, item in value.items())
    elif isinstance(value, list | tuple):
        items = ((f"{where}[{index}]", item) for index, item in enumerate(value))
    return next((problem for name, item in items if (problem := _bad_text(item, name))), "")
