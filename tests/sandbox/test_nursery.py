"""Commands started in children that were kept ready: as confined as any other, and strangers to each other."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ralph.sandbox.backends import BUBBLEWRAP
from ralph.sandbox.box import Sandbox
from ralph.sandbox.confinement import Confinement
from ralph.sandbox.nursery import LARGEST, Child, Nursery
from ralph.sandbox.probe import probe
from ralph.sandbox.report import WHAT
from ralph.tools.process import Ended, run
from tests.sandbox.needs import READY, kind, need, wait_until_ready

ENV = {"PATH": os.environ["PATH"], "HOME": "/h", "OPENAI_API_KEY": "key"}


def shared(tmp_path: Path) -> Confinement:
    return replace(kind(tmp_path), private=())


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Sandbox]:
    need(BUBBLEWRAP)
    sandbox = Sandbox(shared(tmp_path), BUBBLEWRAP, READY)
    wait_until_ready(sandbox)
    yield sandbox
    sandbox.close()


async def go(box: Sandbox, *words: str, ready: bool = True, timeout: float = 20) -> Ended:
    launched = box.launch(words, ENV)
    assert (launched.start is not None) == ready
    given = box.given
    return await run(launched.argv, cwd=given.workspace, env=launched.env, timeout=timeout, scratch=given.scratch,
                     say=lambda _text: None, start=launched.start)  # fmt: skip


def sh(box: Sandbox, command: str, *, ready: bool = True) -> Ended:
    return asyncio.run(go(box, "bash", "-c", command, ready=ready))


def python(box: Sandbox, code: str) -> str:
    ended = asyncio.run(go(box, sys.executable, "-I", "-S", "-c", f"import ctypes, os, socket\n{code}"))
    assert ended.exit_code == 0, ended
    return ended.stdout.strip()


def workers() -> list[int]:
    """Of this process, as the machine numbers them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue
        if b"nursery_worker.py" in line and b"bwrap" in line and _parent(path.parent) == os.getpid():
            found.append(int(path.parent.name))
    return found


def _parent(process: Path) -> int:
    return int(process.joinpath("stat").read_text().rpartition(")")[2].split()[1])


def happens(what: Callable[[], bool]) -> bool:
    end = time.monotonic() + 5
    while not what() and time.monotonic() < end:
        time.sleep(0.01)
    return what()


@pytest.mark.parametrize("mode", ["workspace", "read-only"])
def test_every_probe_holds(tmp_path: Path, mode: str) -> None:
    need(BUBBLEWRAP)
    given = replace(shared(tmp_path), mode="read-only" if mode == "read-only" else "workspace")
    report = probe(BUBBLEWRAP, given, tmp_path, ready=True)
    assert {row.name for row in report.rows} == set(WHAT)
    assert [row for row in report.rows if row.outcome == "did not hold"] == []
    assert report.holds
    assert report.ready
    assert [path.name for path in tmp_path.iterdir()] == ["workspace", "scratch"]


@pytest.mark.parametrize(
    ("name", "words"),
    [("hidden", ("--ro-bind", "/dev/null", ".env")), ("git", ("--ro-bind", ".git/hooks", ".git/hooks"))],
)
def test_the_probes_see_what_is_missing_here_too(tmp_path: Path, name: str, words: tuple[str, str, str]) -> None:
    need(BUBBLEWRAP)

    def mutilated(given: Confinement) -> list[str]:
        line = BUBBLEWRAP.nursery_words(given) if BUBBLEWRAP.nursery_words else []
        gone = [word if word[0] in "-/" else f"{given.workspace}/{word}" for word in words]
        at = next(at for at in range(len(line)) if line[at : at + 3] == gone)
        return [*line[:at], *line[at + 3 :]]

    report = probe(BUBBLEWRAP._replace(nursery_words=mutilated), shared(tmp_path), tmp_path, ready=True)
    assert name in report.broken


def test_a_nursery_that_does_not_work_is_a_problem_not_a_claim(tmp_path: Path) -> None:
    broken = BUBBLEWRAP._replace(nursery_words=lambda _given: ["false"])
    report = probe(broken, shared(tmp_path), tmp_path, ready=True)
    assert report.problem
    assert not report.ready


def test_a_command_gets_three_descriptors_and_the_harmless_variables(box: Sandbox) -> None:
    names = python(box, "print(sorted(os.listdir('/proc/self/fd')))")
    assert names == "['0', '1', '2', '3']"  # 3 is the listing itself
    assert "key" not in sh(box, "env; cat /proc/*/environ").stdout
    assert "HOME=/h" in sh(box, "env").stdout


def test_a_command_sees_its_keeper_and_itself_only(box: Sandbox) -> None:
    assert python(box, "print(sorted(n for n in os.listdir('/proc') if n.isdigit()), os.getpid())") == "['1', '2'] 2"


def test_a_command_has_no_powers(box: Sandbox) -> None:
    status = sh(box, "cat /proc/self/status").stdout
    for name in ("Inh", "Prm", "Eff", "Bnd", "Amb"):
        assert f"Cap{name}:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status


@pytest.mark.parametrize(
    "attack",
    [
        "assert libc.ptrace(0x4206, 1, None, None) == -1",
        "assert libc.syscall(438, libc.syscall(434, 1, 0), 3, 0) == -1",  # pidfd_getfd of what pidfd_open gave
        "open('/proc/1/mem', 'rb')",
        "os.readlink('/proc/1/fd/0')",
        "open('/proc/1/environ')",
        "os.listdir('/proc/1/root/')",
        "open('/dev/made', 'w')",
        "open('/proc/sys/kernel/core_pattern', 'w')",
    ],
)
def test_the_keeper_is_out_of_reach(box: Sandbox, attack: str) -> None:
    code = f"libc = ctypes.CDLL(None)\ntry: {attack}\nexcept OSError as e: print('refused')\nelse: print('nothing')"
    assert python(box, code) == ("nothing" if attack.startswith("assert") else "refused")


@pytest.mark.parametrize("number", ["KILL", "TERM", "INT", "CHLD", "STOP", "SEGV"])
def test_signals_to_everybody_reach_no_other_command(box: Sandbox, number: str) -> None:
    async def both() -> Ended:
        victim = asyncio.create_task(go(box, "sh", "-c", "sleep 0.3; echo lives"))
        await asyncio.sleep(0.1)
        await go(box, "bash", "-c", f"kill -{number} 1; kill -{number} -1; exit 0", timeout=2)
        return await victim

    before = workers()
    assert asyncio.run(both()).stdout == "lives\n"
    assert workers() == before
    assert sh(box, "echo on").stdout == "on\n"


MAKE = """
import time
libc.shmget(4711, 4096, 0o1666)
open('/dev/shm/left', 'w').write('x')
libc.syscall(ADD, b'user', b'ralph', b'v', ctypes.c_size_t(1), ctypes.c_int(-4))
local = socket.socket(socket.AF_UNIX)
local.bind('\\0left')
local.listen()
if os.fork() == 0:
    os.setsid()
    os.close(1)
    os.close(2)
    time.sleep(60)
"""
LOOK = """
with socket.socket(socket.AF_UNIX) as out:
    print(libc.shmget(4711, 4096, 0o666) >= 0, os.listdir('/dev/shm'), out.connect_ex('\\0left'))
print(libc.syscall(FIND, b'user', b'ralph', None, 0) > 0, sum(name.isdigit() for name in os.listdir('/proc')))
"""


def test_nothing_in_memory_is_left_for_the_next(box: Sandbox) -> None:
    """Shared memory of both kinds, a local socket, a key in the person's keyring, a process in another session."""
    add, find = {"x86_64": (248, 249), "aarch64": (217, 218)}[os.uname().machine]
    begin = f"ADD, FIND, libc = {add}, {find}, ctypes.CDLL(None)\n"
    assert python(box, begin + MAKE + LOOK) == "True ['left'] 0\nTrue 3"
    assert python(box, begin + LOOK) == "False [] 111\nFalse 2"


def test_two_at_once_do_not_see_each_other(box: Sandbox) -> None:
    async def both() -> tuple[Ended, Ended]:
        look = "sleep 0.1; echo /proc/[0-9]*; sleep 0.1"
        return await asyncio.gather(go(box, "sh", "-c", look), go(box, "sh", "-c", look))

    assert [ended.stdout for ended in asyncio.run(both())] == ["/proc/1 /proc/2\n"] * 2


def test_a_protected_file_that_changed_is_masked_again_and_what_runs_goes_on(box: Sandbox) -> None:
    secret = box.given.workspace / ".env"

    async def whole() -> tuple[Ended, Ended, Ended]:
        running = asyncio.create_task(go(box, "sh", "-c", "sleep 0.3; echo done"))
        await asyncio.sleep(0.1)
        secret.write_text("KEY=env-secret")
        meanwhile = await go(box, "cat", ".env", ready=False)
        wait_until_ready(box)
        return await running, meanwhile, await go(box, "cat", ".env")

    running, meanwhile, after = asyncio.run(whole())
    assert running.stdout == "done\n"
    assert "secret" not in meanwhile.stdout + after.stdout
    assert "denied" in after.stderr.lower()
    assert len(workers()) == 1


def test_a_workspace_that_was_replaced_is_found(box: Sandbox) -> None:
    place = box.given.workspace
    place.rename(place.with_name("old"))
    place.mkdir()
    (place / "new").touch()
    assert "new" in sh(box, "ls", ready=False).stdout
    wait_until_ready(box)
    assert "new" in sh(box, "ls; touch made").stdout
    assert (place / "made").exists()


def test_a_worker_that_was_killed_is_started_again(box: Sandbox) -> None:
    async def whole() -> Ended:
        running = asyncio.create_task(go(box, "sleep", "60"))
        await asyncio.sleep(0.1)
        os.kill(workers()[0], signal.SIGKILL)
        return await running

    ended = asyncio.run(whole())
    assert ended.exit_code == -signal.SIGKILL
    assert "SIGKILL" in ended.note
    assert happens(lambda: box.launch(["true"], ENV).start is None)  # seen at once or a moment later
    wait_until_ready(box)
    assert sh(box, "echo again").stdout == "again\n"


@pytest.mark.parametrize("words", [["false"], ["/no/such/program"], ["sleep", "0", ";"]])
def test_without_a_nursery_commands_are_started_one_by_one(tmp_path: Path, words: list[str]) -> None:
    need(BUBBLEWRAP)
    broken = BUBBLEWRAP._replace(nursery_words=lambda _given: words)
    box = Sandbox(shared(tmp_path), broken, READY)
    for _ in range(3):
        assert sh(box, "echo on", ready=False).stdout == "on\n"
        time.sleep(0.05)
    assert workers() == []
    box.close()


def test_what_was_not_probed_is_not_used(tmp_path: Path) -> None:
    need(BUBBLEWRAP)
    box = Sandbox(shared(tmp_path), BUBBLEWRAP, READY._replace(ready=False))
    assert box.launch(["true"], {}).start is None
    private = Sandbox(kind(tmp_path), BUBBLEWRAP, READY)
    assert private.launch(["true"], {}).start is None  # its /tmp would be one for all commands
    assert workers() == []
    box.close()
    private.close()


def test_a_place_that_could_not_be_made_is_no_outcome_of_the_command(tmp_path: Path) -> None:
    """A machine that runs out of namespaces later in a session."""
    child, (ours, worker) = Child(), socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, worker:
        child.ask(ours)
        _, fds, _, _ = socket.recv_fds(worker, 1, 1)
    with socket.socket(fileno=fds[0]) as keeper:
        keeper.send(b"!No space left on device")
    ended = asyncio.run(_end_of(child, tmp_path))
    assert (ended.exit_code, ended.stdout) == (126, "")
    assert "the sandbox could not be set up: No space left on device" in ended.stderr


async def _end_of(child: Child, tmp_path: Path) -> Ended:
    def start(cwd: Path, stderr: bool) -> Child:
        child.run(["echo"], cwd, ENV, stderr=stderr)
        return child

    return await run(["echo"], cwd=tmp_path, env=ENV, timeout=9, scratch=tmp_path, say=print, start=start)


@pytest.mark.parametrize("size", [LARGEST // 4, LARGEST, 120_000])
def test_long_commands_run_all_the_same(box: Sandbox, size: int) -> None:
    words = ("printf", "%s", "€" * (size // 3))
    ended = asyncio.run(go(box, *words, ready=4 * (len(words[2]) + 100) < LARGEST))
    assert ended.exit_code == 0
    assert ended.stdout.startswith("€€")


def test_words_that_are_not_text(box: Sandbox) -> None:
    (box.given.workspace / "a\udcffb\n").touch()
    assert asyncio.run(go(box, "ls", "-b", "a\udcffb\n")).stdout == "a\\377b\\n\n"


def test_a_directory_out_of_reach_is_an_error(box: Sandbox) -> None:
    (box.given.workspace / ".env").mkdir()
    launched = box.launch(["true"], ENV)
    ended = asyncio.run(run(launched.argv, cwd=box.given.workspace / ".env", env=launched.env, timeout=9,
                            scratch=box.given.scratch, say=print, start=launched.start))  # fmt: skip
    assert ended.exit_code == 0  # an empty directory lies there
    launched = box.launch(["true"], ENV)
    ended = asyncio.run(run(launched.argv, cwd=Path("/no/such"), env=launched.env, timeout=9,
                            scratch=box.given.scratch, say=print, start=launched.start))  # fmt: skip
    assert ended.exit_code == 127


def test_everything_goes_with_ralph(tmp_path: Path) -> None:
    need(BUBBLEWRAP)
    words = BUBBLEWRAP.nursery_words(shared(tmp_path)) if BUBBLEWRAP.nursery_words else []
    mark = f"63.{os.getpid()}"
    code = (
        "import json, pathlib, sys, time; from ralph.sandbox.nursery import Nursery;"
        "n = Nursery(json.loads(sys.argv[1]));"
        f"child = n.start(['sleep', '{mark}'], {{'PATH': sys.argv[2]}}, pathlib.Path('/'), True); time.sleep(60)"
    )
    env = {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    command = [sys.executable, "-c", code, json.dumps(words), os.environ["PATH"]]
    with subprocess.Popen(command, env=env) as starter:
        assert happens(lambda: bool(_sleeping(mark)))
        starter.kill()
    assert happens(lambda: not _sleeping(mark))


def _sleeping(mark: str) -> list[Path]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes() == f"sleep\0{mark}\0".encode():
                found.append(path)
        except OSError:
            continue
    return found


def test_close_ends_everything_and_leaves_no_descriptor(tmp_path: Path) -> None:
    need(BUBBLEWRAP)
    given = shared(tmp_path)
    before = len(os.listdir("/proc/self/fd"))
    box = Sandbox(given, BUBBLEWRAP, READY)
    wait_until_ready(box)
    assert len(workers()) == 1
    sh(box, "true")
    box.close()
    box.close()
    assert workers() == []
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_nursery_is_retired_only_when_its_last_command_has_ended(tmp_path: Path) -> None:
    need(BUBBLEWRAP)
    assert BUBBLEWRAP.nursery_words is not None
    nursery = Nursery(BUBBLEWRAP.nursery_words(shared(tmp_path)))
    assert happens(lambda: nursery.usable)
    child = nursery.start(["sleep", "60"], ENV, tmp_path, True)
    nursery.retire()
    child.receive()
    assert (child.returncode, len(workers())) == (None, 1)
    child.kill()
    assert (child.returncode, workers()) == (-9, [])
    for pipe in (child.stdout, child.stderr):
        assert pipe is not None
        pipe.close()


def test_one_that_is_closed_at_once_leaves_nobody(tmp_path: Path) -> None:
    """Bubblewrap that is killed while it sets up leaves its child behind, waiting for ever."""
    need(BUBBLEWRAP)
    words = BUBBLEWRAP.nursery_words(shared(tmp_path)) if BUBBLEWRAP.nursery_words else []
    for pause in range(10):
        nursery = Nursery(words)
        time.sleep(pause / 1000)
        nursery.close()
    assert happens(lambda: not _mentioning(str(tmp_path / "workspace")))


def _mentioning(word: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue
        if b"bwrap" in line and word.encode() in line:
            found.append(path.parent.name)
    return found
