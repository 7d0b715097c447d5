"""The text of `policy explain` is pinned: `tests/policy/golden/NAME.txt`, at 80 columns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ralph.core.messages import ToolCall
from ralph.errors import ConfigError
from ralph.policy.allowlist import Entry, read_entry, read_flag
from ralph.policy.explain import as_json, as_lines, explain, read_call
from ralph.policy.rules import Rules

GOLDEN = Path(__file__).with_name("golden")

ASKED = {
    "git_status": ("git status --short", ""),
    "git_push": ("git push origin main", ""),
    "compound": ("cd src && rm -rf build | tee log.txt", ""),
    "env_file": ("cat .env", ""),
    "odd_characters": ("echo 'a\u202eb' \x07", ""),
    "write": ('{"path": "docs/a.md", "content": "x"}', "write_file"),
    "read_outside": ("/nowhere/home/notes.txt", "read_file"),
    "fetch_metadata": ("http://169.254.169.254/latest/", "web_fetch"),
    "denied": ('{"tool": "python", "args": {"code": "1"}}', ""),
    "long": ("make " + "target-with-a-long-name " * 12, ""),
}


def rules() -> Rules:
    programs = ("ls", "git status", "git log", "echo")
    shipped = [Entry("shell", words=tuple(words.split()), shell="posix") for words in programs]
    flag = read_flag(r"write_file:^docs/.*\.md$")
    push = read_entry({"tool": "shell", "command": ["git", "push", "upstream"]}, "/home/me/ralph.config.json")
    return Rules(
        cwd="/nowhere/site", home="/nowhere/home/.local/ralph", tilde="/nowhere/home",
        allowlist=(*shipped, flag, push),
        categories={"python": "deny"}, origins={"python": "/home/me/ralph.config.json"},
    )  # fmt: skip


@pytest.mark.parametrize("name", ASKED)
def test_text_is_as_pinned(name: str) -> None:
    lines = as_lines(explain(rules(), read_call(*ASKED[name])))
    assert all(len(line) <= 80 for line in lines)
    assert "\n".join(lines) + "\n" == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ASKED)
def test_json_says_the_same(name: str) -> None:
    explanation = explain(rules(), read_call(*ASKED[name]))
    data = json.loads(json.dumps(as_json(explanation)))
    assert data["verdict"] == explanation.judgement.verdict
    assert data["considered"][-1]["verdict"] == data["verdict"]
    assert all(check["verdict"] is None for check in data["considered"][:-1])
    assert data["rule"]["name"] == data["considered"][-1]["name"]


def test_every_rule_up_to_the_winner_is_considered() -> None:
    names = [check["name"] for check in as_json(explain(rules(), read_call("frobnicate")))["considered"]]
    assert list(dict.fromkeys(names)) == [
        "protected", "arguments", "redacted", "ruinous", "gates", "rate limit", "category", "dangerous", "sensitive",
        "taint", "allowlist",
    ]  # fmt: skip
    assert names.count("allowlist") == 6
    assert names[-1] == "category"


def test_explaining_uses_nothing_up() -> None:
    policy = rules()
    policy.grants.add({"tool": "write_file", "pattern": "^lib/", "uses": 1})
    for _ in range(3):
        assert explain(policy, read_call("lib/a.py", "write_file")).judgement.rule.name == "grant"


@pytest.mark.parametrize(
    ("text", "tool", "call"),
    [
        ("ls -l", "", ToolCall("explain", "shell", {"command": "ls -l"})),
        ("{ ls; }", "", ToolCall("explain", "shell", {"command": "{ ls; }"})),
        ("ls", "shell", ToolCall("explain", "shell", {"command": "ls"})),
        ("a.py", "read_file", ToolCall("explain", "read_file", {"path": "a.py"})),
        ('{"code": "1"}', "python", ToolCall("explain", "python", {"code": "1"})),
        ('{"tool": "x", "args": {"a": 1}}', "", ToolCall("explain", "x", {"a": 1})),
    ],
)
def test_what_a_person_may_type(text: str, tool: str, call: ToolCall) -> None:
    assert read_call(text, tool) == call


@pytest.mark.parametrize(("text", "tool"), [("{bad", "python"), ("1", "python"), ('{"a": 1}', "")])
def test_what_is_not_a_call(text: str, tool: str) -> None:
    with pytest.raises(ConfigError):
        read_call(text, tool)
