from __future__ import annotations

from ralph.policy.grants import Grants
from ralph.ui.grants import NONE, as_rows, as_text


def test_a_list_of_grants_says_what_how_long_who_and_when():
    grants = Grants("/work", now=lambda: 1_700_000_000.0)
    grants.add({"tool": "shell", "command": ["git", "log"], "uses": 3, "minutes": 10}, origin="reviewer")
    (row,) = as_rows(grants.list())
    assert row == {
        "id": 1, "rule": {"tool": "shell", "command": ["git", "log"]}, "scope": "session", "workspace": None,
        "uses_left": 3, "expires": 1_700_000_600.0, "given_by": "reviewer", "given": 1_700_000_000.0,
    }  # fmt: skip
    heading, line = as_text(grants.list(), "/home/grants.json").split("\n")
    assert heading.split() == ["id", "allows", "in", "uses", "until", "by", "since"]
    assert line.split()[:5] == ["1", "shell:git,log", "this", "session", "3"]
    assert "reviewer" in line


def test_nothing_granted():
    assert as_text((), "/x") == NONE
