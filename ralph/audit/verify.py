"""Is the record whole? Every edited, removed, reordered or cut-off row, and every log that is gone.

What cannot be seen: rows cut off at a row's end behind the last anchor, that is from the newest log before it is closed
or another session starts; and a forgery of every file at once. `Report.head` kept somewhere else closes both gaps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ralph.audit.chain import START, Head, Problem, check
from ralph.audit.index import NAME, Ending, ending
from ralph.errors import ConfigError

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Report:
    """`head`: hash of the index, which stands for everything recorded. `open`: sessions whose end is not anchored."""

    sessions: int
    rows: int
    problems: tuple[Problem, ...]
    head: str
    open: tuple[str, ...]

    @property
    def whole(self) -> bool:
        return not self.problems


def verify(home: Path) -> Report:
    """Check every log in `<home>/audit`. Raises StoreError when one cannot be read."""
    folder = home / "audit"
    index, problems = check(folder / NAME) if (folder / NAME).is_file() else ([], [])
    rows: dict[str, list[Row]] = {}
    for path in _logs(folder):
        rows[path.stem], wrong = check(path)
        problems += wrong
    known: dict[str, Ending] = {}
    for number, row in enumerate(index, 1):
        said = ending(row)
        if said is None:
            problems.append(Problem(NAME, number, "is not a row of an index"))
            continue
        known[said.session] = said
        problems += _missed(said, rows, NAME)
    for name in sorted(rows.keys() - known.keys()):
        problems.append(Problem(f"{name}.jsonl", 0, "is not in the index: it was added, or the index was cut"))
    heads = {Head(), *(Head(row["seq"] + 1, row["hash"]) for row in index)}
    for name, found in rows.items():
        problems += _misplaced(name, found)
        problems += _unanchored(name, found, heads, rows)
        problems += _unknown_end(name, found, known.get(name))
    opened = tuple(name for name, last in known.items() if not last.closed and rows.get(name))
    total = sum(len(found) for found in rows.values())
    return Report(len(rows), total, tuple(dict.fromkeys(problems)), index[-1]["hash"] if index else START, opened)


def show(home: Path, session: str = "", *, denied: bool = False) -> list[Row]:
    """The rows of one session (an id or a unique beginning of one) or of all, in order of time."""
    paths = [path for path in _logs(home / "audit") if path.stem.startswith(session)]
    exact = [path for path in paths if path.stem == session]
    if session and len(exact or paths) != 1:
        what = "no recorded session" if not paths else f"{len(paths)} recorded sessions"
        raise ConfigError(f"{what} with an id that begins {session!r}", hint="see `ralph audit show`")
    rows = [{"session": path.stem, **row} for path in exact or paths for row in check(path)[0]]
    kept = (row for row in rows if not denied or row.get("allowed") is False)
    return sorted(kept, key=lambda row: float(row.get("at", 0)))


def _logs(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.jsonl") if path.name != NAME)


def _missed(said: Ending, rows: dict[str, list[Row]], source: str) -> Iterator[Problem]:
    """Is what `source` says of a log's end true of the log?"""
    name = f"{said.session}.jsonl"
    count, digest = said.head
    if said.session not in rows:
        if count:
            yield Problem(name, 0, f"is gone; {source} knows {count} rows of it")
    elif len(rows[said.session]) < count:
        yield Problem(name, 0, f"lost rows: {len(rows[said.session])} are there, {source} knows {count}")
    elif count and not any(row["seq"] == count - 1 and row["hash"] == digest for row in rows[said.session]):
        yield Problem(name, count, f"is another row than the one {source} knows")


def _misplaced(name: str, rows: Sequence[Row]) -> Iterator[Problem]:
    if not rows or rows[0].get("event") != "opened":
        yield Problem(f"{name}.jsonl", 1, "is not the first row of a log")
    if any(row.get("session") != name for row in rows if row.get("event") == "opened"):
        yield Problem(f"{name}.jsonl", 0, "is the log of another session")


def _unanchored(name: str, rows: Sequence[Row], heads: set[Head], logs: dict[str, list[Row]]) -> Iterator[Problem]:
    """Does what this log remembers of the index and of other logs still hold?"""
    for row in rows:
        if row.get("event") != "opened":
            continue
        if Head(*row.get("index", ())) not in heads:
            yield Problem(NAME, 0, f"lost or changed rows that {name} knows of")
        for session, head in row.get("anchors", {}).items():
            yield from _missed(Ending(session, Head(*head)), logs, name)


def _unknown_end(name: str, rows: Sequence[Row], last: Ending | None) -> Iterator[Problem]:
    """A log that was closed told the index so; only a crash in that very moment leaves it unsaid."""
    if last is not None and rows and rows[-1].get("event") == "closed" and last.head.rows < len(rows):
        yield Problem(NAME, 0, f"lost what {name}.jsonl told it when it was closed")
