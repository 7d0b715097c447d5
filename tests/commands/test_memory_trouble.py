"""`ralph memory ...` when something is wrong: one clear line, the right exit code, nothing lost."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from ralph.memory.memory import Memory
from ralph.memory.rows import LONG_TERM, Draft
from ralph.options import parse
from ralph.start import run
from tests.sandbox.needs import missing

ROOT = Path(__file__).parents[2]

COMMANDS = (
    ("list",), ("search", "staging"), ("show", "1"), ("stats",), ("indices",), ("edit", "1", "importance", "high"),
    ("forget", "2"), ("export", "out.jsonl"), ("import", "in.jsonl"), ("ingest", "a.md"), ("compact",),
)  # fmt: skip


@pytest.fixture(scope="module")
def seed(tmp_path_factory):
    home = tmp_path_factory.mktemp("seed")
    memory = Memory(home)
    memory.store.add(LONG_TERM, [Draft("the staging port is 8443"), Draft("Alice likes tea")])
    memory.store.add(LONG_TERM, [Draft(f"fact {n} about thing{n % 13} {'words of it ' * 30}") for n in range(300)])
    memory.close()
    return home / "ralph.db"


@pytest.fixture
def ralph(tmp_path, capsys, monkeypatch, seed):
    """`ralph(*words)` is the program but for its process: exit code, stdout, stderr."""
    work, home = tmp_path / "work", tmp_path / "home"
    work.mkdir()
    home.mkdir()
    shutil.copy(seed, home / "ralph.db")
    monkeypatch.chdir(work)
    (work / "a.md").write_text("# A\n\nherons wait in shallow water")
    (work / "in.jsonl").write_text('{"content":"gulls follow the plough"}\n')

    def go(*words, where=home):
        code = run(parse(["--home", str(where), "memory", *words]), {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"})
        out, err = capsys.readouterr()
        return SimpleNamespace(code=code, out=out, err=err)

    go.work, go.home, go.file = work, home, home / "ralph.db"
    return go


def one_line(done):
    assert done.out == ""
    assert done.err.startswith("ralph: ")
    assert done.err.count("\n") == 1
    assert done.code in (1, 2)
    return done.err


def left(ralph):
    """What is stored, read by SQLite alone."""
    with sqlite3.connect(ralph.file) as connection:
        return connection.execute("SELECT count(*), min(text) FROM documents").fetchone()


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
def test_a_database_of_a_newer_ralph(ralph, command):
    with sqlite3.connect(ralph.file) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = left(ralph)
    error = one_line(ralph(*command))
    assert "written by a newer Ralph (schema 99" in error
    assert "nothing was changed" in error
    assert left(ralph) == before


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
def test_a_file_that_is_no_database(ralph, command):
    noise = os.urandom(9000)
    ralph.file.write_bytes(noise)
    assert "is not a Ralph database" in one_line(ralph(*command))
    assert ralph.file.read_bytes() == noise


@pytest.mark.parametrize("part", [0.15, 0.35, 0.55, 0.75, 0.95])
def test_a_corrupt_page_is_said_and_the_rest_is_still_given(ralph, part):
    data = bytearray(ralph.file.read_bytes())
    at = int(part * len(data)) // 4096 * 4096
    data[at : at + 4096] = os.urandom(4096)
    ralph.file.write_bytes(data)
    said = 0
    for command in COMMANDS:
        done = ralph(*command)
        if done.code:
            assert "damaged" in one_line(done), (command, done.err)
            said += 1
    assert said  # `compact`, at the latest, looks at every page
    assert ralph.file.stat().st_size >= len(data)


def test_a_home_that_cannot_be_made(ralph):
    (ralph.work / "file").write_text("")
    for command in COMMANDS:
        error = one_line(ralph(*command, where=ralph.work / "file" / "home"))
        assert "Not a directory" in error or "cannot" in error


@pytest.mark.parametrize(("words", "says"), [
    (("show", "99999"), "there is no memory 99999"), (("show", "9" * 30), "there is no memory 999"),
    (("forget", "1", "99999"), "there is no memory 99999"), (("edit", "99999", "content", "x"), "no memory 99999"),
    (("edit", "1", "content", " "), "the content is empty"), (("edit", "1", "content", "x" * 10_001), "10,000 char"),
    (("edit", "1", "content", "caf%E9"), "not valid UTF-8"), (("edit", "1", "mood", "x"), "no field 'mood'"),
    (("list", "nope"), "there is no index 'nope'"), (("list", "caf%E9"), "there is no index"),
    (("search", "x", "--index", "nope"), "there is no index 'nope'"), (("ingest", "caf%E9.md"), "there is no file"),
    (("import", "gone.jsonl"), "cannot read gone.jsonl"), (("export", "a.md"), "exists already"),
    (("export", "/proc/x/out.jsonl"), "cannot write"), (("ingest", "/dev/null"), "/dev/null is no file"),
])  # fmt: skip
def test_bad_words(ralph, words, says):
    before = left(ralph)
    bytes_of_a_terminal = (os.fsdecode(word.encode().replace(b"%E9", b"\xe9")) for word in words)
    assert says in one_line(ralph(*bytes_of_a_terminal))
    assert left(ralph) == before


def test_ten_megabytes_and_bytes_that_are_no_text(ralph):
    (ralph.work / "big.txt").write_text("words and more words of it. " * 380_000)
    done = ralph("ingest", "big.txt")
    assert done.code == 0
    assert "new" in done.out
    (ralph.work / "latin.txt").write_bytes(b"caf\xe9 au lait \xff\xfe")
    assert "3 places that are not UTF-8 were replaced" in ralph("ingest", "latin.txt").out
    odd = os.fsdecode(b"na\xe9.txt")
    (ralph.work / odd).write_text("the name is not UTF-8")
    assert ralph("ingest", odd).code == 0
    assert "na\\xe9.txt" in ralph("search", "name", "UTF-8", "--index", "documents").out
    assert ralph("search", os.fsdecode(b"caf\xe9")).code == 0


READ_ONLY = """
mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" || exit 77
shift
exec "$@"
"""


@pytest.mark.parametrize(("words", "code"), [(("list",), 0), (("search", "staging"), 0), (("compact",), 2)])
def test_a_home_that_can_only_be_read(ralph, words, code):
    apart = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", READ_ONLY, "sh"]
    home = str(ralph.file.parent)
    other = Memory(ralph.file.parent)  # has the log of the database open; without it SQLite reads nothing there
    assert other.get(1)
    done = subprocess.run(
        [*apart, home, sys.executable, "-m", "ralph", "--home", home, "memory", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    other.close()
    if done.returncode == 77 or "unshare" in done.stderr:
        missing(f"mounts cannot be tried here: {done.stderr}")
    assert done.returncode == code, done.stderr
    assert not code or done.stderr.startswith(f"ralph: {ralph.file} cannot be written: make it")
    assert left(ralph)[0] == 302


def test_a_full_disk_loses_nothing(ralph):
    import resource

    (ralph.work / "long.md").write_text("\n\n".join(f"paragraph {n} {'of words ' * 60}" for n in range(2000)))
    before = left(ralph)
    size = ralph.file.stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 200_000, hard))
    try:
        error = one_line(ralph("ingest", "long.md"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "disk" in error
    assert before[0] <= left(ralph)[0]
    done = ralph("ingest", "long.md")  # with room again it goes on where it stopped
    assert done.code == 0
    assert left(ralph)[0] > before[0] + 1000
    assert ralph("compact").code == 0
