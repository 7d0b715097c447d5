"""Which directories may configure Ralph: trusted by a person, by the digest of what they would change.

A directory without such files needs no trust. A changed file is a new digest, so it asks again.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ralph.config import read_dotenv
from ralph.errors import StoreError

NAMES = ("ralph.config.json", ".ralph/config.json", "PROMPT.md")


@dataclass(frozen=True, slots=True)
class Trusted:
    """`at`: seconds since the epoch when the person said yes."""

    directory: str
    digest: str
    at: float


def ralph_files(cwd: Path) -> list[Path]:
    """The files of a directory that would change how Ralph works, `.env` only when it redirects a service."""
    found = [cwd / name for name in NAMES if (cwd / name).is_file()]
    return [*found, cwd / ".env"] if _urls(cwd) else found


def digest(cwd: Path) -> str:
    """SHA-256 over names and contents; empty when there is nothing to trust."""
    whole = hashlib.sha256()
    files = ralph_files(cwd)
    for path in files:
        content = json.dumps(_urls(cwd)).encode() if path.name == ".env" else _read(path)
        whole.update(f"{path.relative_to(cwd)}\0{len(content)}\0".encode() + content)
    return whole.hexdigest() if files else ""


class Trust:
    """`<home>/trust.json`, read at each question, written atomically."""

    def __init__(self, home: Path) -> None:
        self._path = home / "trust.json"

    def holds(self, cwd: Path) -> bool:
        """True when a person trusted exactly what is in `cwd` now, or when there is nothing to trust."""
        now = digest(cwd)
        return not now or any(item.directory == str(cwd) and item.digest == now for item in self.all())

    def grant(self, cwd: Path) -> None:
        kept = [item for item in self.all() if item.directory != str(cwd)]
        self._write([*kept, Trusted(str(cwd), digest(cwd), time.time())])

    def revoke(self, directory: str) -> bool:
        items = self.all()
        kept = [item for item in items if item.directory != directory]
        self._write(kept)
        return len(kept) < len(items)

    def all(self) -> list[Trusted]:
        try:
            data = json.loads(self._path.read_text(encoding="utf-8"))
            return [Trusted(str(row["directory"]), str(row["digest"]), float(row["at"])) for row in data]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError) as error:
            hint = "move it away; every directory will ask again"
            raise StoreError(f"{self._path} is not readable as a trust list: {error}", hint=hint) from error

    def _write(self, items: list[Trusted]) -> None:
        rows = [{"directory": item.directory, "digest": item.digest, "at": item.at} for item in items]
        fresh = self._path.with_suffix(f".{os.getpid()}.tmp")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            fresh.write_text(json.dumps(rows, indent=1), encoding="utf-8")
            fresh.chmod(0o600)
            fresh.replace(self._path)
        except OSError as error:
            with suppress(OSError):
                fresh.unlink()
            raise StoreError(f"cannot write {self._path}: {error.strerror}", hint="check the home directory") from error


def _urls(cwd: Path) -> Mapping[str, str]:
    return {name: value for name, value in read_dotenv(cwd / ".env").items() if name.endswith("_URL")}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b"unreadable"
