"""Where a path really leads: every symlink followed by hand, each hop reported, nothing guessed.

`os.path.realpath` would do the walking but hides the hops, and a hop may itself be a protected name.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from posixpath import expanduser, join, normpath

from ralph.core.tools import Judged
from ralph.errors import ToolError

_MOST_LINKS = 40  # what Linux itself follows before ELOOP
_PROC = re.compile(r"/proc/(self|thread-self|\d+)(?:/task/\d+)?/(cwd|root|exe|fd/\d+|map_files/.*)$")
_DEVICE_FDS = re.compile(r"/dev/(?:fd(?:/.*)?|stdin|stdout|stderr)$")


@dataclass(frozen=True, slots=True)
class Walk:
    """One path followed to its end.

    given: as written. lexical: absolute, `.` `..` and `//` removed without looking at the disk. resolved: absolute and
    free of symlinks; the part that does not exist yet is kept as written. hops: each link met and where it pointed.
    inode: (device, inode) of what is there now, None when nothing is. links: its count of hard links.
    """

    given: str
    lexical: str
    resolved: str
    hops: tuple[str, ...] = ()
    inode: tuple[int, int] | None = None
    links: int = 0
    is_dir: bool = False

    @property
    def judged(self) -> Judged:
        return Judged(self.given, self.resolved, self.inode)

    @property
    def spellings(self) -> tuple[str, ...]:
        """Every absolute path this one goes by."""
        return (self.lexical, self.resolved, *self.hops)


def resolve(given: str, cwd: str, *, tilde: str = "") -> Judged:
    """The path as the gate judges it. Raises ToolError for what cannot be followed safely."""
    return follow(given, cwd, tilde=tilde).judged


def follow(given: str, cwd: str, *, tilde: str = "") -> Walk:
    """Follow `given`, relative to the absolute `cwd`; `tilde` is the person's home directory (default: $HOME)."""
    if "\0" in given:
        raise ToolError("a path must not hold a NUL character")
    if not given:
        raise ToolError("an empty path names nothing")
    absolute = join(cwd, expand_tilde(given, tilde))
    resolved, hops = _chase(absolute, cwd)
    found = _look(resolved)
    inode = (found.st_dev, found.st_ino) if found else None
    is_dir = bool(found and stat.S_ISDIR(found.st_mode))
    links = found.st_nlink if found and not is_dir else 0
    return Walk(given, lexical(absolute), resolved, hops, inode, links, is_dir)


def expand_tilde(given: str, tilde: str = "") -> str:
    if tilde and (given == "~" or given.startswith("~/")):
        return tilde + given[1:]
    return expanduser(given)  # ~user too, and never raises


def lexical(absolute: str) -> str:
    """`.`, `..` and repeated slashes removed by spelling alone."""
    return "/" + normpath(absolute).lstrip("/") if absolute.startswith("/") else normpath(absolute)


def inside(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def _look(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except OSError:
        return None  # absent, or in a directory that may not be searched: the tool will say so


def _chase(absolute: str, cwd: str) -> tuple[str, tuple[str, ...]]:
    """(resolved path, hops). `..` is applied after the link before it was followed, as the kernel does."""
    left = [part for part in absolute.split("/") if part not in ("", ".")][::-1]
    at, hops, count = "", [], 0
    while left:
        part = left.pop()
        if part == "..":
            at = at.rpartition("/")[0]
            continue
        here = f"{at}/{part}"
        target = _link_target(here, cwd)
        if target is None:
            at = here
            continue
        count += 1
        if count > _MOST_LINKS:
            raise ToolError(f"too many symbolic links on the way to {absolute}")
        goal = target if target.startswith("/") else f"{at}/{target}"
        hops += [here, lexical(goal)]
        left += [piece for piece in goal.split("/") if piece not in ("", ".")][::-1]
        at = ""
    return at or "/", tuple(hops)


def _link_target(here: str, cwd: str) -> str | None:
    """What the link `here` points to; None when it is not a link.

    Links under /proc do not behave like their text: /proc/self would be Ralph itself, not the child that runs later.
    """
    if magic := _PROC.match(here):
        if magic[2] == "root":
            return "/"
        if magic[2] == "cwd" and (not magic[1].isdigit() or int(magic[1]) == os.getpid()):
            return cwd
        raise ToolError(f"{here} depends on the process that opens it; name the file itself")
    if _DEVICE_FDS.match(here):
        raise ToolError(f"{here} depends on the process that opens it; name the file itself")
    if here in ("/proc/self", "/proc/thread-self"):
        return None
    try:
        return os.readlink(here)  # noqa: PTH115  # a Path for every component of every path costs too much
    except OSError:
        return None
