"""Several files changed together or not at all: everything is in memory before the first write; a failure undoes all.

Each file is replaced atomically. Between two files there is no transaction a file system could give, so what was
already written is put back when a later write fails.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from ralph.core.tools import Judged
from ralph.errors import ToolError
from ralph.tools.files import _parent, look, open_judged, replace_atomically, size_text

LARGEST = 50 * 1024 * 1024
"""Bytes of a file that is changed in memory."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file as it is: `data` and `mode` (permission bits) are None when there is none."""

    judged: Judged
    data: bytes | None = None
    mode: int | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One file as it was found and as it shall be: `after` None removes it.

    `mode` and `executable` None leave the permissions; a file becomes executable for those who may read it.
    """

    found: Found
    after: bytes | None
    mode: int | None = None
    executable: bool | None = None


def read(judged: Judged) -> Found:
    """Raises ToolError for what is no regular file, cannot be read or is larger than LARGEST."""
    if judged.inode is None:
        return Found(judged)
    with open_judged(judged, "rb") as stream:
        status = os.fstat(stream.fileno())
        if status.st_size > LARGEST:
            raise ToolError(f"{judged.given} has {size_text(status.st_size)}; apply_delta takes up to 50 MiB")
        return Found(judged, stream.read(), stat.S_IMODE(status.st_mode))


def make_all(changes: Sequence[Change]) -> None:
    """Make the changes in an order in which no text is ever without a name on disk. Raises ToolError, all undone."""
    done: list[Change] = []  # with the path as it is now, to be put back from
    folders = [folder for change in changes for folder in _missing(change)]
    try:
        for change in sorted(changes, key=lambda change: change.after is None):
            _make(change, done)
    except BaseException as error:
        left = _put_back(done)
        for folder in folders:
            with suppress(OSError):
                folder.rmdir()
        if isinstance(error, ToolError):
            raise ToolError(f"{error}. {_aftermath(done, left)}") from None
        raise


def keep_copy(found: Found) -> str:
    """A copy beside the file, as readable as the file itself; returns its path. Raises ToolError."""
    suffix = f".{datetime.now():%Y%m%d%H%M%S%f}.bak"  # the local time a person reads
    copy = Judged(found.judged.given + suffix, found.judged.resolved + suffix, None)
    make_all([Change(Found(copy), found.data, found.mode)])
    return copy.resolved


def _missing(change: Change) -> list[Path]:
    """Folders that writing the file will make, innermost first."""
    if change.after is None:
        return []
    return [folder for folder in Path(change.found.judged.resolved).parents if not folder.exists()]


def _make(change: Change, done: list[Change]) -> None:
    judged = change.found.judged
    if change.after is None:
        _remove(judged)
        done.append(replace(change, found=replace(change.found, judged=replace(judged, inode=None))))
        return
    if judged.inode is None and change.mode is not None:
        judged = _made_empty(judged, change.mode)  # so that no one else can read it, not even for a moment
        done.append(replace(change, found=replace(change.found, judged=judged)))
    if change.after != change.found.data or judged.inode is None:
        judged = replace_atomically(judged, change.after)
    done.append(replace(change, found=replace(change.found, judged=judged)))
    if change.mode is not None or change.executable is not None:
        _permit(judged, change)


def _made_empty(judged: Judged, mode: int) -> Judged:
    with open_judged(judged, "ab") as stream:
        os.fchmod(stream.fileno(), mode)
        status = os.fstat(stream.fileno())
    return Judged(judged.given, judged.resolved, (status.st_dev, status.st_ino))


def _permit(judged: Judged, change: Change) -> None:
    with open_judged(judged, "rb") as stream:
        old = stat.S_IMODE(os.fstat(stream.fileno()).st_mode)
        mode = old if change.mode is None else change.mode
        if change.executable is not None:
            mode = mode | (mode & 0o444) >> 2 if change.executable else mode & ~0o111
        if mode != old:
            os.fchmod(stream.fileno(), mode)


def _remove(judged: Judged) -> None:
    with _parent(judged) as (parent, name):
        look(judged)
        try:
            os.unlink(name, dir_fd=parent)
        except OSError as error:
            raise ToolError(f"cannot delete {judged.given}: {error.strerror}") from None


def _put_back(done: Sequence[Change]) -> list[str]:
    """Undo, newest first; the paths that could not be put back."""
    latest = {change.found.judged.resolved: change for change in done}
    left: list[str] = []
    for change in reversed(latest.values()):
        before, now = change.found, change.found.judged
        try:
            _make(Change(Found(now, change.after), before.data, before.mode), [])
        except ToolError as error:
            left.append(f"{now.given} ({error})")
    return left


def _aftermath(done: Sequence[Change], left: Sequence[str]) -> str:
    if left:
        return f"These files could NOT be put back as they were: {', '.join(left)}"
    return "What had been written before was put back; no file was changed" if done else "No file was changed"
