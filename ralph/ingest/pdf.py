"""PDF files: the text of each page with its number, read in a process that may be ended.

A file from somewhere can crash a parser, fill the memory or never end; none of it may reach the conversation. The
process is started by the caller, who passes `run`; it runs `ralph.ingest.pdf_child`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterable
from itertools import accumulate
from typing import Any

from ralph.errors import RalphError
from ralph.ingest.document import Document, Heading

Run = Callable[[str, bytes, float], Awaitable[tuple[bytes, int | None]]]
"""(module whose `main` reads a descriptor, what it finds there, seconds) -> (what it printed, status; None: ended)."""

CHILD = "ralph.ingest.pdf_child"
SECONDS = 120.0
MOST_BYTES = 512 * 1024 * 1024

_CAUSES = {
    "encrypted": ("{name} is encrypted and asks for a password", "remove it first, for example: qpdf --decrypt"),
    "unsupported": ("{name} is encrypted in a way that cannot be read here", "install Ralph with its `pdf` extra"),
    "damaged": ("{name} is damaged or not a PDF ({detail})", "open and save it again in a PDF viewer"),
    "empty": ("{name} has no pages", "nothing was read"),
}


async def read_pdf(
    data: bytes, name: str, run: Run, *, first: int = 1, last: int | None = None, seconds: float = SECONDS
) -> Document:
    """Pages `first` to `last` (from 1, inclusive, clamped to those there are) as one Document.

    Raises RalphError for a file that is encrypted, damaged, without pages or without any text. Pages without text
    and pages that could not be reached in time are named in the note.
    """
    if len(data) > MOST_BYTES:
        raise RalphError(f"{name} is larger than {MOST_BYTES >> 20} MB", hint="split it first")
    asked = json.dumps({"first": first, "last": last, "seconds": seconds}).encode()
    printed, status = await run(CHILD, asked + b"\n" + data, seconds)
    rows = [json.loads(line) for line in printed.split(b"\n")[:-1]]  # what was cut off by the end has no line end
    failure = next((row for row in rows if "error" in row), None)
    pages = [row["text"] for row in rows if "text" in row]
    if failure is not None and not pages:
        message, hint = _CAUSES[failure["error"]]
        raise RalphError(message.format(name=name, detail=failure.get("detail", "")), hint=hint)
    if not rows or not pages:
        raise RalphError(f"{name} could not be read: {_ending(status, seconds)}", hint="it may be damaged")
    if not any(text.strip() for text in pages):
        raise RalphError(_without_text(name, len(pages)), hint="run text recognition (OCR) over it first")
    texts = [page.rstrip() + "\n" for page in pages]
    starts = list(accumulate(map(len, texts[:-1]), initial=0))
    text = "".join(texts)
    return Document(
        "pdf", text, tuple(starts), _headings(text, starts, rows[0]), _note(pages, rows[0], status, seconds),
        rows[0]["first"], rows[0]["total"],
    )  # fmt: skip


def _headings(text: str, starts: list[int], head: dict[str, Any]) -> tuple[Heading, ...]:
    """The file's outline. An entry names a page; where its title stands on that page, the heading begins there."""
    found = []
    for level, title, page in head["outline"]:
        index = page - head["first"]
        if 0 <= index < len(starts) and title.strip():
            end = (*starts, len(text))[index + 1]
            words = r"\s+".join(map(re.escape, title.split()[:20]))
            place = re.compile(words, re.IGNORECASE).search(text, starts[index], end)
            found.append(Heading(place.start() if place else starts[index], level, " ".join(title.split())))
    return tuple(sorted(found, key=lambda heading: heading.start))


def _note(pages: list[str], head: dict[str, Any], status: int | None, seconds: float) -> str:
    first, wanted = head["first"], head["wanted"]
    empty = [number for number, text in enumerate(pages, first) if not text.strip()]
    notes = [f"no text on page{'s' if len(empty) > 1 else ''} {ranges(empty)} (scanned?)"] if empty else []
    if len(pages) < wanted:
        missing = ranges(range(first + len(pages), first + wanted))
        notes.append(f"not read: page{'s' if len(pages) < wanted - 1 else ''} {missing} ({_ending(status, seconds)})")
    return "; ".join(notes)


def _ending(status: int | None, seconds: float) -> str:
    return f"it took longer than {seconds:g} s" if status is None else "the PDF reader gave up on it"


def _without_text(name: str, pages: int) -> str:
    those = "its page has" if pages == 1 else f"its {pages:,} pages have"
    return f"{name} has no text layer: {those} only pictures (scanned?)"


def ranges(numbers: Iterable[int]) -> str:
    """`1-3, 7` for 1, 2, 3, 7; at most ten of them are written out."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    shown = [str(low) if low == high else f"{low}-{high}" for low, high in runs]
    return ", ".join(shown[:10]) + (f" and {len(shown) - 10} more" if len(shown) > 10 else "")
