"""Every probe is shown to fail when the flag or mask it watches is taken away."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ralph.sandbox import landlock
from ralph.sandbox.backends import BUBBLEWRAP, LANDLOCK, NONE, Backend, landlock_words
from ralph.sandbox.confinement import Confinement
from ralph.sandbox.guard import Guard
from ralph.sandbox.probe import probe
from ralph.sandbox.report import WHAT, Report
from ralph.sandbox.survey import Sort
from tests.sandbox.needs import kind, missing, need

Change = Callable[[Confinement], Callable[[list[str]], list[str]]]
ROOT = os.getuid() == 0


def outcomes(report: Report) -> dict[str, str]:
    assert report.problem == ""
    return {row.name: row.outcome for row in report.rows}


def changed(change: Change, *, masks: bool = True) -> Backend:
    return Backend("bubblewrap", lambda given: change(given)(BUBBLEWRAP.words(given)), masks)


def without(*options: str) -> Callable[[list[str]], list[str]]:
    """Drop one option with its operands, wherever it stands; it must be there."""

    def drop(words: list[str]) -> list[str]:
        found = [at for at in range(len(words)) if tuple(words[at : at + len(options)]) == options]
        assert found, f"{options} is not in {words}"
        for at in reversed(found):
            del words[at : at + len(options)]
        return words

    return drop


def instead(old: tuple[str, ...], new: tuple[str, ...]) -> Callable[[list[str]], list[str]]:
    def swap(words: list[str]) -> list[str]:
        at = next(at for at in range(len(words)) if tuple(words[at : at + len(old)]) == old)
        return [*words[:at], *new, *words[at + len(old) :]]

    return swap


def test_everything_holds_in_bubblewrap(tmp_path: Path) -> None:
    need(BUBBLEWRAP)
    report = probe(BUBBLEWRAP, kind(tmp_path), tmp_path)
    assert {row.name for row in report.rows} == set(WHAT)
    assert [row for row in report.rows if row.outcome == "did not hold"] == []
    assert report.holds
    assert report.held >= 13
    assert [path.name for path in tmp_path.iterdir()] == ["workspace", "scratch"]


def test_everything_holds_in_read_only_mode(tmp_path: Path) -> None:
    need(BUBBLEWRAP)
    report = probe(BUBBLEWRAP, kind(tmp_path, "read-only"), tmp_path)
    assert report.holds
    assert outcomes(report)["workspace"] == "held"


def test_without_confinement_the_attacks_succeed(tmp_path: Path) -> None:
    seen = outcomes(probe(NONE, kind(tmp_path, "read-only"), tmp_path, clean=dict))
    held = {name for name, outcome in seen.items() if outcome == "held"}
    assert held <= {"devices"}  # what this user may not do anyway
    assert not Path("/tmp").joinpath("new").exists()


def test_it_cleans_up_what_escaped(tmp_path: Path) -> None:
    before = {name for place in ("/etc", "/tmp") for name in os.listdir(place) if "ralph-probe" in name}
    probe(NONE, kind(tmp_path), tmp_path)
    assert {name for place in ("/etc", "/tmp") for name in os.listdir(place) if "ralph-probe" in name} == before
    assert [path.name for path in tmp_path.iterdir()] == ["workspace", "scratch"]


@pytest.mark.parametrize(
    ("words", "fleeting"),
    [(("sh", "-c", "kill -9 $$"), True), (("sh", "-c", "exit 137"), True), (("false",), False), (("missing",), False)],
)
def test_what_was_killed_may_work_the_next_time(tmp_path: Path, words: tuple[str, ...], fleeting: bool) -> None:
    backend = Backend("bubblewrap", lambda _given: list(words), masks=False)
    report = probe(backend, kind(tmp_path), tmp_path)
    assert (report.rows, report.fleeting) == ((), fleeting)
    assert report.problem


WRITABLE_ROOT = instead(("--ro-bind", "/", "/"), ("--bind", "/", "/"))
SHARED_NETWORK = instead(("--unshare-all",), ("--unshare-all", "--share-net"))
SHARED_PROCESSES = instead(
    ("--unshare-all",), ("--unshare-user", "--unshare-ipc", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try")
)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("outside", lambda _given: WRITABLE_ROOT),
        ("links", lambda _given: WRITABLE_ROOT),
        ("private", lambda _given: WRITABLE_ROOT),
        ("hidden", lambda given: without("--tmpfs", str(given.hidden[0]))),
        ("hidden", lambda given: without("--ro-bind", "/dev/null", f"{given.workspace}/.env")),
        ("replace", lambda given: without("--ro-bind", "/dev/null", f"{given.workspace}/.env")),
        ("replace", lambda given: without("--ro-bind", "/dev/null", f"{given.workspace}/.ralph/config.json")),
        ("replace", lambda given: without("--bind", f"{given.workspace}/.ralph", f"{given.workspace}/.ralph")),
        ("git", lambda given: without("--ro-bind", *[f"{given.workspace}/.git/hooks"] * 2)),
        ("git", lambda given: without("--ro-bind", *[f"{given.workspace}/.git/config"] * 2)),
        ("git", lambda given: without("--bind", *[f"{given.workspace}/.git"] * 2)),
        ("tcp", lambda _given: SHARED_NETWORK),
        ("udp", lambda _given: SHARED_NETWORK),
        ("local", lambda _given: SHARED_NETWORK),
        ("processes", lambda _given: SHARED_PROCESSES),
    ],
)
def test_a_probe_notices_when_its_mask_is_removed(tmp_path: Path, name: str, change: Change) -> None:
    need(BUBBLEWRAP)
    mutilated = changed(lambda given: lambda words: change(given)(_without_remounts(words)))
    report = probe(mutilated, kind(tmp_path), tmp_path)
    assert outcomes(report)[name] == "did not hold"
    assert not report.holds


def _without_remounts(words: list[str]) -> list[str]:
    """They come last and fail when the mount they belong to is the one taken away."""
    for path in [words[at + 1] for at, word in enumerate(words) if word == "--remount-ro"]:
        words = without("--remount-ro", path)(words)
    return words


def test_hidden_directories_cannot_be_filled(tmp_path: Path) -> None:
    """What the remounts are for: a file put into the empty directory would look like the protected one."""
    need(BUBBLEWRAP)
    given = kind(tmp_path)
    (tmp_path / "home").mkdir()
    given = replace(given, hidden=(tmp_path / "home",))
    touch = ["sh", "-c", f"touch {tmp_path}/home/file && echo written"]
    plain = subprocess.run([*BUBBLEWRAP.words(given), *touch], capture_output=True, text=True, check=False)
    assert plain.stdout == ""
    open_words = _without_remounts(BUBBLEWRAP.words(given))
    assert subprocess.run([*open_words, *touch], capture_output=True, text=True, check=False).stdout == "written\n"


def test_system_probe(tmp_path: Path) -> None:
    need(BUBBLEWRAP)
    if not os.access("/etc", os.W_OK):
        pytest.skip("this user may not write to /etc, so the probe does not apply")
    assert outcomes(probe(changed(lambda _given: WRITABLE_ROOT), kind(tmp_path), tmp_path))["system"] == "did not hold"


def test_private_probe(tmp_path: Path) -> None:
    """An emptied /tmp keeps files in even where the rest could be written to."""
    need(BUBBLEWRAP)
    given = replace(kind(tmp_path), private=(Path("/tmp"),))
    assert outcomes(probe(changed(lambda _given: WRITABLE_ROOT), given, tmp_path))["private"] == "held"
    both = changed(lambda _given: lambda words: WRITABLE_ROOT(without("--tmpfs", "/tmp")(words)))
    assert outcomes(probe(both, given, tmp_path))["private"] == "did not hold"


def test_workspace_probe(tmp_path: Path) -> None:
    need(BUBBLEWRAP)

    def writable(given: Confinement) -> Callable[[list[str]], list[str]]:
        place = str(given.workspace)
        return instead(("--ro-bind", place, place), ("--bind", place, place))

    report = probe(changed(writable), kind(tmp_path, "read-only"), tmp_path)
    assert outcomes(report)["workspace"] == "did not hold"


class Idle(Guard):
    """Prepares a confinement and never looks after it."""

    def after(self) -> str:
        return ""


def test_create_probe_without_a_guard(tmp_path: Path) -> None:
    need(BUBBLEWRAP)
    (row,) = (row for row in probe(BUBBLEWRAP, kind(tmp_path), tmp_path, guarded=Idle).rows if row.name == "create")
    assert row.outcome == "did not hold"
    assert row.detail == "left in the workspace: ralph.config.json, .later/config.json, .linked/config.json"


@pytest.mark.parametrize("name", ["ralph.config.json", ".later/config.json", ".linked/config.json"])
@pytest.mark.parametrize("ready", [False, True])
def test_create_probe_with_a_guard_that_does_not_know_one_name(tmp_path: Path, name: str, *, ready: bool) -> None:
    need(BUBBLEWRAP)

    def blind(given: Confinement, sort: Sort) -> Guard:
        others = tuple(path for path in given.reserved if path != given.workspace / name)
        return Guard(
            replace(given, reserved=others),
            lambda place, entry: "" if f"{place}/{entry}" == f"{given.workspace}/{name}" else sort(place, entry),
        )

    like = replace(kind(tmp_path), private=()) if ready else kind(tmp_path)
    report = probe(BUBBLEWRAP, like, tmp_path, ready=ready, guarded=blind)
    assert [row for row in report.rows if row.outcome == "did not hold"] == [
        ("create", "did not hold", f"left in the workspace: {name}")
    ]


def test_devices_probe(tmp_path: Path) -> None:
    need(BUBBLEWRAP)
    if not any(path.is_block_device() and os.access(path, os.R_OK) for path in Path("/dev").iterdir()):
        pytest.skip("this user can read no disk, so there is nothing to leave open")
    real = changed(lambda _given: instead(("--dev", "/dev"), ("--dev-bind", "/dev", "/dev")))
    assert outcomes(probe(real, kind(tmp_path), tmp_path))["devices"] == "did not hold"


def test_kernel_controls_probe(tmp_path: Path) -> None:
    need(BUBBLEWRAP)
    if not os.access("/proc/sys/kernel/core_pattern", os.W_OK):
        pytest.skip("this user may not set the kernel's controls anyway")
    bare = changed(lambda _given: without("--ro-bind-try", "/proc/sys", "/proc/sys"))
    assert outcomes(probe(bare, kind(tmp_path), tmp_path))["devices"] == "did not hold"


def test_environment_probe(tmp_path: Path) -> None:
    need(BUBBLEWRAP)
    report = probe(BUBBLEWRAP, kind(tmp_path), tmp_path, clean=dict)
    assert outcomes(report)["environment"] == "did not hold"


def test_a_granted_network_is_not_called_held(tmp_path: Path) -> None:
    need(BUBBLEWRAP)
    seen = outcomes(probe(BUBBLEWRAP, kind(tmp_path, network=True), tmp_path))
    assert {seen[name] for name in ("tcp", "udp", "local")} == {"not applicable"}


def test_landlock_says_what_it_cannot_do(tmp_path: Path) -> None:
    need(LANDLOCK)
    report = probe(LANDLOCK, kind(tmp_path), tmp_path)
    broken = {row.name for row in report.rows if row.outcome == "did not hold"}
    assert {"hidden", "replace", "create", "git"} <= broken
    if landlock.abi() >= 6:
        assert broken == {"hidden", "replace", "create", "git"}
    assert not report.holds


@pytest.mark.parametrize("name", ["tcp", "udp"])
def test_landlock_network_probe(tmp_path: Path, name: str) -> None:
    need(LANDLOCK)

    def open_words(given: Confinement) -> list[str]:
        return landlock_words([given.workspace, given.scratch], network=True)

    assert outcomes(probe(LANDLOCK._replace(words=open_words), kind(tmp_path), tmp_path))[name] == "did not hold"


def test_landlock_outside_probe(tmp_path: Path) -> None:
    need(LANDLOCK)
    wide = LANDLOCK._replace(words=lambda given: landlock_words([given.workspace.parent], network=False))
    seen = outcomes(probe(wide, kind(tmp_path), tmp_path))
    assert (seen["outside"], seen["links"]) == ("did not hold", "did not hold")


@pytest.mark.parametrize("words", [["/no/such/program"], ["false"], ["bwrap", "--no-such-option"]])
def test_a_backend_that_does_not_work_is_a_problem_not_a_claim(tmp_path: Path, words: list[str]) -> None:
    report = probe(Backend("broken", lambda _given: words, masks=True), kind(tmp_path), tmp_path)
    assert report.problem
    assert not report.rows
    assert not report.holds


def test_a_sandbox_in_which_nothing_can_be_done_is_a_problem(tmp_path: Path) -> None:
    need(BUBBLEWRAP)

    def closed(given: Confinement) -> Callable[[list[str]], list[str]]:
        place = str(given.workspace)
        return instead(("--bind", place, place), ("--ro-bind", place, place))

    assert "cannot be written" in probe(changed(closed), kind(tmp_path), tmp_path).problem


def test_a_base_that_cannot_be_written_to_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert probe(NONE, kind(tmp_path), tmp_path / "file").problem


def test_as_an_ordinary_user(tmp_path: Path) -> None:
    """As root some things hold or fail for other reasons; most people are not root."""
    if not ROOT:
        pytest.skip("these tests already run as an ordinary user")
    need(BUBBLEWRAP)
    package = Path(__file__).resolve().parents[2]
    python = next((path for path in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3")
                   if Path(path).exists() and _usable(path)), None)  # fmt: skip
    if python is None:
        missing("no Python of version 3.11 or later that user 65534 may run")
    base = Path(os.path.realpath(subprocess.check_output(["mktemp", "-d"], text=True).strip()))
    code = (
        "import pathlib, sys; from dataclasses import replace; from ralph.sandbox.confinement import confine;"
        "from ralph.sandbox.probe import probe; from ralph.sandbox.backends import BUBBLEWRAP;"
        "base = pathlib.Path(sys.argv[1]); given = replace(confine('workspace', base, base), private=());"
        "reports = [probe(BUBBLEWRAP, given, base, ready=ready) for ready in (False, True)];"
        "print(reports, all(report.holds for report in reports))"
    )
    try:
        base.chmod(0o777)
        environ = {"PYTHONPATH": str(package), "PYTHONDONTWRITEBYTECODE": "1", "PATH": os.defpath}
        done = subprocess.run([python, "-W", "error", "-c", code, str(base)], env=environ, user=65534, group=65534,
                              extra_groups=[], cwd="/", capture_output=True, text=True, check=False)  # fmt: skip
    finally:
        shutil.rmtree(base)
    assert done.stdout.split()[-1:] == ["True"], done.stdout + done.stderr


def _usable(python: str) -> bool:
    try:
        words = [python, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
        done = subprocess.run(
            words, user=65534, group=65534, extra_groups=[], cwd="/", capture_output=True, check=False
        )
    except OSError:
        return False
    return done.returncode == 0
