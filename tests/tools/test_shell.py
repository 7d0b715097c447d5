"""The tool itself: what the model passes, what it reads."""

from __future__ import annotations

import asyncio
import importlib.util
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ralph.core.tools import Context, Judged
from ralph.errors import ToolError
from ralph.sandbox.backends import BUBBLEWRAP
from ralph.sandbox.box import Sandbox
from ralph.sandbox.launch import Launched
from tests.sandbox.needs import READY, kind, need, wait_until_ready
from tests.tools.called import default_tools

FILE = Path(__file__).resolve().parents[2] / "tools_default" / "shell.py"


def shell(tmp_path: Path, command: str, *, context: dict[str, Any] | None = None, **args: Any) -> dict[str, Any]:
    spec = importlib.util.spec_from_file_location("shell", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    settings = {"env": {"PATH": os.environ["PATH"]}, "cwd": tmp_path, "scratch": tmp_path / "scratch"}
    ctx = Context("call", **{**settings, **(context or {})})
    result: dict[str, Any] = asyncio.run(module.shell(command, **args, ctx=ctx))
    return result


def test_fields(tmp_path: Path) -> None:
    result = shell(tmp_path, "pwd; exit 2")
    seconds = result.pop("execution_time")
    assert result == {"stdout": f"{tmp_path}\n", "stderr": "", "exit_code": 2, "timed_out": False}
    assert 0 < seconds < 5


def test_it_is_bash(tmp_path: Path) -> None:
    assert shell(tmp_path, "[[ a == a ]] && printf '%s' {1..3}")["stdout"] == "123"


def test_judged_words_run_without_a_shell(tmp_path: Path) -> None:
    result = shell(tmp_path, "ignored", context={"argv": ("printf", "%s|", "a b", "$HOME", "*", ";")})
    assert result["stdout"] == "a b|$HOME|*|;|"


def test_judged_words_whose_program_is_missing(tmp_path: Path) -> None:
    result = shell(tmp_path, "nosuch", context={"argv": ("no-such-program-here",)})
    assert result["exit_code"] == 127
    assert "command not found" in result["stderr"]


def test_a_word_of_the_shell_gets_exactly_the_judged_words(tmp_path: Path) -> None:
    result = shell(tmp_path, "ignored", context={"argv": ("type", "cd", "$(touch made)")})
    assert "cd is a shell builtin" in result["stdout"]
    assert not (tmp_path / "made").exists()


def test_only_the_given_environment(tmp_path: Path) -> None:
    os.environ["SHELL_TEST_SECRET"] = "key"
    try:
        result = shell(tmp_path, "env", context={"env": {"PATH": os.environ["PATH"], "GIVEN": "1"}})
    finally:
        del os.environ["SHELL_TEST_SECRET"]
    names = {line.partition("=")[0] for line in result["stdout"].splitlines()}
    assert "GIVEN" in names
    assert names <= {"PATH", "GIVEN", "PWD", "OLDPWD", "SHLVL", "_", "RALPH_CALL"}


def test_nothing_runs_before_the_approved_command(tmp_path: Path) -> None:
    (tmp_path / "rc").write_text("echo sneaky")
    home = {
        "PATH": os.environ["PATH"],
        "BASH_ENV": str(tmp_path / "rc"),
        "ENV": str(tmp_path / "rc"),
        "HOME": str(tmp_path),
    }
    for name in (".bashrc", ".profile", ".bash_profile"):
        (tmp_path / name).write_text("echo sneaky")
    assert shell(tmp_path, "echo plain", context={"env": home})["stdout"] == "plain\n"


def test_working_dir(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    assert shell(tmp_path, "pwd", working_dir="sub")["stdout"] == f"{tmp_path}/sub\n"
    assert shell(tmp_path, "pwd", working_dir="/")["stdout"] == "/\n"
    judged = {"working_dir": Judged("link", str(tmp_path / "sub"), None)}
    assert shell(tmp_path, "pwd", working_dir="link", context={"judged": judged})["stdout"] == f"{tmp_path}/sub\n"


@pytest.mark.parametrize("where", ["missing", "file"])
def test_working_dir_that_is_none(tmp_path: Path, where: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ToolError, match="not a directory"):
        shell(tmp_path, "pwd", working_dir=where)


def test_timeout(tmp_path: Path) -> None:
    result = shell(tmp_path, "echo part; sleep 20", timeout=1)
    assert (result["stdout"], result["exit_code"], result["timed_out"]) == ("part\n", -1, True)
    assert "after 1 s" in result["note"]


@pytest.mark.parametrize("timeout", [0, -5, 10**9])
def test_odd_timeouts_are_put_right(tmp_path: Path, timeout: int) -> None:
    assert shell(tmp_path, "sleep 0.05; echo ran", timeout=timeout)["stdout"] == "ran\n"


def test_without_stderr(tmp_path: Path) -> None:
    result = shell(tmp_path, "echo out; echo err >&2", capture_stderr=False)
    assert (result["stdout"], result["stderr"]) == ("out\n", "")


def test_a_confined_command_runs_in_the_sandbox_however_it_is_started(tmp_path: Path) -> None:
    need(BUBBLEWRAP)
    sandbox = Sandbox(replace(kind(tmp_path), private=()), BUBBLEWRAP, READY)
    outside = tmp_path / "outside"
    started: list[bool] = []

    def launch(argv: Sequence[str], env: Mapping[str, str]) -> Launched:
        launched = sandbox.launch(argv, env)
        started.append(launched.start is not None)
        return launched

    try:
        for ready in (False, True):
            if ready:
                wait_until_ready(sandbox)
            context = {"launch": launch, "cwd": sandbox.given.workspace}
            result = shell(tmp_path, f"echo in > made; cat made; touch {outside}", context=context)
            assert result["stdout"] == "in\n"
            assert "sandbox" in result["note"]
            assert not outside.exists()
    finally:
        sandbox.close()
    assert started == [False, True]


def test_an_interrupted_command_is_looked_after_too(tmp_path: Path) -> None:
    looked: list[str] = []

    def after() -> str:
        looked.append("moved")
        return looked[-1]

    def launch(words: Sequence[str], env: Mapping[str, str]) -> Launched:
        return Launched(tuple(words), env, after=after)

    async def interrupted() -> None:
        tool = default_tools()["shell"]
        async with asyncio.timeout(0.2):
            await tool.perform({"command": "sleep 60"}, Context("c1", tmp_path, tmp_path, os.environ, launch=launch))

    with pytest.raises(TimeoutError):
        asyncio.run(interrupted())
    assert looked == ["moved"]
    assert shell(tmp_path, "true", context={"launch": launch})["note"] == "moved"
