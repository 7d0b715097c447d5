"""Guarded names in the workspace: which there are, and which came to be since one last looked.

A directory whose change time is the same has the same names in it, so a second look costs one `lstat` for each
directory, not for each file (0.5 ms for 500). Change times cannot be set from inside, other than modification times.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection
from stat import S_ISDIR
from typing import Literal, NamedTuple

Kind = Literal["", "hidden", "frozen", "new"]
"""hidden: nobody inside may read or write it. frozen: may be read. new: may be changed, but not come to be."""
Sort = Callable[[str, str], Kind]
"""The kind of an entry from the path of its directory and its name."""

ENTRIES, DIRECTORIES, DEPTH = 20_000, 1_000, 32
"""How far it looks, nearest first: a workspace may be somebody's whole home directory."""
SKIPPED = frozenset({".hg", "node_modules", ".venv", "venv", "__pycache__", ".tox", ".mypy_cache", ".ruff_cache"})
_FINE, _COARSE = 20_000_000, 2_100_000_000
"""Nanoseconds in which a file system may give two changes the same time; coarse ones count whole seconds."""
_UNSETTLED = -1


class Found(NamedTuple):
    """`place` and `itself`: device and number of the directory it is in, and its own."""

    path: str
    kind: Kind
    place: tuple[int, int]
    itself: tuple[int, int]


class Survey:
    """`found`: all there is now. `skip`: paths of directories that are of no concern.

    `ways`: those that are looked into however much else there is. A link in the place of one is guarded too ("new").
    """

    def __init__(self, top: str, sort: Sort, skip: Collection[str] = (), ways: Collection[str] = ()) -> None:
        self.top, self._sort, self._skip, self._ways = top, sort, skip, ways
        self.found: dict[str, Found] = {}
        self._stamps: dict[str, int] = {}
        self._below: dict[str, tuple[list[str], list[str]]] = {}  # directories and guarded names in it
        self._entries = 0
        self._scan(top)

    def look(self) -> list[Found]:
        """What was not there before: neither under its path in the same directory, nor under another path.

        So an editor that replaces a file made no new one, but who moves a directory aside and makes another did.
        """
        changed = [path for path, stamp in self._stamps.items() if _stamp(path) != stamp]
        if not changed:
            return []
        before = self.found.copy()
        known = {found.itself for found in before.values()}
        for path in changed:
            if path in self._stamps:  # not gone with a directory above
                self._scan(path)
        return [
            found for path, found in self.found.items()
            if found.itself not in known
            and (found.kind == "new" or path not in before or before[path].place != found.place)
        ]  # fmt: skip

    def _scan(self, top: str) -> None:
        """Read a directory again, and whatever in it is not known yet."""
        level = [top]
        while level:
            level = [below for path in level if self._room(path) for below in self._read(path)]

    def _read(self, path: str) -> list[str]:
        """Returns the directories in it that are not known."""
        now = time.time_ns()
        entries: list[os.DirEntry[str]] = []
        try:
            itself = os.lstat(path)
            if not S_ISDIR(itself.st_mode):
                raise NotADirectoryError
            with os.scandir(path) as reading:
                entries = list(reading)
        except PermissionError:  # what is in it runs for nobody, until its mode is changed, which changes its time
            pass
        except OSError:
            self._forget(path)
            return []
        old, _ = self._below.get(path, ([], []))
        self._entries += 0 if path in self._below else len(entries)
        coarse = itself.st_ctime_ns % 1_000_000_000 == 0
        settled = now - itself.st_ctime_ns > (_COARSE if coarse else _FINE)
        inside, guarded = self._sorted(path, (itself.st_dev, itself.st_ino), entries)
        for gone in set(old).difference(inside):
            self._forget(gone)
        self._stamps[path] = itself.st_ctime_ns if settled else _UNSETTLED
        self._below[path] = inside, guarded
        return [below for below in inside if below not in self._stamps]

    def _sorted(
        self, path: str, place: tuple[int, int], entries: list[os.DirEntry[str]]
    ) -> tuple[list[str], list[str]]:
        """The directories to look into, and the guarded names."""
        for name in self._below.get(path, ([], []))[1]:
            self.found.pop(name, None)
        inside, guarded = [], []
        within = path.rpartition("/")[2] == ".git"
        for entry in entries:
            kind = self._sort(path, entry.name) or self._led_astray(entry)
            directory = entry.is_dir(follow_symlinks=False)
            if kind:
                found = entry.stat(follow_symlinks=False)
                self.found[entry.path] = Found(entry.path, kind, place, (found.st_dev, found.st_ino))
                guarded.append(entry.path)
            if directory and not within and kind in ("", "new") and self._reaches(entry):
                inside.append(entry.path)
        return inside, guarded

    def _led_astray(self, entry: os.DirEntry[str]) -> Kind:
        return "new" if entry.path in self._ways and entry.is_symlink() else ""

    def _room(self, path: str) -> bool:
        known = path in self._stamps or path in self._ways
        return known or (len(self._stamps) < DIRECTORIES and self._entries < ENTRIES)

    def _reaches(self, entry: os.DirEntry[str]) -> bool:
        return (
            entry.name not in SKIPPED
            and entry.path not in self._skip
            and entry.path.count("/") - self.top.count("/") <= DEPTH
        )

    def _forget(self, path: str) -> None:
        self._stamps.pop(path, None)
        directories, guarded = self._below.pop(path, ([], []))
        for name in guarded:
            self.found.pop(name, None)
        for below in directories:
            self._forget(below)


def _stamp(path: str) -> int:
    try:
        return os.lstat(path).st_ctime_ns
    except OSError:
        return 0
