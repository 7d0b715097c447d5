"""Where settings come from: defaults < user file < project file < environment < flags, each value with its origin.

A repository is not the user: until a person trusts the directory its file may only tighten. A file that does not parse
is an error and is never written to; nothing here writes at all.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ralph.config.settings import SECTIONS, STRICTNESS, Config, Limits, check
from ralph.errors import ConfigError

FILE = "ralph.config.json"
ENVIRONMENT = {
    "ANTHROPIC_API_KEY": "anthropic_api_key",
    "OPENAI_API_KEY": "openai_api_key",
    "ANTHROPIC_BASE_URL": "anthropic_api_url",
    "OPENAI_BASE_URL": "openai_api_url",
    "RALPH_MODEL": "model",
}


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
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
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
        if name in SECTIONS:
            parts = {part: tuple(item) if isinstance(item, list) else item for part, item in value.items()}
            values[name] = SECTIONS[name](**parts)
        else:
            values[name] = value
    return Config(**values, origins=origins)
