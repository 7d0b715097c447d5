"""What git says about the working directory, asked for early and read when it is needed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio.subprocess import Process

WAIT_S = 2.0
# A repository's own configuration must not run programs just because Ralph was started in it.
_STATUS = (
    "git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.untrackedCache=false",
    "status", "--porcelain=v1", "--branch", "--ignore-submodules=all",
)  # fmt: skip


class Status:
    """`git status` of a directory, running while everything else is set up. No git or no repository: empty text."""

    def __init__(self, cwd: Path, env: Mapping[str, str]) -> None:
        self._cwd, self._env = cwd, env
        self._child: Process | None = None

    async def start(self) -> None:
        import asyncio
        import subprocess

        if not any((folder / ".git").exists() for folder in (self._cwd, *self._cwd.parents)):
            return
        try:
            self._child = await asyncio.create_subprocess_exec(
                *_STATUS, cwd=self._cwd, env={**self._env, "GIT_OPTIONAL_LOCKS": "0"},
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        except OSError:  # git is not installed: nothing to tell
            self._child = None

    async def text(self) -> str:
        """Branch and changed files; empty when git did not answer within two seconds."""
        import asyncio

        if self._child is None:
            return ""
        try:
            out, _ = await asyncio.wait_for(self._child.communicate(), WAIT_S)
        except TimeoutError:
            self._child.kill()
            await self._child.wait()
            return "[git status took too long]"
        return out.decode("utf-8", "replace").strip() if self._child.returncode == 0 else ""
