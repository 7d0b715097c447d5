"""Entries that let calls run unasked: read from settings, flags and "always" answers, and tried on one call.

Forms: `{tool: "shell", command: [word, ...]}` (or `pattern: [word, ...]`), `{tool, pattern}` (a regular expression
searched in the tool's match argument), `{tool, arguments: {...}}` (exactly these arguments), and for MCP tools
`{tool}` alone. A name may end in `*` for MCP tools.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ralph.errors import ConfigError
from ralph.policy.effects import may_auto
from ralph.policy.facts import Facts
from ralph.policy.shipped import commands

BUILT_IN = "built in"
_KEYS = {"tool", "command", "pattern", "arguments", "shell", "where", "should_match", "should_not_match"}
_SHELLS = {
    **dict.fromkeys(("posix", "bash", "sh", "zsh", "dash"), "posix"), **dict.fromkeys(("cmd", "cmd.exe"), "cmd"),
    **dict.fromkeys(("powershell", "pwsh", "ps"), "powershell"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """`where`: the file, flag or table it is written in. `arguments`: canonical JSON. `shell`: "" is any."""

    tool: str
    where: str = BUILT_IN
    words: tuple[str, ...] = ()
    pattern: str = ""
    arguments: str = ""
    shell: str = ""
    should_match: tuple[str, ...] = ()
    should_not_match: tuple[str, ...] = ()

    @property
    def shipped(self) -> bool:
        return self.where == BUILT_IN

    @property
    def text(self) -> str:
        """As a person would write it after --allow."""
        if self.words:
            return f"shell:{','.join(self.words)}"
        return f"{self.tool}:{self.pattern or self.arguments}" if self.pattern or self.arguments else self.tool


def read_entry(row: Mapping[str, Any], where: str = "") -> Entry:
    """An entry from settings. Raises ConfigError for one that says nothing or says it wrongly."""
    where = where or str(row.get("where", BUILT_IN))
    tool = row.get("tool", "shell" if "command" in row else "")
    if unknown := sorted(set(row) - _KEYS):
        raise ConfigError(f"{where}: allowlist entry: unknown key {unknown[0]}", hint=_FORMS)
    words = row.get("command", row["pattern"] if isinstance(row.get("pattern"), list | tuple) else ())
    pattern = row.get("pattern", "") if not words else ""
    shell = str(row.get("shell", "")).lower()
    if shell and shell not in _SHELLS:
        raise ConfigError(f"{where}: allowlist entry: unknown shell {shell}", hint=f"one of {', '.join(_SHELLS)}")
    if not _texts(words) or not isinstance(pattern, str) or not isinstance(tool, str) or not tool:
        shown = json.dumps(dict(row), default=str)
        raise ConfigError(f"{where}: allowlist entry {shown} is not understood", hint=_FORMS)
    entry = Entry(
        "shell" if words else tool, where, tuple(words), pattern,
        canonical(row["arguments"]) if "arguments" in row else "", _SHELLS.get(shell, ""),
        tuple(row.get("should_match", ())), tuple(row.get("should_not_match", ())),
    )  # fmt: skip
    return _checked(entry)


_FORMS = 'write {"tool": "shell", "command": ["git", "status"]} or {"tool": "read_file", "pattern": "^docs/"}'


def _checked(entry: Entry) -> Entry:
    if entry.pattern and (problem := pattern_problem(entry.pattern)):
        raise ConfigError(f"{entry.where}: the pattern {entry.pattern!r} does not compile", hint=problem)
    if entry.tool == "shell" and not entry.words and not entry.arguments:
        raise ConfigError(f"{entry.where}: a shell entry is a list of words, not a pattern", hint=_FORMS)
    if not (entry.words or entry.pattern or entry.arguments or entry.tool.startswith("mcp_")):
        raise ConfigError(f"{entry.where}: the entry for {entry.tool} would cover every call", hint="give it a pattern")
    return entry


def _texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(item, str) and item for item in value)


def read_flag(spec: str) -> Entry:
    """`--allow "tool:rest"`: for shell the rest is words between commas, otherwise a regular expression."""
    tool, _, rest = spec.partition(":")
    if not tool or not rest:
        raise ConfigError(f"--allow {spec!r} is not understood", hint='write --allow "shell:git,status"')
    where = f"--allow {spec}"
    if tool != "shell":
        return read_entry({"tool": tool, "pattern": rest}, where)
    words = [word.strip() for word in rest.split(",")]
    if any(" " in word or word.startswith("^") or word.endswith("*") for word in words):
        meant = ",".join(rest.replace(",", " ").strip("^").split())
        raise ConfigError(f"{where}: the words of a command stand between commas", hint=f'--allow "shell:{meant}"')
    return read_entry({"tool": tool, "command": words}, where)


def built_in() -> tuple[Entry, ...]:
    """The entries that are in force wherever Ralph runs, unless a category says deny."""
    return tuple(Entry("shell", words=words, shell="posix") for words in commands())


def canonical(args: Mapping[str, Any]) -> str:
    return json.dumps(args, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


@lru_cache(maxsize=512)
def compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def pattern_problem(pattern: str) -> str:
    try:
        compiled(pattern)
    except re.error as error:
        return str(error)
    return ""


def why_not(entry: Entry, facts: Facts, *, shell: str = "posix") -> str:
    """"" when the entry covers the call, else the reason it does not, for `explain`."""
    call, spec = facts.call, facts.spec
    if entry.tool != call.name and not (_is_mcp_family(entry.tool) and call.name.startswith(entry.tool[:-1])):
        return f"for {entry.tool}"
    if entry.arguments:
        return "" if canonical(call.args) == entry.arguments else "other arguments"
    if entry.words:
        if entry.shell and entry.shell != shell:
            return f"for {entry.shell}"
        if facts.report is None:
            return "not a shell call"
        return may_auto(facts.report, entry.words) or (_beyond_reading(entry, facts) if entry.shipped else "")
    if not entry.pattern:
        return "" if spec.category == "mcp" else "it has no pattern"
    value = call.args.get(spec.match) if spec.match else None
    if not isinstance(value, str):
        return "the tool has no match argument: only exact arguments can match"
    return _pattern_mismatch(compiled(entry.pattern), value, facts)


def _beyond_reading(entry: Entry, facts: Facts) -> str:
    """Entries nobody wrote are for reading only, even where a program's ordinary work is more (`uniq a b` writes b),
    and not for reading what is a person's own.

    `python --version` and its like run nothing when they are the whole command.
    """
    if facts.report is None or (facts.report.command.plain == entry.words and not facts.outside):
        return ""
    found = next((effect for effect in facts.report.effects if effect.kind != "reads"), None)
    if found:
        return f"{found.kind} {found.target}: more than reading"
    return f"{facts.outside} is outside the workspace" if facts.outside else ""


def _is_mcp_family(name: str) -> bool:
    return name.startswith("mcp_") and name.endswith("*")


def _pattern_mismatch(pattern: re.Pattern[str], value: str, facts: Facts) -> str:
    """Paths must fit as written and as resolved: what leaves through `..` or a symlink is somewhere else."""
    if not pattern.search(value):
        return "its pattern does not fit"
    if facts.spec.category not in ("file_read", "file_write"):
        return ""
    if facts.spec.match not in facts.walks:  # the pattern is about something else, such as what to search for
        return f"{facts.outside} is outside the workspace" if facts.outside else ""
    for name, walk in facts.walks.items():
        given_elsewhere = name != facts.spec.match and not pattern.search(walk.given)
        if given_elsewhere or not any(pattern.search(form) for form in _forms(walk.resolved, facts.cwd)):
            return f"its pattern fits {value}, but not {walk.resolved}, which is also touched"
    return ""


def _forms(resolved: str, cwd: str) -> Iterable[str]:
    real = os.path.realpath(cwd)
    relative = os.path.relpath(resolved, real)
    return (resolved, relative, f"./{relative}")
