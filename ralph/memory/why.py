"""What was put before the model last, kept so that a person can ask why: one small file in the home."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from ralph.errors import StoreError

FILE = "recalled.json"


def note(
    home: Path, items: Sequence[Mapping[str, Any]], *, session: str = "", mode: str = "", at: float | None = None
) -> None:
    """Replace what was noted before. `items`: JSON-able rows with id, score, parts and source. Raises StoreError.

    at: seconds since the epoch, None for now.
    """
    when = time.time() if at is None else at
    text = json.dumps({"at": when, "session": session, "mode": mode, "items": list(items)}, ensure_ascii=False)
    new = home / f"{FILE}.{os.getpid()}.new"
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(new, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
            file.write(text)
        new.replace(home / FILE)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise StoreError(f"cannot write to {home}: {error.strerror}", hint="free some space, or give --home") from error


def keep_only(home: Path, alive: Callable[[Sequence[int]], Collection[int]]) -> None:
    """Take out what quotes documents that are gone. alive: of some ids, those that still exist. Raises StoreError."""
    found = noted(home)
    if found is None:
        return
    living = alive([item["id"] for item in found["items"]])
    kept = [item for item in found["items"] if item["id"] in living]
    if len(kept) < len(found["items"]):
        note(home, kept, session=str(found.get("session", "")), mode=str(found.get("mode", "")), at=found.get("at"))


def noted(home: Path) -> dict[str, Any] | None:
    """The last turn's: at (seconds), session, mode, items. None when nothing was noted or the file is damaged."""
    try:
        found = json.loads((home / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("items"), list) else None
