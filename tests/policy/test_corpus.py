from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ralph.errors import ConfigError
from ralph.policy.corpus import Outcome, read_cases, run_cases, summary


def outcomes(*rows: dict[str, Any]) -> list[Outcome]:
    return list(run_cases(read_cases("\n".join(map(json.dumps, rows)), "cases.jsonl")))


def test_shell_rows_use_the_entries_of_the_row() -> None:
    rows = [
        {"id": "a", "command": "ls -la", "allow": [["ls"]], "expect": "auto"},
        {"id": "b", "command": "ls -la", "allow": [], "expect": "prompt"},
        {"id": "c", "command": "git status", "allow": [["git", "status"]], "expect": "auto"},
        {"id": "d", "command": "git status; rm x", "allow": [["git", "status"]], "expect": "prompt"},
        {"id": "e", "command": "git status", "expect": "auto"},
    ]
    assert [one.id for one in outcomes(*rows) if not one.passed] == []


def test_dangerous_rows() -> None:
    rows = [
        {"id": "a", "command": "rm -rf /var/lib", "expect_dangerous": True},
        {"id": "b", "command": "ls", "expect_dangerous": False},
        {"id": "c", "command": "echo rm -rf build", "allow": [["echo"]], "expect_dangerous": False, "expect": "auto"},
    ]
    assert [one.id for one in outcomes(*rows) if not one.passed] == []


def test_a_failing_row_says_what_came_and_which_rule() -> None:
    (one,) = outcomes({"id": "x", "tool": "read_file", "args": {"path": ".env"}, "expect": "ok"})
    assert (one.id, one.expect, one.got, one.passed) == ("x", "ok", "deny", False)
    assert one.rule.startswith("protected: ")


def test_set_up_happens_in_a_directory_of_its_own(tmp_path: Path) -> None:
    rows = [
        {"id": "a", "tool": "read_file", "args": {"path": "{TMP}/w/link"}, "cwd": "w", "expect": "deny", "setup": [
            {"dir": "w"}, {"file": "w/.env", "content": "x"}, {"symlink": "w/link", "to": "{TMP}/w/.env"}]},
        {"id": "b", "tool": "read_file", "args": {"path": "hard"}, "cwd": "w", "expect": "deny", "setup": [
            {"file": "w/.env", "content": "x"}, {"hardlink": "w/hard", "to": "w/.env"}]},
        {"id": "c", "tool": "read_file", "args": {"path": "~/.local/ralph/trust.json"}, "expect": "deny",
         "env": {"HOME": "{TMP}/h"}},
        {"id": "d", "tool": "read_file", "args": {"path": "{TMP}/r/x"}, "expect": "deny",
         "env": {"RALPH_HOME": "{TMP}/r"}},
        {"id": "e", "tool": "read_file", "args": {"path": "a"}, "expect": "allow"},
        {"id": "f", "tool": "write_file", "args": {"path": "a", "content": ""}, "expect": "ask"},
    ]  # fmt: skip
    assert [one.id for one in outcomes(*rows) if not one.passed] == []


@pytest.mark.parametrize("path", ["../out", "/etc/out", "a/../../out"])
def test_a_set_up_cannot_write_elsewhere(path: str) -> None:
    with pytest.raises(ConfigError, match="outside its own directory"):
        outcomes({"tool": "read_file", "args": {"path": "a"}, "expect": "ok", "setup": [{"file": path}]})


def test_a_set_up_cannot_write_elsewhere_through_a_link(tmp_path: Path) -> None:
    steps = [{"symlink": "l", "to": str(tmp_path)}, {"file": "l/out", "content": "x"}]
    with pytest.raises(ConfigError, match="outside its own directory"):
        outcomes({"tool": "read_file", "args": {"path": "a"}, "expect": "ok", "setup": steps})
    assert list(tmp_path.iterdir()) == []


def test_rows_that_need_what_is_not_here_are_skipped_and_counted() -> None:
    row = {"id": "a", "command": "ls", "expect": "auto"}
    found = outcomes({**row, "requires": "no-such-program-anywhere"}, {**row, "requires": ["sh", "/"]})
    assert [bool(one.skipped) for one in found] == [True, False]
    assert summary(found) == {"total": 2, "passed": 1, "failed": 0, "skipped": 1}


def test_a_set_up_gives_modes_and_makes_parents(tmp_path: Path) -> None:
    step = {"file": "{TMP}/a/b/.env", "content": "x", "mode": "400"}
    (one,) = outcomes({"command": "cat a/b/.env", "tool": "shell", "args": {"command": "cat a/b/.env"},
                       "expect": "deny", "setup": [step, {"hardlink": "c/d", "to": "{TMP}/a/b/.env"}]})  # fmt: skip
    assert one.passed


@pytest.mark.parametrize("step", [{"symlink": "a"}, {"hardlink": "a"}, {"socket": "a"}, {}])
def test_a_set_up_step_that_is_not_one_is_named(step: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="case x: a set-up step"):
        outcomes({"id": "x", "tool": "read_file", "args": {"path": "a"}, "expect": "ok", "setup": [step]})


@pytest.mark.parametrize(
    "line",
    ["{", "[]", "{}", '{"command": "ls"}', '{"command": "ls", "expect": "maybe"}', '{"tool": "x", "expect": "de"}',
     '{"tool": "x", "args": [], "expect": "ok"}', '{"command": 3, "expect": "auto"}'],
)  # fmt: skip
def test_a_line_that_is_not_a_case_is_named(line: str) -> None:
    with pytest.raises(ConfigError, match=r"cases\.jsonl:2"):
        read_cases("\n" + line, "cases.jsonl")


DATA = Path(__file__).with_name("data")


def test_daily_reading_is_hardly_ever_asked_about() -> None:
    """Commands that only read, with nothing but the built-in entries: at most three in a hundred ask."""
    found = list(run_cases(read_cases((DATA / "daily.jsonl").read_text(encoding="utf-8"), "daily.jsonl")))
    asked = [one.id for one in found if not one.passed]
    assert len(found) >= 300
    assert len(asked) <= 0.03 * len(found), asked


@pytest.mark.parametrize("name", sorted(path.name for path in DATA.glob("*.jsonl") if path.name != "daily.jsonl"))
def test_every_case_file_passes_as_the_command_runs_it(name: str) -> None:
    found = run_cases(read_cases((DATA / name).read_text(encoding="utf-8"), name))
    assert [f"{one.id}: {one.rule}" for one in found if not one.passed and not one.skipped] == []


def test_a_text_may_hold_what_else_ends_a_line() -> None:
    row = json.dumps({"command": "echo a\u2028\u0085b", "allow": [["echo"]], "expect": "prompt"}, ensure_ascii=False)
    found = list(run_cases(read_cases(f"{row}\n{row}\n", "cases.jsonl")))
    assert [one.passed for one in found] == [True, True]


def test_a_row_names_its_shell() -> None:
    row = {"command": "dir src", "allow": [["dir"]], "expect": "auto"}
    delete = {"command": "Remove-Item -Recurse -Force build"}
    rows = [{**row, "shell": "cmd"}, {**delete, "shell": "powershell", "expect_dangerous": True},
            {**delete, "expect_dangerous": False}]  # fmt: skip
    assert [one.id for one in outcomes(*rows) if not one.passed] == []
    with pytest.raises(ConfigError, match="shell is 'fish'"):
        outcomes({**row, "shell": "fish"})


def test_nothing_is_executed(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    outcomes(
        {"command": f"touch {mark}", "allow": [["touch"]], "expect": "auto"},
        {"tool": "write_file", "args": {"path": str(mark), "content": "x"}, "expect": "ok"},
    )
    assert not mark.exists()
