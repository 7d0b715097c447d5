"""The part of a text search that looks into files. Runs in a process of its own, which `search` can end.

Input on a descriptor: one line of JSON (root, pattern, ignore_case, most), then relative paths, each ended by a NUL.
Output: one line per line that matches, a JSON array [index of the path, line number, line, context].
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator

LONGEST = 1024 * 1024
"""Bytes of a file; longer ones are not searched."""
_SHOWN = 200  # characters of a line
_AROUND = 30  # characters shown before and after a match
_PLAIN = re.compile(r"[\w \"'#%&,/:;<=>@`~-]+")


def main(descriptor: int) -> None:
    with os.fdopen(descriptor, "rb") as source:
        wanted = json.loads(source.readline())
        paths = source.read().split(b"\0")[:-1]
    pattern = re.compile(wanted["pattern"], re.IGNORECASE if wanted["ignore_case"] else 0)
    left = wanted["most"]
    plain = wanted["pattern"] if _PLAIN.fullmatch(wanted["pattern"]) and not wanted["ignore_case"] else ""
    root = os.open(wanted["root"], os.O_RDONLY | os.O_DIRECTORY)
    for index, path in enumerate(paths):
        text = _text(root, path)
        if plain and plain not in text:
            continue
        for row in _rows(pattern, text):
            os.write(1, (json.dumps([index, *row]) + "\n").encode())  # at once: a search may be ended any time
            left -= 1
            if not left:
                return


def _rows(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, str, str]]:
    for number, ended in enumerate(text.removesuffix("\n").split("\n") if text else (), 1):
        line = ended.rstrip("\r")
        if found := pattern.search(line):
            start, end = max(found.start() - _AROUND, 0), found.end() + _AROUND
            before, after = "..." * (start > 0), "..." * (end < len(line))
            yield number, line.strip()[:_SHOWN], f"{before}{line[start:min(end, start + 500)]}{after}"


def _text(root: int, path: bytes) -> str:
    """The text of a regular file below `root`, reached without following a link; empty for anything else."""
    folder = root
    try:
        *parts, name = path.split(b"/")
        for part in parts:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            if folder != root:
                os.close(folder)
            folder = inner
        with os.fdopen(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder), "rb") as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                return ""
            return _decoded(stream.read(LONGEST + 1))
    except OSError:
        return ""  # not readable, or gone since it was listed
    finally:
        if folder != root:
            os.close(folder)


def _decoded(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    if len(data) > LONGEST or b"\0" in data[:8192]:
        return ""
    return data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
