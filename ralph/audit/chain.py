"""Files whose rows hold on to each other: each ends with the SHA-256 of itself and of the row before.

A row is one line of JSON, `{"seq":n,...,"prev":"HEX","hash":"HEX"}`; `hash` is over every byte of the line before
`,"hash"`. What a crash left of a torn row stays in the file, and the next row names it in `torn`.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ralph.errors import StoreError

START = "0" * 64
_MARK = b',"hash":"'


class Head(NamedTuple):
    """How many rows a file has, and the hash of the last one."""

    rows: int = 0
    hash: str = START


@dataclass(frozen=True, slots=True)
class Problem:
    """`line` counts from 1; 0: the file as a whole."""

    file: str
    line: int
    text: str


class Chain:
    """One file, open for appending by this process alone. Raises StoreError; `wait`: until another one lets it go."""

    def __init__(self, path: Path, *, wait: bool = False) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            hint = "check the home directory"
            raise StoreError(f"cannot open the audit log {path}: {error.strerror}", hint=hint) from error
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            self.close()
            raise StoreError(f"session {path.stem} is open in another process", hint="start a new one") from error
        self.head, self._torn, self._gap = tail(path)

    def add(self, row: Mapping[str, Any]) -> Head:
        """Append one row. Raises StoreError: what cannot be recorded must not run."""
        torn = {"torn": hashlib.sha256(self._torn).hexdigest()} if self._torn else {}
        line, head = encode({**row, **torn}, self.head)
        try:
            if os.write(self.fd, self._gap + line) != len(self._gap + line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            with suppress(StoreError):
                self.head, self._torn, self._gap = tail(self.path)
            hint = "free some space; nothing runs that cannot be recorded"
            raise StoreError(f"cannot write the audit log {self.path}: {error.strerror}", hint=hint) from error
        self.head, self._torn, self._gap = head, b"", b""
        return head

    def sync(self) -> None:
        """Return when the disk has it. Raises StoreError."""
        try:
            getattr(os, "fdatasync", os.fsync)(self.fd)
        except OSError as error:
            raise StoreError(f"cannot write the audit log {self.path}: {error.strerror}") from error

    def close(self) -> None:
        os.close(self.fd)


def encode(row: Mapping[str, Any], head: Head) -> tuple[bytes, Head]:
    """The line of the row that follows `head`, and the head it makes."""
    body = {"seq": head.rows, **row, "prev": head.hash}
    text = json.dumps(body, ensure_ascii=True, separators=(",", ":"), default=str)[:-1].encode()
    digest = hashlib.sha256(text).hexdigest()
    return text + _MARK + digest.encode() + b'"}\n', Head(head.rows + 1, digest)


def decode(line: bytes) -> dict[str, Any] | None:
    """The row of a line (without its line end); None when one byte of it is not as it was written."""
    text, mark, rest = line.rpartition(_MARK)
    if not mark or rest != hashlib.sha256(text).hexdigest().encode() + b'"}':
        return None
    try:
        row = json.loads(text + b"}")
    except ValueError:
        return None
    chained = isinstance(row, dict) and isinstance(row.get("seq"), int) and isinstance(row.get("prev"), str)
    return {**row, "hash": rest[:64].decode()} if chained else None


def tail(path: Path) -> tuple[Head, bytes, bytes]:
    """The head of a file, the torn bytes behind it, and what must be written before the next row."""
    data = _bytes(path)
    gap = b"" if data.endswith(b"\n") or not data else b"\n"
    end = len(data)
    while end:
        start = data.rfind(b"\n", 0, end - 1) + 1
        if (row := decode(data[start:end].removesuffix(b"\n"))) is not None:
            return Head(row["seq"] + 1, row["hash"]), data[end:].removesuffix(b"\n"), gap
        end = start
    return Head(), data.removesuffix(b"\n"), gap


def check(path: Path) -> tuple[list[dict[str, Any]], list[Problem]]:
    """The whole rows of a file, and everything that is wrong with their chain."""
    *lines, rest = _bytes(path).split(b"\n")
    rows: list[dict[str, Any]] = []
    problems: list[Problem] = []
    head = Head()
    torn: list[bytes] = []
    for number, line in enumerate(lines, 1):
        row = decode(line)
        if row is None:
            torn.append(line)
            continue
        if (hashlib.sha256(b"\n".join(torn)).hexdigest() if torn else None) != row.get("torn"):
            problems.append(Problem(path.name, number - 1, "was changed"))
        if row["prev"] != head.hash or row["seq"] != head.rows:
            problems.append(Problem(path.name, number, "does not follow the row before it"))
        torn = []
        rows.append(row)
        head = Head(row["seq"] + 1, row["hash"])
    if torn or rest:
        text = "was changed, or a crash cut it short and nothing was written since"
        problems.append(Problem(path.name, len(lines) + bool(rest), text))
    return rows, problems


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}", hint="check its permissions") from error
