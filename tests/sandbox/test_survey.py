"""Guarded names are noticed however they come to be, and nothing else is."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ralph.sandbox.survey import DEPTH, DIRECTORIES, Kind, Survey


def kind_of(directory: str, name: str) -> Kind:
    if name == ".git":
        return "new"
    if name == ".vscode" or (name == "hooks" and directory.endswith("/.git")):
        return "frozen"
    return "hidden" if name == ".env" else ""


def put(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def settle(*directories: Path) -> None:
    """Until change times are old enough to be relied on."""
    time.sleep(0.03)
    assert all(time.time_ns() - path.stat().st_ctime_ns > 20_000_000 for path in directories)


def names(survey: Survey, top: Path) -> list[str]:
    return sorted(os.path.relpath(found.path, top) for found in survey.look())


def test_what_is_there_at_the_start(tmp_path: Path) -> None:
    put(tmp_path / "a/b/.env")
    put(tmp_path / ".git/hooks/pre-commit")
    put(tmp_path / ".git/objects/deep/.env")
    put(tmp_path / "node_modules/.env")
    survey = Survey(str(tmp_path), kind_of)
    found = {os.path.relpath(path, tmp_path): one.kind for path, one in survey.found.items()}
    assert found == {"a/b/.env": "hidden", ".git": "new", ".git/hooks": "frozen"}
    assert survey.look() == []


@pytest.mark.parametrize("settled", [True, False])
@pytest.mark.parametrize("name", [".env", "a/.env", "a/b/.env", "c/d/.env", "a/.vscode/tasks.json"])
def test_a_new_file_is_seen_once(tmp_path: Path, name: str, settled: bool) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    survey = Survey(str(tmp_path), kind_of)
    if settled:
        settle(tmp_path)
        assert survey.look() == []
        settle(tmp_path)
    put(tmp_path / name)
    wanted = name.removesuffix("/tasks.json")
    assert names(survey, tmp_path) == [wanted]
    assert names(survey, tmp_path) == []
    assert str(tmp_path / wanted) in survey.found


def test_a_modification_time_that_was_set_back_hides_nothing(tmp_path: Path) -> None:
    survey = Survey(str(tmp_path), kind_of)
    settle(tmp_path)
    survey.look()
    before = tmp_path.stat()
    put(tmp_path / ".env")
    os.utime(tmp_path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert names(survey, tmp_path) == [".env"]


def test_a_moved_directory_and_a_saved_file_are_not_new(tmp_path: Path) -> None:
    put(tmp_path / "a/.env")
    survey = Survey(str(tmp_path), kind_of)
    (tmp_path / "a").rename(tmp_path / "b")
    assert names(survey, tmp_path) == []
    assert list(survey.found) == [str(tmp_path / "b/.env")]
    put(tmp_path / "fresh").replace(tmp_path / "b/.env")
    assert names(survey, tmp_path) == []


def test_another_directory_in_the_place_of_one_is_new(tmp_path: Path) -> None:
    put(tmp_path / "a/.env")
    put(tmp_path / "sub/.git/config")
    survey = Survey(str(tmp_path), kind_of)
    (tmp_path / "a").rename(tmp_path / "b")
    put(tmp_path / "a/.env")
    (tmp_path / "sub/.git").rename(tmp_path / "sub/aside")
    put(tmp_path / "sub/.git/config")
    assert names(survey, tmp_path) == ["a/.env", "sub/.git"]


def test_a_link_is_a_name_like_any_other_and_leads_nowhere(tmp_path: Path) -> None:
    put(tmp_path / "elsewhere/.env")
    (tmp_path / "top/a").mkdir(parents=True)
    survey = Survey(str(tmp_path / "top"), kind_of)
    (tmp_path / "top/a").rmdir()
    (tmp_path / "top/a").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "top/.vscode").symlink_to(tmp_path / "elsewhere")
    assert names(survey, tmp_path / "top") == [".vscode"]


def test_what_is_gone_is_forgotten(tmp_path: Path) -> None:
    put(tmp_path / "a/.env").unlink()
    put(tmp_path / "b/c/.env")
    survey = Survey(str(tmp_path), kind_of)
    (tmp_path / "b/c/.env").unlink()
    (tmp_path / "b/c").rmdir()
    (tmp_path / "b").rmdir()
    assert (survey.look(), survey.found) == ([], {})
    put(tmp_path / "b/c/.env")
    assert names(survey, tmp_path) == ["b/c/.env"]


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_a_directory_that_becomes_readable(tmp_path: Path) -> None:
    put(tmp_path / "a/.env")
    (tmp_path / "a").chmod(0)
    survey = Survey(str(tmp_path), kind_of)
    (tmp_path / "a").chmod(0o700)
    assert names(survey, tmp_path) == ["a/.env"]


def test_it_does_not_look_for_ever(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d"] * (DEPTH + 2))
    put(deep / ".env")
    put(tmp_path / "skipped/.env")
    survey = Survey(str(tmp_path), kind_of, {str(tmp_path / "skipped")})
    assert survey.found == {}
    for number in range(1_200):
        (tmp_path / f"many/{number}").mkdir(parents=True)
    survey.look()
    put(tmp_path / "many/.env")
    assert names(survey, tmp_path) == ["many/.env"]
    assert len(survey._stamps) <= 1_001


def test_a_way_is_looked_into_however_much_there_is(tmp_path: Path) -> None:
    survey = Survey(str(tmp_path), kind_of, ways={str(tmp_path / "way")})
    for number in range(DIRECTORIES + 1):
        (tmp_path / f"{number}").mkdir()
    assert survey.look() == []
    put(tmp_path / "way/.env")
    put(tmp_path / "other/.env")
    assert names(survey, tmp_path) == ["way/.env"]


def test_a_link_in_the_place_of_a_way(tmp_path: Path) -> None:
    put(tmp_path / "aside/config.json")
    survey = Survey(str(tmp_path), kind_of, ways={str(tmp_path / "way")})
    (tmp_path / "link").symlink_to("aside")
    assert survey.look() == []
    (tmp_path / "way").symlink_to("aside")
    assert names(survey, tmp_path) == ["way"]
    assert names(survey, tmp_path) == []
