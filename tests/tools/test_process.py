"""Real programs, run to their end, past their time, and interrupted; nothing may be left running, nothing may grow."""

from __future__ import annotations

import asyncio
import os
import resource
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ralph.sandbox.backends import BUBBLEWRAP
from ralph.sandbox.box import Sandbox
from ralph.sandbox.confinement import confine
from ralph.sandbox.launch import plain
from ralph.tools.capture import KEEP, Capture, Live
from ralph.tools.process import DRAIN, GRACE, Ended, run
from tests.sandbox.needs import READY, need, wait_until_ready

ENV = {"PATH": os.environ["PATH"]}


class Way:
    """A program is started as a child of one's own, or in a child that was kept ready in a sandbox."""

    def __init__(self, sandbox: Sandbox | None) -> None:
        self.sandbox = sandbox

    async def words(self, tmp_path: Path, argv: list[str], **settings: Any) -> Ended:
        given = self.sandbox.launch(argv, ENV) if self.sandbox else plain(argv, ENV)
        wanted = {"timeout": 20, "say": lambda _text: None, "scratch": tmp_path / "scratch", **settings}
        return await run(given.argv, cwd=tmp_path, env=given.env, start=given.start, **wanted)

    async def start(self, tmp_path: Path, command: str, **settings: Any) -> Ended:
        return await self.words(tmp_path, ["bash", "-c", command], **settings)

    def bash(self, tmp_path: Path, command: str, **settings: Any) -> Ended:
        return asyncio.run(self.start(tmp_path, command, **settings))


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    need(BUBBLEWRAP)
    top = tmp_path_factory.getbasetemp()
    sandbox = Sandbox(replace(confine("workspace", top, top / "scratch"), private=()), BUBBLEWRAP, READY)
    wait_until_ready(sandbox)
    yield sandbox
    sandbox.close()


@pytest.fixture(params=["own", "sandbox"])
def way(request: pytest.FixtureRequest) -> Way:
    return Way(request.getfixturevalue("sandbox") if request.param == "sandbox" else None)


def running(word: str) -> list[str]:
    """Command lines of live processes that name `word`."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if word in line and str(os.getpid()) != entry.parent.name:
            found.append(line)
    return found


def gone(word: str) -> bool:
    """A killed process is still seen for a moment."""
    deadline = time.monotonic() + 2
    while running(word) and time.monotonic() < deadline:
        time.sleep(0.005)
    return not running(word)


def unique(seconds: int = 60) -> str:
    """A sleep that no other test has, to be looked for in the process table."""
    return f"sleep {seconds}.{int.from_bytes(os.urandom(5))}"


def test_output_and_exit_code(tmp_path: Path, way: Way) -> None:
    ended = way.bash(tmp_path, "echo out; echo err >&2; exit 3")
    assert (ended.stdout, ended.stderr, ended.exit_code, ended.timed_out, ended.note) == (
        "out\n",
        "err\n",
        3,
        False,
        "",
    )


def test_stderr_is_dropped_when_unwanted(tmp_path: Path, way: Way) -> None:
    assert way.bash(tmp_path, "echo out; echo err >&2", stderr=False).stderr == ""


def test_output_is_shown_as_it_comes(tmp_path: Path, way: Way) -> None:
    said: list[tuple[float, str]] = []
    way.bash(tmp_path, "echo one; sleep 0.3; echo two", say=lambda text: said.append((time.monotonic(), text)))
    assert [text for _, text in said] == ["one\n", "two\n"]
    assert said[1][0] - said[0][0] > 0.2


def test_no_input(tmp_path: Path, way: Way) -> None:
    assert way.bash(tmp_path, "cat; echo done").stdout == "done\n"


def test_bytes_that_are_not_text(tmp_path: Path, way: Way) -> None:
    assert way.bash(tmp_path, r"printf 'a\xff\xe2\x82\xacb\x00c'").stdout == "a\ufffd€b\0c"


def test_signals_are_named(tmp_path: Path, way: Way) -> None:
    ended = way.bash(tmp_path, "kill -SEGV $$")
    assert ended.exit_code == -11
    assert "SIGSEGV" in ended.note


@pytest.mark.parametrize(("argv", "code"), [(["no-such-program-here"], 127), (["/"], 126)])
def test_what_cannot_be_started(tmp_path: Path, way: Way, argv: list[str], code: int) -> None:
    ended = asyncio.run(way.words(tmp_path, argv))
    assert ended.exit_code == code
    assert argv[0] in ended.stderr


def test_argument_list_too_long(tmp_path: Path, way: Way) -> None:
    ended = way.bash(tmp_path, "true " + "x" * 200_000)
    assert ended.exit_code == 126
    assert "too long" in ended.stderr


def test_timeout_keeps_what_was_printed(tmp_path: Path, way: Way) -> None:
    sleep = unique()
    ended = way.bash(tmp_path, f"echo part; {sleep}; echo never", timeout=0.3)
    assert (ended.stdout, ended.exit_code, ended.timed_out) == ("part\n", -1, True)
    assert ended.seconds < 0.3 + GRACE
    assert gone(sleep)


def test_timeout_ends_what_ignores_sigterm_and_what_left_the_session(tmp_path: Path, way: Way) -> None:
    stubborn, escaped = unique(), unique()
    ended = way.bash(tmp_path, f"setsid {escaped} & trap '' TERM; while :; do {stubborn}; done", timeout=0.3)
    assert ended.timed_out
    assert ended.seconds < 0.3 + GRACE + 0.7
    assert gone(stubborn)
    assert gone(escaped)


def test_cancel_ends_everything_first(tmp_path: Path, way: Way) -> None:
    sleeps = [unique(), unique(), unique()]

    async def cancelled() -> float:
        task = asyncio.create_task(way.start(tmp_path, f"{sleeps[0]} & setsid {sleeps[1]} & {sleeps[2]}; true"))
        while not all(running(sleep) for sleep in sleeps):
            await asyncio.sleep(0.01)
        begun = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return time.monotonic() - begun

    assert asyncio.run(cancelled()) < GRACE
    assert all(gone(sleep) for sleep in sleeps)


def test_cancelled_twice_still_leaves_nothing(tmp_path: Path, way: Way) -> None:
    sleep = unique()

    async def cancelled() -> None:
        task = asyncio.create_task(way.start(tmp_path, f"trap '' TERM; {sleep}; {sleep}"))
        while not running(sleep):
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert gone(sleep)


def test_background_process_that_holds_the_output(tmp_path: Path, way: Way) -> None:
    sleep = unique()
    ended = way.bash(tmp_path, f"{sleep} & echo ready")
    assert ended.stdout == "ready\n"
    assert ended.seconds < DRAIN + GRACE
    assert "background were ended" in ended.note
    assert gone(sleep)


def test_background_process_that_is_quiet(tmp_path: Path, way: Way) -> None:
    sleep = unique()
    ended = way.bash(tmp_path, f"{sleep} >/dev/null 2>&1 & echo ready")
    assert "background were ended" in ended.note
    assert gone(sleep)


def test_setsid_with_its_output_elsewhere_stays(tmp_path: Path) -> None:
    sleep = unique(2)
    ended = Way(None).bash(tmp_path, f"setsid {sleep} >/dev/null 2>&1 & sleep 0.2; echo ready")
    assert (ended.stdout, ended.note) == ("ready\n", "")
    assert running(sleep)


def test_in_the_sandbox_not_even_that_stays(tmp_path: Path, sandbox: Sandbox) -> None:
    sleep = unique()
    ended = Way(sandbox).bash(tmp_path, f"setsid {sleep} >/dev/null 2>&1 & sleep 0.1; echo ready")
    assert ended.stdout == "ready\n"
    assert "none can stay" in ended.note
    assert not running(sleep)


def test_output_written_just_before_the_end_by_a_helper_arrives(tmp_path: Path, way: Way) -> None:
    assert way.bash(tmp_path, "(sleep 0.1; echo late) & echo early").stdout == "early\nlate\n"


def test_a_program_that_closes_its_output_is_waited_for(tmp_path: Path, way: Way) -> None:
    ended = way.bash(tmp_path, "exec >&- 2>&-; sleep 0.2; exit 4")
    assert ended.exit_code == 4
    assert ended.seconds >= 0.2


def test_without_pidfd(tmp_path: Path) -> None:
    """Elsewhere than on Linux the end of a child is looked for; shown in a child whose `os` has no pidfd_open."""
    code = (
        "import asyncio, os, pathlib, time; del os.pidfd_open; from ralph.tools.process import run; t = time.time();"
        "here = pathlib.Path('.');"
        "e = asyncio.run(run(['sh', '-c', 'sleep 0.1; exit 7'], cwd=here, env={}, timeout=9, scratch=here, say=print));"
        "print(e.exit_code, time.time() - t < 5)"
    )
    root = str(Path(__file__).resolve().parents[2])
    import sys

    program = [sys.executable, "-W", "error", "-c", code]
    ended = asyncio.run(run(program, cwd=tmp_path, env={"PYTHONPATH": root}, timeout=20, scratch=tmp_path, say=print))
    assert (ended.stdout, ended.stderr) == ("7 True\n", "")


def test_parallel_calls_take_as_long_as_one(tmp_path: Path, way: Way) -> None:
    async def eight() -> float:
        begun = time.monotonic()
        await asyncio.gather(*(way.start(tmp_path, "sleep 0.4") for _ in range(8)))
        return time.monotonic() - begun

    assert asyncio.run(eight()) < 1.5  # 3.2 one after another; the exact figure is a benchmark's business


def test_descriptors_are_closed(tmp_path: Path, way: Way) -> None:
    way.bash(tmp_path, "true")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        way.bash(tmp_path, "sleep 1 & head -c 50000 /dev/zero")
    assert len(os.listdir("/proc/self/fd")) == before


def test_long_output_is_cut_for_the_model_and_stored_whole(tmp_path: Path, way: Way) -> None:
    ended = way.bash(tmp_path, "seq 100000")
    whole = "".join(f"{number}\n" for number in range(1, 100_001))
    stored = [path for path in (tmp_path / "scratch").iterdir() if path.read_text() == whole]
    assert len(stored) == 1
    assert str(stored[0]) in ended.stdout
    assert stored[0].stat().st_mode & 0o777 == 0o600
    assert len(ended.stdout) < 2 * KEEP + 400
    head, _, tail = ended.stdout.partition("\n[")
    assert whole.startswith(head + "\n")
    assert whole.endswith(tail.partition("]\n")[2])
    assert tail.partition("]\n")[2].startswith("9")


def test_endless_output_needs_no_memory(tmp_path: Path, way: Way) -> None:
    shown = 0

    def say(text: str) -> None:
        nonlocal shown
        shown += len(text)

    way.bash(tmp_path, "seq 100000")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ended = way.bash(tmp_path, "yes | head -c 300000000", say=say)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 8_000  # kB
    assert len(ended.stdout) < 2 * KEEP + 400
    assert max(path.stat().st_size for path in (tmp_path / "scratch").iterdir()) == 100_000_000
    assert shown < 1_000_000 * max(1, ended.seconds)


def test_a_scratch_that_cannot_be_written_costs_only_the_copy(tmp_path: Path, way: Way) -> None:
    (tmp_path / "scratch").write_text("a file where a directory should be")
    ended = way.bash(tmp_path, "seq 100000")
    assert ended.exit_code == 0
    assert "could not be stored" in ended.stdout


def test_a_full_disk_costs_only_the_copy(tmp_path: Path) -> None:
    capture = Capture(tmp_path, "x")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    import signal

    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        for _ in range(10):
            capture.feed(b"line\n" * 4000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    capture.close()
    assert "beginning is in" in capture.text or "could be stored" in capture.text
    assert capture.text.endswith("line\n")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("aé€😀\n", max_size=9000), max_size=12), st.integers(1, 7000))
def test_capture_shows_true_ends(tmp_path_factory: pytest.TempPathFactory, pieces: list[str], step: int) -> None:
    whole = "".join(pieces)
    data = whole.encode()
    capture = Capture(tmp_path_factory.getbasetemp() / "captured", "x")
    for start in range(0, len(data), step):
        capture.feed(data[start : start + step])
    capture.close()
    if len(data) <= 2 * KEEP:
        assert capture.text == whole
    else:
        head, _, rest = capture.text.partition("\n[")
        assert whole.startswith(head)
        assert whole.endswith(rest.partition("]\n")[2])
        assert "\ufffd" not in capture.text


def test_what_is_shown_is_limited_by_the_second_and_says_what_it_skipped() -> None:
    now, said = [0.0], []
    live = Live(said.append, lambda: now[0])
    for _ in range(20):
        live.feed(b"x" * 50_000)
    assert sum(map(len, said)) == Live.RATE
    now[0] = 1.5
    live.feed(b"later")
    live.close()
    assert said[-1] == "\n[750,000 bytes not shown]\nlater"


def test_a_character_cut_in_two_is_shown_whole() -> None:
    said: list[str] = []
    live = Live(said.append, lambda: 0.0)
    live.feed("€".encode()[:2])
    live.feed("€".encode()[2:] + b"\xf0")
    live.close()
    assert said == ["€", "\ufffd"]
