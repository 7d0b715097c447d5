"""`ralph policy`: explain, test, lint, show. Nothing is executed."""

import json

from ralph.policy.trust import Trust


def test_explain(ralph):
    found = ralph("policy", "explain", "git log --oneline", "--json").data
    assert (found["verdict"], found["rule"]["name"]) == ("allow", "allowlist")
    assert "it runs unasked" in ralph("policy", "explain", "git log --oneline").text
    found = ralph("policy", "explain", "--tool", "write_file", '{"path": ".env", "content": "x"}', "--json").data
    assert (found["verdict"], found["rule"]["name"]) == ("deny", "protected")


def test_cases(ralph):
    cases = ralph.work / "cases.jsonl"
    good = {"id": "a", "command": "ls -l", "allow": [["ls"]], "expect": "auto"}
    bad = {"id": "b", "command": "ls -l; rm x", "allow": [["ls"]], "expect": "auto"}
    cases.write_text(json.dumps(good))
    found = ralph("policy", "test", str(cases), "--json")
    assert (found.code, found.data["total"], found.data["failed"]) == (0, 1, 0)
    cases.write_text(f"{json.dumps(good)}\n{json.dumps(bad)}\n")
    found = ralph("policy", "test", str(cases), "--json")
    assert found.code == 1
    assert found.data[0] == {"id": "b", "expect": "auto", "got": "prompt", "rule": found.data[0]["rule"]}
    assert (found.data[-1]["total"], found.data[-1]["passed"], found.data[-1]["failed"]) == (2, 1, 1)


def test_lint(ralph):
    assert ralph("policy", "lint").text == "no faults found\n"
    rows = [{"tool": "write_file", "pattern": ".*"}, {"tool": "read_file", "pattern": "("}]
    (ralph.work / "ralph.config.json").write_text(json.dumps({"approval_gates": {"allowlist": rows}}))
    Trust(ralph.home).grant(ralph.work)
    found = ralph("policy", "lint", "--json")
    assert found.code == 1
    assert [fault["level"] for fault in found.data][-1] == "error"


def test_show(ralph):
    found = ralph("policy", "show", "--json").data
    assert {"category": "shell", "verdict": "gate", "from": "built in"} in found["categories"]
    assert {"entry": "shell:git,status", "from": "built in"} in found["allowlist"]
