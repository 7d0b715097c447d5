"""What the file tools share: open exactly the file that was judged, replace it whole or not at all, keep its encoding.

A path is judged first and opened later. In between anything may have been swapped, so every directory on the way is
opened by itself without following links, and the file must still be the one (device and inode) that was judged.
"""

from __future__ import annotations

import codecs
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from ralph.core.tools import Context, Judged
from ralph.errors import ToolError
from ralph.policy.paths import resolve

_DIRECTORY = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MODES = {"rb": os.O_RDONLY, "ab": os.O_RDWR | os.O_APPEND}
_KINDS = {
    stat.S_IFDIR: "a directory; use list_dir", stat.S_IFIFO: "a named pipe, not a file", stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device, not a file", stat.S_IFBLK: "a device, not a file",
}  # fmt: skip

SNIFFED = 8192
"""A NUL in this many first bytes makes a file binary, unless a byte order mark says UTF-16."""

_STYLED = 1024 * 1024
_MARKS = (("utf-8", codecs.BOM_UTF8), ("utf-16-le", codecs.BOM_UTF16_LE), ("utf-16-be", codecs.BOM_UTF16_BE))
_ERRORS = {"utf-8": "surrogateescape"}
_IMAGES = {b"\x89PNG\r\n": "PNG", b"\xff\xd8\xff": "JPEG", b"GIF87a": "GIF", b"GIF89a": "GIF"}
_MAGIC = {
    b"%PDF-": "PDF document", b"PK\x03\x04": "zip archive (or Office document)", b"\x1f\x8b": "gzip archive",
    b"\xfd7zXZ": "xz archive", b"\x28\xb5\x2f\xfd": "zstd archive", b"7z\xbc\xaf": "7z archive",
    b"\x7fELF": "ELF program", b"\xcf\xfa\xed\xfe": "Mach-O program", b"\xca\xfe\xba\xbe": "Java class",
    b"\0asm": "WebAssembly module", b"OggS\0": "Ogg sound", b"ID3\x03": "MP3 sound", b"ID3\x04": "MP3 sound",
    b"SQLite format 3\0": "SQLite database", b"wOF2\0": "font", b"\xff\xfe\0\0": "UTF-32 text",
    b"\0\0\xfe\xff": "UTF-32 text",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Style:
    """How a text is written in its file. `newline` is its most common line ending; `mixed`: it has others too.

    `strays`: bytes that are not UTF-8; in the text they are lone surrogates, and `encode` gives them back.
    """

    encoding: str = "utf-8"
    bom: bytes = b""
    newline: str = "\n"
    mixed: bool = False
    strays: int = 0


def judged_path(context: Context, argument: str, given: str) -> Judged:
    """The path of an argument as the gate judged it, or as it is now where no gate was asked (tests)."""
    return context.judged.get(argument) or resolve(given, str(context.cwd))


def look(judged: Judged) -> os.stat_result:
    """The file's status, without following a link. Raises ToolError when it is gone or another one."""
    with _parent(judged) as (parent, name), _explained(judged, "look at"):
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        _check_same(judged, status)
        return status


def open_judged(judged: Judged, mode: Literal["rb", "ab"] = "rb") -> BinaryIO:
    """The judged file, open for reading ("rb") or for reading and appending ("ab", made when it did not exist).

    Only regular files; nothing blocks on a pipe or device. Raises ToolError, `path_changed ...` after a swap.
    """
    if judged.inode is None and mode == "ab":
        return _create(judged)
    with _parent(judged) as (parent, name), _explained(judged, "open"):
        flags = _MODES[mode] | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        _check_file(judged, os.stat(name, dir_fd=parent, follow_symlinks=False))  # before: opening may wake a device
        descriptor = os.open(name, flags, dir_fd=parent)
        try:
            _check_file(judged, os.fstat(descriptor))
            return os.fdopen(descriptor, "r+b" if mode == "ab" else "rb", buffering=0 if mode == "ab" else -1)
        except BaseException:
            os.close(descriptor)
            raise


def replace_atomically(judged: Judged, data: bytes) -> Judged:
    """Put `data` in the judged file's place in one step, and return the path as it is now.

    The old file's mode (and owner, for root) is kept; a new file gets the usual one, and missing directories are made.
    Whatever goes wrong, the old file stays as it was and no temporary file is left. Raises ToolError.
    """
    with _parent(judged, create=True) as (parent, name), _explained(judged, "write"):
        old = _standing(judged, parent, name)
        if old and not os.access(name, os.W_OK, dir_fd=parent, effective_ids=os.access in os.supports_effective_ids):
            raise ToolError(f"cannot write {judged.given}: it is write-protected; nothing was changed")
        temporary = f".ralph-{secrets.token_hex(8)}.tmp"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, 0o600 if old else 0o666, dir_fd=parent)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
                stream.flush()
                if old:
                    _take_over(descriptor, old)
                os.fsync(descriptor)
                new = os.fstat(descriptor)
            _standing(judged, parent, name)
            os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
        except BaseException:
            os.unlink(temporary, dir_fd=parent)
            raise
    return Judged(judged.given, judged.resolved, (new.st_dev, new.st_ino))


def decode(data: bytes, name: str = "the file") -> tuple[str, Style]:
    """(text with its own line endings, style); `encode` gives exactly `data` again.

    Raises ToolError, with size and a guess of the type, when this is no text.
    """
    if kind := binary_kind(data[:SNIFFED]):
        raise ToolError(f"{name} is binary ({kind}, {size_text(len(data))}), not text")
    encoding, bom = next(((known, mark) for known, mark in _MARKS if data.startswith(mark)), ("utf-8", b""))
    try:
        text = data[len(bom) :].decode(encoding, _ERRORS.get(encoding, "surrogatepass"))
    except UnicodeDecodeError as error:
        raise ToolError(f"{name} begins like {encoding} but is damaged: {error.reason} at byte {error.start}") from None
    strays = 0 if text.isascii() or encoding != "utf-8" else sum("\udc80" <= char <= "\udcff" for char in text)
    crlf = text.count("\r\n")
    newlines = text.count("\n")
    return text, Style(encoding, bom, "\r\n" if crlf * 2 > newlines else "\n", 0 < crlf < newlines, strays)


def encode(text: str, style: Style) -> bytes:
    """The bytes of `text` in the file's own encoding; line endings are taken as they are."""
    return style.bom + text.encode(style.encoding, _ERRORS.get(style.encoding, "surrogatepass"))


def in_style(text: str, style: Style) -> str:
    """New text with plain line feeds, in the line endings of the file it goes into. Text that has CRLF stays."""
    if style.newline == "\n" or style.mixed or "\r\n" in text:
        return text
    return text.replace("\n", style.newline)


def style_of(judged: Judged) -> Style:
    """The style of the file a text goes into, from its first MiB; the usual one for a new or a binary file."""
    if judged.inode is None:
        return Style()
    with open_judged(judged) as stream:
        head = stream.read(_STYLED)
    if binary_kind(head[:SNIFFED]):
        return Style()
    return decode(head)[1]


def binary_kind(head: bytes) -> str:
    """What a file beginning with `head` is when it is not text, such as `PNG image`; empty for text."""
    for magic, name in _IMAGES.items():
        if head.startswith(magic):
            return f"{name} image"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WebP image"
    for magic, name in _MAGIC.items():
        if head.startswith(magic):
            return name
    utf16 = any(head.startswith(mark) for _, mark in _MARKS[1:])
    return "unknown type" if b"\0" in head and not utf16 else ""


def size_text(size: int) -> str:
    """A size a person can read: `812 bytes`, `12.3 kB`."""
    if size < 1000:
        return f"{size} bytes"
    number = float(size)
    for unit in ("kB", "MB", "GB", "TB"):
        number /= 1000
        if number < 1000 or unit == "TB":
            break
    return f"{number:.1f} {unit}"


def _create(judged: Judged) -> BinaryIO:
    with _parent(judged, create=True) as (parent, name), _explained(judged, "create"):
        flags = _MODES["ab"] | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(name, flags, 0o666, dir_fd=parent)
        except FileExistsError:
            raise _changed(judged) from None
        return os.fdopen(descriptor, "r+b", buffering=0)


def _take_over(descriptor: int, old: os.stat_result) -> None:
    """Mode after owner: changing the owner drops set-user-id bits."""
    if os.geteuid() == 0:
        os.fchown(descriptor, old.st_uid, old.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(old.st_mode))


def _standing(judged: Judged, parent: int, name: str) -> os.stat_result | None:
    """What is at the target now: the judged file, or nothing when nothing was there."""
    try:
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        if judged.inode is None:
            return None
        raise _changed(judged) from None
    _check_file(judged, status)
    return status


@contextmanager
def _parent(judged: Judged, *, create: bool = False) -> Iterator[tuple[int, str]]:
    """(descriptor of the directory that holds the path, name in it), reached from the root without any link."""
    path = Path(judged.resolved)
    *folders, name = path.parts[1:] or (".",)
    descriptor = os.open(path.anchor, _DIRECTORY)
    try:
        for folder in folders:
            with _explained(judged, "reach"):
                inner = _enter(judged, descriptor, folder, create=create)
            os.close(descriptor)
            descriptor = inner
        yield descriptor, name
    finally:
        os.close(descriptor)


def _enter(judged: Judged, parent: int, name: str, *, create: bool) -> int:
    try:
        return os.open(name, _DIRECTORY, dir_fd=parent)
    except FileNotFoundError:
        if not create:
            raise
    except OSError:
        if stat.S_ISLNK(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            raise _changed(judged) from None
        raise
    os.mkdir(name, dir_fd=parent)
    return os.open(name, _DIRECTORY, dir_fd=parent)


@contextmanager
def _explained(judged: Judged, doing: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise ToolError(f"{judged.given} does not exist") from None
    except OSError as error:
        raise ToolError(f"cannot {doing} {judged.given}: {error.strerror or error}") from None


def _check_same(judged: Judged, status: os.stat_result) -> None:
    if stat.S_ISLNK(status.st_mode) or judged.inode != (status.st_dev, status.st_ino):
        raise _changed(judged)


def _check_file(judged: Judged, status: os.stat_result) -> None:
    _check_same(judged, status)
    if not stat.S_ISREG(status.st_mode):
        raise ToolError(f"{judged.given} is {_KINDS.get(stat.S_IFMT(status.st_mode), 'not a regular file')}")


def _changed(judged: Judged) -> ToolError:
    return ToolError(f"path_changed: {judged.given} is not what it was when the call was judged; nothing was done")
