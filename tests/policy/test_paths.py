from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralph.errors import ToolError
from ralph.policy.paths import follow, inside, lexical, resolve


def test_a_plain_file_resolves_to_itself(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    found = (tmp_path / "a.txt").stat()
    judged = resolve("a.txt", str(tmp_path))
    assert (judged.given, judged.resolved) == ("a.txt", str(tmp_path / "a.txt"))
    assert judged.inode == (found.st_dev, found.st_ino)


@pytest.mark.parametrize("given", ["./a.txt", "sub/../a.txt", ".//a.txt", "sub/./.././a.txt"])
def test_spellings_of_one_file_resolve_alike(tmp_path: Path, given: str) -> None:
    (tmp_path / "sub").mkdir()
    assert resolve(given, str(tmp_path)).resolved == str(tmp_path / "a.txt")


def test_every_hop_is_reported(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to(tmp_path / "real")
    walk = follow("one/file", str(tmp_path))
    assert walk.resolved == str(tmp_path / "real/file")
    assert str(tmp_path / "two") in walk.hops
    assert walk.inode is None


def test_dotdot_after_a_link_leaves_from_where_the_link_leads(tmp_path: Path) -> None:
    (tmp_path / "far/deep").mkdir(parents=True)
    (tmp_path / "near").symlink_to("far/deep")
    assert resolve("near/../x", str(tmp_path)).resolved == str(tmp_path / "far/x")
    assert follow("near/../x", str(tmp_path)).lexical == str(tmp_path / "x")


def test_a_dangling_link_leads_to_what_it_names(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("not/there/yet")
    assert resolve("link", str(tmp_path)).resolved == str(tmp_path / "not/there/yet")


def test_a_circle_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(ToolError, match="too many symbolic links"):
        resolve("a", str(tmp_path))


@pytest.mark.parametrize("given", ["a\0b", ""])
def test_nul_and_nothing_are_refused(tmp_path: Path, given: str) -> None:
    with pytest.raises(ToolError):
        resolve(given, str(tmp_path))


def test_tilde_is_the_persons_home(tmp_path: Path) -> None:
    assert resolve("~/x", "/", tilde=str(tmp_path)).resolved == str(tmp_path / "x")
    assert resolve("~", "/", tilde=str(tmp_path)).resolved == str(tmp_path)


@pytest.mark.parametrize("process", ["self", "thread-self", "own"])
def test_magic_links_of_this_process_mean_the_workspace(tmp_path: Path, process: str) -> None:
    process = str(os.getpid()) if process == "own" else process
    assert resolve(f"/proc/{process}/cwd/x", str(tmp_path)).resolved == str(tmp_path / "x")
    assert resolve(f"/proc/{process}/root{tmp_path}/x", str(tmp_path)).resolved == str(tmp_path / "x")


@pytest.mark.parametrize("given", ["/proc/1/cwd/x", "/proc/self/fd/3", "/dev/fd/7", "/dev/stdin", "/proc/self/exe"])
def test_other_magic_links_are_refused(tmp_path: Path, given: str) -> None:
    with pytest.raises(ToolError, match="depends on the process"):
        resolve(given, str(tmp_path))


def test_hard_links_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    os.link(tmp_path / "a", tmp_path / "b")
    assert follow("b", str(tmp_path)).links == 2


def test_inside_stops_at_names_not_at_letters() -> None:
    assert inside("/a/b", "/a")
    assert inside("/a", "/a")
    assert not inside("/ab", "/a")


@given(st.lists(st.sampled_from(["d", "l", "..", ".", "", "f", "new"]), max_size=8))
def test_resolution_agrees_with_the_system(tmp_path_factory: pytest.TempPathFactory, parts: list[str]) -> None:
    root = tmp_path_factory.getbasetemp() / "tree"
    if not root.exists():
        (root / "d/d").mkdir(parents=True)
        (root / "d/f").write_text("x")
        (root / "l").symlink_to("d/d")
        (root / "d/l").symlink_to("..")
    given_path = "/".join(parts) or "."
    assert resolve("./" + given_path, str(root)).resolved == os.path.realpath(f"{root}/./{given_path}")


@given(st.text(alphabet="a./", min_size=1, max_size=12))
def test_lexical_is_stable(path: str) -> None:
    once = lexical("/" + path)
    assert once.startswith("/")
    assert not once.startswith("//")
    assert lexical(once) == once
