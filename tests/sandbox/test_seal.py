"""A child that lives long sees nothing of what is mounted after it was started."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from ralph.sandbox.backends import BUBBLEWRAP
from ralph.sandbox.box import Sandbox
from ralph.sandbox.report import Report
from tests.sandbox.needs import kind, missing, need

APART = ["unshare", "--user", "--map-root-user", "--mount", "--propagation", "private", "sh", "-c"]
MOUNTS = """
mount --make-rshared / || exit 77
"$@" >inside &
until [ -e workspace/started ]; do sleep 0.01; done
for place in workspace/later outside; do mount -t tmpfs new $place && echo secret >$place/secret; done
touch workspace/go
wait
cat inside workspace/later/* outside/*
"""
CODE = """
import os, sys, time
os.chdir(sys.argv[1])
open("started", "w").close()
while not os.path.exists("go"): time.sleep(0.01)
for place in ("later", "../outside"):
    try:
        open(f"{place}/written", "w").write("escaped")
    except OSError as refused:
        print(refused.strerror)
print(os.listdir("later"), os.listdir("../outside"))
"""


def seen(tmp_path: Path, words: list[str]) -> str:
    """What a child says of mounts that are made while it runs, on a machine of its own that shares its mounts."""
    for name in ("workspace/later", "outside"):
        (tmp_path / name).mkdir(parents=True)
    child = [*words, sys.executable, "-I", "-S", "-c", CODE, str(tmp_path / "workspace")]
    line = [*APART, MOUNTS, "sh", *child]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=20, check=False)
    if done.returncode == 77 or "unshare" in done.stderr:
        missing(f"mounts cannot be tried here: {done.stderr}")
    return done.stdout + done.stderr


def test_later_mounts_stay_outside(tmp_path: Path) -> None:
    need(BUBBLEWRAP)
    said = seen(tmp_path, BUBBLEWRAP.words(kind(tmp_path)))
    assert said == "Read-only file system\n['written'] []\nsecret\nsecret\n"


def test_without_the_seal_they_come_in(tmp_path: Path) -> None:
    need(BUBBLEWRAP)
    words = BUBBLEWRAP.words(kind(tmp_path))
    said = seen(tmp_path, words[: words.index("--") + 1])
    assert "secret" in said.splitlines()[0]
    assert "escaped" in said


def test_the_child_has_no_power_left(tmp_path: Path) -> None:
    need(BUBBLEWRAP)
    sandbox = Sandbox(replace(kind(tmp_path)), BUBBLEWRAP, Report("bubblewrap"))
    code = "import json, os; print(json.dumps([open('/proc/self/status').read(), dict(os.environ)]))"
    launched = sandbox.launch([sys.executable, "-c", code], {"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": "/mine"})
    assert "LD_LIBRARY_PATH" not in launched.env
    done = subprocess.run(launched.argv, env=dict(launched.env), capture_output=True, text=True, check=True)
    sandbox.close()
    status, env = json.loads(done.stdout)
    lines = dict(line.split(":\t") for line in status.splitlines() if ":\t" in line)
    assert [lines[name].strip() for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")] == ["0" * 16] * 4
    assert lines["NoNewPrivs"] == "1"
    assert env["LD_LIBRARY_PATH"] == "/mine"
    assert not any(name.startswith("RALPH") for name in env)


def test_a_command_that_is_short_needs_none(tmp_path: Path) -> None:
    assert "CAP_SYS_ADMIN" not in BUBBLEWRAP.words(replace(kind(tmp_path), private=()))
