"""Try to escape for real, and report what held.

An arena is built: a workspace with guarded files, a directory outside it, a process, listening sockets, secrets in
files and variables. `attempts.py` attacks it from inside; what it achieved is looked at from outside. Nothing is
claimed for what was not tried.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import select
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING

from ralph.sandbox.backends import Backend
from ralph.sandbox.confinement import FROZEN, RESERVED, Confinement, environment
from ralph.sandbox.guard import Guard
from ralph.sandbox.nursery import Nursery
from ralph.sandbox.report import Report, Row
from ralph.sandbox.survey import Kind, Sort

if TYPE_CHECKING:
    from subprocess import Popen

ATTEMPTS = Path(__file__).with_name("attempts.py")
SECONDS = 20
_SHORTAGES = frozenset({errno.ENOMEM, errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT})
LATER = (".later/config.json", ".linked/config.json")
"""Reserved files whose directories are missing too; a link may come in the place of a directory."""


def probe(
    backend: Backend, like: Confinement, base: Path, *,
    clean: Callable[[Mapping[str, str]], dict[str, str]] = environment, ready: bool = False,
    guarded: Callable[[Confinement, Sort], Guard] = Guard,
) -> Report:  # fmt: skip
    """Attack a confinement of the same kind as `like` in an arena below `base`. Takes about 0.1 s, leaves nothing.

    ready: from a child that was kept ready, and not from one that is started for it.
    guarded: as in a session, a guard prepares the confinement, and looks after it when the attack has ended and before
    anything is judged. Only where masks keep what is there: alone it would tell nothing about the backend.
    """
    import subprocess

    try:
        with _arena(like, base) as arena:
            guard = guarded(arena.given, arena.kind)
            given = guard.before()
            command = [sys.executable, "-I", "-S", str(ATTEMPTS), arena.targets()]
            env = clean({"PATH": os.defpath, "RALPH_PROBE_SECRET": arena.secrets["variable"]})
            attack = _attack_from_nursery if ready else _attack
            output, problem, fleeting = attack(backend, given, command, env)
            if backend.masks:
                guard.after()
            if "ATTEMPTS DONE" not in output:
                return Report(backend.name, problem=problem, fleeting=fleeting)
            if like.mode == "workspace" and not (given.workspace / "allowed").exists():
                return Report(backend.name, problem="the workspace cannot be written to from inside")
            return Report(backend.name, tuple(arena.rows(output)), ready=ready)
    except subprocess.TimeoutExpired as error:
        return Report(backend.name, problem=f"it did not answer within {error.timeout:g} s", fleeting=True)
    except OSError as error:
        return Report(backend.name, problem=str(error), fleeting=error.errno in _SHORTAGES)


def _attack(backend: Backend, given: Confinement, command: list[str], env: Mapping[str, str]) -> tuple[str, str, bool]:
    """What it printed, what went wrong with it, and whether it was killed, which says nothing about the next time."""
    import subprocess

    done = subprocess.run([*backend.words(given), *command], cwd=given.workspace, env=env, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, errors="replace", timeout=SECONDS, check=False)  # fmt: skip
    return done.stdout, _last_line(done.stderr) or f"exit code {done.returncode}", _killed(done.returncode)


def _attack_from_nursery(
    backend: Backend, given: Confinement, command: list[str], env: Mapping[str, str]
) -> tuple[str, str, bool]:
    if backend.nursery_words is None:
        return "", "it keeps no children ready", False
    nursery = Nursery(backend.nursery_words(given))
    try:
        child = nursery.start(command, env, given.workspace, False)
        waiting, pieces = select.poll(), []
        waiting.register(child.stdout or -1, select.POLLIN)
        while waiting.poll(SECONDS * 1000) and child.stdout and (piece := child.stdout.read(65536)):
            pieces.append(piece)
        child.kill()
        if child.stdout:
            child.stdout.close()
        output = b"".join(pieces).decode(errors="replace")
        return output, child.problem or f"exit code {child.returncode}", _killed(child.returncode)
    finally:
        nursery.close()


def _killed(code: int | None) -> bool:
    """By a signal, or one that bubblewrap passes on as a shell does."""
    return code is None or code < 0 or code > 128


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2]


@dataclass(slots=True)
class _Arena:
    """All that is attacked."""

    given: Confinement
    outside: Path
    system: Path
    private: Path
    secrets: dict[str, str]
    victim: Popen[bytes]
    tcp: socket.socket
    udp: socket.socket
    local: socket.socket

    def kind(self, directory: str, name: str) -> Kind:
        return "hidden" if Path(directory, name) in self.given.reserved else ""

    def targets(self) -> str:
        """What the attacker is told: where things are, never what is in them."""
        at = {"workspace": self.given.workspace, "scratch": self.given.scratch, "hidden": self.given.hidden[0],
              "outside": self.outside, "system": self.system, "private": self.private}  # fmt: skip
        return json.dumps({
            **{name: str(path) for name, path in at.items()}, "disk": self.outside.stat().st_dev,
            "victim": self.victim.pid, "tcp": self.tcp.getsockname()[1], "udp": self.udp.getsockname()[1],
            "local": self.local.getsockname()[1:].decode(),
        })  # fmt: skip

    def rows(self, output: str) -> Iterator[Row]:
        for name, why in self._escapes(output).items():
            if excuse := self._excuse(name):
                yield Row(name, "not applicable", excuse)
            else:
                yield Row(name, "did not hold" if why else "held", why)

    def _excuse(self, name: str) -> str:
        if name in ("tcp", "udp", "local") and self.given.network:
            return "the network is granted"
        if name == "workspace" and self.given.mode != "read-only":
            return "the workspace may be written to"
        if name == "system" and not os.access(self.system.parent, os.W_OK):
            return "this user may not write there anyway"
        return ""

    def _escapes(self, output: str) -> dict[str, str]:
        """What got through of each attempt, empty where nothing did."""
        top, git = self.given.workspace, self.given.workspace / ".git"
        written = sorted(path.name for path in self.outside.iterdir())
        made = [name for name in ("ralph.config.json", *LATER) if os.path.lexists(top / name)]
        return {
            "outside": _unless(written == ["target"], f"outside the workspace there is now: {', '.join(written)}"),
            "private": _unless(not self.private.exists(), f"{self.private} exists"),
            "system": _unless(not self.system.exists(), f"{self.system} exists"),
            "workspace": _unless(not (top / "allowed").exists(), "a file was written"),
            "links": _unless(_is(self.outside / "target", "kept\n") and "through" not in written, "it was written to"),
            "hidden": _unless(all(self.secrets[name] not in output for name in ("file", "directory")), "it was read"),
            "replace": _unless(_is(top / ".env", self.secrets["file"]) and _is(top / ".ralph/config.json", "{}")
                               and (top / ".env").stat().st_nlink == 1, "it was changed"),
            "create": _unless(not made, f"left in the workspace: {', '.join(made)}"),
            "git": _unless(_is(git / "config", "[core]\n") and not (git / "hooks/pre-commit").exists(), "changed"),
            "tcp": _unless(not _reached(self.tcp), "a connection arrived"),
            "udp": _unless(not _reached(self.udp), "a packet arrived"),
            "local": _unless(not _reached(self.local), "a connection arrived"),
            "processes": _unless(self.victim.poll() is None and "PTRACED" not in output
                                 and self.secrets["process"] not in output, "it was reached"),
            "devices": _unless("CONTROL OPENED" not in output, "one was opened"),
            "environment": _unless(self.secrets["variable"] not in output, "it was read"),
        }  # fmt: skip


@contextmanager
def _arena(like: Confinement, base: Path) -> Iterator[_Arena]:
    """Build it, and take away all of it again, also what escaped."""
    import subprocess

    token = secrets.token_hex(6)
    top = (base / f"probe-{token}").resolve()
    hidden, workspace, outside, scratch = (top / name for name in ("hidden", "workspace", "outside", "scratch"))
    known = {name: f"{name}-{secrets.token_hex(8)}" for name in ("file", "directory", "variable", "process")}
    given = replace(
        like, workspace=workspace, scratch=scratch, hidden=(hidden,),
        reserved=tuple(workspace / name for name in (*RESERVED, *LATER)),
        frozen=tuple(workspace / name for name in FROZEN),
    )  # fmt: skip
    system, private = Path(f"/etc/.ralph-probe-{token}"), Path(f"/tmp/.ralph-probe-{token}")
    with ExitStack() as leaving:
        leaving.callback(rmtree, top, ignore_errors=True)
        for path in (hidden, workspace / ".git/hooks", workspace / ".ralph", outside, scratch):
            path.mkdir(parents=True)
        (workspace / ".git/config").write_text("[core]\n")
        (workspace / ".ralph/config.json").write_text("{}")
        (workspace / ".env").write_text(known["file"])
        (workspace / "link").symlink_to(outside)
        (workspace / "plain").touch()
        (hidden / "secret").write_text(known["directory"])
        (outside / "target").write_text("kept\n")
        for path in (system, private):
            leaving.callback(path.unlink, missing_ok=True)
        environ = {"PATH": os.defpath, "S": known["process"]}
        victim = leaving.enter_context(subprocess.Popen(["sleep", "60"], env=environ))
        leaving.callback(victim.kill)
        sockets = [leaving.enter_context(_listener(*kind)) for kind in (
            (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)),
            (socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)),
            (socket.AF_UNIX, socket.SOCK_STREAM, f"\0ralph-probe-{token}"),
        )]  # fmt: skip
        yield _Arena(given, outside, system, private, known, victim, *sockets)


def _listener(family: int, kind: int, address: tuple[str, int] | str) -> socket.socket:
    listening = socket.socket(family, kind)
    listening.setblocking(False)
    listening.bind(address)
    if kind == socket.SOCK_STREAM:
        listening.listen()
    return listening


def _reached(listening: socket.socket) -> bool:
    try:
        if listening.type == socket.SOCK_DGRAM:
            return bool(listening.recv(10))
        listening.accept()[0].close()
    except BlockingIOError:
        return False
    return True


def _unless(held: bool, otherwise: str) -> str:
    return "" if held else otherwise


def _is(path: Path, content: str) -> bool:
    return path.is_file() and not path.is_symlink() and path.read_text() == content
