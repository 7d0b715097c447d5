from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from ralph.policy.requires import missing


@pytest.mark.parametrize("needed", [None, "", [], "/", ["/", "symlink"], "posix" if os.name == "posix" else "windows"])
def test_what_is_here_is_not_missing(needed: str | list[str] | None) -> None:
    assert missing(needed) == ""


@pytest.mark.parametrize("needed", ["no-such-thing", "/no/such/path", ["/", "no-such-thing", "nor-this"]])
def test_a_name_nobody_knows_is_missing(needed: str | list[str]) -> None:
    assert missing(needed) in ("no-such-thing", "/no/such/path")


def test_opposites_exclude_each_other() -> None:
    for one, other in (("root", "non-root"), ("case_sensitive", "case-insensitive"), ("posix", "windows")):
        assert sorted([missing(one), missing(other)])[0] == ""
        assert bool(missing(one)) != bool(missing(other))


def test_the_file_system_is_tried(tmp_path: Path) -> None:
    (tmp_path / "name").touch()
    assert bool(missing("case_insensitive")) != (tmp_path / "NAME").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="what Linux has")
def test_linux_has_links_pipes_and_proc() -> None:
    assert missing(["linux", "symlinks", "hardlink", "fifo", "proc", "procfs", "/proc/self/cwd", "unix"]) == ""
