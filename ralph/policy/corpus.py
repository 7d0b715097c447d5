"""Cases for the gate, one JSON object a line, judged and never executed.

    {"id", "command", "allow": [[word, ...], ...], "shell", "expect": "auto" | "prompt", "expect_dangerous": bool}
    {"id", "tool", "args", "cwd", "setup": [...], "env": {}, "requires": [...], "expect": "deny" | "ok"}

`expect` may also be `allow` or `ask`. `allow`: the shell entries in force (without it, the built-in ones; `[]` is
none). `shell`: `posix` (without it), `cmd` or `powershell`. `setup`, made in a fresh directory: `{"dir"}`, `{"file",
"content"}`, `{"symlink", "to"}`, `{"hardlink", "to"}`, each with `"mode"` (octal, as "600") where it matters; missing
parents are made. `{TMP}` in any string is that directory, `cwd` is relative to it. `env`: HOME and RALPH_HOME.
`requires`: one name or several of what the machine must have (see `ralph.policy.requires`), else the case is skipped.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ralph.core.gate import Judgement
from ralph.core.messages import ToolCall
from ralph.core.tools import ToolSpec
from ralph.errors import ConfigError
from ralph.policy.allowlist import Entry, built_in
from ralph.policy.categories import stand_in
from ralph.policy.requires import missing
from ralph.policy.rules import Rules

_EXPECTED = ("auto", "prompt", "deny", "ok", "allow", "ask")


@dataclass(frozen=True, slots=True)
class Case:
    """`id`: as written, else the line's number. `row`: the whole object."""

    id: str
    row: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """`expect` and `got` as in the row; `rule` is what decided. `skipped`: what is missing here, or ""."""

    id: str
    expect: str
    got: str
    rule: str
    skipped: str = ""

    @property
    def passed(self) -> bool:
        return self.expect == self.got


def read_cases(text: str, where: str) -> tuple[Case, ...]:
    """The cases of a file. Raises ConfigError naming the line that is wrong."""
    lines = enumerate(text.split("\n"), 1)  # a text may hold what else ends a line
    return tuple(_case(line, f"{where}:{number}", number) for number, line in lines if line.strip())


def _case(line: str, where: str, number: int) -> Case:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise ConfigError(f"{where}: not JSON ({error})") from error
    if not isinstance(row, dict) or not (isinstance(row.get("command"), str) or isinstance(row.get("tool"), str)):
        raise ConfigError(f"{where}: a case has a command, or a tool and args")
    expect = row.get("expect")
    if expect not in _EXPECTED and not (expect is None and isinstance(row.get("expect_dangerous"), bool)):
        raise ConfigError(f"{where}: expect is {expect!r}", hint=f"one of {', '.join(_EXPECTED)}, or expect_dangerous")
    if row.get("shell", "posix") not in ("posix", "cmd", "powershell"):
        raise ConfigError(f"{where}: shell is {row['shell']!r}", hint="one of posix, cmd, powershell")
    if not isinstance(row.get("args", {}), dict):
        raise ConfigError(f"{where}: args is an object")
    return Case(str(row.get("id", number)), row)


def run_cases(cases: Iterable[Case], specs: Mapping[str, ToolSpec] | None = None) -> Iterator[Outcome]:
    """Judge each case by itself; `specs` are the tools that are known, others are judged by their name."""
    for case in cases:
        if absent := missing(case.row.get("requires")):
            yield Outcome(case.id, "", "", "", f"needs {absent}")
            continue
        with tempfile.TemporaryDirectory(prefix="ralph-case-") as made:
            yield _outcome(case, str(Path(made).resolve()), specs or {})


def summary(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """The last line of `--json`; skipped cases are in `total` and count neither way."""
    kept = list(outcomes)
    failed = sum(not outcome.passed for outcome in kept)
    skipped = sum(bool(outcome.skipped) for outcome in kept)
    return {"total": len(kept), "passed": len(kept) - failed - skipped, "failed": failed, "skipped": skipped}


def _outcome(case: Case, root: str, specs: Mapping[str, ToolSpec]) -> Outcome:
    row = _filled(case.row, root)
    for step in row.get("setup", ()):
        _make(step, root, case.id)
    judgement = _judge(row, root, specs)
    expect, got = [], []
    if row.get("expect") is not None:
        expect.append(row["expect"])
        got.append(_word_for(judgement, row["expect"]))
    if isinstance(dangerous := row.get("expect_dangerous"), bool):
        expect.append("dangerous" if dangerous else "not dangerous")
        got.append("dangerous" if judgement.dangerous else "not dangerous")
    return Outcome(case.id, ", ".join(expect), ", ".join(got), f"{judgement.rule.name}: {judgement.rule.text}")


def _word_for(judgement: Judgement, expect: str) -> str:
    """The verdict in the words the row expects it in."""
    if expect in ("auto", "prompt"):
        return "auto" if judgement.verdict == "allow" else "prompt"
    if expect in ("deny", "ok"):
        return "deny" if judgement.verdict == "deny" else "ok"
    return judgement.verdict


def _judge(row: Mapping[str, Any], root: str, specs: Mapping[str, ToolSpec]) -> Judgement:
    args = row.get("args", {}) if "tool" in row else {"command": row["command"]}
    tool = row.get("tool", "shell")
    env = row.get("env") or {}
    tilde = env.get("HOME") or os.path.expanduser("~")  # noqa: PTH111  # never raises where there is no home
    cwd = Path(root, row.get("cwd") or ".")
    if not cwd.exists():
        cwd.mkdir(parents=True)
    rules = Rules(
        cwd=str(cwd.resolve()), home=env.get("RALPH_HOME") or f"{tilde}/.local/ralph", tilde=tilde,
        allowlist=_entries(row), shell=row.get("shell", "posix"),
    )  # fmt: skip
    return rules.judge(ToolCall(str(row.get("id", "")), tool, args), specs.get(tool) or stand_in(tool, args))


def _entries(row: Mapping[str, Any]) -> tuple[Entry, ...]:
    if "allow" not in row:
        return built_in()
    return tuple(Entry("shell", "this case", tuple(words)) for words in row["allow"])


def _filled(value: Any, root: str) -> Any:
    """The same value with {TMP} replaced in every string, keys included."""
    if isinstance(value, str):
        return value.replace("{TMP}", root)
    if isinstance(value, Mapping):
        return {_filled(key, root): _filled(item, root) for key, item in value.items()}
    return [_filled(item, root) for item in value] if isinstance(value, list) else value


def _make(step: Mapping[str, str], root: str, case: str) -> None:
    kind = next((name for name in ("dir", "file", "symlink", "hardlink") if name in step), "")
    if not kind or ("link" in kind and not isinstance(step.get("to"), str)):
        raise ConfigError(f"case {case}: a set-up step makes a dir, a file, or a symlink or hardlink with its `to`")
    path = Path(root, step[kind])
    if not path.parent.resolve().is_relative_to(root):
        raise ConfigError(f"case {case}: its set-up would write outside its own directory")
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "dir":
        path.mkdir(exist_ok=True)
    elif kind == "file":
        path.write_text(step.get("content", ""), encoding="utf-8")
    elif kind == "symlink":
        path.symlink_to(step["to"])
    else:
        path.hardlink_to(Path(root, step["to"]))
    if "mode" in step and kind in ("dir", "file"):
        path.chmod(int(str(step["mode"]), 8))
