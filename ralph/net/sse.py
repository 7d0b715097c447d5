"""Server-sent events over bytes (WHATWG HTML, section 9.2.6 "Interpreting an event stream").

Bytes, not text lines: a line iterator that knows Unicode splits on U+2028 inside JSON.
"""

from __future__ import annotations

from typing import NamedTuple

from ralph.net.errors import WrongAnswer

BOM = b"\xef\xbb\xbf"
MAX_EVENT = 32 * 1024 * 1024
"""Bytes of one event; more is an error, so that a hostile server cannot fill the memory."""


class ServerEvent(NamedTuple):
    """`event` is `message` when the stream names none."""

    event: str
    data: str


class EventReader:
    """Feed it the body as it arrives; it gives the events each piece completed."""

    def __init__(self, max_event: int = MAX_EVENT) -> None:
        self._max_event = max_event
        self._head: bytes | None = b""  # until it is known whether the stream starts with a byte order mark
        self._after_cr = False
        self._pieces: list[bytes] = []  # an event not complete yet, joined only when its end has come
        self._size = 0

    def feed(self, chunk: bytes) -> list[ServerEvent]:
        if self._head is not None:
            chunk = self._head + chunk
            if len(chunk) < len(BOM) and BOM.startswith(chunk):
                self._head = chunk
                return []
            self._head = None
            chunk = chunk.removeprefix(BOM)
        if self._after_cr or b"\r" in chunk:
            chunk = self._newlines(chunk)
        if not chunk:
            return []
        seam = b"\n\n" in (self._pieces[-1][-1:] + chunk[:1]) if self._pieces else False
        self._pieces.append(chunk)
        self._size += len(chunk)
        if not seam and b"\n\n" not in chunk:
            if self._size > self._max_event:
                raise WrongAnswer(f"the server sent an event of more than {self._max_event} bytes")
            return []
        *blocks, rest = b"".join(self._pieces).split(b"\n\n")
        self._pieces = [rest] if rest else []
        self._size = len(rest)
        return [event for block in blocks if (event := _parse(block)) is not None]

    def finish(self) -> list[ServerEvent]:
        """The last event of a server that closed after its last line without the blank one; half a line is dropped."""
        rest = b"".join(self._pieces)
        self._pieces, self._size = [], 0
        event = _parse(rest[: rest.rfind(b"\n") + 1])
        return [event] if event is not None else []

    def _newlines(self, chunk: bytes) -> bytes:
        """CR and CRLF as LF, also when the pair is torn apart by a chunk border."""
        if not chunk:
            return chunk
        if self._after_cr and chunk[:1] == b"\n":
            chunk = chunk[1:]
            self._after_cr = False
        if chunk:
            self._after_cr = chunk[-1:] == b"\r"
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _parse(block: bytes) -> ServerEvent | None:
    if block[:6] == b"data: " and b"\n" not in block:  # nearly every event of a model's answer
        return ServerEvent("message", block[6:].decode("utf-8", "replace"))
    name, data = b"", []
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value
    if not data:
        return None
    return ServerEvent(name.decode("utf-8", "replace") or "message", b"\n".join(data).decode("utf-8", "replace"))
