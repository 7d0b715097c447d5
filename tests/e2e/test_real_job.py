"""A real job on a real library: one bug planted, the library's own tests red, then green, every step asked about.

The library is `six` from its source distribution, downloaded once per machine by name from the package index.
"""

import difflib
import json
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pexpect
import pytest
from filelock import FileLock

from tests.e2e.program import Program

SIX = "six==1.17.0"
RIGHT = '    int2byte = struct.Struct(">B").pack\n'
WRONG = '    int2byte = struct.Struct(">h").pack\n'
TESTS = f"{sys.executable} -m pytest -q -p no:cacheprovider test_six.py -k int2byte"


@pytest.fixture
def library(tmp_path) -> tuple[Program, str, str]:
    """A git checkout of six with a bug in `int2byte`; its text before and after."""
    base = Path(os.environ.get("RALPH_COUNTERPARTS") or Path.home() / ".cache/ralph-tests")
    base.mkdir(parents=True, exist_ok=True)
    with FileLock(base / "six.lock"):
        if not list(base.glob("six-*.tar.gz")):
            command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", "-d", base]
            done = subprocess.run([*map(str, command), SIX], capture_output=True, text=True)
            if done.returncode:
                reason = f"six cannot be downloaded: {done.stderr[-300:]}"
                (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    program = Program(tmp_path)
    with tarfile.open(next(base.glob("six-*.tar.gz"))) as archive:
        archive.extractall(tmp_path, filter="data")
    program.cwd = next(tmp_path.glob("six-1*"))
    good = (program.cwd / "six.py").read_text()
    assert good.count(RIGHT) == 1
    bad = good.replace(RIGHT, WRONG)
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in ([*git, "init", "-q"], [*git, "add", "-A"]):
        subprocess.run(command, cwd=program.cwd, check=True)
    (program.cwd / "six.py").write_text(bad)
    subprocess.run([*git, "commit", "-qam", "as it came, with a bug"], cwd=program.cwd, check=True)
    return program, good, bad


def test_a_bug_is_found_fixed_and_verified(library):
    program, good, bad = library
    patch = "".join(difflib.unified_diff(bad.splitlines(True), good.splitlines(True), "a/six.py", "b/six.py"))
    line = bad[: bad.index(WRONG)].count("\n") + 1
    script = program.script(
        {"text": "First the tests.", "calls": [{"name": "shell", "args": {"command": TESTS}}]},
        {"calls": [{"name": "search_files", "args": {"path": ".", "regex_pattern": "int2byte = struct"}}]},
        {"calls": [{"name": "read_file", "args": {"path": "six.py", "start_line": line, "end_line": line + 5}}]},
        {"calls": [{"name": "apply_delta", "args": {"path": "six.py", "diff": patch}}]},
        {"calls": [{"name": "shell", "args": {"command": TESTS}}]},
        {"text": "`int2byte` packed two bytes. Fixed, and the tests pass."},
    )
    child = pexpect.spawn(program.argv()[0], program.argv(*script, "the int2byte test fails, fix it")[1:],
                          cwd=str(program.cwd), env={**program.env, "TERM": "xterm"}, encoding="utf-8", timeout=60,
                          dimensions=(40, 100))  # fmt: skip
    asked = []
    while child.expect([r"allow\?.*details", pexpect.EOF]) == 0:
        asked.append(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", child.before))
        child.send("y")
    child.close()
    assert child.exitstatus == 0
    assert "Fixed, and the tests pass." in child.before
    assert len(asked) == 3
    assert '+     int2byte = struct.Struct(">B").pack' in asked[1]
    assert (program.cwd / "six.py").read_text() == good

    [session] = json.loads(program.run("sessions", "list", "--json").stdout)
    messages = json.loads(program.run("sessions", "show", session["id"], "--json").stdout)
    results = [json.loads(block["text"]) for m in messages for block in m["blocks"] if block["type"] == "tool_result"]
    assert [results[0]["exit_code"], results[-1]["exit_code"]] == [1, 0]
    assert "failed" in results[0]["stdout"]
    assert "failed" not in results[-1]["stdout"]
    assert results[1]["results"][0]["line_number"] == line
    assert results[3]["success"] is True
