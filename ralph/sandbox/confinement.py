"""What a child may touch, in paths and names; the backends turn it into mounts or rules."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from stat import S_IFMT, S_ISLNK
from typing import Literal

Mode = Literal["read-only", "workspace", "off"]

RESERVED = ("ralph.config.json", ".ralph/config.json", ".env")
FROZEN = (".git/hooks", ".git/config", ".git/config.worktree", ".git/modules", ".gitmodules")
PRIVATE = ("/tmp", "/var/tmp", "/run")  # replaced by empty ones: sockets and others' files live there
_KEPT = frozenset({
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TERM", "TZ", "NO_COLOR", "PAGER", "VIRTUAL_ENV",
    "CONDA_PREFIX", "PYTHONPATH", "PYTHONHASHSEED", "PYTHONDONTWRITEBYTECODE", "NODE_PATH", "GOPATH", "GOROOT",
    "CARGO_HOME", "RUSTUP_HOME", "JAVA_HOME", "LD_LIBRARY_PATH", "SOURCE_DATE_EPOCH",
})  # fmt: skip
_KEPT_PREFIXES = ("LC_", "GIT_")


@dataclass(frozen=True, slots=True)
class Confinement:
    """All paths absolute.

    hidden: files and directories nobody inside may read or write; those that do not exist are passed over.
    reserved: names in the workspace that must neither be read nor replaced; those that come to be are for guard.py.
    frozen: readable, not writable, not replaceable. private: directories of which the child sees an empty one.
    needed: what must stay readable although it lies in a hidden or private directory. kept: like frozen, but the
    directories that lead there may be renamed.
    """

    mode: Mode
    workspace: Path
    scratch: Path
    hidden: tuple[Path, ...] = ()
    reserved: tuple[Path, ...] = ()
    frozen: tuple[Path, ...] = ()
    private: tuple[Path, ...] = ()
    needed: tuple[Path, ...] = ()
    network: bool = False
    kept: tuple[Path, ...] = ()

    @property
    def lasting(self) -> bool:
        """Its children live on between calls, which is why they have a /tmp of their own."""
        return bool(self.private)


def confine(
    mode: Mode, workspace: Path, scratch: Path, *,
    hidden: Iterable[Path] = (), network: bool = False, private: Iterable[str] = PRIVATE,
) -> Confinement:  # fmt: skip
    """The usual confinement of a session: Ralph's and git's own files are kept, the interpreter stays readable.

    What Ralph itself is run from cannot be changed from inside, though it lies in the workspace (a .venv there).
    """
    workspace, scratch = workspace.resolve(), scratch.resolve()
    package = Path(__file__).resolve().parents[1]
    needed = (Path(sys.prefix), Path(sys.base_prefix), package)
    return Confinement(
        mode, workspace, scratch, tuple(hidden), tuple(workspace / name for name in RESERVED),
        tuple(workspace / name for name in FROZEN), tuple(map(Path, private)),
        needed, network, tuple(path for path in needed if path != workspace and path.is_relative_to(workspace)),
    )  # fmt: skip


def environment(env: Mapping[str, str]) -> dict[str, str]:
    """The variables a confined child gets: a list of harmless names, not all but the harmful."""
    return {name: value for name, value in env.items() if name in _KEPT or name.startswith(_KEPT_PREFIXES)}


def hidden_places(given: Confinement) -> list[Path]:
    """Existing hidden and reserved paths, links followed, outermost first."""
    found = {_real(path) for path in (*given.hidden, *given.reserved)}
    return sorted((path for path in found if path.exists() and path != given.workspace), key=_depth)


def frozen_places(given: Confinement) -> list[Path]:
    """Existing frozen paths. A link cannot be mounted on, so where one is a link its directory is frozen."""
    parents = [path.parent if path.is_symlink() and path.parent != given.workspace else path for path in given.frozen]
    return sorted({_real(path) for path in (*parents, *given.kept) if path.exists()}, key=_depth)


def ways(given: Confinement) -> list[Path]:
    """Below the workspace, the directories that lead to reserved and frozen names, there or not."""
    guarded = (*given.reserved, *given.frozen)
    above = {parent for path in guarded for parent in path.parents}
    return sorted(path for path in above if path != given.workspace and path.is_relative_to(given.workspace))


def pinned_places(given: Confinement) -> list[Path]:
    """The directories that lead to reserved and frozen files; renaming one would take the mask away with it."""
    return sorted({_real(path) for path in ways(given) if path.is_dir()}, key=_depth)


def witness(given: Confinement) -> tuple[object, ...]:
    """What each guarded name is now. A mask lies on a file, not on a name: a replaced file is no longer masked."""
    guarded = [_identity(path) for path in (*given.reserved, *given.frozen, *given.kept)]
    return (*guarded, *(_identity(path, filled=True) for path in given.hidden))


def footing(given: Confinement) -> tuple[object, ...]:
    """What `witness` knows, and whatever else a view of the file system rests on that was set up earlier: which
    directories the names lead through, where they are links, and what is mounted on this machine.
    """
    table = Path("/proc/self/mountinfo")
    mounts = table.read_bytes() if table.exists() else b""
    return (*witness(given), *map(_whereabouts, _directories(given)), mounts)


@cache
def _directories(given: Confinement) -> tuple[str, ...]:
    guarded = (*given.reserved, *given.frozen, *given.hidden, *given.private, *given.needed)
    return tuple(map(str, (given.workspace, given.scratch, *ways(given), *guarded)))


def _whereabouts(path: str) -> tuple[int, ...] | None:
    try:
        itself = os.lstat(path)
    except OSError:
        return None
    target = itself
    with suppress(OSError):  # a link to nothing
        target = Path(path).stat() if S_ISLNK(itself.st_mode) else itself
    return (itself.st_dev, itself.st_ino, target.st_dev, target.st_ino, S_IFMT(target.st_mode))


def _identity(path: Path, *, filled: bool = False) -> tuple[int, ...] | None:
    """Its number and change time: the number of a deleted file may be given to the next one.

    filled: of a directory only the number, because it changes with every file that is put into it.
    """
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino, 0 if filled and path.is_dir() else found.st_ctime_ns)


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _depth(path: Path) -> tuple[int, str]:
    return len(path.parts), str(path)
