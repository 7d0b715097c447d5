"""What a call would do, in plain words: one line for each kind of effect, with what leaves the workspace set apart."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ralph.core.gate import Effect
from ralph.ui.visible import one_line

SHOWN = 6
"""Targets named in one line with the question; the details name all."""

_KINDS = ("executes", "deletes", "writes", "contacts", "secret", "history", "unknown", "reads")
_VERBS = {
    "executes": "runs", "writes": "writes", "deletes": "deletes", "contacts": "contacts", "reads": "reads",
    "secret": "reads a secret:", "history": "changes the git history:", "unknown": "may do more than can be told here:",
}  # fmt: skip
_VAGUE = {"writes": "changes files", "deletes": "deletes files", "contacts": "uses the network", "reads": "reads files"}
_NAMING = ("rm", "rmdir", "cp", "mv", "ln", "mkdir", "touch", "tee", "chmod", "chown", "install", "curl", "wget")
"""Programs whose targets are all among their words: with those named, the program adds nothing."""
_COLOURS = {"deletes": "31", "secret": "31", "history": "33", "contacts": "33", "unknown": "33"}


@dataclass(frozen=True, slots=True)
class Deed:
    """One line. `colour`: an ANSI style for what deserves a second look, else empty."""

    text: str
    colour: str = ""


def deeds(
    effects: Iterable[Effect], cwd: Path, workspace: Path, programs: Collection[str] = (), most: int = SHOWN
) -> list[Deed]:
    """`cwd`: where relative targets lead from. `programs`: targets that name what does it, not what it is done to."""
    found = tuple(dict.fromkeys(effects))
    secret = {one.target for one in found if one.kind == "secret"}
    lines: list[Deed] = []
    for kind in _KINDS:
        these = [one for one in found if one.kind == kind and not (kind == "reads" and one.target in secret)]
        named = [one for one in these if not _is_vague(one, programs)]
        shown = [_shown(one, cwd, workspace) for one in named]
        lines += _line(_VERBS[kind], [text for text, leaves in shown if not leaves], most, _COLOURS.get(kind, ""))
        lines += _line(f"{_VERBS[kind]} outside the workspace:", [text for text, leaves in shown if leaves], most, "33")
        vague = [one.target for one in these if one not in named and not (named and one.target in _NAMING)]
        lines += _vaguely(kind, vague)
    if len(lines) > 1:
        lines = [line for line in lines if line.text != "reads ."]
    return lines or [Deed("may do what cannot be told from here", "33")]


def _is_vague(effect: Effect, programs: Collection[str]) -> bool:
    return effect.kind in _VAGUE and effect.target in programs


def _line(verb: str, targets: list[str], most: int, colour: str) -> Iterator[Deed]:
    if targets:
        more = f" and {len(targets) - most} more (? names them)" if len(targets) > most else ""
        yield Deed(f"{verb} {', '.join(targets[:most])}{more}", colour)


def _vaguely(kind: str, programs: list[str]) -> Iterator[Deed]:
    if programs:
        yield Deed(f"{_VAGUE[kind]} ({', '.join(one_line(name, 80) for name in programs)})", _COLOURS.get(kind, ""))


def _shown(effect: Effect, cwd: Path, workspace: Path) -> tuple[str, bool]:
    """The target as a person should read it, and whether it is a path that leads out of the workspace."""
    target = effect.target or "something"
    if effect.kind not in ("reads", "writes", "deletes") or "\0" in target:
        return one_line(target, 300), False
    root = os.path.realpath(workspace)
    given = os.path.join(cwd, os.path.expanduser(target))  # noqa: PTH111, PTH118  # a Path would drop what is odd in it
    leads = os.path.realpath(given)
    if leads == root or leads.startswith(root.rstrip("/") + "/"):
        short = os.path.relpath(leads, root) if target.startswith(root) else target
        return one_line(short, 300), False
    via = "" if os.path.normpath(given) == leads else f" → {leads}"
    return one_line(target + via, 300), True
