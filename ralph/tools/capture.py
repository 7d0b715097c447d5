"""Output of any length in bounded memory: head and tail for the model, the whole in a file it can page through."""

from __future__ import annotations

import os
from codecs import getincrementaldecoder
from collections.abc import Callable
from io import FileIO
from pathlib import Path

KEEP = 16_000
"""Bytes kept at each end of a long output."""
STORE = 100_000_000
"""Bytes stored in the file at most: a command that prints for ever must not fill the disk."""

_decoder = getincrementaldecoder("utf-8")


class Capture:
    """One stream of bytes. `feed` it, `close` it, then read `text`.

    Nothing is written until the output is longer than fits; the file is `<scratch>/<label>-<random>.txt`, mode 0600.
    """

    def __init__(self, scratch: Path, label: str) -> None:
        self._scratch, self._label = scratch, label
        self._head = bytearray()
        self._tail = bytearray()
        self._file: FileIO | None = None
        self._where = ""
        self.size = 0

    def feed(self, data: bytes) -> None:
        self.size += len(data)
        if not self._where:
            self._head += data
            if len(self._head) > 2 * KEEP:
                self._spill()
            return
        self._store(data, self.size - len(data))
        self._tail += data
        if len(self._tail) > 8 * KEEP:
            del self._tail[:-KEEP]

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    @property
    def text(self) -> str:
        """What the model reads. Bytes that are not UTF-8 become U+FFFD; cuts fall on line ends when near."""
        if not self._where:
            return self._head.decode("utf-8", "replace")
        head, tail = _up_to_line(bytes(self._head)), _from_line(bytes(self._tail[-KEEP:]))
        left_out = self.size - len(head) - len(tail)
        note = f"[{left_out:,} bytes left out; {self._where}]"
        first = _decoder("replace").decode(head)
        return f"{first.rstrip(chr(10))}\n{note}\n{tail.decode('utf-8', 'replace')}"

    def _spill(self) -> None:
        """The output got long: it goes to a file from here on, and memory keeps its two ends."""
        whole = bytes(self._head)
        path = self._scratch / f"{self._label}-{os.urandom(4).hex()}.txt"
        try:
            self._scratch.mkdir(parents=True, exist_ok=True)
            self._file = FileIO(path, "xb", opener=_private)
            self._where = f"the whole output is in {path}: page through it with read_file"
        except OSError as error:
            self._where = f"it could not be stored ({error.strerror})"
        self._store(whole, 0)
        self._tail = self._head[KEEP:]
        del self._head[KEEP:]

    def _store(self, data: bytes, offset: int) -> None:
        if self._file is None:
            return
        part = data[: max(0, STORE - offset)]
        try:
            written = self._file.write(part)
        except OSError as error:  # a full disk loses the copy, never the command's result
            self._where = f"only a part of it could be stored, in {self._file.name} ({error.strerror})"
            self.close()
            return
        if len(part) < len(data) or written < len(part):
            self._where = f"its beginning is in {self._file.name}: page through it with read_file"
            self.close()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def _up_to_line(head: bytes) -> bytes:
    cut = head.rfind(b"\n", len(head) * 3 // 4)
    return head[: cut + 1] if cut >= 0 else head


def _from_line(tail: bytes) -> bytes:
    cut = tail.find(b"\n", 0, len(tail) // 4)
    if cut >= 0:
        return tail[cut + 1 :]
    start = 0
    while start < min(3, len(tail)) and tail[start] & 0xC0 == 0x80:  # the rest of a character that was cut in two
        start += 1
    return tail[start:]


class Live:
    """Shows one stream as it comes, at most `RATE` bytes a second: nobody reads faster, and the queue must stay short.

    `clock` gives seconds.
    """

    RATE = 250_000

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._say, self._clock = say, clock
        self._decoder = _decoder("replace")
        self._since, self._shown, self._skipped = clock(), 0, 0

    def feed(self, data: bytes) -> None:
        if self._clock() - self._since >= 1:
            self._since, self._shown = self._clock(), 0
        if self._shown >= self.RATE:
            self._skipped += len(data)
            return
        self._shown += len(data)
        text = self._decoder.decode(data)
        if self._skipped:
            text = self._gap() + text
        if text:
            self._say(text)

    def close(self) -> None:
        if rest := (self._gap() if self._skipped else "") + self._decoder.decode(b"", True):
            self._say(rest)

    def _gap(self) -> str:
        skipped, self._skipped = self._skipped, 0
        return f"\n[{skipped:,} bytes not shown]\n"
