"""Files no tool may read or write, recognised by what they are and not only by how they are spelled.

Protected: `ralph.config.json`, `.ralph/config.json`, `.env`, `.env.*` (not the example, sample and template files),
and everything in Ralph's home except `scratch/`. A file counts by its written path, its resolved path, every symlink
on the way, and as a hard link of a protected file.
"""

from __future__ import annotations

import os
import stat
import time
import unicodedata
from collections.abc import Callable, Iterator
from posixpath import dirname

from ralph.policy.paths import Walk, inside, lexical

CONFIG_NAME = "ralph.config.json"
SCRATCH = "scratch"
_HARMLESS = frozenset({".env.example", ".env.sample", ".env.template"})
_HOME_ENTRIES = frozenset({"secrets.key",
    "ralph.config.json", "config.json", "trust.json", "grants.json", "prompt.md", "tools", "audit", "sessions",
})  # fmt: skip
_SKIPPED = frozenset({".git", ".hg", "node_modules", ".venv", "venv", "__pycache__", ".tox", ".mypy_cache"})
_IGNORABLE = frozenset(map(ord, "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")) | frozenset(range(0xFE00, 0xFE10))


class Protected:
    """`why(walk)` names the reason a path is off limits, or "". All directories are absolute."""

    def __init__(self, home: str, workspace: str, now: Callable[[], float] = time.monotonic) -> None:
        self.home, self.workspace, self.now = home, workspace, now
        self._found: frozenset[tuple[int, int]] = frozenset()
        self._scanned_at, self._scan_took = float("-inf"), 0.0  # seconds
        real = os.path.realpath(self.home)  # the home itself may be reached through links
        self._home_parts = tuple(dict.fromkeys((fold_path(lexical(self.home)), fold_path(real))))
        self._nested = any(inside(fold_path(os.path.realpath(self.workspace)), part) for part in self._home_parts)

    def why(self, walk: Walk) -> str:
        for spelling in walk.spellings:
            if reason := self.named(spelling):
                return reason
        if walk.links > 1 and walk.inode in self._inodes():
            return "it is another name (a hard link) of a protected file"
        return ""

    def named(self, path: str) -> str:
        """The reason this absolute path is protected by its spelling alone."""
        folded = fold_path(path)
        return protected_name(folded) or self._in_home(folded)

    def _in_home(self, folded: str) -> str:
        for home in self._home_parts:
            if not inside(folded, home):
                continue
            first = folded[len(home) :].strip("/").split("/")[0]
            if first == SCRATCH:
                continue
            if not self._nested or first in _HOME_ENTRIES or first.startswith("ralph.db") or first.endswith(".idx"):
                return "it belongs to Ralph's own home directory"
        return ""

    def in_workspace(self) -> list[str]:
        """The protected files there are in the workspace now, and their other names; as far as 20,000 entries reach."""
        entries = [entry.path for entry in _scan(self.workspace, depth=8, budget=20_000)]
        found = [path for path in entries if self.named(path)]
        linked = {(s.st_dev, s.st_ino) for path in found if (s := _lstat(path)) and s.st_nlink > 1}
        if linked:
            found += [path for path in entries if (s := _lstat(path)) and (s.st_dev, s.st_ino) in linked]
        return sorted(set(found))

    def holds(self, directory: str) -> str:
        """The protected file inside `directory` (two levels down at most), or "": what deleting it would take along."""
        if self.home_is_inside(directory):
            return self.home
        return next((entry.path for entry in _scan(directory, depth=2, budget=2000) if self.named(entry.path)), "")

    def home_is_inside(self, directory: str) -> bool:
        return any(inside(home, fold_path(directory)) for home in self._home_parts)

    def _inodes(self) -> frozenset[tuple[int, int]]:
        """Only asked for files with several hard links, so the scan is rare."""
        start = self.now()
        if start - self._scanned_at > max(0.5, 20 * self._scan_took):
            self._found = frozenset(self._scan_all())
            self._scanned_at, self._scan_took = start, self.now() - start
        return self._found

    def _scan_all(self) -> Iterator[tuple[int, int]]:
        parent = dirname(self.workspace)
        scans = [(self.workspace, 8, 20_000), (parent, 2, 4_000), (self.home, 3, 4_000)]
        while len(parent) > 1:
            parent = dirname(parent)
            scans.append((parent, 0, 2_000))
        for root, depth, budget in scans:
            for entry in _scan(root, depth=depth, budget=budget):
                if self.named(entry.path) and (found := _lstat(entry.path)):
                    yield found.st_dev, found.st_ino


def protected_name(folded: str) -> str:
    """The reason a folded path is protected wherever it is, or ""."""
    parent, _, name = folded.rstrip("/").rpartition("/")
    if name == CONFIG_NAME or (name == "config.json" and parent.rpartition("/")[2] == ".ralph"):
        return "it holds Ralph's configuration"
    if name == ".env" or (name.startswith(".env.") and name not in _HARMLESS):
        return "files named .env hold secrets"
    return ""


def fold_path(path: str) -> str:
    return "/".join(fold(part) for part in path.split("/"))


def fold(name: str) -> str:
    """One spelling for names that some file system or some reader takes for the same.

    Case, compatibility forms (NFKC), characters that do not show, trailing dots and spaces, NTFS stream suffixes.
    """
    if not name.isascii():
        shown = "".join(char for char in unicodedata.normalize("NFKC", name) if not _hidden(char))
        name = unicodedata.normalize("NFKC", shown.casefold())
    name = name.lower().partition("::$")[0]
    return name if name in (".", "..") else name.rstrip(" .\t")


def _hidden(char: str) -> bool:
    return ord(char) in _IGNORABLE or unicodedata.category(char) in ("Cf", "Cc") or 0xE0000 <= ord(char) <= 0xE0FFF


def _lstat(path: str) -> os.stat_result | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found if stat.S_ISREG(found.st_mode) else None


def _scan(root: str, *, depth: int, budget: int) -> Iterator[os.DirEntry[str]]:
    """Entries below `root`, nearest first, at most `budget` of them; links are not followed."""
    level = [root]
    for _ in range(depth + 1):
        below: list[str] = []
        for directory in level:
            try:
                entries = list(os.scandir(directory))
            except OSError:
                continue  # not readable for us is not readable for the tool
            for entry in entries:
                budget -= 1
                if budget < 0:
                    return
                yield entry
                if entry.is_dir(follow_symlinks=False) and entry.name not in _SKIPPED:
                    below.append(entry.path)
        level = below
