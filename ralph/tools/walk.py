"""Which files of a tree are worth looking at: not what .gitignore names, not what tools install or build."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ralph.policy.protected import fold_path, protected_name

SKIPPED = frozenset({
    ".git", ".svn", ".hg", "node_modules", "__pycache__", ".cache", "build", "dist", "deps", "vendor", ".venv", "venv",
})  # fmt: skip
"""Directories that are not descended into."""

_Rule = tuple[str, Any]  # the directory of a .gitignore, and one pattern of it


def walk(root: str, *, stopped: Callable[[], bool] = lambda: False) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """(path relative to `root`, entry) of everything below it: a directory before what is in it, links not followed.

    In each directory: subdirectories first, then by name without regard to case. What cannot be read is left out.
    """
    rules = [rule for folder in _above(root) for rule in _rules(folder)]
    waiting: list[tuple[str, str, list[_Rule]]] = [("", root, rules)]
    while waiting and not stopped():
        relative, folder, above = waiting.pop()
        try:
            entries = sorted(os.scandir(folder), key=by_name)
        except OSError:
            continue  # not readable, or gone meanwhile
        names = {entry.name for entry in entries}
        below = above if ".git" not in names or folder == root else []  # a repository inside: the outer rules end here
        if ".gitignore" in names:
            below = [*below, *_rules(folder)]
        folders = []
        for entry in entries:
            inner = entry.is_dir(follow_symlinks=False)
            if (inner and entry.name in SKIPPED) or _ignored(entry.path, inner, below):
                continue
            yield relative + entry.name, entry
            if inner:
                folders.append((f"{relative}{entry.name}/", entry.path, below))
        waiting += reversed(folders)


def by_name(entry: os.DirEntry[str]) -> tuple[bool, str, str]:
    return not entry.is_dir(follow_symlinks=False), entry.name.casefold(), entry.name


def is_protected(path: str) -> bool:
    """Whether the contents of a file of this name are for no tool to show."""
    plain = path.lower() if path.isascii() else ""
    if plain and "env" not in plain and "ralph" not in plain:
        return False  # all that matters of the names, without folding each
    return bool(protected_name(fold_path(path)))


def fitting(pattern: str | None) -> Callable[[str], bool]:
    """A test for relative paths. `*.py` looks at the name, `src/*.py` at the last parts; `**` spans directories,
    `{a,b}` offers choices."""
    if not pattern:
        return lambda _path: True
    wanted = [_collapsed(["**", *choice.strip("/").split("/")]) for choice in _choices(pattern)]
    return lambda path: any(_fits(path.split("/"), parts) for parts in wanted)


def _fits(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_fits(parts[at:], pattern[1:]) for at in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and _fits(parts[1:], pattern[1:])


def _collapsed(pattern: list[str]) -> list[str]:
    return [part for before, part in zip(["", *pattern], pattern, strict=False) if (before, part) != ("**", "**")]


def _choices(pattern: str, most: int = 64) -> list[str]:
    """The pattern once per choice in its innermost braces."""
    done: list[str] = []
    waiting = [pattern]
    while waiting and len(done) + len(waiting) <= most:
        head, brace, tail = waiting.pop().partition("}")
        before, opened, inner = head.rpartition("{")
        if brace and opened:
            waiting += [before + choice + tail for choice in inner.split(",")]
        else:
            done.append(head + brace + tail)
    return done


def _above(root: str) -> list[str]:
    """The directories whose .gitignore also counts for `root`, outermost first: up to the top of its repository."""
    found: list[str] = []
    for folder in Path(root).parents if not Path(root, ".git").exists() else ():
        found.insert(0, str(folder))
        if Path(folder, ".git").exists():
            break
    return found


def _rules(folder: str) -> list[_Rule]:
    try:
        lines = Path(folder, ".gitignore").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    from pathspec import GitIgnoreSpec

    return [(folder, pattern) for pattern in GitIgnoreSpec.from_lines(lines).patterns if pattern.include is not None]


def _ignored(path: str, is_folder: bool, rules: list[_Rule]) -> bool:
    """The last rule that names the path decides; what is below an ignored directory is never asked about."""
    for folder, pattern in reversed(rules):
        if _names(pattern, path[len(folder) :].lstrip("/"), is_folder):
            return bool(pattern.include)
    return False


def _names(pattern: Any, path: str, is_folder: bool) -> bool:
    """Whether the pattern names this very path; pathspec by itself also says yes to all that is below it."""
    if "ps_d" not in pattern.regex.groupindex:  # pathspec's mark for the slash after what was named
        return pattern.regex.search(path) is not None
    text = path + "/" * is_folder
    found = pattern.regex.fullmatch(text) or pattern.regex.search(text, len(path))  # the second for a bare `*/`
    return found is not None and found.end("ps_d") in (-1, len(text))
