"""What a child may not leave in the workspace, and what it may not read although it came later than the session."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ralph.core.tools import Context
from ralph.policy.sensitive import runs_later
from ralph.rulebook import RUN_BY_GIT, RUN_LATER, kind_of
from ralph.sandbox.backends import BUBBLEWRAP
from ralph.sandbox.box import Sandbox
from ralph.sandbox.confinement import FROZEN, RESERVED, Confinement
from ralph.sandbox.guard import Guard, withhold
from ralph.sandbox.report import Report
from ralph.tools.python import Interpreter
from tests.sandbox.needs import READY, kind, need, wait_until_ready

NOT_READY = Report("bubblewrap")
ENV = {"PATH": os.environ["PATH"]}


def short(tmp_path: Path) -> Confinement:
    """For commands, of which nothing is left when they have ended."""
    return replace(kind(tmp_path), private=())


def boxed(given: Confinement, report: Report = NOT_READY) -> Sandbox:
    need(BUBBLEWRAP)
    return Sandbox(given, BUBBLEWRAP, report, Guard(given, kind_of))


@contextmanager
def python(tmp_path: Path) -> Iterator[tuple[Path, Callable[[str], dict[str, Any]]]]:
    """The workspace, and the `python` tool in its sandbox as a function of the code."""
    box = boxed(kind(tmp_path))
    interpreter = Interpreter(box.launch)
    ctx = Context("c", box.given.workspace, box.given.scratch, ENV)
    with asyncio.Runner() as runner:
        try:
            yield box.given.workspace, lambda code: runner.run(interpreter.run(code, 9, ctx))
        finally:
            runner.run(interpreter.close())
            box.close()


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Sandbox]:
    sandbox = boxed(short(tmp_path))
    yield sandbox
    sandbox.close()


def sh(box: Sandbox, command: str) -> tuple[str, str]:
    """What it printed, and what the model is told besides."""
    launched = box.launch(["bash", "-c", command], ENV)
    done = subprocess.run(launched.argv, env=dict(launched.env), cwd=box.given.workspace, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)  # fmt: skip
    return done.stdout, launched.ended("")


def tree(top: Path) -> list[str]:
    return sorted(str(path.relative_to(top)) for path in top.rglob("*") if not path.is_dir())


def test_a_command_sees_the_workspace_as_it_is(box: Sandbox) -> None:
    (box.given.workspace / "file").touch()
    assert sh(box, "ls -A; echo done") == ("file\ndone\n", "")
    assert [path.name for path in box.given.workspace.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "name",
    [".env", ".env.local", "ralph.config.json", ".ralph/config.json", ".envrc", "deep/er/.envrc", ".github/workflows/x",
     ".mcp.json", ".vscode/tasks.json", ".git/hooks/pre-commit", "sub/.git/config", "sitecustomize.py", "AGENTS.md"],
)  # fmt: skip
def test_what_runs_later_is_moved_out_of_the_way_and_said(box: Sandbox, name: str) -> None:
    _, told = sh(box, f"mkdir -p $(dirname {name}) && echo evil > {name}; echo fine > good")
    assert tree(box.given.workspace) == ["good"]
    (moved,) = box.given.scratch.glob("held-back-*")
    (found,) = (path for path in moved.rglob("*") if path.is_file())
    assert found.read_text() == "evil\n"
    assert str(moved) in told
    assert "still there" not in told
    assert "write_file" in told
    assert sh(box, "true") == ("", "")


def test_the_person_is_told_too(tmp_path: Path) -> None:
    need(BUBBLEWRAP)
    given, told = short(tmp_path), list[str]()
    box = Sandbox(given, BUBBLEWRAP, NOT_READY, Guard(given, kind_of, tell=told.append))
    sh(box, "touch good")
    assert told == []
    sh(box, "touch .envrc")
    box.close()
    assert len(told) == 1
    assert told[0].startswith("moved out of the workspace: .envrc (now ")


def test_what_the_person_made_stays_and_is_guarded_from_then_on(box: Sandbox) -> None:
    place = box.given.workspace
    assert sh(box, "true") == ("", "")
    (place / "sub").mkdir()
    (place / "sub/.env").write_text("KEY=env-secret")
    (place / "sub/.envrc").write_text("mine")
    said, told = sh(box, "cat sub/.env sub/.envrc; echo evil > sub/.envrc; mv sub/.envrc sub/x; rm -f sub/.envrc")
    assert "secret" not in said
    assert "mine" in said
    assert told == ""
    assert (place / "sub/.envrc").read_text() == "mine"
    assert (place / "sub/.env").read_text() == "KEY=env-secret"


def test_hooks_of_a_repository_within_are_out_of_reach(box: Sandbox) -> None:
    repository = box.given.workspace / "sub"
    repository.mkdir()
    subprocess.run(["git", "init", "-q", str(repository)], check=True)
    config = (repository / ".git/config").read_text()
    (repository / "file").touch()
    said, told = sh(box, "cd sub; echo x >> .git/config; echo x > .git/hooks/pre-commit; git add file && git status -s")
    assert "A  file" in said
    assert told == ""
    assert (repository / ".git/config").read_text() == config
    assert not (repository / ".git/hooks/pre-commit").exists()
    sh(box, "cd sub; mv .git aside; mkdir -p .git/hooks; echo x > .git/hooks/pre-commit; echo x > .git/config")
    assert not (repository / ".git").exists()


def test_a_change_of_the_set_needs_new_children(tmp_path: Path) -> None:
    box = boxed(short(tmp_path), READY)
    wait_until_ready(box)
    (box.given.workspace / "sub").mkdir()
    assert box.launch(["true"], ENV).start is not None
    (box.given.workspace / "sub/.env").write_text("x")
    assert box.launch(["true"], ENV).start is None
    box.close()


def test_what_an_interrupted_child_made_is_taken_away_before_the_next(box: Sandbox) -> None:
    box.launch(["true"], ENV)
    (box.given.workspace / ".envrc").write_text("made by a child nobody waited for")
    assert "held-back" in sh(box, "true")[1]
    box.launch(["true"], ENV)
    (box.given.workspace / ".envrc").write_text("made by the last")
    box.close()
    assert tree(box.given.workspace) == []


def test_an_empty_directory_is_left_and_stays_empty(box: Sandbox) -> None:
    (box.given.workspace / ".github").mkdir()
    assert sh(box, "mkdir .vscode; echo x > .github/x")[1] == ""
    assert sh(box, "echo x > .vscode/tasks.json")[1] == ""
    assert tree(box.given.workspace) == []
    assert sorted(path.name for path in box.given.workspace.iterdir()) == [".github", ".vscode"]


def test_read_only_mode_takes_nothing_away(tmp_path: Path) -> None:
    box = boxed(replace(short(tmp_path), mode="read-only"))
    launched = box.launch(["true"], ENV)
    (box.given.workspace / ".envrc").write_text("by the person")
    assert launched.ended("") == ""
    assert "KEY" not in sh(box, "true; cat .envrc")[0]
    assert tree(box.given.workspace) == [".envrc"]


def test_the_python_tool(tmp_path: Path) -> None:
    box = boxed(kind(tmp_path))
    interpreter = Interpreter(box.launch)
    place = box.given.workspace
    (place / "sub").mkdir()
    ctx = Context("c", place, box.given.scratch, ENV)

    async def whole() -> None:
        try:
            made = await interpreter.run("x = 1; open('.envrc', 'w').write('evil'); open('good', 'w').close()", 9, ctx)
            assert (made["success"], "held-back" in made["sandbox"]) == (True, True)
            again = await interpreter.run("print(x)", 9, ctx)
            assert (again["stdout"], "note" in again, "sandbox" in again) == ("1\n", False, False)
            (place / "sub/.env").write_text("KEY=env-secret")
            after = await interpreter.run("print(open('sub/.env').read())", 9, ctx)
            assert "secret" not in str(after)
            assert "protected file changed" in after["note"]
        finally:
            await interpreter.close()
            box.close()

    asyncio.run(whole())
    assert tree(place) == ["good", "sub/.env"]


def test_python_leaves_the_workspace_as_it_is(tmp_path: Path) -> None:
    with python(tmp_path) as (place, run):
        (place / ".git").mkdir()
        (place / "file").touch()
        seen = run("import os; print(sorted(os.listdir()), os.listdir('.git'))")["stdout"]
        assert seen == "['.git', 'file'] []\n"
        assert sorted(map(str, place.rglob("*"))) == [f"{place}/.git", f"{place}/file"]
        assert run("import os; x = 1")["success"]
    assert sorted(map(str, place.rglob("*"))) == [f"{place}/.git", f"{place}/file"]


def test_the_person_sees_no_change_while_python_runs(tmp_path: Path) -> None:
    box = boxed(kind(tmp_path))
    interpreter = Interpreter(box.launch)
    ctx = Context("c", box.given.workspace, box.given.scratch, ENV)

    async def whole() -> None:
        try:
            call = asyncio.create_task(interpreter.run("import time; open('on', 'w'); time.sleep(0.3)", 9, ctx))
            while not (box.given.workspace / "on").exists():
                await asyncio.sleep(0.01)
            assert not call.done()
            assert os.listdir(box.given.workspace) == ["on"]
            assert (await call)["success"]
        finally:
            await interpreter.close()
            box.close()

    asyncio.run(whole())


@pytest.mark.parametrize("name", [".env", "ralph.config.json", ".ralph/config.json"])
def test_the_person_makes_a_protected_file_while_an_interpreter_lives(tmp_path: Path, name: str) -> None:
    with python(tmp_path) as (place, run):
        assert run("x = 1")["success"]
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_text("KEY=env-secret")
        after = run(f"print('x' in globals(), open({name!r}).read())")
        assert "PermissionError" in after["exception"]
        assert "secret" not in str(after)
        assert "variables and imports are gone: a protected file changed" in after["note"]
        assert run("x = 2; x")["stdout"] == "2\n"
        (place / "plain").touch()
        assert run("x")["stdout"] == "2\n"
        assert (place / name).read_text() == "KEY=env-secret"


@pytest.mark.parametrize("name", [".env", "ralph.config.json", ".ralph/config.json", ".git/hooks/pre-commit"])
def test_python_makes_a_protected_file(tmp_path: Path, name: str) -> None:
    with python(tmp_path) as (place, run):
        (place / ".git").mkdir()
        made = run(f"import os; os.makedirs(os.path.dirname({name!r}) or '.', exist_ok=True)\n"
                   f"open({name!r}, 'w').write('evil'); print(open({name!r}).read())")  # fmt: skip
        assert made["stdout"] == "evil\n"  # there while the call lasts
        assert "held-back" in made["sandbox"]
        assert tree(place) == []
        (moved,) = (path for path in (tmp_path / "scratch").glob("held-back-*/**/*") if path.is_file())
        assert moved.read_text() == "evil"
        assert run("1")["success"]


def test_variables_outlive_a_protected_file_that_was_moved(tmp_path: Path) -> None:
    with python(tmp_path) as (place, run):
        assert "held-back" in run("x = 1; open('.env', 'w').close(); open('ralph.config.json', 'w').close()")["sandbox"]
        assert os.listdir(place) == []
        again = run("x")
        assert (again["stdout"], "note" in again, "sandbox" in again) == ("1\n", False, False)


@pytest.mark.parametrize("made", ["os.mkdir('aside')", "os.mkdir('aside'); open('aside/config.json', 'w').close()"])
def test_a_link_to_where_a_protected_file_may_lie_is_moved(tmp_path: Path, made: str) -> None:
    with python(tmp_path) as (place, run):
        told = run(f"import os; {made}; os.symlink('aside', '.ralph')")
        assert ".ralph (now " in told["sandbox"]
        assert not os.path.lexists(place / ".ralph")


def test_two_interpreters_in_one_workspace(tmp_path: Path) -> None:
    with python(tmp_path) as (place, run):
        assert run("x = 1")["success"]
        with python(tmp_path) as (_, other):
            assert other("y = 2")["success"]
            assert run("x")["stdout"] == "1\n"
            assert other("y")["stdout"] == "2\n"
        again = run("x")
        assert (again["stdout"], "note" in again) == ("1\n", False)
        assert os.listdir(place) == []


LATER = """
import subprocess, sys, threading, time
def write(name):
    time.sleep(0.3)
    open(name, "w").write("evil")
threading.Thread(target=write, args=(".envrc",)).start()
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(0.3); open('.mcp.json', 'w')"], start_new_session=True)
"""


def test_what_the_python_tool_left_running_waits_for_its_next_call(tmp_path: Path) -> None:
    box = boxed(kind(tmp_path))
    interpreter = Interpreter(box.launch)
    place = box.given.workspace
    ctx = Context("c", place, box.given.scratch, ENV)

    async def whole() -> None:
        try:
            assert (await interpreter.run(LATER, 9, ctx))["success"]
            await asyncio.sleep(0.6)
            assert tree(place) == []
            (place / ".vscode").mkdir()
            (place / ".vscode/mine").touch()
            again = await interpreter.run("time.sleep(0.4)", 9, ctx)
            assert again["success"] or "NameError" in again["exception"]
            assert ".vscode" not in again.get("sandbox", "")
        finally:
            await interpreter.close()
            box.close()

    asyncio.run(whole())
    assert tree(place) == [".vscode/mine"]


WOKEN = """
import ctypes, threading, time
class Event(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int * size) for name, size in (("value", 2), ("number", 1), ("kind", 1), ("rest", 12))]
libc, timer, times = ctypes.CDLL(None), ctypes.c_void_p(), (ctypes.c_long * 4)(0, 0, 0, 300_000_000)
def write():
    time.sleep(0.2)
    open(".envrc", "w").write("evil")
threading.Thread(target=write).start()
libc.timer_create(1, ctypes.byref(Event(number=(18,))), ctypes.byref(timer))
libc.timer_settime(timer, 0, times, None)
"""
"""Has the kernel wake the process while it should stand still."""


def test_what_has_itself_woken_gains_nothing(tmp_path: Path) -> None:
    box = boxed(kind(tmp_path))
    interpreter = Interpreter(box.launch)
    ctx = Context("c", box.given.workspace, box.given.scratch, ENV)

    async def whole() -> None:
        try:
            await interpreter.run(WOKEN, 9, ctx)
            await asyncio.sleep(0.6)
            assert tree(box.given.workspace) == [".envrc"]
            assert "held-back" in (await interpreter.run("1", 9, ctx))["sandbox"]
        finally:
            await interpreter.close()
            box.close()

    asyncio.run(whole())
    assert tree(box.given.workspace) == []


def test_what_the_person_made_since_stays_at_the_end(box: Sandbox) -> None:
    sh(box, "true")
    (box.given.workspace / ".envrc").write_text("mine")
    box.close()
    assert tree(box.given.workspace) == [".envrc"]


def test_another_file_system_or_no_rights(tmp_path: Path) -> None:
    """Where it cannot leave its directory it gets another name there."""
    (tmp_path / "top/sub").mkdir(parents=True)
    (tmp_path / "top/sub/.envrc").write_text("evil")
    (tmp_path / "scratch").write_text("no directory, so nothing can be moved into it")
    now = withhold(tmp_path / "top", "sub/.envrc", tmp_path / "scratch")
    assert Path(now).parent == tmp_path / "top/sub"
    assert Path(now).read_text() == "evil"
    assert len(tree(tmp_path / "top")) == 1


def test_a_link_on_the_way_is_not_followed(tmp_path: Path) -> None:
    for name in ("top", "scratch", "mine"):
        (tmp_path / name).mkdir()
    (tmp_path / "mine/.git").write_text("the person's")
    (tmp_path / "top/sub").symlink_to(tmp_path / "mine")
    with pytest.raises(OSError, match="directory"):
        withhold(tmp_path / "top", "sub/.git", tmp_path / "scratch")
    assert (tmp_path / "mine/.git").exists()
    (tmp_path / "top/.git").symlink_to(tmp_path / "mine")
    withhold(tmp_path / "top", ".git", tmp_path / "scratch")
    assert tree(tmp_path / "mine") == [".git"]


@pytest.mark.parametrize("name", sorted(RUN_LATER))
def test_the_gate_asks_about_the_same_names(name: str) -> None:
    assert any(runs_later(f"/w/{name}{tail}") for tail in ("", "/x", "/workflows/x"))
    assert kind_of("/w", name.upper()) == "frozen"


@pytest.mark.parametrize("name", [*RESERVED, *FROZEN])
def test_no_name_that_is_masked_where_it_exists_may_come_to_be(name: str) -> None:
    path = Path("/w", name)
    assert kind_of(str(path.parent), path.name) == ("hidden" if name in RESERVED else "frozen")


def test_kinds() -> None:
    assert [kind_of("/w/.git", name) for name in sorted(RUN_BY_GIT)] == ["frozen"] * 5
    for name in ("hooks", "config", "conftest.py", ".env.example", "config.json"):
        assert kind_of("/w", name) == ""
    assert [kind_of("/w", name) for name in (".env", ".ENV", ".env.prod", "ralph.config.json")] == ["hidden"] * 4
    assert (kind_of("/w/.ralph", "config.json"), kind_of("/w", ".git")) == ("hidden", "new")
