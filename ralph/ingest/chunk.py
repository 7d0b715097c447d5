"""Cut a document into pieces that can be searched and quoted: at a heading before a paragraph before a sentence before
a word, never across a page, never inside a word or a character as a reader sees it.

Sizes are characters (code points). A run without blanks that is longer than a piece is the only thing cut anywhere.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ralph.ingest.document import Document, paths
from ralph.ingest.graphemes import edge_before, is_edge
from ralph.ingest.readers import document_of

_PARAGRAPH = re.compile(r"\n[^\S\n]*\n\s*")
_SENTENCE = re.compile(r"[.!?…][\"'”’»)\]]*\s+|[。！？][」』”]*\s*")  # noqa: RUF001  # full-width marks are meant
_LINE = re.compile(r"\n")
_WORD = re.compile(r"\s+")
_BEYOND = 4
"""So many characters behind a full piece are looked at, so that a break right there counts."""


@dataclass(frozen=True, slots=True)
class Preset:
    """`most`: longest piece. `overlap`: how much of it the next one may repeat. `least`: shortest worth a break."""

    most: int = 1000
    overlap: int = 200
    least: int = 100

    def __post_init__(self) -> None:
        if not 1 <= self.least <= self.most:
            raise ValueError(f"a piece of {self.least} to {self.most} characters cannot be")
        if not 0 <= self.overlap < self.most:
            raise ValueError(f"an overlap of {self.overlap} does not fit into pieces of {self.most}")


TEXT = Preset()
PDF = Preset(1500, 300, 150)


@dataclass(frozen=True, slots=True)
class Piece:
    """`text` is `document.text[start:end]`. `page` counts from 1, None without pages. `path`: headings above it."""

    text: str
    start: int
    end: int
    page: int | None = None
    path: tuple[str, ...] = ()


def sized(most: int, overlap: int) -> Preset:
    """A preset of other sizes. Raises ValueError when they do not fit together."""
    return Preset(most, overlap, max(1, most // 10))


def pieces(document: Document, preset: Preset | None = None) -> Iterator[Piece]:
    """The pieces in order, none for a document without text. `preset` None: the one for its kind."""
    cutter = Cutter(document, preset or (PDF if document.kind == "pdf" else TEXT))
    above = paths(document.headings)
    walls = [*(document.pages or (0,)), len(document.text)]
    for low, high in pairwise(walls):
        for start, end in cutter.spans(low, high):
            path = above[bisect_right(cutter.heads, start)]
            yield Piece(document.text[start:end], start, end, document.page_at(start), path)


def split_text(text: str) -> list[str]:
    """A text as the model writes it, in pieces that can be found."""
    return [piece.text for piece in pieces(document_of(text, "markdown"))]


class Cutter:
    """Finds the breaks of one document. `heads`: where its headings begin."""

    def __init__(self, document: Document, preset: Preset) -> None:
        self._text, self._preset = document.text, preset
        self.heads: Sequence[int] = [heading.start for heading in document.headings]
        self._kinds = (_PARAGRAPH, _LINE if document.kind == "code" else _SENTENCE, _WORD)

    def spans(self, low: int, high: int) -> Iterator[tuple[int, int]]:
        """(start, end) of the pieces of `text[low:high]`, without the blanks around them."""
        start = low
        while (start := self._after_blanks(start, high)) < high:
            end = min(self._cut(start, high), high) if high - start > self._preset.most else high
            if trimmed := len(self._text[start:end].rstrip()):
                yield start, start + trimmed
            if end >= high:
                return
            start = self._next(start, end)

    def _cut(self, start: int, high: int) -> int:
        """Where the piece that begins at `start` ends: the last break of the best kind that leaves it long enough."""
        most = start + self._preset.most
        if head := self._head(start + self._preset.least, most):
            return head
        window = self._text[start : min(most + _BEYOND, high)]
        for kind in self._kinds:
            for match in reversed(list(kind.finditer(window))):
                kept = len(window[: match.end()].rstrip())
                if kept < self._preset.least:
                    break
                if kept <= self._preset.most and is_edge(self._text, start + match.end()):
                    return start + match.end()
        blanks = [match.end() for match in _WORD.finditer(self._text, start, most) if is_edge(self._text, match.end())]
        return blanks[-1] if blanks else edge_before(self._text, most, start)  # what follows is one word too long

    def _next(self, start: int, end: int) -> int:
        """Where the next piece begins: up to `overlap` before `end`, at a sentence or a word, not before a heading."""
        if not self._preset.overlap or self._head(end - 1, end):
            return end
        low = max(end - self._preset.overlap, (start + end) // 2 + 1)
        if head := self._head(low - 1, end):
            return head
        for kind in self._kinds[1:]:
            for match in kind.finditer(self._text, low, end):
                if match.end() < end and is_edge(self._text, match.end()):
                    return match.end()
        if _WORD.search(self._text, start, end + 1):
            return end
        return edge_before(self._text, low, start)  # inside one long word: any character may begin the next piece

    def _head(self, low: int, high: int) -> int:
        """The last heading in (low, high], or 0."""
        index = bisect_right(self.heads, high)
        return self.heads[index - 1] if index and self.heads[index - 1] > low else 0

    def _after_blanks(self, start: int, high: int) -> int:
        """A mark that stands on a blank keeps it."""
        match = _WORD.match(self._text, start, high)
        if match is None:
            return start
        return match.end() if is_edge(self._text, match.end()) else match.end() - 1
