from __future__ import annotations

from typing import Any

import pytest

from ralph.policy.allowlist import read_entry
from ralph.policy.categories import stand_in
from ralph.policy.lint import broken_examples, lint


def texts(row: dict[str, Any], **categories: str) -> str:
    return "\n".join(f"{fault.level}: {fault.text}" for fault in lint([{**row, "where": "settings"}], categories))


@pytest.mark.parametrize(
    "row",
    [{"tool": "write_file", "pattern": r"^docs/.*\.md$"}, {"tool": "shell", "command": ["cargo", "test"]},
     {"tool": "web_fetch", "pattern": r"^https://docs\.python\.org/"}, {"tool": "mcp_docs_search"},
     {"tool": "mcp_db_query", "arguments": {"sql": "select 1"}}],
)  # fmt: skip
def test_good_rules_have_no_fault(row: dict[str, Any]) -> None:
    assert texts(row) == ""


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"tool": "write_file", "pattern": "("}, "error: settings: the pattern '(' does not compile"),
        ({"tool": "write_file", "pattern": ".*"}, "over-broad"),
        ({"tool": "write_file", "pattern": ""}, "would cover every call"),
        ({"tool": "write_file", "pattern": "^"}, "over-broad"),
        ({"tool": "web_fetch", "pattern": "."}, "over-broad"),
        ({"tool": "write_file", "pattern": "src/"}, "begin it with ^"),
        ({"tool": "web_fetch", "pattern": "^https://example.com"}, "the host is not closed"),
        ({"tool": "web_fetch", "pattern": r"^https://example\.com"}, "the host is not closed"),
        ({"tool": "shell", "command": ["python"]}, "runs programs"),
        ({"tool": "shell", "command": ["bash", "-c"]}, "runs programs"),
        ({"tool": "shell", "command": ["git status"]}, "holds a space"),
        ({"tool": "shell", "command": ["ls", "-l"], "shell": "sh"}, "shell:ls (built in) already covers it"),
        ({"tool": "python", "pattern": "print"}, "has no match argument"),
        ({"tool": "mcp_fs_*"}, "also tools added later"),
        ({"tool": "write_file"}, "error"),
    ],
)
def test_faults(row: dict[str, Any], said: str) -> None:
    assert said in texts(row)


def test_a_rule_under_a_denied_category_can_never_fire() -> None:
    assert "never fire: category shell is denied" in texts({"tool": "shell", "command": ["make"]}, shell="deny")


def test_a_rule_for_a_tool_that_is_not_there_can_never_fire() -> None:
    row = {"tool": "wrte_file", "pattern": "^a$"}
    faults = lint([row], {}, {"write_file": stand_in("write_file")})
    assert any("no tool named wrte_file" in fault.text for fault in faults)


def test_the_same_rule_twice() -> None:
    row = {"tool": "shell", "command": ["make", "test"]}
    (fault,) = lint([{**row, "where": "one"}, {**row, "where": "two"}], {})
    assert (fault.where, "already covers it" in fault.text) == ("two", True)


def test_examples_are_tried() -> None:
    good = {"tool": "write_file", "pattern": r"^src/.*\.py$", "should_match": ["src/a.py"],
            "should_not_match": ["lib/a.py", "src/../a.py"]}  # fmt: skip
    assert list(broken_examples(read_entry(good))) == []
    bad = {**good, "should_match": ["a.py"], "should_not_match": ["src/b.py"]}
    assert len(list(broken_examples(read_entry(bad)))) == 2
    assert texts(bad).count("error") == 2


def test_shell_examples_are_judged_like_commands() -> None:
    entry = {"tool": "shell", "command": ["git", "log"], "should_match": ["git log --oneline"],
             "should_not_match": ["git log --output=x", "git log; rm x", "git push"]}  # fmt: skip
    assert list(broken_examples(read_entry(entry))) == []
