"""Times in words: what span a question asks for, and what moment a memory names as its own. Local time throughout."""

from __future__ import annotations

import re
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from ralph.memory.wording import stemmed

DAY = 86_400.0
_MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
           "november", "december")  # fmt: skip
_MONTH = r"(?P<month>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_YEAR = r"(?P<year>(?:19|20)\d\d)"
_DAY = r"(?P<day>[0-3]?\d)(?:st|nd|rd|th)?"
_FORMS = (
    rf"\b{_YEAR}-(?P<number>[01]\d)-(?P<day>[0-3]\d)(?:[T ](?P<hour>[0-2]\d):(?P<minute>[0-5]\d))?",
    rf"\b{_DAY}\s+(?:of\s+)?{_MONTH},?\s+{_YEAR}\b",
    rf"\b{_MONTH}\s+{_DAY},?\s+{_YEAR}\b",
    rf"\b{_MONTH},?\s+{_YEAR}\b",
    rf"\b(?:in|during|of|since|year)\s+{_YEAR}\b",
)
_CLOCK = r"\b(?P<hour>[0-2]?\d):(?P<minute>[0-5]\d)\s*(?P<half>[ap]m)?"
_RECENT = re.compile(r"\b(?:recent|recently|lately|latest|newest|these days|most recent)\b", re.I)
_BACK = {"today": (0, 1), "yesterday": (1, 1), "this week": (6, 7), "last week": (14, 14), "this month": (30, 31),
         "last month": (62, 62), "last year": (730, 730)}  # fmt: skip
"""Days back to the begin of the span, days it lasts."""
_WHEN = re.compile(
    r"\s*(?:(?:since |until |by )?when|(?:\w+ )?(?:what|which) (?:day|date|month|year|time)|how long)\b", re.I
)
_DATED = frozenset(map(stemmed, (
    *_MONTHS, "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "yesterday", "today",
    "tonight", "tomorrow", "morning", "weekend", "week", "month", "year", "last", "next", "ago",
)))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """The span a question names (seconds since the epoch), None when it names none.

    recent: it wants the newest; moment: it asks when something was.
    """

    since: float | None = None
    until: float | None = None
    recent: bool = False
    moment: bool = False


def asked(text: str, now: float) -> Asked:
    since, until = _named(text, now)
    return Asked(since, until, recent=bool(_RECENT.search(text)), moment=bool(_WHEN.match(text)))


def dated(stems: Collection[str]) -> bool:
    """Whether words of a text, by their stems, may tell when something was: `last Friday`, `in 2022`."""
    return not _DATED.isdisjoint(stems) or any(len(one) == 4 and one.isdigit() for one in stems)


def _named(text: str, now: float) -> tuple[float | None, float | None]:
    lowered = text.lower()
    for words, (back, lasting) in _BACK.items():
        if re.search(rf"\b{words}\b", lowered):
            year, month, day, *_ = time.localtime(now)
            since = time.mktime((year, month, day - back, 0, 0, 0, 0, 0, -1))
            return since, since + lasting * DAY
    for form in _FORMS:
        if found := re.search(form, text, re.I):
            return _span(found.groupdict())
    return None, None


def moment(value: Any) -> float | None:
    """Seconds since the epoch: of a number, `2023-05-08`, `8 May 2023`, `1:56 pm on May 8, 2023`; None when unclear."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value) if 0 < value < 1e11 else None
    for form in _FORMS[:3] if isinstance(value, str) else ():
        if found := re.search(form, value, re.I):
            parts = found.groupdict()
            since, _ = _span(parts)
            return None if since is None else since + _seconds(parts if parts.get("hour") else _clock(value))
    return None


def _span(parts: dict[str, Any]) -> tuple[float | None, float | None]:
    """From the first second named to the last; a day, month or year."""
    year, day = int(parts["year"]), int(parts.get("day") or 0)
    month = int(parts.get("number") or 0)
    if parts.get("month"):
        month = next(n for n, name in enumerate(_MONTHS, 1) if name.startswith(parts["month"].lower()))
    if month > 12 or day > 31:
        return None, None
    first = (year, month or 1, day or 1)
    after = (year, month, day + 1) if day else (year, month + 1, 1) if month else (year + 1, 1, 1)
    since, until = (time.mktime((*date, 0, 0, 0, 0, 0, -1)) for date in (first, after))
    return since, until


def _clock(text: str) -> dict[str, Any]:
    found = re.search(_CLOCK, text, re.I)
    return found.groupdict() if found else {}


def _seconds(parts: dict[str, Any]) -> float:
    if not parts.get("hour"):
        return 0.0
    hour = int(parts["hour"])
    if parts.get("half"):
        hour = hour % 12 + 12 * (parts["half"].lower() == "pm")
    return hour * 3600.0 + int(parts["minute"]) * 60.0
