"""One hunk of a unified diff: where its body ends, and what it says. `at` counts lines from 0, messages from 1."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ralph.policy.diff_names import wrong

_HEADER = re.compile(r"@@ -([0-9]{1,9})(?:,([0-9]{1,9}))? \+([0-9]{1,9})(?:,([0-9]{1,9}))? @@")


@dataclass(frozen=True, slots=True)
class Hunk:
    """`lines` are (mark, text): mark is ' ', '-' or '+'; text keeps its line end, missing where the file ends without.

    `old_start` is the header's, from 1 (0: before the first line). `at`: the header's line in the diff, from 1.
    `note`: what was put right while reading.
    """

    old_start: int
    lines: tuple[tuple[str, str], ...]
    at: int
    note: str = ""

    @property
    def old(self) -> list[str]:
        return [text for mark, text in self.lines if mark != "+"]

    @property
    def new(self) -> list[str]:
        return [text for mark, text in self.lines if mark != "-"]


def read_hunk(lines: Sequence[str], at: int, *, git: bool) -> tuple[Hunk, int]:
    """The hunk whose header is at `at`, and where reading goes on. `git`: its file began with `diff --git`.

    The header's counts hold when they end the body where something else begins; else the body is measured.
    """
    head = _HEADER.match(lines[at])
    if not head:
        raise wrong(at + 1, f"a hunk begins with '@@ -START,COUNT +START,COUNT @@', not {lines[at][:60]!r}")
    old, new = int(head[2] or 1), int(head[4] or 1)
    end = _counted(lines, at + 1, old, new)
    if end is None:
        end = _measured(lines, at + 1, git=git)
    elif not git and _has_header_inside(lines, at + 1, end):
        raise wrong(end - 1, "this may be a removed line or the next file's header: correct the counts of the hunk "
                             f"at line {at + 1}, or begin each file with 'diff --git'")  # fmt: skip
    hunk = Hunk(int(head[1]), _body(lines, at + 1, end), at + 1)
    if not any(mark in "+-" for mark, _ in hunk.lines):
        raise wrong(at + 1, "the hunk has no line with '+' or '-', so it changes nothing: leave it out")
    seen = len(hunk.old), len(hunk.new)
    if seen != (old, new):
        note = f"its header counts {old} old and {new} new lines, its body has {seen[0]} and {seen[1]}"
        hunk = Hunk(hunk.old_start, hunk.lines, hunk.at, note)
    return hunk, skip_blank(lines, end)


def skip_blank(lines: Sequence[str], at: int) -> int:
    while at < len(lines) and lines[at] == "":
        at += 1
    return at


def opens_file(lines: Sequence[str], at: int) -> bool:
    if at < len(lines) and lines[at].startswith("diff --git "):
        return True
    return at + 1 < len(lines) and lines[at].startswith("--- ") and lines[at + 1].startswith("+++ ")


def ends(lines: Sequence[str], at: int) -> bool:
    """Nothing but blank lines, or the signature below a mailed patch, is left."""
    rest = [line for line in lines[at:] if line.strip()]
    return not rest or (rest[0] == "-- " and len(rest) <= 2)


def _counted(lines: Sequence[str], at: int, old: int, new: int) -> int | None:
    """Where the body ends by the header's counts; None when they cannot be right."""
    while old > 0 or new > 0:
        mark = (lines[at][:1] or " ") if at < len(lines) else "end"
        if mark not in (" ", "-", "+", "\\"):
            return None
        old -= mark in " -"
        new -= mark in " +"
        at += 1
    if at < len(lines) and lines[at].startswith("\\"):
        at += 1
    after = skip_blank(lines, at)
    fits = lines[after].startswith("@@") if after < len(lines) else True
    return at if old == new == 0 and (fits or opens_file(lines, after) or ends(lines, after)) else None


def _measured(lines: Sequence[str], at: int, *, git: bool) -> int:
    """Where the body ends by what follows it."""
    start = at
    while at < len(lines) and not lines[at].startswith(("@@ ", "diff --git ")):
        if _is_plain_header(lines, at):
            if git:
                raise wrong(at + 1, f"this may be a removed line or a file header: correct the counts at line {start}")
            break
        if lines[at][:1] not in ("", " ", "-", "+", "\\"):
            raise wrong(at + 1, f"a line of a hunk begins with ' ', '+' or '-', not {lines[at][:60]!r}")
        at += 1
    while at > start and lines[at - 1] == "":  # blank lines after the body are layout, not context
        at -= 1
    return at


def _is_plain_header(lines: Sequence[str], at: int) -> bool:
    return opens_file(lines, at) and at + 2 < len(lines) and lines[at + 2].startswith("@@ ")


def _has_header_inside(lines: Sequence[str], start: int, end: int) -> bool:
    """The counts swallow what looks like `---` and `+++` before a hunk: wrong counts would put it into another file."""
    return end - start >= 2 and _is_plain_header(lines, end - 2)


def _body(lines: Sequence[str], start: int, end: int) -> tuple[tuple[str, str], ...]:
    body: list[tuple[str, str]] = []
    open_ended: set[str] = set()  # sides whose last line was said to have no line end
    for at in range(start, end):
        mark, text = lines[at][:1] or " ", lines[at][1:]
        if mark == "\\":
            if not body or not body[-1][1].endswith("\n"):
                raise wrong(at + 1, "'\\ No newline at end of file' must follow the line it is about")
            mark, text = body.pop()
            open_ended |= {"-", "+"} if mark == " " else {mark}
            body.append((mark, text[:-1]))
            continue
        if open_ended & ({"-", "+"} if mark == " " else {mark}):
            raise wrong(at + 1, "a line follows the one that was said to be the last of the file")
        body.append((mark, text + "\n"))
    return tuple(body)
