"""What travels with a prompt: piped input and the files it names as `@path`."""

from __future__ import annotations

import base64
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

from ralph.core.messages import Block, Image, Text

MOST_BYTES = 1024 * 1024
MOST_PAGES = 50
_REFERENCE = re.compile(r"(?<![\w@])@([A-Za-z0-9_./~-]+)(?:#(\d+)(?:-(\d+))?)?")
Pages = Callable[[Path, int, int], Awaitable[str]]
_IMAGES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp"}


async def referenced(prompt: str, cwd: Path, refuse: Callable[[Path], bool], pages: Pages) -> tuple[Block, ...]:
    """The files named in a prompt, each once; a name that is no file stays what it is, text.

    refuse: True for files that must not be read; they are named as left out. pages: the text of pages of a PDF.
    """
    blocks: dict[str, Block] = {}
    for match in _REFERENCE.finditer(prompt):
        name, first, last = match.group(1), match.group(2), match.group(3)
        for candidate in (name, name.rstrip(".")):  # a full stop that ends the sentence
            path = _under(cwd, candidate)
            if _is_file(path):
                if path.suffix.lower() == ".pdf" and not refuse(path):
                    wanted = (int(first), int(last or first)) if first else (1, MOST_PAGES)
                    blocks.setdefault(match.group(0), _file(match.group(0)[1:], await pages(path, *wanted)))
                else:
                    blocks.setdefault(str(path), _block(candidate, path, refuse))
                break
    return tuple(blocks.values())


def piped(text: str) -> Text:
    """Piped input as a labelled block."""
    return Text(f"<stdin>\n{text}\n</stdin>")


def _block(name: str, path: Path, refuse: Callable[[Path], bool]) -> Block:
    if refuse(path):
        return _file(name, "[not included: a protected file]")
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        return _file(name, f"[not included: {error.strerror}]")
    kind = _IMAGES.get(path.suffix.lower())
    if kind and len(data) <= MOST_BYTES:
        return Image(kind, base64.b64encode(data).decode())
    if b"\0" in data[:8192]:
        return _file(name, "[not included: a binary file]")
    cut = "\n[cut here: read_file pages the rest]" if len(data) > MOST_BYTES else ""
    return _file(name, data[:MOST_BYTES].decode("utf-8", "replace") + cut)


def _file(name: str, text: str) -> Text:
    return Text(f'<file name="{name}">\n{text}\n</file>')


def _under(cwd: Path, name: str) -> Path:
    return cwd / Path(name).expanduser()


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
