"""Programs that must not outlive the process that started them, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ralph.tools.lifeline import Lifeline
from tests.tools.test_process import running, unique

ROOT = str(Path(__file__).resolve().parents[2])
STARTER = """
import asyncio, sys
from pathlib import Path
from ralph.tools.process import run

here = Path(sys.argv[2])
asyncio.run(run(["bash", "-c", sys.argv[1]], cwd=here, env={"PATH": "/usr/bin:/bin"}, timeout=60, scratch=here,
                say=lambda text: print(text, flush=True)))
"""


def within(seconds: float, happened: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while not happened() and time.monotonic() < end:
        time.sleep(0.005)
    return happened()


def started(command: str, tmp_path: Path) -> subprocess.Popen[bytes]:
    """A process of its own that runs this command as Ralph does; the command has said that it runs."""
    line = [sys.executable, "-c", STARTER, f"{command} & echo on; wait", str(tmp_path)]
    starter = subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE)
    assert starter.stdout is not None
    assert starter.stdout.readline() == b"on\n"
    return starter


def test_a_command_and_what_it_started_die_when_ralph_is_killed(tmp_path: Path) -> None:
    sleep = unique()
    with started(sleep, tmp_path) as starter:
        assert running(sleep)
        starter.kill()
    assert within(2, lambda: not running(sleep))


def test_what_was_put_aside_on_purpose_stays(tmp_path: Path) -> None:
    meant, other = unique(), unique()
    with started(f"setsid nohup {meant} >/dev/null 2>&1 & {other}", tmp_path) as starter:
        assert within(2, lambda: bool(running(other)))
        starter.kill()
    assert within(2, lambda: not running(other))
    line = running(meant)
    subprocess.run(["pkill", "-f", "-x", meant], check=False)
    assert line


def test_nothing_of_it_is_left_after_an_ordinary_end(tmp_path: Path) -> None:
    code = STARTER + "\nimport os\nfrom ralph.tools.lifeline import LIFELINE\nprint('pid', LIFELINE._pid)"
    line = [sys.executable, "-W", "error", "-c", code, "echo out", str(tmp_path)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    pid = int(done.stdout.rpartition("pid ")[2])
    assert within(2, lambda: not Path(f"/proc/{pid}").exists())


@pytest.fixture
def sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", "60"], start_new_session=True)


def test_released_groups_are_left_alone(sleeper: subprocess.Popen[bytes]) -> None:
    line = Lifeline()
    line.hold(sleeper.pid)
    line.release(sleeper.pid)
    line.close()
    assert sleeper.poll() is None
    sleeper.kill()
    sleeper.wait()


def test_every_group_that_is_held_is_ended(sleeper: subprocess.Popen[bytes]) -> None:
    second = subprocess.Popen(["sleep", "60"], start_new_session=True)
    line = Lifeline()
    line.hold(sleeper.pid)
    line.hold(second.pid)
    line.close()
    assert [sleeper.wait(2), second.wait(2)] == [-signal.SIGKILL, -signal.SIGKILL]


def test_a_shell_that_was_ended_is_replaced(sleeper: subprocess.Popen[bytes]) -> None:
    line = Lifeline()
    line.hold(sleeper.pid)
    os.kill(line._pid, signal.SIGKILL)
    os.waitid(os.P_PID, line._pid, os.WEXITED | os.WNOWAIT)
    line.hold(os.getpid() + 4_000_000)  # nobody's
    line.close()
    assert sleeper.wait(2) == -signal.SIGKILL


def test_without_a_shell_commands_run_all_the_same(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    line = Lifeline(str(tmp_path / "missing"))
    line.hold(sleeper.pid)
    line.release(sleeper.pid)
    line.close()
    sleeper.kill()
    sleeper.wait()
