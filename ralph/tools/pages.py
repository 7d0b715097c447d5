"""One page of a text file of any size, read without loading the rest."""

from __future__ import annotations

import io
import os
import time
from dataclasses import dataclass
from typing import BinaryIO

from ralph.errors import ToolError
from ralph.tools.files import SNIFFED, binary_kind, decode, size_text

LINES = 2000
BYTES = 100_000
_CHUNK = 1024 * 1024
_COUNTED = 64 * _CHUNK  # bytes after the page that are counted exactly; of more, the number of lines is estimated
_WIDE = 16 * _CHUNK  # bytes of a UTF-16 file, which is converted as a whole
_PATIENCE = 10.0  # seconds of skipping to a far line


@dataclass(frozen=True, slots=True)
class Page:
    """`lines` keep their ends. `note` says what was left out and what was changed; empty for a whole clean file."""

    lines: tuple[str, ...]
    note: str = ""


def read_page(stream: BinaryIO, first: int, last: int | None, *, name: str) -> Page:
    """Lines `first` to `last` (from 1, inclusive), at most LINES and BYTES of them. ToolError when it is no text."""
    size = os.fstat(stream.fileno()).st_size
    head = stream.read(SNIFFED)
    if kind := binary_kind(head):
        raise ToolError(f"{name} is binary ({kind}, {size_text(size)}), not text")
    if not head:
        return Page((), "the file is empty")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        stream = _as_utf8(head, stream, size, name)
    stream.seek(3 if head.startswith(b"\xef\xbb\xbf") else 0)
    skipped = _skip(stream, first - 1, name)
    start = stream.tell()
    most = LINES if last is None else min(LINES, last - first + 1)
    lines, cut = _take(stream.read(BYTES + 1), most)
    if not lines:
        return Page((), f"the file has {skipped:,} lines")
    stream.seek(start + sum(map(len, lines)))
    notes = [_position(stream, first, first + len(lines) - 1, size, last, cut)]
    text = tuple(line.decode("utf-8", "replace") for line in lines)
    if cut:
        notes.append(f"line {first} is longer than {BYTES:,} bytes and cut there; shell can show the rest (cut -b)")
    if strays := sum(line.count("\ufffd") - raw.count(b"\xef\xbf\xbd") for line, raw in zip(text, lines, strict=True)):
        notes.append(f"not valid UTF-8: {strays:,} places are shown as \ufffd")
    return Page(text, "; ".join(filter(None, notes)))


def _as_utf8(head: bytes, stream: BinaryIO, size: int, name: str) -> BinaryIO:
    if size > _WIDE:
        raise ToolError(f"{name} is UTF-16 and {size_text(size)} long; convert it first (shell: iconv)")
    text, _ = decode(head + stream.read(), name)
    return io.BytesIO(text.encode("utf-8", "replace"))


def _skip(stream: BinaryIO, count: int, name: str) -> int:
    """Move past `count` lines; how many there were, when the file ends before."""
    gone, until, open_line = 0, time.monotonic() + _PATIENCE, False
    while gone < count and (chunk := stream.read(_CHUNK)):
        here = chunk.count(b"\n")
        if gone + here >= count:
            at = 0
            for _ in range(count - gone):
                at = chunk.index(b"\n", at) + 1
            stream.seek(at - len(chunk), os.SEEK_CUR)
            return count
        gone, open_line = gone + here, not chunk.endswith(b"\n")
        if time.monotonic() > until:
            raise ToolError(f"{name}: line {gone:,} is as far as {_PATIENCE:g} s of reading go; use shell (sed, tail)")
    return gone + open_line


def _take(data: bytes, most: int) -> tuple[list[bytes], bool]:
    """(whole lines from the start of `data`, at most `most`; whether its only line is longer than a page and cut)."""
    *whole, rest = data[:BYTES].split(b"\n", most)
    lines = [line + b"\n" for line in whole]
    if len(lines) == most or not rest:
        return lines, False
    if len(data) <= BYTES:
        return [*lines, rest], False  # the last line of the file, without an end
    if lines:
        return lines, False
    whole_characters = rest.rstrip(bytes(range(0x80, 0xC0)))
    return [whole_characters if whole_characters[-1:] < b"\xc0" else whole_characters[:-1]], True


def _position(stream: BinaryIO, first: int, shown: int, size: int, wanted: int | None, cut: bool) -> str:
    """Which lines these are, when they are not all: `lines 1-2000 of 31,022; continue with start_line=2001`."""
    at, left, read, open_line = stream.tell(), 0, 0, False
    while read < _COUNTED and (chunk := stream.read(_CHUNK)):
        read += len(chunk)
        left += chunk.count(b"\n")
        open_line = not chunk.endswith(b"\n")
    total = shown + left + open_line - cut
    counted = f"{total:,}"
    if stream.read(1):
        total = int(float(f"{size / at * shown:.2g}"))
        counted = f"about {total:,} ({size_text(size)})"
    if first == 1 and total == shown and not cut:
        return ""
    more = f"; continue with start_line={shown + 1}" if shown < min(total, wanted or total) else ""
    return f"lines {first}-{shown} of {counted}{more}"
