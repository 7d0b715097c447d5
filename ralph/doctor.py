"""What works, what does not, how to fix it. Every check stands alone, so a broken one hides no other; no network."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ralph.app import make_tools, shipped
from ralph.config import FILE, Config, load, read_file
from ralph.errors import RalphError
from ralph.place import Place
from ralph.policy.trust import Trust, ralph_files
from ralph.providers.models import table_date
from ralph.rulebook import make_sandbox
from ralph.sandbox.report import WHAT
from ralph.tools.loader import load_folder

State = Literal["ok", "warning", "failed"]


@dataclass(frozen=True, slots=True)
class Check:
    """`remedy`: what to do, empty when there is nothing to do. `ms`: how long it took. `rows`: what was tried in it."""

    name: str
    state: State
    detail: str
    remedy: str = ""
    ms: float = 0.0
    rows: tuple[str, ...] = ()


Result = tuple[State, str, str] | tuple[State, str, str, tuple[str, ...]]


def examine(cwd: Path, home: Path, env: Mapping[str, str]) -> list[Check]:
    """All checks, in the order they are shown."""
    place = Place(cwd, home, env)
    checks: dict[str, Callable[[], Result]] = {
        "python": _python,
        "home": lambda: _home(home),
        "settings": lambda: _settings(cwd, home),
        "trust": lambda: _trust(cwd, home),
        "model": lambda: _model(cwd, home, env),
        "tools": lambda: _tools(place),
        "git": lambda: _program("git", "changes cannot be seen or undone through git"),
        "ripgrep": lambda: _program("rg", "search_files uses its slower fallback"),
        "sandbox": lambda: _sandbox(place),
        "vector index": _vectors,
        "terminal": lambda: _terminal(env),
    }
    return list(_timed(checks))


def _timed(checks: Mapping[str, Callable[[], Result]]) -> Iterator[Check]:
    for name, check in checks.items():
        started = time.perf_counter()
        try:
            state, detail, remedy, *more = check()
        except RalphError as error:
            state, detail, remedy, *more = "failed", error.message, error.hint
        ms = round((time.perf_counter() - started) * 1000, 2)
        yield Check(name, state, detail, remedy, ms, more[0] if more else ())


def _python() -> Result:
    return "ok", f"Python {platform.python_version()} at {sys.executable}", ""


def _home(home: Path) -> Result:
    existing = next(folder for folder in (home, *home.parents) if folder.exists())
    if not os.access(existing, os.W_OK | os.X_OK) or not existing.is_dir():
        return "failed", f"{home} cannot be written", "give --home DIR, or set RALPH_HOME to a directory you can write"
    free = shutil.disk_usage(existing).free
    if free < 50 * 1024 * 1024:
        return "warning", f"{home}: {free // 1024**2} MB left on the disk", "free some space"
    return "ok", f"{home}{'' if home.exists() else ' (made when first needed)'}", ""


def _settings(cwd: Path, home: Path) -> Result:
    found = [str(path) for path in dict.fromkeys((home / FILE, cwd / FILE)) if read_file(path) is not None]
    return "ok", ", ".join(found) or f"no {FILE}: built-in defaults", ""


def _trust(cwd: Path, home: Path) -> Result:
    files = ", ".join(path.name for path in ralph_files(cwd))
    if not files:
        return "ok", "this directory has no settings of its own", ""
    if Trust(home).holds(cwd):
        return "ok", f"trusted: {files}", ""
    return "warning", f"not trusted, so it can only tighten: {files}", "start `ralph` here on a terminal"


def _config(cwd: Path, home: Path, env: Mapping[str, str]) -> Config:
    return load(cwd=cwd, home=home, env=env, flags={}, trusted=Trust(home).holds(cwd)).config


def _model(cwd: Path, home: Path, env: Mapping[str, str]) -> Result:
    config = _config(cwd, home, env)
    keys = [name for name, key in (("ANTHROPIC_API_KEY", config.anthropic_api_key),
                                   ("OPENAI_API_KEY", config.openai_api_key)) if key]  # fmt: skip
    if config.api_url:
        return "ok", f"endpoint {config.api_url}, model {config.model or 'the default'}", ""
    if keys:
        priced = f"prices of {table_date()}"
        return "ok", f"{' and '.join(keys)} set, model {config.model or 'the default'}; {priced}", ""
    remedy = "set ANTHROPIC_API_KEY or OPENAI_API_KEY, start a local server (Ollama, LM Studio, llama.cpp, vLLM)"
    return "warning", "no key and no endpoint: a local server, or else the built-in reflexes", remedy


def _tools(place: Place) -> Result:
    box, warnings = make_tools(place)
    if warnings:
        return "warning", warnings[0], f"mend it, or take it out of {place.home / 'tools'}"
    defaults, broken = load_folder(shipped("tools_default"), "default")
    if broken or len(defaults) < 9:
        return "failed", f"only {len(defaults)} of 9 tool files in {shipped('tools_default')}", "install Ralph again"
    return "ok", f"{len(box.specs)} tools", ""


def _program(name: str, without: str) -> Result:
    path = shutil.which(name)
    return ("ok", path, "") if path else ("warning", f"{name} is not installed: {without}", f"install {name}")


def _sandbox(place: Place) -> Result:
    """Tries to break out, for real, each time it is asked."""
    config = _config(place.cwd, place.home, place.env)
    with tempfile.TemporaryDirectory() as scratch:
        box = make_sandbox(place, config, Path(scratch), private=True, again=True)
        rows = tuple(f"{row.outcome}: {WHAT[row.name]} {row.detail and f'({row.detail})'}" for row in box.report.rows)
        box.close()
    if box.holds or config.sandbox.mode == "off":
        return "ok", box.state(), "", rows
    return "warning", box.state(), "install bubblewrap; until then python calls ask", rows


def _vectors() -> Result:
    if importlib.util.find_spec("hnswlib") is None:
        return "warning", "hnswlib is not installed: exact search serves", "pip install 'ralph-agent[hnsw]'"
    return "ok", "hnswlib", ""


def _terminal(env: Mapping[str, str]) -> Result:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return "ok", "no terminal: calls that would ask are refused", ""
    return "ok", f"{env.get('TERM', 'unknown')}, {shutil.get_terminal_size().columns} columns", ""
