"""File names in diffs: quotes, octal escapes, a/ and b/. Source: git-diff(1), "Generating patch text with -p"."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from ralph.errors import ToolError

NOWHERE = "/dev/null"
PREFIXES = (("a/", "b/"), ("b/", "a/"), ("i/", "w/"), ("c/", "i/"), ("c/", "w/"), ("o/", "w/"))
"""What git puts before old and new names: plainly, with -R, and with diff.mnemonicPrefix."""

_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(rb"\\([0-3][0-7][0-7]|.)")
_LETTERS = dict(zip(b'abtnvfr"\\', (bytes([code]) for code in b'\a\b\t\n\v\f\r"\\'), strict=True))


def wrong(at: int, message: str) -> ToolError:
    """`at` is a line of the diff, from 1."""
    return ToolError(f"the diff is malformed at its line {at}: {message}")


def written(field: str, at: int) -> str:
    """The name on a `---`, `+++`, `rename` or `copy` line, its quotes undone; a time stamp after a tab is dropped."""
    if not field.startswith('"'):
        return field.split("\t", 1)[0]
    name, rest = _unquoted(field, at)
    if rest.strip():
        raise wrong(at, f"unexpected {rest.strip()[:40]!r} after the quoted name")
    return name


def halves(rest: str, at: int) -> tuple[str, str]:
    """The two names after `diff --git`, as written; ('', '') where blanks leave open which is which."""
    if rest.startswith('"'):
        old, rest = _unquoted(rest, at)
        return old, written(rest.removeprefix(" "), at)
    if rest.endswith('"') and ' "' in rest:
        old, _, rest = rest.partition(' "')
        return old, written('"' + rest, at)
    if rest.count(" ") == 1:
        old, _, new = rest.partition(" ")
        return old, new
    middle = len(rest) // 2
    old, new = rest[:middle], rest[middle + 1 :]
    same = rest[middle : middle + 1] == " " and len(set(bare(old, new))) == 1
    return (old, new) if same else ("", "")


def bare(old: str, new: str) -> tuple[str, str]:
    """Both names without a/ and b/, dropped only where both sides carry theirs (or one side is no file)."""
    for left, right in PREFIXES if NOWHERE not in (old, new) else PREFIXES[:1]:
        if (old == NOWHERE or old.startswith(left)) and (new == NOWHERE or new.startswith(right)):
            return (old if old == NOWHERE else old[2:]), (new if new == NOWHERE else new[2:])
    return old, new


def usable(name: str, at: int) -> str:
    """The name with `./` and doubled slashes gone. Raises ToolError for '..', a folder, an empty name."""
    path = PurePosixPath(name)
    if "\0" in name or ".." in path.parts or name.endswith("/") or path == PurePosixPath():
        raise wrong(at, f"{name!r} cannot be used: name a file, relative to the workspace or absolute, without '..'")
    return str(path)


def _unquoted(field: str, at: int) -> tuple[str, str]:
    """The name in C-style quotes at the start of `field`, and what follows the closing quote."""
    raw = field.encode("utf-8", "surrogatepass")
    found = _QUOTED.match(raw)
    if not found:
        raise wrong(at, f"the quoted name is not closed: {field[:80]!r}")

    def byte(escape: re.Match[bytes]) -> bytes:
        code = escape[1]
        if len(code) == 3:
            return bytes([int(code, 8)])
        if code[0] not in _LETTERS:
            raise wrong(at, f"unknown escape in the quoted name {field[:80]!r}")
        return _LETTERS[code[0]]

    try:
        return _ESCAPE.sub(byte, found[1]).decode(), raw[found.end() :].decode()
    except UnicodeDecodeError:
        raise wrong(at, f"the name {field[:80]!r} is not UTF-8") from None
