"""Turn a word with a glob or a leading tilde into the words bash would make of it, here and now.

An allowlisted command runs as the words that were judged, without a shell, so Ralph expands them itself: the files
found are what is judged, and what is run. As in bash with its default options: `*` and `?` stop at a slash, names
that begin with a dot need a written dot, a pattern that fits nothing stays as it is written.
"""

from __future__ import annotations

import os
import re
from fnmatch import translate
from pathlib import Path

from ralph.policy.scan import Word

_MOST = 2_000  # names; a glob that fits more is for a person to look at
_LOOKED_AT = 50_000  # directory entries


class TooManyNames(Exception):
    """The pattern fits more than can be judged."""


def expand(word: Word, cwd: str, home: str) -> list[str]:
    """The words `word` stands for, in order of their names."""
    if not word.pattern:
        return [word.text]
    pattern, lead = word.pattern, ""
    if re.match(r"~(/|$)", pattern):
        lead, pattern = home, pattern[1:]
        if not re.search(r"[*?[]", pattern):
            return [lead + word.text[1:]]
    found = sorted(_walk(cwd, lead, pattern))
    if not found:
        return [lead + word.text[1:] if lead else word.text]
    return found


def _walk(cwd: str, lead: str, pattern: str) -> list[str]:
    """Every existing path (spelled as the pattern spells it) that fits."""
    heads, seen = [lead], 0
    for part, slash in re.findall(r"([^/]*)(/*)", pattern):
        if not part and not slash:
            break
        nexts: list[str] = []
        for head in heads:
            names = [_unbracket(part)] if not re.search(r"[*?[]", _unbracket(part, mark=True)) else None
            if names is None:
                names, looked = _names(cwd, head, part)
                seen += looked
            nexts += [head + name + slash for name in names if _exists(cwd, head + name + slash)]
        if len(nexts) > _MOST or seen > _LOOKED_AT:
            raise TooManyNames(pattern)
        heads = nexts
    return heads


def _unbracket(part: str, *, mark: bool = False) -> str:
    """A quoted special back to itself (or to a plain mark, to see whether anything unquoted is left)."""
    return re.sub(r"\[([*?[~])\]", "q" if mark else r"\1", part)


def _names(cwd: str, head: str, part: str) -> tuple[list[str], int]:
    fits = re.compile(translate(re.sub(r"(?<!\[)\[\^", "[!", part))).match
    try:
        names = [entry.name for entry in Path(cwd, head).iterdir()]
    except OSError:
        return [], 1
    return [name for name in names if (part[0] == "." or name[0] != ".") and fits(name)], len(names)


def _exists(cwd: str, path: str) -> bool:
    return os.path.lexists(Path(cwd, path)) if not path.endswith("/") else Path(cwd, path).is_dir()
