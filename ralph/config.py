"""Frozen settings: defaults < user file < project file < environment < flags, each value with its origin.

A repository is not the user: until a person trusts the directory its file may only tighten. A file that does not parse
is an error and is never written to; nothing here writes at all.
"""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ralph.errors import ConfigError

FILE = "ralph.config.json"
ENVIRONMENT = {
    "ANTHROPIC_API_KEY": "anthropic_api_key",
    "OPENAI_API_KEY": "openai_api_key",
    "ANTHROPIC_BASE_URL": "anthropic_api_url",
    "OPENAI_BASE_URL": "openai_api_url",
    "RALPH_MODEL": "model",
}
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
_SECTIONS: dict[str, type] = {"approval_gates": Gates, "limits": Limits, "sandbox": Sandbox, "memory": MemorySettings}
_KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,),
    "object": (dict,), "array": (list,), "section": (dict,),
}  # fmt: skip


def home_directory(flag: str | None, env: Mapping[str, str], cwd: Path) -> Path:
    """`--home` > RALPH_HOME > ~/.local/ralph, made absolute against `cwd`."""
    chosen = flag or env.get("RALPH_HOME")
    if chosen:
        return (cwd / Path(chosen).expanduser()).absolute()
    home = env.get("HOME") or os.path.expanduser("~")  # noqa: PTH111  # Path.home() raises where this returns "~"
    if not home or home == "~":
        raise ConfigError("there is no home directory", hint="set HOME or RALPH_HOME, or give --home DIR")
    return Path(home) / ".local" / "ralph"


def read_file(path: Path) -> dict[str, Any] | None:
    """The settings in a file, checked against the known keys; None when there is no such file."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}", hint="fix it or move it away") from error
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not valid JSON: {error}", hint="fix it; Ralph never overwrites it") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path} must hold a JSON object", hint="see ralph.config.json.example")
    check(data, Config, str(path), "")
    return data


def check(data: Mapping[str, Any], group: type, where: str, prefix: str) -> None:
    """Raise ConfigError at the first unknown key or wrong type, naming the file, the key and the nearest known one."""
    known: dict[str, Any] = {item.name: item for item in fields(group) if "kind" in item.metadata}
    for name, value in data.items():
        if name.startswith("$") or name.startswith("//"):
            continue  # "$schema" and comments
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {prefix}{near[0]!s}?" if near else f"known keys: {', '.join(known)}"
            raise ConfigError(f"{where}: unknown key {prefix}{name!s}", hint=hint)
        problem = _problem(value, known[name].metadata, optional=known[name].default is None)
        if problem:
            raise ConfigError(f"{where}: {prefix}{name} {problem}", hint=known[name].metadata["about"])
        if name in _SECTIONS and group is Config:
            check(value, _SECTIONS[name], where, f"{name}.")
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


def _check_categories(categories: Mapping[str, Any], where: str) -> None:
    for name, action in categories.items():
        if name not in CATEGORIES:
            near = difflib.get_close_matches(name, CATEGORIES, 1)
            hint = f"did you mean {near[0]}?" if near else f"categories: {', '.join(CATEGORIES)}"
            raise ConfigError(f"{where}: unknown category {name!s}", hint=hint)
        if action not in STRICTNESS:
            raise ConfigError(f"{where}: category {name} must be allow, gate or deny, not {action!r}")


def tightening(data: Mapping[str, Any], base: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The part of an untrusted project file that only takes authority away, and the keys that were ignored.

    `base`: the merged settings of the person, so that a category may get stricter than theirs but never laxer.
    """
    kept: dict[str, Any] = {}
    ignored = [name for name in data if name not in ("approval_gates", "enable_streaming", "limits", "$schema")]
    if "enable_streaming" in data:
        kept["enable_streaming"] = data["enable_streaming"]
    limits, person_limits = data.get("limits", {}), base.get("limits", {})
    for name, value in limits.items():
        mine = person_limits.get(name, Limits().max_steps if name == "max_steps" else None)
        if value is not None and (mine is None or value <= mine):
            kept.setdefault("limits", {})[name] = value
        else:
            ignored.append(f"limits.{name}")
    gates = data.get("approval_gates", {})
    if gates.get("enabled") is True:
        kept.setdefault("approval_gates", {})["enabled"] = True
    elif "enabled" in gates:
        ignored.append("approval_gates.enabled")
    for name, action in gates.get("categories", {}).items():
        mine = base.get("approval_gates", {}).get("categories", {}).get(name, "gate")
        if action != "allow" and STRICTNESS.index(action) >= STRICTNESS.index(mine):
            kept.setdefault("approval_gates", {}).setdefault("categories", {})[name] = action
        else:
            ignored.append(f"approval_gates.categories.{name}")
    if gates.get("allowlist"):
        ignored.append("approval_gates.allowlist")
    return kept, ignored


@dataclass(frozen=True)
class Loaded:
    """`ignored`: keys of the project's files that did not count because the directory is not trusted."""

    config: Config
    home: Path
    ignored: tuple[str, ...] = ()


def load(*, cwd: Path, home: Path, env: Mapping[str, str], flags: Mapping[str, Any], trusted: bool) -> Loaded:
    """Merge every source. `flags` has the shape of a config file. Raises ConfigError."""
    merged: dict[str, Any] = {}
    origins: dict[str, str] = {}
    ignored: list[str] = []
    user, project = home / FILE, cwd / FILE
    if (data := read_file(user)) is not None:
        _merge(merged, data, origins, str(user), "")
    if project != user and (data := read_file(project)) is not None:
        if not trusted:
            data, ignored = tightening(data, merged)
        _merge(merged, data, origins, str(project), "")
    dotenv = read_dotenv(cwd / ".env")
    if not trusted and (urls := [name for name in dotenv if name.endswith("_URL")]):
        ignored += [f".env {name}" for name in urls]
        dotenv = {name: value for name, value in dotenv.items() if name not in urls}
    for source, values in ((".env", dotenv), ("environment", env)):
        given = {target: values[name] for name, target in ENVIRONMENT.items() if values.get(name)}
        _merge(merged, given, origins, source, "")
    check(flags, Config, "command line", "")
    _merge(merged, flags, origins, "command line", "")
    return Loaded(_build(merged, origins), home, tuple(ignored))


def read_dotenv(path: Path) -> dict[str, str]:
    """NAME=VALUE lines of the known names; `export`, blank and # lines allowed, one pair of quotes taken off."""
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError:
        return {}
    found = {}
    for line in text.splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and name.strip() in ENVIRONMENT:
            value = value.strip()
            quoted = len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'"
            found[name.strip()] = value[1:-1] if quoted else value
    return found


def _merge(into: dict[str, Any], data: Mapping[str, Any], origins: dict[str, str], where: str, prefix: str) -> None:
    """Later wins; objects merge by key; allowlists add up, each entry keeping where it is written."""
    for name, value in data.items():
        if prefix == "" and name.startswith(("$", "//")):
            continue
        dotted = f"{prefix}{name}"
        if isinstance(value, dict):
            _merge(into.setdefault(name, {}), value, origins, where, f"{dotted}.")
        elif name == "allowlist":
            into[name] = into.get(name, []) + [{**item, "where": where} for item in value]
        else:
            into[name] = value
        origins[dotted] = where


def _build(merged: Mapping[str, Any], origins: Mapping[str, str]) -> Config:
    values: dict[str, Any] = {}
    for name, value in merged.items():
        if name in _SECTIONS:
            parts = {part: tuple(item) if isinstance(item, list) else item for part, item in value.items()}
            values[name] = _SECTIONS[name](**parts)
        else:
            values[name] = value
    return Config(**values, origins=origins)
