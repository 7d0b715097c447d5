from __future__ import annotations

from typing import get_args

import pytest

from ralph.policy.categories import NAMES, Action, category_of, defaults, stand_in


def test_every_category_has_a_verdict() -> None:
    for holds in (True, False):
        assert set(defaults(sandbox_holds=holds)) == set(NAMES)
        assert set(defaults(sandbox_holds=holds).values()) <= set(get_args(Action))


def test_only_python_depends_on_the_sandbox() -> None:
    held, bare = defaults(sandbox_holds=True), defaults(sandbox_holds=False)
    assert {name for name in NAMES if held[name] != bare[name]} == {"python"}


@pytest.mark.parametrize(
    ("tool", "category", "match"),
    [
        ("write_file", "file_write", "path"), ("apply_delta", "file_write", "path"), ("read_file", "file_read", "path"),
        ("shell", "shell", "command"), ("web_fetch", "network", "url"), ("python", "python", None),
        ("vector_db_search", "memory", None), ("TodoWrite", "memory", None), ("subagent", "subagent", None),
        ("mcp_a_b", "mcp", None), ("nobody_knows", "shell", None),
    ],
)  # fmt: skip
def test_where_tools_belong(tool: str, category: str, match: str | None) -> None:
    assert category_of(tool) == category
    assert stand_in(tool).match == match
