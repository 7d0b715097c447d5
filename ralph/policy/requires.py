"""What a case may need of the machine it is judged on, tried out where trying is the only way to know."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path


def missing(needed: str | list[str] | None) -> str:
    """The first of these that is not here, or "".

    Each is a system (`linux`, `macos`, `windows`, `posix`), an account (`root`, `non-root`), something of the file
    system (see `_TRIED`), an absolute path, or the name of a program. A name nobody knows is not here.
    """
    names = [needed] if isinstance(needed, str) else needed or []
    return next((str(name) for name in names if not _here(str(name))), "")


@cache
def _here(name: str) -> bool:
    plain = name.lower().replace("-", "_")
    if plain in _KNOWN:
        return _KNOWN[plain]
    if plain in _TRIED:
        return _try(_TRIED[plain])
    return Path(name).exists() if name.startswith("/") else shutil.which(name) is not None


def _try(probe: Callable[[Path], bool]) -> bool:
    with tempfile.TemporaryDirectory(prefix="ralph-probe-") as made:
        try:
            return probe(Path(made))
        except OSError:
            return False


def _symlink(root: Path) -> bool:
    (root / "link").symlink_to("file")
    return (root / "link").is_symlink()


def _hardlink(root: Path) -> bool:
    (root / "file").touch()
    (root / "link").hardlink_to(root / "file")
    return (root / "link").samefile(root / "file")


def _fifo(root: Path) -> bool:
    if sys.platform != "win32":
        os.mkfifo(root / "pipe")
    return (root / "pipe").is_fifo()


def _any_case(root: Path) -> bool:
    (root / "name").touch()
    return (root / "NAME").exists()


def _any_form(root: Path) -> bool:
    (root / "\u00e9").touch()
    return (root / "e\u0301").exists()


_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
_PROC = Path("/proc/self/cwd").is_symlink()
_KNOWN = {
    "linux": sys.platform == "linux", "macos": sys.platform == "darwin", "darwin": sys.platform == "darwin",
    "windows": os.name == "nt", "posix": os.name == "posix", "unix": os.name == "posix",
    "root": _ROOT, "non_root": not _ROOT, "nonroot": not _ROOT, "proc": _PROC, "procfs": _PROC,
}  # fmt: skip
_TRIED: dict[str, Callable[[Path], bool]] = {
    "symlink": _symlink, "symlinks": _symlink, "hardlink": _hardlink, "hardlinks": _hardlink, "fifo": _fifo,
    "case_insensitive": _any_case, "case_sensitive": lambda root: not _any_case(root),
    "unicode_normalizing": _any_form,
}  # fmt: skip
