"""What a file says, before it is cut: its text, where its pages and headings begin, and what could not be read."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Heading:
    """`start`: offset in the text. `level` counts from 1, the outermost."""

    start: int
    level: int
    title: str


@dataclass(frozen=True, slots=True)
class Document:
    """`kind`: pdf, markdown, html, code or text. `pages`: the offset each page begins at; empty when it has none.

    `first_page` is the number of `pages[0]`, counted from 1; `page_total`: pages of the whole file. `headings` are in
    the order of their offsets. `note`: what is missing or was changed, for the person; empty when nothing is.
    """

    kind: str
    text: str
    pages: tuple[int, ...] = ()
    headings: tuple[Heading, ...] = ()
    note: str = ""
    first_page: int = 1
    page_total: int = 0

    def page_at(self, offset: int) -> int | None:
        """Number, from 1, of the page that holds the character at `offset`; None in a document without pages."""
        return self.first_page + max(bisect_right(self.pages, offset) - 1, 0) if self.pages else None

    def page(self, number: int) -> str:
        """The text of one page. Raises IndexError when it is not among those that were read."""
        index = number - self.first_page
        if not 0 <= index < len(self.pages):
            raise IndexError(f"page {number} was not read")
        return self.text[self.pages[index] : (*self.pages, len(self.text))[index + 1]]


def blackened(document: Document, spans: Sequence[tuple[int, int, str]]) -> Document:
    """The document with other words in some places, (start, end, words) in order; pages and headings move along."""
    if not spans:
        return document
    texts, at = [], 0
    for start, end, instead in spans:
        texts += [document.text[at:start], instead]
        at = end

    def moved(offset: int) -> int:
        shift = 0
        for start, end, instead in spans:
            if end <= offset:
                shift += len(instead) - (end - start)
            elif start < offset:
                return start + shift + len(instead)  # behind what stands there now
        return offset + shift

    def headed(heading: Heading) -> Heading:
        title = heading.title
        for start, end, instead in spans:
            title = title.replace(" ".join(document.text[start:end].split()), instead)
        return Heading(moved(heading.start), heading.level, title)

    note = f"{len(spans)} secret{'s' if len(spans) > 1 else ''} blacked out"
    return replace(
        document, text="".join([*texts, document.text[at:]]), pages=tuple(map(moved, document.pages)),
        headings=tuple(map(headed, document.headings)), note="; ".join(filter(None, (document.note, note))),
    )  # fmt: skip


def paths(headings: Sequence[Heading]) -> list[tuple[str, ...]]:
    """At each index: the titles that are open, outermost first, once that many headings have been passed."""
    found: list[tuple[str, ...]] = [()]
    open_ones: list[Heading] = []
    for heading in headings:
        while open_ones and open_ones[-1].level >= heading.level:
            open_ones.pop()
        open_ones.append(heading)
        found.append(tuple(item.title for item in open_ones))
    return found
