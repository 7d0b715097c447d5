from __future__ import annotations

import json

import pytest

from ralph.commands import build
from ralph.errors import ConfigError
from ralph.place import Place
from ralph.rulebook import open_grants


@pytest.fixture
def place(tmp_path):
    (tmp_path / "work").mkdir()
    return Place(tmp_path / "work", tmp_path / "home", {})


def run(place, *words):
    shown = []
    build(place, shown.append)(list(words), standalone_mode=False)
    return shown[0]


def elsewhere(place):
    other = place.cwd.parent / "other"
    other.mkdir()
    return Place(other, place.home, {})


def test_nothing_is_granted(place):
    shown = run(place, "grants", "list")
    assert (shown.data, shown.text) == ([], "nothing is granted")


def test_the_list_says_where_it_is_written(place):
    open_grants(place).add({"tool": "write_file", "pattern": "^docs/", "scope": "project", "uses": 4})
    shown = run(place, "grants", "list")
    assert json.dumps(shown.data)
    assert [(row["id"], row["uses_left"], row["workspace"]) for row in shown.data] == [(101, 4, str(place.cwd))]
    assert shown.text.endswith(f"written in {place.home / 'grants.json'}")


def test_other_directories_are_listed_on_request_and_revoked_from_anywhere(place):
    open_grants(place).add({"tool": "write_file", "pattern": "^docs/", "scope": "project"})
    other = elsewhere(place)
    assert run(other, "grants", "list").data == []
    assert len(run(other, "grants", "list", "--all").data) == 1
    assert run(other, "grants", "revoke", "101").data == {"revoked": 101}
    assert run(place, "grants", "list").data == []


def test_a_grant_that_is_not_there(place):
    with pytest.raises(ConfigError, match="there is no grant 7"):
        run(place, "grants", "revoke", "7")
