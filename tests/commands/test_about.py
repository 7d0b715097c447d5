"""doctor, config, tools, trust."""

import json

import jsonschema
import pytest

from ralph.errors import ConfigError
from ralph.policy.trust import Trust


def test_doctor_looks_at_everything(ralph):
    found = ralph("doctor", "--json")
    checks = {check["name"]: check for check in found.data["checks"]}
    assert {"python", "home", "settings", "trust", "model", "tools", "git", "sandbox", "vector index"} <= set(checks)
    assert checks["tools"]["detail"] == "29 tools"
    assert checks["model"]["state"] == "warning"
    assert checks["model"]["remedy"].startswith("set ANTHROPIC_API_KEY")
    assert found.code == 0


def test_doctor_works_when_settings_are_broken(ralph):
    (ralph.work / "ralph.config.json").write_text('{"modle": "x"}')
    found = ralph("doctor", "--json")
    checks = {check["name"]: check for check in found.data["checks"]}
    assert checks["settings"]["state"] == "failed"
    assert "did you mean model?" in checks["settings"]["remedy"]
    assert checks["tools"]["state"] == "ok"
    assert found.code == 2


def test_a_broken_tool_of_the_person_is_named(ralph):
    (ralph.home / "tools").mkdir(parents=True)
    (ralph.home / "tools" / "bad.py").write_text("def bad(x: complex): ...")
    checks = {check["name"]: check for check in ralph("doctor", "--json").data["checks"]}
    assert checks["tools"]["state"] == "warning"
    assert "bad.py" in checks["tools"]["detail"]


def test_config_show_says_where_from_and_hides_keys(ralph):
    (ralph.work / "ralph.config.json").write_text('{"approval_gates": {"categories": {"shell": "deny"}}, "model": "m"}')
    found = ralph("config", "show", "--json", env={"OPENAI_API_KEY": "sk-very-secret"})
    rows = {row["name"]: row for row in found.data["settings"]}
    assert (rows["openai_api_key"]["value"], rows["openai_api_key"]["origin"]) == ("set", "environment")
    assert "very-secret" not in found.text
    assert rows["model"]["origin"] == "default"
    assert found.data["ignored"] == ["model"]
    assert rows["approval_gates.categories"]["value"] == {"shell": "deny"}
    assert "very-secret" not in ralph("config", "show", env={"OPENAI_API_KEY": "sk-very-secret"}).text


def test_config_schema_is_a_schema(ralph):
    jsonschema.Draft202012Validator.check_schema(ralph("config", "schema", "--json").data)
    assert json.loads(ralph("config", "schema").text)["title"] == "Ralph"


def test_config_path(ralph):
    (ralph.work / "ralph.config.json").write_text("{}")
    paths = ralph("config", "path", "--json").data
    assert [row["exists"] for row in paths] == [False, True]


def test_tools_list(ralph):
    names = [tool["name"] for tool in ralph("tools", "list", "--json").data["tools"]]
    assert {"read_file", "write_file", "append_file", "file_info", "list_dir", "search_files", "apply_delta", "shell",
            "web_fetch", "python", "TodoWrite", "TodoRead"} <= set(names)  # fmt: skip


def test_trust_is_listed_and_revoked(ralph):
    (ralph.work / "ralph.config.json").write_text('{"model": "m"}')
    trust = Trust(ralph.home)
    assert not trust.holds(ralph.work)
    trust.grant(ralph.work)
    assert [row["directory"] for row in ralph("trust", "list", "--json").data] == [str(ralph.work)]
    assert ralph("config", "show", "--json").data["ignored"] == []
    (ralph.work / "ralph.config.json").write_text('{"model": "other"}')
    assert not trust.holds(ralph.work)  # a changed file asks again
    assert ralph("trust", "revoke", str(ralph.work)).code == 0
    assert ralph("trust", "list", "--json").data == []
    with pytest.raises(ConfigError, match="is not trusted"):
        ralph("trust", "revoke", str(ralph.work))


def test_usage_errors_are_exit_2(ralph, capsys):
    assert ralph("config", "nope").code == 2
    assert ralph("tools", "list", "--bogus").code == 2
