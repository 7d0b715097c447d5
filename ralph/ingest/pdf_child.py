"""The process that reads a PDF: limits itself, prints JSON lines (a head, then each page as it comes), and ends.

pypdfium2 when it is installed (about 1,000 pages a second), else pypdf (about 50).
"""

from __future__ import annotations

import importlib.util
import io
import json
import os
import re
import resource
from collections.abc import Iterator
from typing import Any, BinaryIO

_MEMORY = 2 << 30  # bytes of address space beyond what the file itself needs
_PRINTED = 256 << 20
_ENTRIES = 5000  # of an outline
_HYPHEN = re.compile("[\x02\ufffe](?:\r?\n)?")
"""How PDFium marks a hyphen that only the end of the line made, with the break behind it."""


class Unreadable(Exception):
    """`args`: cause and detail."""


def main(descriptor: int) -> None:
    """One line of JSON (first, last, seconds), then the file; JSON lines to stdout."""
    with os.fdopen(descriptor, "rb") as source:
        asked = json.loads(source.readline())
        data = source.read()
    _limit(len(data), asked["seconds"])
    with os.fdopen(1, "w", encoding="utf-8", buffering=1 << 16) as sink:
        try:
            for row in read(data, asked["first"], asked["last"]):
                sink.write(json.dumps(row) + "\n")
                if "total" in row:
                    sink.flush()
        except Unreadable as error:
            sink.write(json.dumps({"error": error.args[0], "detail": error.args[1]}) + "\n")


def read(data: bytes, first: int, last: int | None) -> Iterator[dict[str, Any]]:
    """A head (total, first, wanted, outline), then one row a page (page, text)."""
    if b"%PDF-" not in data[:4096]:
        raise Unreadable("damaged", "it does not begin like one")
    reader = _with_pdfium if importlib.util.find_spec("pypdfium2") else _with_pypdf
    yield from reader(data, first, last)


def _limit(size: int, seconds: float) -> None:
    for kind, most in (
        (resource.RLIMIT_AS, _MEMORY + 8 * size), (resource.RLIMIT_CPU, int(seconds) + 5), (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, _PRINTED),
    ):  # fmt: skip
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _window(total: int, first: int, last: int | None) -> range:
    """Indices of the pages that are wanted, clamped to those there are."""
    if not total:
        raise Unreadable("empty", "")
    begin = min(max(first, 1), total)
    end = total if last is None else min(max(last, begin), total)
    return range(begin - 1, end)


def _head(total: int, window: range, outline: Iterator[tuple[int, str, int]]) -> dict[str, Any]:
    rows = [row for row, _ in zip(outline, range(_ENTRIES), strict=False)]
    return {"total": total, "first": window.start + 1, "wanted": len(window), "outline": rows}


def _with_pdfium(data: bytes, first: int, last: int | None) -> Iterator[dict[str, Any]]:
    import pypdfium2

    try:
        pdf = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        raise Unreadable("encrypted" if "assword" in str(error) else "damaged", str(error)) from error
    window = _window(len(pdf), first, last)
    yield _head(len(pdf), window, _pdfium_outline(pdf))
    for index in window:
        try:
            page = pdf[index]
        except pypdfium2.PdfiumError:  # this page is damaged, the next one may be whole
            yield {"page": index + 1, "text": ""}
            continue
        text_page = page.get_textpage()
        yield {"page": index + 1, "text": clean(text_page.get_text_bounded())}
        text_page.close()
        page.close()


def _pdfium_outline(pdf: Any) -> Iterator[tuple[int, str, int]]:
    for entry in pdf.get_toc():
        target = entry.get_dest()
        index = target.get_index() if target else None
        if index is not None:
            yield entry.level + 1, entry.get_title(), index + 1


def _with_pypdf(data: bytes, first: int, last: int | None) -> Iterator[dict[str, Any]]:
    import pypdf
    from pypdf.errors import DependencyError, PyPdfError

    source: BinaryIO = io.BytesIO(data)
    try:
        pdf = pypdf.PdfReader(source)
        if pdf.is_encrypted and not pdf.decrypt(""):
            raise Unreadable("encrypted", "")
        total = len(pdf.pages)
    except DependencyError as error:
        raise Unreadable("unsupported", str(error)) from error
    except PyPdfError as error:
        raise Unreadable("damaged", str(error)) from error
    window = _window(total, first, last)
    yield _head(total, window, _pypdf_outline(pdf, pdf.outline, 1))
    for index in window:
        yield {"page": index + 1, "text": clean(pdf.pages[index].extract_text())}


def _pypdf_outline(pdf: Any, entries: list[Any], level: int) -> Iterator[tuple[int, str, int]]:
    for entry in entries:
        if isinstance(entry, list):
            yield from _pypdf_outline(pdf, entry, level + 1)
        else:
            number = pdf.get_destination_page_number(entry)
            if number is not None:
                yield level, str(entry.title), number + 1


def clean(text: str) -> str:
    """Words that a line end parted joined again, line feeds only, nothing that UTF-8 cannot hold."""
    text = _HYPHEN.sub("", text).replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    return text.encode("utf-8", "replace").decode("utf-8")
