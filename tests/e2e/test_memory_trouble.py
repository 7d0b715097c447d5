"""A job whose memory is out of order: it goes on, says so once, and loses nothing."""

import json
import sqlite3
import subprocess
import time

import pytest

from ralph.memory.memory import Memory
from ralph.memory.rows import LONG_TERM
from ralph.memory.store import Store
from tests.e2e.program import calls


@pytest.fixture
def home(program):
    folder = program.home / ".local/ralph"
    memory = Memory(folder)
    memory.remember("the staging server listens on port 8443")
    memory.close()
    return folder


def spoil(home, how):
    path = home / "ralph.db"
    if how == "newer":
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA user_version = 99")
        connection.close()
    else:
        data = bytearray(path.read_bytes())
        data[:100] = b"\0" * 100
        path.write_bytes(data)


@pytest.mark.parametrize(("how", "says"), [("newer", "written by a newer Ralph"), ("header", "not a Ralph database")])
def test_a_job_goes_on_without_memory(program, home, how, says):
    spoil(home, how)
    script = program.script(calls("remember", content="the cat is called Miezi"), {"text": "done"})
    lines, done = program.lines(*script, "which port does the staging server use?")
    assert (done.returncode, lines[-1]["result"]) == (0, "done")
    notices = [json.dumps(line) for line in lines if line.get("topic") == "memory"]
    assert len([text for text in notices if says in text]) == 1
    [result] = [block for line in lines if line["type"] == "user" for block in line["message"]["content"]
                if block["type"] == "tool_result"]  # fmt: skip
    assert result["is_error"]
    assert says in result["content"]
    assert "Traceback" not in done.stderr


def test_a_locked_database_holds_no_job_up_for_long(program, home):
    other = sqlite3.connect(home / "ralph.db", isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    other.execute("UPDATE indices SET seq = seq")
    began = time.monotonic()
    lines, done = program.lines(*program.script({"text": "done"}), "which port does the staging server use?")
    seconds = time.monotonic() - began
    other.close()
    assert (done.returncode, lines[-1]["result"]) == (0, "done")
    assert "memory did not answer within 1 s" in json.dumps(lines)
    assert seconds < 8  # it would wait ten for the lock
    lines, _ = program.lines(*program.script({"text": "done"}), "which port does the staging server use?")
    assert [line for line in lines if line.get("subtype") == "recalled"]


def test_a_disk_that_is_full_loses_nothing(program, home):
    script = program.script(calls("remember", content="the cat is called Miezi " + "and so on " * 900), {"text": "ok"})
    argv = program.argv("--json", *script, "keep this")
    limited = ["sh", "-c", 'ulimit -f 8; exec "$@"', "sh", *argv]  # blocks of 512 bytes or a kilobyte
    done = subprocess.run(limited, cwd=program.cwd, env=program.env, capture_output=True, stdin=subprocess.DEVNULL,
                          timeout=30, start_new_session=True)  # fmt: skip
    assert b"Traceback" not in done.stderr
    store = Store(home)
    assert store.integrity() == []
    assert "the staging server listens on port 8443" in [document.text for document in store.find(LONG_TERM)]
    store.close()
    assert program.run(*script, "keep this").returncode == 0
