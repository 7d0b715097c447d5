"""The sandbox of a session: the best backend that was seen to work, ready to start children."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from hashlib import sha256
from pathlib import Path
from shutil import which
from typing import Any

from ralph.sandbox import bubblewrap
from ralph.sandbox.backends import BUBBLEWRAP, LANDLOCK, NONE, Backend
from ralph.sandbox.confinement import Confinement, environment, footing, witness
from ralph.sandbox.guard import Guard
from ralph.sandbox.launch import Launched, plain
from ralph.sandbox.nursery import Child, Nursery, fits
from ralph.sandbox.report import Report, from_json, to_json

REMEMBERED, REMEMBERED_PRIVATE = "sandbox", "sandbox-private"
"""Files in the home; a session has a sandbox of either kind."""


class Sandbox:
    """`launch` is a Launch. `close` it when the session's children have ended."""

    def __init__(self, given: Confinement, backend: Backend, report: Report, guard: Guard | None = None) -> None:
        self._guard = guard
        self.given, self.backend, self.report = given, backend, report
        self._footing: tuple[object, ...] = ()
        self._words: list[str] = []
        self._nursery: Nursery | None = None
        self._without = ""

    @property
    def holds(self) -> bool:
        """Every escape that was tried failed: what runs inside needs no question first."""
        return self.report.holds

    def launch(self, argv: Sequence[str], env: Mapping[str, str]) -> Launched:
        if self.backend is NONE:
            return plain(argv, env)
        self._settle()
        kept = {"XDG_CACHE_HOME": str(self.given.scratch / "cache"), **environment(env)}
        if self.backend is BUBBLEWRAP:
            kept = bubblewrap.variables(self.given, kept)
        if not self.backend.masks:
            kept["TMPDIR"] = str(self.given.scratch)  # /tmp is there but may not be written to
        start = self._start(tuple(argv), kept)
        after = self._guard.after if self._guard else str
        return Launched((*self._words, *argv), kept, witness(self.given), self._hint(), start, after)

    def _settle(self) -> None:
        """Make the words anew when something they rest on is not as it was; finding them takes 1.5 ms."""
        self.given = self._guard.before() if self._guard else self.given
        if self._footing == footing(self.given):
            return
        self.given.scratch.mkdir(parents=True, exist_ok=True)
        self._footing = footing(self.given)
        self._words = self.backend.words(self.given)
        if self._nursery:
            self._nursery.retire()
            self._nursery = None

    def _start(self, argv: tuple[str, ...], env: Mapping[str, str]) -> Callable[[Path, bool], Child] | None:
        """Never waits: while no child is ready, commands are started one by one."""
        if not self.report.ready or self._without or self.given.private or not fits(argv, env):
            return None
        if self._nursery is None or self._nursery.problem:
            self._renew()
        nursery = self._nursery
        return partial(nursery.start, argv, env) if nursery and nursery.usable else None

    def _renew(self) -> None:
        """Start a nursery in the place of one that was ended; not again when none has ever worked here."""
        if self._nursery is not None:
            self._nursery.close()
            self._without = "" if self._nursery.worked else self._nursery.problem
            self._nursery = None
        if self.backend.nursery_words is not None and not self._without:
            try:
                self._nursery = Nursery(self.backend.nursery_words(self.given))
            except OSError as error:
                self._without = str(error)

    def _hint(self) -> str:
        places = [self.given.scratch] if self.given.mode == "read-only" else [self.given.workspace, self.given.scratch]
        network = "" if self.given.network else "There is no network. "
        return (
            f"This ran in a sandbox. It may write only in {' and '.join(map(str, places))}. {network}Protected files "
            "are out of reach. If the task needs more, use the shell tool, so that the user can be asked."
        )

    def close(self) -> None:
        """End what was kept ready, and look after what nobody waited for."""
        if self._nursery:
            self._nursery.close()
            self._nursery = None
        if self._guard:
            self._guard.close()
        self._footing = ()

    def state(self) -> str:
        """One line for people."""
        again = "; something was killed while it was tried, the next start tries again" if self.report.fleeting else ""
        return self._state() + again

    def _state(self) -> str:
        if self.given.mode == "off":
            return "off"
        if self.backend is NONE:
            return f"none: {self.report.problem or 'neither bubblewrap nor Landlock works here'}"
        network = "on" if self.given.network else "off"
        score = f"{self.report.held}/{self.report.tried} probes held"
        state = f"{self.backend.name}: {self.given.mode}, network {network}, {score}"
        return f"{state} (not: {', '.join(self.report.broken)})" if self.report.broken else state

    def facts(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "backend": self.backend.name, "mode": self.given.mode, "network": self.given.network, "holds": self.holds,
            "held": self.report.held, "tried": self.report.tried, "problem": self.report.problem,
            "state": self.state(), "not_held": list(self.report.broken),
        }  # fmt: skip


def open_sandbox(given: Confinement, home: Path, *, guard: Guard | None = None, again: bool = False) -> Sandbox:
    """The best backend that works here, probed; within one boot of the machine the outcome is remembered in the home.

    again: probe although it is remembered (`ralph doctor`). A probe takes about 0.2 s.
    """
    if given.mode == "off":
        return Sandbox(given, NONE, Report("none"))
    if given.workspace == Path("/"):
        return Sandbox(given, NONE, Report("none", problem="the workspace is the whole file system"))
    key, memory = _key(given), home / (REMEMBERED_PRIVATE if given.private else REMEMBERED)
    report = None if again else _recall(memory, key)
    if report is None:
        report = _check(given, home if os.access(home, os.W_OK) else given.scratch)
        if not report.fleeting:
            _remember(memory, key, report)
    chosen = next((backend for backend in (BUBBLEWRAP, LANDLOCK) if backend.name == report.backend), NONE)
    return Sandbox(given, chosen, report, guard)


def _check(given: Confinement, base: Path) -> Report:
    import subprocess

    program = which(bubblewrap.PROGRAM)
    kind = json.dumps({"mode": given.mode, "network": given.network, "base": str(base), "bubblewrap": bool(program),
                       "private": list(map(str, given.private)), "needed": list(map(str, given.needed))})  # fmt: skip
    here = Path(__file__).resolve()
    words = [sys.executable, "-P", str(here.with_name("check.py")), kind]
    path = f"{Path(program).parent}:{os.defpath}" if program else os.defpath
    env = {"PATH": path, "PYTHONPATH": str(here.parents[2])}
    try:
        done = subprocess.run(words, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                              check=False)  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return Report("none", problem=f"the probe itself failed ({error})", fleeting=True)
    try:
        return from_json(done.stdout)
    except (ValueError, TypeError):
        return Report("none", problem=f"the probe itself failed (exit code {done.returncode})", fleeting=True)


def _key(given: Confinement) -> str:
    """Whatever could change the outcome: the kernel's run, the person, the kind of confinement, and our own words."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    program = which(bubblewrap.PROGRAM)
    sources = [*sorted(Path(__file__).parent.glob("*.py")), *([Path(program)] if program else [])]
    parts = [boot.read_text() if boot.exists() else "", str(os.getuid()), given.mode, str(given.network),
             *map(str, (*given.private, *given.needed)), *map(_stamp, sources)]  # fmt: skip
    return sha256("\n".join(parts).encode()).hexdigest()


def _stamp(path: Path) -> str:
    found = path.stat()
    return f"{path} {found.st_mtime_ns} {found.st_size}"


def _recall(path: Path, key: str) -> Report | None:
    try:
        kept_key, _, kept = path.read_text("utf-8").partition("\n")
        return from_json(kept) if kept_key == key else None
    except (OSError, ValueError, TypeError):  # none yet, or not ours: probing again answers it
        return None


def _remember(path: Path, key: str, report: Report) -> None:
    """A home that cannot be written to costs a probe at every start, nothing else."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    with suppress(OSError):
        fresh.write_text(f"{key}\n{to_json(report)}", "utf-8")
        fresh.replace(path)
