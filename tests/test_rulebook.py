"""The rules of a session are the settings' own, and a wrong one stops the start."""

import json

import pytest

from ralph.config import load
from ralph.errors import ConfigError
from ralph.place import Place, Wishes
from ralph.rulebook import make_rules, make_sandbox
from ralph.sandbox.backends import BUBBLEWRAP
from tests.sandbox.needs import need

ENTRY = {"tool": "shell", "command": ["git", "log"], "should_match": ["git log -3"], "should_not_match": ["git push"]}


def rules(folder, entry):
    place = Place(folder, folder / "home", {})
    place.home.mkdir(exist_ok=True)
    settings = {"approval_gates": {"allowlist": [entry]}}
    (place.home / "ralph.config.json").write_text(json.dumps(settings))
    return make_rules(place, load(cwd=folder, home=place.home, env={}, flags={}, trusted=True).config, Wishes())


def test_an_entry_that_keeps_its_examples_is_in_force(tmp_path):
    entry = rules(tmp_path, ENTRY).allowlist[-1]
    assert (entry.words, entry.where) == (("git", "log"), str(tmp_path / "home" / "ralph.config.json"))


@pytest.mark.parametrize("change", [{"should_match": ["git log --output=x"]}, {"should_not_match": ["git log"]}])
def test_an_entry_that_gets_an_example_wrong_is_an_error_at_once(tmp_path, change):
    with pytest.raises(ConfigError, match=r"shell:git,log should (not )?match 'git log") as error:
        rules(tmp_path, ENTRY | change)
    assert "ralph.config.json" in str(error.value)
    assert error.value.hint


def test_the_interpreter_keeps_what_confines_it_from_call_to_call(tmp_path):
    """And the workspace stays as it is."""
    need(BUBBLEWRAP)
    place = Place(tmp_path / "work", tmp_path / "home/.local/ralph", {"HOME": str(tmp_path / "home")})
    place.cwd.mkdir()
    place.home.mkdir(parents=True)
    config = load(cwd=place.cwd, home=place.home, env={}, flags={}, trusted=False).config
    box = make_sandbox(place, config, place.home / "scratch" / "s", private=True)
    first = box.launch(["true"], {})
    assert list(place.cwd.iterdir()) == []
    assert first.ended("") == ""
    again = box.launch(["true"], {})
    box.close()
    assert (again.argv, again.witness) == (first.argv, first.witness)
