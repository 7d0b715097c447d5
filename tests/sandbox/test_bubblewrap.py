"""The command line as such; what it achieves is shown in test_probe and test_box."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ralph.sandbox import bubblewrap
from ralph.sandbox.bubblewrap import words
from tests.sandbox.needs import kind


def pairs(line: list[str], option: str) -> list[str]:
    return [line[at + 1] for at, word in enumerate(line) if word == option]


def test_the_child_is_cut_off_from_the_rest(tmp_path: Path) -> None:
    line = words(kind(tmp_path))
    assert Path(line[0]).name == "bwrap"
    assert {"--die-with-parent", "--new-session", "--unshare-all"} <= set(line)
    assert "--share-net" not in line
    assert line[-1:] == [str(Path(bubblewrap.__file__).with_name("seal.py"))]
    assert words(replace(kind(tmp_path), private=()))[-1] == "--"


def test_a_network_is_shared_only_when_granted(tmp_path: Path) -> None:
    assert "--share-net" in words(kind(tmp_path, network=True))


def test_masks_lie_above_the_workspace_and_the_scratch_directory_above_all(tmp_path: Path) -> None:
    given = kind(tmp_path)
    (given.workspace / ".env").write_text("x")
    home = given.workspace / "home"
    (home / "scratch").mkdir(parents=True)
    given = replace(given, hidden=(home,), scratch=home / "scratch")
    line = words(given)
    workspace, mask = line.index(str(given.workspace)), line.index(str(given.workspace / ".env"))
    assert workspace < mask < line.index(str(given.scratch))
    assert workspace < line.index(str(home)) < line.index(str(given.scratch))


def test_a_linked_tmp_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "linked").symlink_to("real")
    private = (tmp_path / "real", tmp_path / "linked", tmp_path / "missing")
    assert pairs(words(replace(kind(tmp_path), private=private)), "--tmpfs") == [str(tmp_path / "real")]


def test_read_only_mode_binds_nothing_writable_but_the_scratch_directory(tmp_path: Path) -> None:
    given = kind(tmp_path, "read-only")
    (given.workspace / ".git/hooks").mkdir(parents=True)
    assert pairs(words(given), "--bind") == [str(given.scratch)]
