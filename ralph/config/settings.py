"""What can be set: every key with its type, default and meaning, the check of a file against them, and its schema."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ralph.errors import ConfigError

STRICTNESS = ("allow", "gate", "deny")
CATEGORIES = ("file_write", "file_read", "shell", "network", "memory", "subagent", "mcp", "python")


def key(default: Any, kind: str, about: str, *, low: float | None = None, choices: tuple[str, ...] = ()) -> Any:
    """One setting. `kind`: string, integer, number, boolean, object, array or section; None is allowed as a default."""
    detail = {"kind": kind, "about": about, "low": low, "choices": choices}
    if isinstance(default, type):
        return field(default_factory=default, metadata=detail)
    return field(default=default, metadata=detail)


def section(of: type, about: str) -> Any:
    """A nested group of settings."""
    return key(of, "section", about)


@dataclass(frozen=True)
class Gates:
    enabled: bool = key(True, "boolean", "false lets every call run but those on protected files (same as --yolo)")
    categories: Mapping[str, str] = key(dict, "object", "category -> allow, gate (ask) or deny")
    allowlist: tuple[Mapping[str, Any], ...] = key(tuple, "array", "calls that run unasked: {tool, pattern|command}")


@dataclass(frozen=True)
class Limits:
    max_steps: int = key(50, "integer", "requests to the model in one turn", low=1)
    max_cost_usd: float | None = key(None, "number", "money for the whole session; null: no limit", low=0)
    timeout_s: float | None = key(None, "number", "seconds for a one-shot job; null: no limit", low=0)


@dataclass(frozen=True)
class Sandbox:
    mode: str = key("workspace", "string", "what python and shell may touch", choices=("read-only", "workspace", "off"))
    network: bool = key(False, "boolean", "let sandboxed programs reach the network")


@dataclass(frozen=True)
class MemorySettings:
    recall: bool = key(True, "boolean", "put relevant memories before the model")
    conversations: bool = key(True, "boolean", "make past conversations searchable")
    threshold: float = key(0.35, "number", "how relevant a memory must be to be put before the model (0 to 1)", low=0)


@dataclass(frozen=True)
class Config:
    provider: str = key("auto", "string", "auto, anthropic, openai, responses, reflex or scripted")
    model: str = key("", "string", "model name; PROVIDER:NAME picks the provider too; empty: the provider's default")
    api_url: str = key("", "string", "endpoint of the model service; its shape picks the provider")
    anthropic_api_key: str = key("", "string", "sent only to the Anthropic endpoint")
    openai_api_key: str = key("", "string", "sent only to the OpenAI-compatible endpoint")
    anthropic_api_url: str = key("", "string", "base of the Anthropic API, when not its own")
    openai_api_url: str = key("", "string", "base of the OpenAI API, when not its own")
    embedding_api_url: str = key("", "string", "endpoint for embeddings; empty: none")
    embedding_model: str = key("", "string", "embedding model at that endpoint")
    system_prompt: str = key("", "string", "added to the system prompt after PROMPT.md")
    thinking: str = key("", "string", "reasoning effort, where the model has it", choices=("", "low", "medium", "high"))
    context_window: int | None = key(None, "integer", "tokens; null: from the model table", low=1)
    max_tokens: int | None = key(None, "integer", "cap on one answer, tokens; null: from the model table", low=1)
    api_max_retries: int = key(3, "integer", "retries before the first byte", low=0)
    api_retry_delay_ms: int = key(1000, "integer", "first wait; later waits grow by the factor", low=1)
    api_backoff_factor: float = key(2.0, "number", "growth of the wait", low=1)
    max_subagents: int = key(5, "integer", "subagents at once", low=1)
    subagent_timeout: int = key(300, "integer", "seconds for one subagent", low=1)
    enable_streaming: bool = key(True, "boolean", "show the answer as it comes")
    approval_gates: Gates = section(Gates, "the gate every call passes")
    limits: Limits = section(Limits, "steps, money, time")
    sandbox: Sandbox = section(Sandbox, "authority of child processes")
    memory: MemorySettings = section(MemorySettings, "long-term memory")
    models: Mapping[str, Mapping[str, Any]] = key(dict, "object", "your own rows for the model table")
    mcpServers: Mapping[str, Mapping[str, Any]] = key(dict, "object", "MCP servers, as other programs write them")
    origins: Mapping[str, str] = field(default_factory=dict, repr=False)

    def origin(self, name: str) -> str:
        """Where the value of a dotted key comes from: a file, an environment variable, a flag, or `default`."""
        return self.origins.get(name, "default")


SECRET = re.compile(r"_api_key$")
SECTIONS: dict[str, type] = {"approval_gates": Gates, "limits": Limits, "sandbox": Sandbox, "memory": MemorySettings}
_KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,),
    "object": (dict,), "array": (list,), "section": (dict,),
}  # fmt: skip


def check(data: Mapping[str, Any], group: type, where: str, prefix: str) -> None:
    """Raise ConfigError at the first unknown key or wrong type, naming the file, the key and the nearest known one."""
    known: dict[str, Any] = {item.name: item for item in fields(group) if "kind" in item.metadata}
    for name, value in data.items():
        if name.startswith("$") or name.startswith("//"):
            continue  # "$schema" and comments
        if name not in known:
            near = _near(name, known)
            hint = f"did you mean {prefix}{near[0]!s}?" if near else f"known keys: {', '.join(known)}"
            raise ConfigError(f"{where}: unknown key {prefix}{name!s}", hint=hint)
        problem = _problem(value, known[name].metadata, optional=known[name].default is None)
        if problem:
            raise ConfigError(f"{where}: {prefix}{name} {problem}", hint=known[name].metadata["about"])
        if name in SECTIONS and group is Config:
            check(value, SECTIONS[name], where, f"{name}.")
    if group is Gates:
        _check_categories(data.get("categories", {}), where)


def _problem(value: Any, detail: Mapping[str, Any], *, optional: bool) -> str:
    kind: str = detail["kind"]
    if value is None and optional:
        return ""
    if not isinstance(value, _KINDS[kind]) or (isinstance(value, bool) and kind != "boolean"):
        return f"must be of type {kind.replace('section', 'object')}, not {json.dumps(value)[:60]}"
    if detail["low"] is not None and value < detail["low"]:
        return f"must be at least {detail['low']:g}, not {value}"
    if detail["choices"] and value not in detail["choices"]:
        return f"must be one of {', '.join(map(repr, detail['choices']))}, not {value!r}"
    if isinstance(value, list) and not all(isinstance(item, dict) for item in value):
        return "must be a list of objects"
    return ""


def _near(name: str, known: Iterable[str]) -> list[str]:
    import difflib  # noqa: PLC0415  # only on the way out

    return difflib.get_close_matches(name, list(known), 1)


def _check_categories(categories: Mapping[str, Any], where: str) -> None:
    for name, action in categories.items():
        if name not in CATEGORIES:
            near = _near(name, CATEGORIES)
            hint = f"did you mean {near[0]}?" if near else f"categories: {', '.join(CATEGORIES)}"
            raise ConfigError(f"{where}: unknown category {name!s}", hint=hint)
        if action not in STRICTNESS:
            raise ConfigError(f"{where}: category {name} must be allow, gate or deny, not {action!r}")


def schema(group: type = Config) -> dict[str, Any]:
    """JSON Schema (2020-12) of the settings file; `ralph config schema` prints it."""
    properties: dict[str, Any] = {"$schema": {"type": "string"}} if group is Config else {}
    for item in fields(group):
        if "kind" not in item.metadata:
            continue
        kind = item.metadata["kind"]
        if kind == "section":
            row = schema(SECTIONS[item.name])
        else:
            row = {"type": [kind, "null"] if item.default is None else kind}
            if kind not in ("object", "array"):
                row["default"] = item.default
        row["description"] = item.metadata["about"]
        if item.metadata["choices"]:
            row["enum"] = list(item.metadata["choices"])
        if item.metadata["low"] is not None:
            row["minimum"] = item.metadata["low"]
        properties[item.name] = row
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Ralph"} if group is Config else {}
    return {**head, "type": "object", "properties": properties, "additionalProperties": False}
