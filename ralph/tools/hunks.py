"""Hunks onto text: where each one goes, what the text is afterwards, and what had to be bent. Pure.

The place a hunk names is tried first, then the nearest place its old lines are found at, then the same with trailing
blanks ignored, then without up to two lines of context at either end. Two equally good places are an error, never a
guess. Lines end at LF only, so form feeds and Unicode separators stay inside theirs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ralph.errors import ToolError
from ralph.policy.diff_hunks import Hunk

BOM = "\ufeff"
_PASSES = ((0, False), (0, True), (1, True), (2, True))
"""(lines of context dropped at either end, trailing blanks ignored), best first."""


@dataclass(frozen=True, slots=True)
class Place:
    """`start`: the file's line, from 0, where `lines` (the hunk without dropped context) belong; `loose`: not exactly.

    `offset`: lines away from where the hunk said, as far as known from the hunks before it.
    """

    start: int
    lines: tuple[tuple[str, str], ...]
    offset: int = 0
    loose: bool = False
    note: str = ""

    @property
    def old(self) -> list[str]:
        return [text for mark, text in self.lines if mark != "+"]


def split_lines(text: str) -> list[str]:
    """With their ends; only LF ends a line."""
    *whole, last = text.split("\n")
    lines = [line + "\n" for line in whole]
    return [*lines, last] if last else lines


def line_end(lines: Sequence[str]) -> str:
    """What most lines end with; LF when none ends."""
    ends = Counter("\r\n" if line.endswith("\r\n") else "\n" for line in lines if line.endswith("\n"))
    return ends.most_common(1)[0][0] if ends else "\n"


def apply_hunks(text: str, hunks: Sequence[Hunk], name: str) -> tuple[str, list[str]]:
    """The text with every hunk applied, and one note for each hunk that did not fit as written.

    A byte order mark and CRLF are kept when the diff shows neither. Raises ToolError, naming `name`, the hunk, and the
    expected and the found lines.
    """
    bom = BOM if text.startswith(BOM) and not any(line.startswith(BOM) for h in hunks for _, line in h.lines) else ""
    lines = split_lines(text.removeprefix(bom))
    seen, hunks = _same_ends(lines, hunks)
    result: list[str] = []
    notes: list[str] = []
    done = drift = 0
    place: Place | None = None
    for number, hunk in enumerate(hunks, 1):
        place = find_place(seen, hunk, drift, done, f"hunk {number} of {name} (line {hunk.at} of the diff)")
        drift += place.offset
        result += lines[done : place.start]
        done = _write(result, place, lines, keep_ends=seen is not lines)
        said = "; ".join(filter(None, (hunk.note, place.note)))
        notes += [f"hunk {number}: {said}"] if said else []
    result += lines[done:]
    return bom + _joined(result, line_end(lines), open_end=place is not None and _leaves_open(place, lines)), notes


def _same_ends(lines: list[str], hunks: Sequence[Hunk]) -> tuple[list[str], Sequence[Hunk]]:
    """File and diff made comparable when one of them has CRLF throughout and the other none at all."""
    shown = [line for hunk in hunks for _, line in hunk.lines]
    olds = [line for hunk in hunks for line in hunk.old if line.endswith("\n")]
    in_file = any(line.endswith("\r\n") for line in lines)
    if in_file and not any(line.endswith("\r\n") for line in shown):
        return [_plain(line) for line in lines], hunks
    if not in_file and olds and all(line.endswith("\r\n") for line in olds):
        return lines, [replace(hunk, lines=tuple((mark, _plain(line)) for mark, line in hunk.lines)) for hunk in hunks]
    return lines, hunks


def _plain(line: str) -> str:
    return line[:-2] + "\n" if line.endswith("\r\n") else line


def _write(result: list[str], place: Place, lines: Sequence[str], *, keep_ends: bool) -> int:
    """Add what the hunk leaves there; context keeps the file's own spelling. Returns the first line after it."""
    at = place.start
    for mark, text in place.lines:
        if mark == "+":
            keep = keep_ends and text.endswith("\n")
            result.append(text[:-1] + line_end(lines[max(at - 1, 0) :][:1]) if keep else text)
            continue
        if mark == " ":
            result.append(lines[at])
        at += 1
    return at


def _leaves_open(place: Place, lines: Sequence[str]) -> bool:
    """The file's last line had no end, and the hunk writes a last line without knowing of that."""
    reaches = place.start + len(place.old) == len(lines)
    return place.loose and reaches and place.lines[-1][0] == "+" and not lines[-1].endswith("\n")


def _joined(result: list[str], end: str, *, open_end: bool) -> str:
    """Every line but the last ends; the last as it is, or without an end."""
    ended = [line if line.endswith("\n") else line + end for line in result[:-1]]
    last = result[-1:]
    return "".join([*ended, *(line.rstrip("\r\n") if open_end else line for line in last)])


def find_place(lines: Sequence[str], hunk: Hunk, drift: int, floor: int, label: str) -> Place:
    """Where the hunk goes, at or after line `floor`. `drift`: how far off the hunks before it were."""
    named = max(hunk.old_start - 1 if hunk.old else hunk.old_start, 0)
    if not hunk.old:
        if not floor <= named + drift <= len(lines):
            raise ToolError(f"{label}: there is no line {hunk.old_start} to insert after; {_count(lines)}")
        note = f"inserted after line {named + drift} by its number alone" if lines else ""
        return Place(named + drift, hunk.lines, note=note)
    tried: set[int] = set()
    for fuzz, loose in _PASSES:
        lead, body = _trimmed(hunk, fuzz)
        old = [text for mark, text in body if mark != "+"]
        if fuzz and (len(old) in tried or not any(text.strip() for text in old)):
            continue
        if loose:
            tried.add(len(old))
        at = named + drift + lead
        here = at >= floor and lines[at : at + len(old)] == old
        found = [at] if here else _matches(lines, old, floor, loose)
        start = _choose(found, at, fuzz, label, blank=not "".join(old).strip())
        if start is not None:
            offset = start - at
            return Place(start, body, offset, loose, _note(start, offset + drift, fuzz, loose))
    raise ToolError(_misfit(lines, hunk, named + drift, floor, label))


def _count(lines: Sequence[str]) -> str:
    return f"the file has {len(lines)} line{'' if len(lines) == 1 else 's'}"


def _trimmed(hunk: Hunk, fuzz: int) -> tuple[int, tuple[tuple[str, str], ...]]:
    """How much leading context was dropped, and the rest; never more than the context there is."""
    body = hunk.lines
    lead = trail = 0
    while lead < fuzz and body[lead][0] == " ":
        lead += 1
    while trail < fuzz and body[-1 - trail][0] == " ":
        trail += 1
    return lead, body[lead : len(body) - trail]


def _matches(lines: Sequence[str], old: Sequence[str], floor: int, loose: bool) -> list[int]:
    if loose:
        lines, old = [line.rstrip() for line in lines], [text.rstrip() for text in old]
    first, size = old[0], len(old)
    return [
        at for at in range(floor, len(lines) - size + 1)
        if lines[at] == first and lines[at : at + size] == old
    ]  # fmt: skip


def _choose(found: Sequence[int], expected: int, fuzz: int, label: str, *, blank: bool) -> int | None:
    if expected in found:
        return expected
    if not found or blank:  # blank lines are found anywhere: they prove nothing away from where they were named
        return None
    near = sorted(found, key=lambda at: abs(at - expected))
    if len(near) > 1 and (fuzz or abs(near[0] - expected) == abs(near[1] - expected)):
        first, second = sorted(at + 1 for at in near[:2])
        raise ToolError(
            f"{label} fits equally well at line {first} and at line {second}: correct the line number after '@@ -' "
            "or give more lines of context. Nothing was changed."
        )
    return near[0]


def _note(start: int, offset: int, fuzz: int, loose: bool) -> str:
    moved = f"applied at line {start + 1}, {abs(offset)} line{'' if abs(offset) == 1 else 's'} "
    where = moved + ("further down than it said" if offset > 0 else "further up than it said") if offset else ""
    bent = f"{fuzz} line{'s' if fuzz > 1 else ''} of context ignored at its ends" if fuzz else ""
    blanks = "blanks at line ends ignored" if loose else ""
    return "; ".join(filter(None, (where, bent, blanks)))


def _misfit(lines: Sequence[str], hunk: Hunk, expected: int, floor: int, label: str) -> str:
    """The closest place, and the first line there that is not as the hunk says."""
    old = [text.rstrip() for text in hunk.old]
    have = [line.rstrip() for line in lines]
    new = [text.rstrip() for text in hunk.new]
    if any(new) and (found := _matches(have, new, 0, loose=False)):
        return f"{label} does not fit, but what it would write is already at line {found[0] + 1}: has it been applied?"
    places: Sequence[int] = range(floor, max(len(have), floor + 1))
    if len(places) * len(old) > 2_000_000:
        places = [min(max(expected, floor), len(have))]

    def score(at: int) -> tuple[int, int]:
        return sum(a == b for a, b in zip(have[at:], old, strict=False)), -abs(at - expected)

    best = max(places, key=score)
    wrong = next((i for i, text in enumerate(old) if best + i >= len(have) or have[best + i] != text), 0)
    found_text = repr(have[best + wrong]) if best + wrong < len(have) else f"the end of the file ({_count(lines)})"
    return (
        f"{label} does not fit: at the closest place, line {best + wrong + 1} should be {old[wrong]!r} but is "
        f"{found_text}. Nothing was changed. Read the file from line {best + 1} and write the hunk from what is there."
    )
