from __future__ import annotations

from pathlib import Path

import pytest

from ralph.policy.facts import Places
from ralph.policy.globbing import braces, could_name
from ralph.policy.protected import Protected


def named(word: str, tmp_path: Path) -> bool:
    work = str(tmp_path / "work")
    places = Places(work, work, str(tmp_path / "home/.local/ralph"), str(tmp_path / "home"))
    return bool(could_name(word, work, places, Protected(places.home, work)))


@pytest.mark.parametrize(
    "word",
    [".e*", ".en?", ".[e]nv", ".[!a]nv", ".[^a]nv", ".*", ".{env,x}", "{a,.env}", ".en{u..w}", ".ENV*", "x/.env*",
     "r*.json", ".[[:alpha:]]nv", "~/.local/r*/x", "~/.local/ralph/*", "~/.local/*", ".ralph/*.json", ".env.exampl?"],
)  # fmt: skip
def test_patterns_that_fit_a_protected_name_whether_or_not_it_exists(word: str, tmp_path: Path) -> None:
    assert named(word, tmp_path)


@pytest.mark.parametrize(
    "word",
    ["*", "*.py", "?env", "*env", ".g*", "src/{a,b}.py", "*.json", "a{1..3}", "~/.local/ralph/scratch/*", "**/*.ts"],
)  # fmt: skip
def test_patterns_that_do_not(word: str, tmp_path: Path) -> None:
    assert not named(word, tmp_path)


def test_what_exists_decides_about_plain_patterns(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    assert not named("*.json", tmp_path)
    (work / "ralph.config.json").write_text("{}")
    assert named("*.json", tmp_path)
    (work / "link").symlink_to(".env")
    assert named("li*", tmp_path)


def test_braces() -> None:
    assert set(braces("a{b,c{d,e}}")) == {"ab", "acd", "ace"}
    assert len(list(braces("{a,b}" * 12))) <= 256
