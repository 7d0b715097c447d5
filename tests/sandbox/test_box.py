"""A session's sandbox in use: what is chosen, remembered, said, started and cleaned up."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ralph.core.tools import Context
from ralph.sandbox.backends import BUBBLEWRAP, LANDLOCK, NONE
from ralph.sandbox.box import REMEMBERED, REMEMBERED_PRIVATE, Sandbox, open_sandbox
from ralph.sandbox.confinement import confine
from ralph.sandbox.report import Report, Row, to_json
from ralph.tools.process import run
from ralph.tools.python import Interpreter, python_tool
from tests.sandbox.needs import kind, need

HELD = Report("bubblewrap", (Row("outside", "held"), Row("udp", "not applicable", "granted")))


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Sandbox]:
    need(BUBBLEWRAP)
    home = tmp_path / "home"
    home.mkdir()
    (home / "trust.json").write_text("home-secret")
    (tmp_path / "home/scratch").mkdir()
    given = replace(kind(tmp_path), scratch=home / "scratch", hidden=(home,))
    sandbox = Sandbox(given, BUBBLEWRAP, HELD)
    yield sandbox
    sandbox.close()


def inside(sandbox: Sandbox, command: str, *, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    launched = sandbox.launch(["bash", "-c", command], {"PATH": os.environ["PATH"], **(env or {})})
    return subprocess.run(launched.argv, env=dict(launched.env), cwd=sandbox.given.workspace,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)  # fmt: skip


def test_ordinary_work_is_possible(box: Sandbox) -> None:
    command = (
        "pwd; echo hi > file; mkdir -p a/b && mv file a/b/file && cat a/b/file; echo s > $S/x; echo t > /var/tmp/t;"
        "git init -q . 2>&1 && git status --short | head -1; echo $? > /dev/null; python3 -c 'print(6*7)'"
    )
    done = inside(box, command.replace("$S", str(box.given.scratch)))
    assert done.stdout.splitlines() == [str(box.given.workspace), "hi", "?? a/", "42"]
    assert done.stderr == ""
    assert (box.given.scratch / "x").read_text() == "s\n"


def test_files_of_the_person_are_out_of_reach(box: Sandbox) -> None:
    (box.given.workspace / ".env").write_text("KEY=env-secret")
    done = inside(
        box,
        f"cat .env; cat {box.given.hidden[0]}/trust.json; echo x > {box.given.hidden[0]}/new; cp .env copy; mv .env b",
    )
    assert "secret" not in done.stdout
    assert (box.given.workspace / ".env").read_text() == "KEY=env-secret"
    assert not (box.given.hidden[0] / "new").exists()
    assert not (box.given.workspace / "b").exists()


def test_it_works_where_the_home_lies_in_the_workspace(tmp_path: Path) -> None:
    """Somebody who starts Ralph in their home directory."""
    need(BUBBLEWRAP)
    scratch = tmp_path / ".local/ralph/scratch"
    scratch.mkdir(parents=True)
    (tmp_path / ".local/ralph/trust.json").write_text("home-secret")
    given = replace(confine("workspace", tmp_path, scratch, hidden=[tmp_path / ".local/ralph"]), private=())
    sandbox = Sandbox(given, BUBBLEWRAP, HELD)
    done = inside(sandbox, f"cat .local/ralph/trust.json; echo x > {scratch}/x; echo y > y; ls .local/ralph")
    sandbox.close()
    assert done.stdout == "scratch\n"
    assert (scratch / "x").exists()
    assert (tmp_path / "y").exists()


def test_the_interpreter_stays_readable_in_an_emptied_directory(tmp_path: Path) -> None:
    need(BUBBLEWRAP)
    venv = tmp_path / "emptied/venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin/tool").write_text("here")
    given = replace(kind(tmp_path), private=(tmp_path / "emptied",), needed=(venv,))
    sandbox = Sandbox(given, BUBBLEWRAP, HELD)
    assert inside(sandbox, f"cat {venv}/bin/tool; ls {tmp_path}/emptied").stdout == "herevenv\n"
    sandbox.close()


def test_the_environment_is_reduced(box: Sandbox) -> None:
    done = inside(box, "env", env={"OPENAI_API_KEY": "key", "HOME": "/h"})
    assert "key" not in done.stdout
    assert "HOME=/h" in done.stdout


def test_a_network_when_granted(tmp_path: Path) -> None:
    need(BUBBLEWRAP)
    with subprocess.Popen([sys.executable, "-m", "http.server", "0", "--bind", "127.0.0.1"], cwd=tmp_path,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                          env={**os.environ, "PYTHONUNBUFFERED": "1"}) as server:  # fmt: skip
        assert server.stdout is not None
        port = server.stdout.readline().split("port ")[1].split()[0]
        try:
            for network, wanted in ((True, 0), (False, 1)):
                sandbox = Sandbox(kind(tmp_path, network=network), BUBBLEWRAP, HELD)
                assert inside(sandbox, f": < /dev/tcp/127.0.0.1/{port}").returncode == wanted
                sandbox.close()
        finally:
            server.kill()


def test_children_die_with_whoever_started_them(box: Sandbox) -> None:
    mark = f"61.{os.getpid()}"
    argv = json.dumps(list(box.launch(["sleep", mark], {"PATH": os.environ["PATH"]}).argv))
    starter = subprocess.Popen([sys.executable, "-c", f"import subprocess; subprocess.run({argv})"])
    assert _within(5, lambda: bool(_named(mark)))
    starter.kill()
    starter.wait()
    assert _within(5, lambda: not _named(mark))


def _within(seconds: float, happened: Any) -> bool:
    end = time.monotonic() + seconds
    while not happened() and time.monotonic() < end:
        time.sleep(0.01)
    return bool(happened())


def _named(word: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[:2] == [b"sleep", word.encode()]:
            found.append(path.parent.name)
    return found


@pytest.mark.parametrize("how", ["timeout", "cancel"])
def test_a_confined_command_ends_whole(box: Sandbox, how: str) -> None:
    mark = f"62.{os.getpid()}{len(how)}"
    launched = box.launch(["bash", "-c", f"echo on; setsid sleep {mark} & sleep {mark}"], {"PATH": os.environ["PATH"]})

    async def whole() -> None:
        task = asyncio.create_task(run(
            launched.argv, cwd=box.given.workspace, env=launched.env, timeout=0.3 if how == "timeout" else 9,
            scratch=box.given.scratch, say=lambda _text: None,
        ))  # fmt: skip
        if how == "timeout":
            ended = await task
            assert (ended.stdout, ended.timed_out) == ("on\n", True)
        else:
            await asyncio.sleep(0.2)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(whole())
    assert _within(2, lambda: not _named(mark))


def test_exit_codes_and_signals_pass_through(box: Sandbox) -> None:
    assert inside(box, "exit 7").returncode == 7
    assert inside(box, "kill -SEGV $$").returncode == 128 + signal.SIGSEGV


def test_the_python_tool_inside(box: Sandbox) -> None:
    interpreter = Interpreter(box.launch)
    tool = python_tool(interpreter)
    ctx = Context("c", box.given.workspace, box.given.scratch, {"PATH": os.environ["PATH"]})

    async def ask(code: str) -> dict[str, Any]:
        result: dict[str, Any] = json.loads((await tool.perform({"code": code}, ctx)).text)
        return result

    async def whole() -> None:
        try:
            assert (await ask("x = 1; open('made', 'w').write('yes')"))["success"]
            assert (await ask("x"))["stdout"] == "1\n"
            refused = await ask(f"open({str(box.given.workspace.parent / 'outside')!r}, 'w')")
            assert "OSError" in refused["exception"]
            assert "sandbox" in refused["sandbox"]
            assert "sandbox" not in await ask("1/0")
            offline = await ask("import socket; socket.create_connection(('198.51.100.1', 9), 1)")
            assert "Network is unreachable" in offline["exception"]
            assert "no network" in offline["sandbox"]
            (box.given.workspace / ".env").write_text("KEY=env-secret")
            again = await ask("open('.env').read()")
            assert "secret" not in json.dumps(again)
            assert "protected file changed" in again["note"]
        finally:
            await interpreter.close()

    asyncio.run(whole())
    assert (box.given.workspace / "made").read_text() == "yes"


def test_a_child_that_dies_inside_says_so(box: Sandbox) -> None:
    interpreter = Interpreter(box.launch)
    ctx = Context("c", box.given.workspace, box.given.scratch, {"PATH": os.environ["PATH"]})

    async def whole() -> None:
        result = await interpreter.run("import os; os.kill(os.getpid(), 11)", 9, ctx)
        assert "exit code 139" in result["exception"]
        await interpreter.close()

    asyncio.run(whole())


def test_the_outcome_is_remembered_and_asked_again_on_request(tmp_path: Path) -> None:
    need(BUBBLEWRAP)
    given = kind(tmp_path)
    first = open_sandbox(given, tmp_path)
    assert first.backend is BUBBLEWRAP
    assert first.holds
    key = (tmp_path / REMEMBERED_PRIVATE).read_text().partition("\n")[0]
    forged = Report("bubblewrap", (Row("outside", "did not hold", "changed by the test"),))
    (tmp_path / REMEMBERED_PRIVATE).write_text(f"{key}\n{to_json(forged)}")
    assert not open_sandbox(given, tmp_path).holds
    assert open_sandbox(given, tmp_path, again=True).holds
    assert open_sandbox(given, tmp_path).holds
    assert open_sandbox(replace(given, network=True), tmp_path).report != first.report


def test_both_kinds_of_a_session_are_remembered(tmp_path: Path) -> None:
    need(BUBBLEWRAP)
    private = kind(tmp_path)
    shared = replace(private, private=())
    reports = [open_sandbox(given, tmp_path).report for given in (private, shared)]
    assert [report.ready for report in reports] == [False, True]  # a /tmp of its own is for one child only
    for name in (REMEMBERED, REMEMBERED_PRIVATE):
        text = (tmp_path / name).read_text()
        (tmp_path / name).write_text(text.replace('"held"', '"did not hold"'))
    assert [open_sandbox(given, tmp_path).holds for given in (private, shared)] == [False, False]


@pytest.mark.parametrize(
    "junk", ["", "[]", "{}", '["bubblewrap", [["new", "held", ""]], "", false, false]', "[1, [[]], 2]", "\udcff"]
)
def test_a_broken_memory_is_made_again(tmp_path: Path, junk: str) -> None:
    need(BUBBLEWRAP)
    open_sandbox(kind(tmp_path), tmp_path)
    key = (tmp_path / REMEMBERED_PRIVATE).read_text().partition("\n")[0]
    (tmp_path / REMEMBERED_PRIVATE).write_bytes(f"{key}\n{junk}".encode("utf-8", "surrogateescape"))
    assert open_sandbox(kind(tmp_path), tmp_path).holds


def test_a_session_that_remembers_loads_little(tmp_path: Path) -> None:
    """What probes is loaded in the probe's process only."""
    heavy = {"ctypes", "subprocess", "ralph.sandbox.probe"}
    code = f"import sys, ralph.sandbox.box; print(sorted({heavy} & set(sys.modules)))"
    root = str(Path(__file__).resolve().parents[2])
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_home_that_cannot_be_written_to(tmp_path: Path) -> None:
    need(BUBBLEWRAP)
    sandbox = open_sandbox(kind(tmp_path), tmp_path / "missing")
    assert sandbox.holds


def test_without_bubblewrap_it_is_landlock_or_nothing(tmp_path: Path) -> None:
    need(LANDLOCK)
    code = (
        "import pathlib, sys; from ralph.sandbox.confinement import confine;"
        "from ralph.sandbox.box import open_sandbox;"
        "here = pathlib.Path(sys.argv[1]); (here / 'w').mkdir();"
        "print(open_sandbox(confine('workspace', here / 'w', here / 's'), here).state())"
    )
    root = str(Path(__file__).resolve().parents[2])
    env = {"PATH": str(tmp_path), "PYTHONPATH": root}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("landlock: workspace, network off, ")
    assert "(not: hidden, replace, create, git" in done.stdout


def test_a_probe_that_was_killed_is_not_remembered_and_said(tmp_path: Path) -> None:
    killed = tmp_path / "bwrap"
    killed.write_text("#!/bin/sh\nkill -9 $$\n")
    killed.chmod(0o755)
    code = (
        "import pathlib, sys; from ralph.sandbox.confinement import confine;"
        "from ralph.sandbox.box import open_sandbox;"
        "here = pathlib.Path(sys.argv[1]); (here / 'w').mkdir();"
        "print(open_sandbox(confine('workspace', here / 'w', here / 's'), here).state())"
    )
    env = {"PATH": str(tmp_path), "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    line = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(line, env=env, capture_output=True, text=True, check=True)
    assert "the next start tries again" in done.stdout
    assert not (tmp_path / REMEMBERED_PRIVATE).exists()


def test_off_is_off(tmp_path: Path) -> None:
    sandbox = open_sandbox(kind(tmp_path, "off"), tmp_path)
    assert (sandbox.state(), sandbox.holds, sandbox.backend) == ("off", False, NONE)
    assert sandbox.launch(["a"], {"K": "v"}).argv == ("a",)
    assert not (tmp_path / REMEMBERED_PRIVATE).exists()


def test_the_whole_file_system_is_no_workspace(tmp_path: Path) -> None:
    sandbox = open_sandbox(replace(kind(tmp_path), workspace=Path("/")), tmp_path)
    assert not sandbox.holds
    assert "whole file system" in sandbox.state()


@pytest.mark.parametrize(
    ("report", "state"),
    [
        (HELD, "bubblewrap: workspace, network off, 1/1 probes held"),
        (Report("bubblewrap", (Row("outside", "held"), Row("git", "did not hold", "x"))),
         "bubblewrap: workspace, network off, 1/2 probes held (not: git)"),
    ],
)  # fmt: skip
def test_what_is_said(tmp_path: Path, report: Report, state: str) -> None:
    sandbox = Sandbox(kind(tmp_path), BUBBLEWRAP, report)
    assert sandbox.state() == state
    facts = sandbox.facts()
    assert json.loads(json.dumps(facts)) == facts
    assert (facts["held"], facts["holds"]) == (1, report is HELD)


def test_nothing_works_is_said(tmp_path: Path) -> None:
    sandbox = Sandbox(kind(tmp_path), NONE, Report("none", problem="bubblewrap: no permission"))
    assert sandbox.state() == "none: bubblewrap: no permission"
    assert not sandbox.holds


def test_landlock_in_use(tmp_path: Path) -> None:
    need(LANDLOCK)
    sandbox = Sandbox(kind(tmp_path), LANDLOCK, Report("landlock"))
    done = inside(sandbox, "echo hi > file && cat file; mktemp >/dev/null && echo temp; echo x > ../outside; exit 5")
    assert done.stdout == "hi\ntemp\n"
    assert done.returncode == 5
    assert not (tmp_path / "outside").exists()
    assert not (sandbox.given.workspace / ".env").exists()
    assert sandbox.launch(["x"], {}).ended("bash: x: Permission denied")
