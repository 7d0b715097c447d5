"""Text of models, tools and files never drives the terminal: what would is shown as `\\u{1b}` instead."""

from __future__ import annotations

import re
from unicodedata import combining, east_asian_width

_DRIVING = re.compile(  # controls, bidirectional overrides and isolates, line separators, tags, lone surrogates
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff\U000e0000-\U000e007f\ud800-\udfff]"
)
# Printable to Python, yet blank or without a trace on screen: fillers, joiners of nothing, variation selectors.
_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
_UNSURE = re.compile("[\u200b-\u200f\u20e3\ufe0f\U0001f1e6-\U0001f1ff\U0001f3fb-\U0001f3ff]")


def _escape(found: re.Match[str]) -> str:
    return f"\\u{{{ord(found[0]):x}}}"


def printable(text: str) -> str:
    """Prose for a terminal: harmless to it, line feeds and tabs kept, and every script still reads as written."""
    if text.isascii() and text.isprintable():
        return text
    return _DRIVING.sub(_escape, text.replace("\r\n", "\n").removesuffix("\r"))  # its line feed may come next


def visible(text: str, *, keep: str = "\n\t", mark: tuple[str, str] = ("", "")) -> str:
    """Text somebody decides on: every character that is not plainly seen, even an odd space, is spelled out.

    `mark` goes around each one spelled out (reverse video, say), so that it differs from a literal `\\u{..}`.
    """
    if text.isprintable() and not _BLANK.search(text):
        return text
    start, end = mark
    return "".join(
        char if char in keep or (char.isprintable() and not _BLANK.match(char)) else f"{start}\\u{{{ord(char):x}}}{end}"
        for char in text
    )


def one_line(text: str, limit: int) -> str:
    """The first `limit` characters at most, on one line, cut with dots."""
    flat = visible(" ".join(text[: limit * 4].split()), keep="")
    return flat if len(flat) <= limit else flat[: max(limit - 3, 0)] + "..."


def columns(text: str) -> int:
    """Cells that text on one line takes, guessed high where terminals disagree."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def _cells(char: str) -> int:
    if char < "\u0300":
        return 1
    if combining(char):
        return 0
    return 2 if east_asian_width(char) in "WF" or char >= "\U0001f000" else 1


def rows(text: str, width: int) -> int | None:
    """Screen rows that one line takes at `width` columns; None when terminals disagree about a character in it."""
    if text.isascii() and "\t" not in text:
        return max(1, -(-len(text) // width))
    if _UNSURE.search(text):
        return 1 if 2 * len(text) <= width else None
    row, column = 1, 0
    for char in text:
        if char == "\t":
            column = min((column // 8 + 1) * 8, width - 1)
            continue
        size = _cells(char)
        column += size
        if column > width:
            row, column = row + 1, size
    return row


def cropped(text: str, width: int) -> str:
    """As much of one line as surely fits `width` columns."""
    if text.isascii() and "\t" not in text:
        return text[:width]
    used = 0
    for index, char in enumerate(text := text.replace("\t", " ")):
        used += _cells(char)
        if used > width:
            return text[:index]
    return text


def fitted(text: str, width: int) -> str:
    """One line in at most `width` columns, with an ellipsis where it was cut."""
    return text if columns(text) <= width else cropped(text, width - 1) + "…"
