"""Names into places: what is masked, pinned, and when masks no longer hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ralph.sandbox import confinement
from ralph.sandbox.confinement import (
    Confinement,
    confine,
    environment,
    footing,
    frozen_places,
    hidden_places,
    pinned_places,
    ways,
    witness,
)


@pytest.fixture
def given(tmp_path: Path) -> Confinement:
    (tmp_path / "workspace").mkdir()
    return confine("workspace", tmp_path / "workspace", tmp_path / "scratch")


def test_hidden_places_follow_links_and_skip_what_is_missing(given: Confinement, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    (given.workspace / ".env").symlink_to(secret)
    wanted = replace(given, hidden=(tmp_path / "missing", given.workspace / ".env"))
    assert hidden_places(wanted) == [secret]


def test_a_hidden_workspace_would_be_no_workspace(given: Confinement) -> None:
    assert hidden_places(replace(given, hidden=(given.workspace,))) == []


def test_a_linked_hooks_directory_freezes_what_holds_the_link(given: Confinement, tmp_path: Path) -> None:
    (given.workspace / ".git").mkdir()
    (tmp_path / "hooks").mkdir()
    (given.workspace / ".git/hooks").symlink_to(tmp_path / "hooks")
    assert given.workspace / ".git" in frozen_places(given)


def test_directories_on_the_way_are_pinned(given: Confinement) -> None:
    for name in (".git", ".ralph"):
        (given.workspace / name).mkdir()
    assert pinned_places(given) == [given.workspace / ".git", given.workspace / ".ralph"]


def test_the_ways_are_named_whether_they_are_there_or_not(given: Confinement) -> None:
    assert ways(given) == [given.workspace / ".git", given.workspace / ".ralph"]
    assert list(given.workspace.iterdir()) == []


def test_the_witness_changes_with_what_is_guarded_and_only_then(given: Confinement) -> None:
    before = witness(given)
    (given.workspace / "code.py").write_text("x")
    assert witness(given) == before
    (given.workspace / ".env").write_text("KEY=1")
    file = witness(given)
    assert file != before
    assert witness(given) == file
    (given.workspace / "new").write_text("KEY=3")
    (given.workspace / "new").replace(given.workspace / ".env")
    assert witness(given) != file


def test_a_file_with_the_number_of_a_deleted_one_is_another_file(given: Confinement) -> None:
    seen = set()
    for _ in range(20):
        (given.workspace / ".env").write_text("KEY=1")
        seen.add(witness(given))
        (given.workspace / ".env").unlink()
    assert len(seen) == 20


def test_a_hidden_directory_may_be_filled_by_others(given: Confinement, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    given = replace(given, hidden=(tmp_path / "home",))
    before = witness(given)
    (tmp_path / "home" / "session.jsonl").touch()
    assert witness(given) == before


def test_what_ralph_is_run_from_is_kept(tmp_path: Path) -> None:
    package = Path(confinement.__file__).resolve().parents[1]
    given = confine("workspace", package.parent, tmp_path / "scratch")
    assert package in given.kept
    assert package in frozen_places(given)
    assert confine("workspace", tmp_path, tmp_path / "scratch").kept == ()


def test_environment_is_a_list_of_harmless_names() -> None:
    harmless = {"PATH": "/bin", "HOME": "/h", "LC_ALL": "C", "GIT_PAGER": "cat"}
    harmful = {"ANTHROPIC_API_KEY": "k", "AWS_PROFILE": "p", "SSH_AUTH_SOCK": "s", "DBUS_SESSION_BUS_ADDRESS": "d",
               "LD_PRELOAD": "l", "PYTHONSTARTUP": "p", "DATABASE_URL": "u", "MY_OWN_THING": "m"}  # fmt: skip
    assert environment({**harmless, **harmful}) == harmless


def test_the_footing_is_the_same_while_ordinary_work_goes_on(given: Confinement) -> None:
    given.scratch.mkdir()
    (given.workspace / ".ralph").mkdir()
    before = footing(given)
    (given.workspace / "file").write_text("x")
    (given.workspace / ".ralph/notes").write_text("x")
    (given.scratch / "file").write_text("x")
    assert footing(given) == before


@pytest.mark.parametrize("name", ["workspace", "scratch", "workspace/.ralph", "workspace/.git"])
def test_the_footing_changes_with_a_directory_that_leads_to_something(
    tmp_path: Path, given: Confinement, name: str
) -> None:
    place = tmp_path / name
    place.mkdir(exist_ok=True)
    before = footing(given)
    place.rename(tmp_path / "aside")
    gone = footing(given)
    place.mkdir()
    again = footing(given)
    place.rmdir()
    place.symlink_to(tmp_path / "aside")
    assert len({before, gone, again, footing(given)}) == 4


@pytest.mark.parametrize("text", ["new", None])
def test_the_footing_changes_with_a_protected_file(given: Confinement, text: str | None) -> None:
    path = given.workspace / ".env"
    before = footing(given)
    if text:
        path.write_text(text)
    else:
        path.symlink_to("nowhere")
    assert footing(given) != before
