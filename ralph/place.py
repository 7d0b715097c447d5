"""Where a session runs and what the command line asks of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ralph.errors import ConfigError


@dataclass(frozen=True)
class Place:
    """Where and as whom a session runs. `env` is the environment the program was started with."""

    cwd: Path
    home: Path
    env: Mapping[str, str]
    trusted: bool = True

    @property
    def sessions(self) -> Path:
        return self.home / "sessions"


@dataclass(frozen=True)
class Wishes:
    """What the command line asks of a session. `session`: an id to resume, `latest`, or None for a new one.

    confine: every shell command runs in the sandbox, not only those that run unasked.
    """

    session: str | None = None
    system_prompt: Path | None = None
    output_schema: Mapping[str, Any] | None = None
    allow: tuple[str, ...] = ()
    confine: bool = False
    debug: bool = False
    attended: bool = True


def working_directory() -> Path:
    """The current directory. Raises ConfigError when it was deleted under us."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise ConfigError("the current directory no longer exists", hint="cd somewhere else") from None
