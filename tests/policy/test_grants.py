from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from ralph.errors import ConfigError, StoreError
from ralph.policy.grants import GrantFile, Grants

RULE = {"tool": "write_file", "pattern": "^docs/"}


@dataclass
class Clock:
    at: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.at


def kept(tmp_path: Path, workspace: str = "/work", clock: Clock | None = None) -> Grants:
    return Grants(workspace, GrantFile(tmp_path / "home/grants.json"), clock or Clock())


def test_session_grants_are_listed_and_revoked() -> None:
    grants = Grants("/work")
    first, second = grants.add(RULE), grants.add({"tool": "shell", "command": ["git", "push"]}, origin="reviewer")
    assert [grant.id for grant in grants.list()] == [first.id, second.id]
    assert second.origin == "reviewer"
    assert grants.revoke(first.id)
    assert not grants.revoke(first.id)
    assert grants.list() == (second,)


def test_minutes_end() -> None:
    clock = Clock()
    grants = Grants("/work", now=clock)
    grants.add({**RULE, "minutes": 10})
    clock.at += 599
    assert len(grants.list()) == 1
    clock.at += 1
    assert grants.list() == ()


def test_uses_are_counted_down() -> None:
    grants = Grants("/work")
    grant = grants.add({**RULE, "uses": 2})
    assert grants.use(grant)
    assert grants.list()[0].uses == 1
    assert grants.use(grant)
    assert grants.list() == ()


def test_a_project_grant_holds_in_its_project_only(tmp_path: Path) -> None:
    kept(tmp_path).add({**RULE, "scope": "project"})
    assert len(kept(tmp_path).list()) == 1
    assert kept(tmp_path, "/other").list() == ()


def test_a_user_grant_holds_everywhere_and_its_revocation_too(tmp_path: Path) -> None:
    one, other = kept(tmp_path), kept(tmp_path, "/other")
    grant = one.add({**RULE, "scope": "user"})
    assert [item.id for item in other.list()] == [grant.id]
    assert one.revoke(grant.id)
    assert other.list() == ()


def test_session_and_kept_grants_never_share_an_id(tmp_path: Path) -> None:
    grants = kept(tmp_path)
    numbers = {grants.add({**RULE, "scope": scope}).id for scope in ("session", "user", "project")}
    assert len(numbers) == 3


def test_the_last_use_is_taken_once_by_many_processes(tmp_path: Path) -> None:
    grant = kept(tmp_path).add({**RULE, "scope": "user", "uses": 5})
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _n: kept(tmp_path).use(grant), range(12)))
    assert taken.count(True) == 5
    assert kept(tmp_path).list() == ()


def test_many_writers_lose_nothing(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _n: kept(tmp_path).add({**RULE, "scope": "user"}), range(16)))
    assert len({grant.id for grant in kept(tmp_path).list()}) == 16


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    kept(tmp_path).add({**RULE, "scope": "user"})
    assert stat.S_IMODE((tmp_path / "home/grants.json").stat().st_mode) == 0o600
    assert {item.name for item in (tmp_path / "home").iterdir()} <= {"grants.json", "grants.lock"}


@pytest.mark.parametrize("text", ["not json", '{"a": 1}', '[{"id": 1}]', "[1]"])
def test_a_broken_file_is_an_error_and_stays_as_it_is(tmp_path: Path, text: str) -> None:
    path = tmp_path / "home/grants.json"
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(StoreError, match="cannot be read"):
        kept(tmp_path).list()
    with pytest.raises(StoreError):
        kept(tmp_path).add({**RULE, "scope": "user"})
    assert path.read_text() == text


@pytest.mark.parametrize(
    "rule",
    [{**RULE, "scope": "galaxy"}, {**RULE, "uses": 0}, {**RULE, "minutes": -1}, {"tool": "write_file", "pattern": "("},
     {"tool": "write_file"}, {**RULE, "uses": "two"}],
)  # fmt: skip
def test_a_bad_rule_is_refused_before_it_is_stored(rule: dict[str, object]) -> None:
    grants = Grants("/work")
    with pytest.raises(ConfigError):
        grants.add(rule)
    assert grants.list() == ()


def test_without_a_store_nothing_can_outlive_the_session() -> None:
    with pytest.raises(ConfigError, match="nowhere to keep"):
        Grants("/work").add({**RULE, "scope": "user"})


def test_what_is_written_is_plain_json(tmp_path: Path) -> None:
    kept(tmp_path).add({**RULE, "scope": "project", "minutes": 1})
    (row,) = json.loads((tmp_path / "home/grants.json").read_text())
    assert row["rule"] == RULE
    assert row["workspace"] == "/work"
    assert row["expires"] == Clock().at + 60


def test_a_grant_knows_when_it_was_given_and_rows_of_before_need_not(tmp_path: Path) -> None:
    grants = kept(tmp_path)
    assert grants.add({**RULE, "scope": "user"}).given == Clock().at
    path = tmp_path / "home/grants.json"
    rows = json.loads(path.read_text())
    del rows[0]["given"]
    path.write_text(json.dumps(rows))
    assert kept(tmp_path).list()[0].given is None


def test_grants_of_other_projects_can_be_listed_and_revoked(tmp_path: Path) -> None:
    grant = kept(tmp_path, "/one").add({**RULE, "scope": "project"})
    other = kept(tmp_path, "/two")
    assert other.list(everywhere=True) == (grant,)
    assert other.revoke(grant.id)
    assert not other.revoke(grant.id)
    assert kept(tmp_path, "/one").list() == ()


@pytest.mark.parametrize(
    "change",
    [{"uses": 1.5}, {"uses": True}, {"minutes": float("inf")}, {"minutes": 1e12}, {"minutes": "1"}, {"minutes": False}],
)
def test_ends_that_are_none_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="number"):
        Grants("/work").add({**RULE, **change})


@pytest.mark.parametrize(
    "change", [{"expires": "soon"}, {"rule": {"tool": "write_file", "pattern": "("}}, {"uses": "x"}]
)
def test_a_row_edited_by_hand_is_checked_when_it_is_read(tmp_path: Path, change: dict[str, object]) -> None:
    kept(tmp_path).add({**RULE, "scope": "user"})
    path = tmp_path / "home/grants.json"
    (row,) = json.loads(path.read_text())
    path.write_text(json.dumps([{**row, **change}]))
    with pytest.raises(StoreError, match="cannot be read"):
        kept(tmp_path).list()
