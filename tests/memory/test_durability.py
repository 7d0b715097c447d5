"""What was acknowledged stays, what was deleted stays away: through kills, full disks and read-only homes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ralph.errors import StoreError
from ralph.memory.index import VectorIndex
from ralph.memory.rows import LONG_TERM, Draft, Embedder, IndexSpec
from ralph.memory.store import Store
from tests.memory.killing import kill_often

ROOT = Path(__file__).parents[2]


def test_kills_lose_nothing_and_bring_nothing_back(tmp_path):
    """A sample; `python -m tests.memory.killing 200` is the whole."""
    problems, operations = kill_often(tmp_path, 20, seed=5, check_every=10)
    assert not problems, "\n".join(problems)
    assert operations > 100


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 3 MB that is only ours."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("only root can mount a small disk")
    argv = ["mount", "-t", "tmpfs", "-o", "size=3m", "ralph-test", str(place)]
    done = subprocess.run(argv, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_loses_nothing(small_disk):
    store = Store(small_disk)
    kept = []

    def fill():
        for n in range(100_000):
            kept.extend(store.add(LONG_TERM, [Draft(f"memory {n} " + "z" * 3000)]))

    with pytest.raises(StoreError, match=r"disk|full") as failure:
        fill()
    assert "nothing was changed" in str(failure.value) or "kept" in str(failure.value)
    assert [document.id for document in store.find(LONG_TERM, oldest_first=True)] == kept
    assert len(store.search_text(LONG_TERM, ["memory"], limit=10**6)) == len(kept)
    store.close()
    again = Store(small_disk)
    assert again.count(LONG_TERM) == len(kept)
    assert again.integrity() == []
    again.close()


def test_a_full_disk_costs_a_snapshot_only(small_disk, tmp_path):
    store = Store(small_disk)
    store.definitions.create(IndexSpec("mine", effort=20, embedder=Embedder("", 64)))
    store.add("mine", [Draft("", vector=[n, *[1] * 63]) for n in range(1_500)])
    rest = shutil.disk_usage(small_disk).free
    (small_disk / "ballast").write_bytes(b"x" * max(0, rest - 300_000))
    index = VectorIndex(store, "mine", lasting=True, rows=100)
    assert len(index.search([1] * 64, 5)) == 5
    index.settle()
    index.close()
    assert not (small_disk / "mine.idx").exists()
    assert not list(small_disk.glob("*.tmp"))
    (small_disk / "ballast").unlink()
    assert store.count("mine") == 1_500
    store.close()


@pytest.fixture
def as_somebody_else():
    """How to run a command as a person who owns nothing here."""
    if os.geteuid() != 0:
        return []
    if not shutil.which("setpriv"):
        pytest.skip("root may write everywhere, and setpriv to become somebody else is missing")
    prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    if subprocess.run([*prefix, sys.executable, "-c", "import ralph"], cwd=ROOT, capture_output=True).returncode:
        pytest.skip("somebody else cannot run this Python")
    return prefix


@pytest.mark.parametrize("mode", [0o500, 0o555])
def test_a_home_that_cannot_be_written(tmp_path, as_somebody_else, mode):
    code = """
import sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from ralph.errors import StoreError
from ralph.memory.rows import Draft
from ralph.memory.store import Store
try:
    Store(Path(sys.argv[1])).add("long_term_memory", [Draft("x")])
except StoreError as error:
    print(error)
"""
    home = tmp_path / "home"
    store = Store(home)
    store.add(LONG_TERM, [Draft("x")])
    store.close()
    before = (home / "ralph.db").read_bytes()
    for parent in [tmp_path, *tmp_path.parents][:3]:
        parent.chmod(parent.stat().st_mode | 0o011)
    (home / "ralph.db").chmod(0o444)
    home.chmod(mode)
    argv = [*as_somebody_else, sys.executable, "-c", code, str(home), str(ROOT)]
    done = subprocess.run(argv, capture_output=True, text=True)
    home.chmod(0o700)
    assert "--home" in done.stdout, done.stderr
    assert (home / "ralph.db").read_bytes() == before
