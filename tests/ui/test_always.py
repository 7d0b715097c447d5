from __future__ import annotations

import pytest

from ralph.core.gate import Judgement, Question, Rule
from ralph.core.messages import ToolCall
from ralph.errors import ConfigError
from ralph.policy.categories import stand_in
from ralph.ui.always import check_rule, facts_of, programs_of


def question(tool, **args):
    return Question(ToolCall("c1", tool, args), stand_in(tool, args), Judgement("ask", Rule("r", "t")))


def check(rule, asked, cwd):
    check_rule(rule, asked, facts_of(asked, cwd))


def test_programs_are_those_of_every_command_with_their_sub_commands(tmp_path):
    asked = question("shell", command="cd a && git push origin; timeout 5 make all")
    found = programs_of(facts_of(asked, tmp_path))
    assert {"cd", "git", "git push", "timeout", "make", "make all"} <= found


@pytest.mark.parametrize(
    "rule",
    [
        {"tool": "shell", "command": ["git", "log"]},
        {"tool": "shell", "command": ["git"], "scope": "user", "uses": 2, "minutes": 1.5},
        {"tool": "shell", "arguments": {"command": "git log -1"}},
    ],
)
def test_a_rule_that_covers_the_call_is_fine(tmp_path, rule):
    check(rule, question("shell", command="git log -1"), tmp_path)


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ({"tool": "write_file", "pattern": "^src/"}, "would not cover this call"),
        ({"tool": "write_file", "pattern": "["}, "does not compile"),
        ({"tool": "write_file"}, "would cover every call"),
        ({"tool": "write_file", "arguments": {"path": "b"}}, "would not cover this call"),
        ({"tool": "append_file", "pattern": "^docs"}, "must be for write_file"),
        ({"pattern": "^docs"}, "must be for write_file"),
        ({"tool": "write_file", "pattern": "^docs", "scope": 7}, "cannot be for 7"),
    ],
)
def test_a_rule_that_does_not_is_refused(tmp_path, rule, problem):
    with pytest.raises(ConfigError, match=problem):
        check(rule, question("write_file", path="docs/a.md", content=""), tmp_path)
