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
    reserved: names in the workspace that must neither be read, replaced nor come to be.
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


def occupy(given: Confinement) -> list[Path]:
    """Make an empty directory at every reserved or frozen name that is missing; returns those made.

    Only for children that last: what others made is looked after when they have ended (see guard.py).
    A mount needs something to lie on. A directory, because git does not list empty ones, programs that look for a
    file pass over it, and removing it later (`vacate`) can never remove anything of value.
    """
    made: list[Path] = []
    for path in (*given.reserved, *given.frozen) if given.mode == "workspace" and given.lasting else ():
        if path in given.frozen and (path.parent == given.workspace or not path.parent.is_dir()):
            continue  # a repository that is not there needs no guarded hooks
        missing = [part for part in (path, *path.parents) if part.is_relative_to(given.workspace) and not _there(part)]
        with suppress(OSError):  # where we may not create it, the child may not either
            for part in reversed(missing):
                part.mkdir()
                made.append(part)
    return made


def vacate(given: Confinement, made: Iterable[Path]) -> None:
    """Remove what `occupy` made, and what a killed session left: an empty directory in a reserved file's place.

    Another session in this workspace notices by its witness, and makes its own again.
    """
    for path in (*given.reserved, *reversed(list(made))):
        with suppress(OSError):  # no longer empty, so somebody's own; or a file; or gone
            path.rmdir()


def hidden_places(given: Confinement) -> list[Path]:
    """Existing hidden and reserved paths, links followed, outermost first."""
    found = {_real(path) for path in (*given.hidden, *given.reserved)}
    return sorted((path for path in found if path.exists() and path != given.workspace), key=_depth)


def frozen_places(given: Confinement) -> list[Path]:
    """Existing frozen paths. A link cannot be mounted on, so where one is a link its directory is frozen."""
    parents = [path.parent if path.is_symlink() and path.parent != given.workspace else path for path in given.frozen]
    return sorted({_real(path) for path in (*parents, *given.kept) if path.exists()}, key=_depth)


def pinned_places(given: Confinement) -> list[Path]:
    """The directories that lead to reserved and frozen files; renaming one would take the mask away with it."""
    found = {
        parent for path in (*given.reserved, *given.frozen)
        for parent in path.parents
        if parent != given.workspace and parent.is_relative_to(given.workspace) and _real(parent).is_dir()
    }  # fmt: skip
    return sorted(map(_real, found), key=_depth)


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
    guarded = (*given.reserved, *given.frozen)
    parents = {above for path in guarded for above in path.parents if above.is_relative_to(given.workspace)}
    return tuple(map(str, (given.scratch, *parents, *guarded, *given.hidden, *given.private, *given.needed)))


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


def _there(path: Path) -> bool:
    return os.path.lexists(path)


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _depth(path: Path) -> tuple[int, str]:
    return len(path.parts), str(path)
