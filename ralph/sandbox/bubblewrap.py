"""Confinement by bubblewrap: its own view of the file system, its own processes, no network.

Order matters to bubblewrap: a later mount lies on top of an earlier one. A mount on a name protects the name too: it
can be neither renamed nor removed nor linked from inside.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from shutil import which

from ralph.sandbox.confinement import Confinement, frozen_places, hidden_places, pinned_places

PROGRAM = "bwrap"
_CONTROLS = tuple(map(Path, ("/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus")))
"""Of a fresh /proc too these belong to the whole machine; root could write to them."""
_SEALING = (["--cap-add", "CAP_SYS_ADMIN"], [sys.executable, "-I", "-S", str(Path(__file__).with_name("seal.py"))])


def installed() -> bool:
    return which(PROGRAM) is not None


def words(given: Confinement) -> list[str]:
    """The command line up to the child's own words. One with a /tmp of its own lives long, so it is sealed."""
    capability, seal = _SEALING if given.lasting else ([], [])
    view = ["--proc", "/proc", *_onto_itself("--ro-bind-try", _CONTROLS), *_view(given)]
    return [*_beginning(given), *capability, *view, "--", *seal]


def variables(given: Confinement, env: Mapping[str, str]) -> dict[str, str]:
    """For `words`: while seal.py still has its capability, nothing may be loaded from a place the child can write."""
    libraries = "LD_LIBRARY_PATH"
    aside = f"RALPH_{libraries}" if given.lasting else libraries
    return {(aside if name == libraries else name): value for name, value in env.items()}


def nursery_words(given: Confinement) -> list[str]:
    """The same for nursery_worker.py, which gives each of its children a /proc and a /dev/shm of its own.

    The kernel allows a new /proc only where another one is wholly visible, so this one is the machine's; the children's
    lie on top of it. A person 0 may be mapped into a new user namespace only by whoever holds that one capability.
    """
    capability = ["--cap-add", "CAP_SETFCAP"] if os.getuid() == 0 else []
    return [*_beginning(given), *capability, "--bind", "/proc", "/proc", *_view(given), "--remount-ro", "/dev", "--"]


def _beginning(given: Confinement) -> list[str]:
    network = ["--share-net"] if given.network else []
    return [which(PROGRAM) or PROGRAM, "--die-with-parent", "--new-session", "--unshare-all", *network,
            "--cap-drop", "ALL", "--ro-bind", "/", "/", "--dev", "/dev"]  # fmt: skip


def _view(given: Confinement) -> list[str]:
    hidden = hidden_places(given)
    within = [path for path in hidden if path.is_relative_to(given.workspace)]
    around = [path for path in hidden if path not in within]
    private = [path for path in given.private if path.is_dir() and not path.is_symlink()]
    return [
        *_each("--tmpfs", private), *_names(given), *_masks(around), *_needed(given, [*private, *around]),
        *_workspace(given), *_masks(within), *_needed(given, within), *_onto_itself("--bind", [given.scratch]),
        *_each("--remount-ro", [path for path in hidden if path.is_dir()]),
    ]  # fmt: skip


def _names(given: Confinement) -> list[str]:
    """Name resolution, which lives in the /run that was just emptied; of use with a network only."""
    names = "/run/systemd/resolve"
    return ["--ro-bind-try", names, names] if given.network else []


def _needed(given: Confinement, emptied: list[Path]) -> list[str]:
    lost = [path for path in given.needed if any(path.is_relative_to(place) for place in emptied)]
    return _onto_itself("--ro-bind", lost)


def _workspace(given: Confinement) -> list[str]:
    if given.mode == "read-only":
        return _onto_itself("--ro-bind", [given.workspace])
    return [
        *_onto_itself("--bind", [given.workspace, *pinned_places(given)]),
        *_onto_itself("--ro-bind", frozen_places(given)),
    ]


def _masks(paths: Iterable[Path]) -> list[str]:
    """An empty directory over a directory; over a file a device, which nobody may open on this mount."""
    masks = (["--tmpfs", str(path)] if path.is_dir() else ["--ro-bind", "/dev/null", str(path)] for path in paths)
    return [word for mask in masks for word in mask]


def _each(option: str, paths: Iterable[Path]) -> list[str]:
    return [word for path in paths for word in (option, str(path))]


def _onto_itself(option: str, paths: Iterable[Path]) -> list[str]:
    return [word for path in paths for word in (option, str(path), str(path))]
