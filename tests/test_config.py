"""Settings: order of sources, origins, bad files, and what an untrusted directory may do."""

import json
from pathlib import Path

import jsonschema
import pytest

from ralph.config import Config, home_directory, load, read_dotenv, schema
from ralph.errors import ConfigError

ROOT = Path(__file__).parent.parent


@pytest.fixture
def place(tmp_path):
    home, cwd = tmp_path / "home", tmp_path / "project"
    home.mkdir()
    cwd.mkdir()

    def write(where, data):
        text = data if isinstance(data, str) else json.dumps(data)
        ((home if where == "home" else cwd) / "ralph.config.json").write_text(text)

    def settle(*, env=None, flags=None, trusted=True):
        return load(cwd=cwd, home=home, env=env or {}, flags=flags or {}, trusted=trusted)

    return write, settle, home, cwd


def test_later_sources_win_and_say_where_from(place):
    write, settle, home, cwd = place
    assert settle().config.origin("model") == "default"
    write("home", {"model": "a", "max_tokens": 5, "limits": {"max_steps": 9}})
    write("project", {"model": "b", "limits": {"max_cost_usd": 1.5}})
    config = settle().config
    assert (config.model, config.origin("model")) == ("b", str(cwd / "ralph.config.json"))
    assert (config.max_tokens, config.origin("max_tokens")) == (5, str(home / "ralph.config.json"))
    assert (config.limits.max_steps, config.limits.max_cost_usd) == (9, 1.5)
    config = settle(env={"RALPH_MODEL": "c"}).config
    assert (config.model, config.origin("model")) == ("c", "environment")
    config = settle(env={"RALPH_MODEL": "c"}, flags={"model": "d"}).config
    assert (config.model, config.origin("model")) == ("d", "command line")


def test_allowlists_add_up_with_their_origin(place):
    write, settle, home, cwd = place
    entry = {"tool": "shell", "command": ["ls"]}
    write("home", {"approval_gates": {"allowlist": [entry]}})
    write("project", {"approval_gates": {"allowlist": [{"tool": "read_file", "pattern": "x"}]}})
    found = settle().config.approval_gates.allowlist
    assert [row["where"] for row in found] == [str(home / "ralph.config.json"), str(cwd / "ralph.config.json")]
    assert found[0]["command"] == ["ls"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is not valid JSON"),
        ("[]", "must hold a JSON object"),
        ('{"modle": "x"}', "unknown key modle: did you mean model?"),
        ('{"limits": {"max_step": 3}}', "unknown key limits.max_step: did you mean limits.max_steps?"),
        ('{"model": 3}', "model must be of type string, not 3"),
        ('{"max_tokens": true}', "max_tokens must be of type integer, not true"),
        ('{"max_tokens": 0}', "max_tokens must be at least 1, not 0"),
        ('{"limits": 3}', "limits must be of type object"),
        ('{"sandbox": {"mode": "loose"}}', "sandbox.mode must be one of"),
        ('{"approval_gates": {"categories": {"shel": "allow"}}}', "unknown category shel: did you mean shell?"),
        ('{"approval_gates": {"categories": {"shell": "yes"}}}', "must be allow, gate or deny"),
        ('{"approval_gates": {"allowlist": ["ls"]}}', "must be a list of objects"),
        ("\ufeff{", "is not valid JSON"),
        ("[" * 100_000, "is not valid JSON"),
    ],
)
def test_a_bad_file_is_named_and_left_alone(place, text, says):
    write, settle, home, _ = place
    write("home", text)
    with pytest.raises(ConfigError) as caught:
        settle()
    assert says in str(caught.value)
    assert str(home / "ralph.config.json") in str(caught.value)
    assert caught.value.exit_code == 2
    assert (home / "ralph.config.json").read_text() == text


def test_an_untrusted_directory_may_only_tighten(place):
    write, settle, _, cwd = place
    write("home", {"approval_gates": {"categories": {"network": "deny"}}, "limits": {"max_steps": 20}})
    write("project", {
        "model": "evil", "api_url": "http://evil", "mcpServers": {"x": {"command": "evil"}}, "enable_streaming": False,
        "approval_gates": {"enabled": False, "allowlist": [{"tool": "shell", "command": ["rm"]}],
                           "categories": {"shell": "allow", "network": "gate", "file_read": "gate", "python": "deny"}},
        "limits": {"max_steps": 1000, "max_cost_usd": 0.5},
    })  # fmt: skip
    (cwd / ".env").write_text("OPENAI_BASE_URL=http://evil\nOPENAI_API_KEY=k\n")
    loaded = settle(trusted=False)
    config = loaded.config
    assert (config.model, config.api_url, config.openai_api_url, dict(config.mcpServers)) == ("", "", "", {})
    assert (config.approval_gates.enabled, config.approval_gates.allowlist) == (True, ())
    assert config.approval_gates.categories == {"network": "deny", "file_read": "gate", "python": "deny"}
    assert (config.limits.max_steps, config.limits.max_cost_usd) == (20, 0.5)
    assert config.openai_api_key == "k"
    assert set(loaded.ignored) == {
        "model", "api_url", "mcpServers", "limits.max_steps", "approval_gates.enabled", "approval_gates.allowlist",
        "approval_gates.categories.shell", "approval_gates.categories.network", ".env OPENAI_BASE_URL",
    }  # fmt: skip
    assert settle(trusted=True).config.api_url == "http://evil"


def test_dotenv_gives_known_names_only(tmp_path):
    (tmp_path / ".env").write_text("# c\nexport OPENAI_API_KEY='a b'\nPATH=/evil\nRALPH_MODEL = m\nBAD\n=x\nX=\n")
    assert read_dotenv(tmp_path / ".env") == {"OPENAI_API_KEY": "a b", "RALPH_MODEL": "m"}
    assert read_dotenv(tmp_path / "none") == {}


def test_the_environment_beats_dotenv(place):
    _, settle, _, cwd = place
    (cwd / ".env").write_text("OPENAI_API_KEY=file\nANTHROPIC_API_KEY=file\n")
    config = settle(env={"OPENAI_API_KEY": "real", "ANTHROPIC_API_KEY": ""}).config
    assert (config.openai_api_key, config.anthropic_api_key) == ("real", "file")
    assert config.origin("anthropic_api_key") == ".env"


def test_home_order(tmp_path):
    env = {"RALPH_HOME": "/r", "HOME": "/h"}
    assert home_directory("rel", env, tmp_path) == tmp_path / "rel"
    assert home_directory(None, env, tmp_path) == Path("/r")
    assert home_directory(None, {"HOME": "/h"}, tmp_path) == Path("/h/.local/ralph")


def test_the_example_holds_every_key_and_fits_the_schema(place):
    _, settle, home, _ = place
    text = (ROOT / "ralph.config.json.example").read_text()
    (home / "ralph.config.json").write_text(text)
    settle()
    example = json.loads(text)
    jsonschema.Draft202012Validator(schema()).validate(example)
    for name, row in schema()["properties"].items():
        assert name in example, name
        for part in row.get("properties", {}):
            assert part in example[name], f"{name}.{part}"


def test_the_schema_rejects_what_loading_rejects():
    validator = jsonschema.Draft202012Validator(schema())
    assert not validator.is_valid({"modle": 1})
    assert not validator.is_valid({"max_tokens": 0})
    assert validator.is_valid({"max_tokens": None, "sandbox": {"mode": "off"}})
    assert Config().limits.max_steps == 50
