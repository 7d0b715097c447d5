"""Is what an answer quotes really on the page it names?

Compared are letters and digits in their compatibility form (NFKC, case folded), so that line ends, ligatures, curly
quotes and the hyphens of line ends make no difference; a quote must begin and end at words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

_QUOTE = r"[\"“„«](?P<quote>[^\"“”„«»]{3,2000})[\"”“»]"
_NAME = r"[^\s()\[\],;\"]{1,200}\.\w{1,5}"
_PAGE = r"(?:\bpp?\.|\bpages?\b)\s*"
_PLACE = (
    rf"(?:@?(?P<name>{_NAME})(?:\#|[\s,;:]*{_PAGE})(?P<page>\d{{1,6}})"
    rf"|{_PAGE}(?P<page2>\d{{1,6}})\s*(?:,|of|in)\s*@?(?P<name2>{_NAME}))"
)
_GAP = re.compile(r"\[?(?:\.\.\.|…)\]?")
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Citation:
    """`quote` as an answer gives it, `name` of the file and `page` (from 1) it says it is from."""

    quote: str
    name: str
    page: int


@cache
def _cited() -> re.Pattern[str]:
    between = r"[\s,.;:–—-]{0,4}"  # noqa: RUF001  # dashes are meant
    return re.compile(rf"{_QUOTE}{between}[(\[]\s*{_PLACE}[^)\]\n]{{0,40}}[)\]]", re.IGNORECASE)


def citations(answer: str) -> Iterator[Citation]:
    """Quotes followed by their place: "..." (paper.pdf, p. 3), "..." [paper.pdf#3], "..." (page 3 of paper.pdf)."""
    for found in _cited().finditer(answer):
        name, page = found["name"] or found["name2"], found["page"] or found["page2"]
        yield Citation(" ".join(found["quote"].split()), name, int(page))


def cite(quote: str, text: str) -> bool:
    """Does `text` hold the words of `quote`? Parts around an ellipsis must follow each other."""
    parts = [_squashed(part)[0] for part in _GAP.split(quote)]
    words, edges = _squashed(text)
    at = 0
    for part in filter(None, parts):
        at = _find(part, words, edges, at)
        if at < 0:
            return False
        at += len(part)
    return any(parts)


def _squashed(text: str) -> tuple[str, frozenset[int]]:
    """(letters and digits of the text without anything between them, where words begin or end)."""
    words = _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
    edges, length = {0}, 0
    for word in words:
        length += len(word)
        edges.add(length)
    return "".join(words), frozenset(edges)


def _find(part: str, words: str, edges: frozenset[int], at: int) -> int:
    while (at := words.find(part, at)) >= 0:
        if at in edges and at + len(part) in edges:
            return at
        at += 1
    return -1
