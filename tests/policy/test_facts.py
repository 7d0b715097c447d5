from __future__ import annotations

from typing import Any

import pytest

from ralph.core.messages import ToolCall
from ralph.core.tools import ToolSpec
from ralph.policy.categories import stand_in
from ralph.policy.facts import Facts, Places, gather, path_arguments

HOME = "/nowhere/h/.local/ralph"
PLACES = Places("/nowhere/site", "/nowhere/site", HOME, "/nowhere/h", f"{HOME}/scratch")


def facts(tool: str, /, **args: Any) -> Facts:
    return gather(ToolCall("1", tool, args), stand_in(tool, args), PLACES)


@pytest.mark.parametrize(
    ("tool", "args", "effects"),
    [
        ("read_file", {"path": "a"}, [("reads", "/nowhere/site/a")]),
        ("write_file", {"path": "a", "content": "b"}, [("writes", "/nowhere/site/a")]),
        ("web_fetch", {"url": "https://Example.com:8443/a"}, [("contacts", "example.com:8443")]),
        ("python", {"code": "1"}, [("executes", "python")]),
        ("remember", {"content": "a"}, [("writes", "memory")]),
        ("recall_memories", {"query": "a"}, [("reads", "memory")]),
        ("subagent", {"task": "a"}, [("executes", "subagent")]),
        ("read_file", {"path": "~/.ssh/a"}, [("reads", "/nowhere/h/.ssh/a"), ("secret", "/nowhere/h/.ssh/a")]),
    ],
)
def test_effects_of_every_kind_of_tool(tool: str, args: dict[str, Any], effects: list[tuple[str, str]]) -> None:
    assert [(effect.kind, effect.target) for effect in facts(tool, **args).effects] == effects


def test_a_tool_of_a_server_is_unknown_and_says_whose_it_is() -> None:
    spec = ToolSpec("mcp_db_query", "", {}, "mcp", None, "mcp:db")
    (effect,) = gather(ToolCall("1", "mcp_db_query", {}), spec, PLACES).effects
    assert (effect.kind, effect.target) == ("unknown", "mcp:db")


def test_a_diff_has_the_effects_of_each_of_its_files() -> None:
    diff = "--- a/old\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n--- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+a\n"
    found = facts("apply_delta", diff=diff)
    assert [(effect.kind, effect.target) for effect in found.effects] == [
        ("deletes", "/nowhere/site/old"), ("writes", "/nowhere/site/new"),
    ]  # fmt: skip
    assert set(found.walks) == {"old", "new"}


def test_a_diff_that_cannot_be_read_is_a_problem_for_the_model() -> None:
    assert facts("apply_delta", path="a", diff="--- a/x\n+++ b/x\n@@ nonsense").problem


def test_where_a_shell_command_runs_is_judged() -> None:
    found = facts("shell", command="ls", working_dir="sub")
    assert found.walks["working_dir"].resolved == "/nowhere/site/sub"
    assert found.cwd == "/nowhere/site/sub"


def test_text_is_not_taken_for_paths() -> None:
    args = {"path": "a", "content": "b", "newText": "c", "edits": [{"oldText": "d", "file": "e"}], "n": 1, "query": "f"}
    assert list(path_arguments(args)) == ["a", "e"]
