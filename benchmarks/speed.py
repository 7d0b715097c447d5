"""How fast Ralph is, as ratios to a bare interpreter and a bare httpx client in the same run.

    .venv/bin/python benchmarks/speed.py [--rounds N] [--json]

CPU is what the kernel charged the child; runs are interleaved so that a noisy machine hits both sides. Exit code 1 when
a target is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import pty
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from model_server import Server, call, end, text

BARE = [sys.executable, str(Path(__file__).parent / "bare_httpx.py")]
RALPH = [str(Path(sys.executable).parent / "ralph")]
WORDS = ["word "] * 19_999 + ["\n"]


@dataclass
class Run:
    """One child process. cpu, wall in seconds; peak in MB; output is what it printed, first_byte when it began to."""

    cpu: float
    wall: float
    peak: float
    started: float
    first_byte: float
    output: bytes


def run(argv: list[str], cwd: str, *, terminal: bool = False) -> Run:
    env = {"PATH": os.environ["PATH"], "HOME": cwd, "OPENAI_API_KEY": "x", "TERM": "xterm-256color", "LANG": "C.UTF-8"}
    leader, follower = pty.openpty() if terminal else os.pipe()
    started = time.perf_counter()
    child = subprocess.Popen(argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL,
                             stdout=follower, stderr=subprocess.DEVNULL if not terminal else follower)  # fmt: skip
    os.close(follower)
    pieces, first = [], 0.0
    while True:
        try:
            piece = os.read(leader, 65536)
        except OSError:
            break
        if not piece:
            break
        first = first or time.perf_counter()
        pieces.append(piece)
    os.close(leader)
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise SystemExit(f"{argv} left with {child.returncode}: {b''.join(pieces)[-400:]!r}")
    return Run(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024, started, first, b"".join(pieces))


def interleaved(rounds: int, *runs: Callable[[], float]) -> list[float]:
    """Medians of several measurements taken in turn."""
    found: list[list[float]] = [[] for _ in runs]
    for _ in range(rounds):
        for index, measure in enumerate(runs):
            found[index].append(measure())
    return [statistics.median(values) for values in found]


def job(url: str, *more: str) -> list[str]:
    return [*RALPH, "--api-url", url, "-m", "bench", "--allow-category=shell", "--max-steps", "300", *more, "go"]


def plain(n: int, body: bytes) -> Iterator[bytes | float]:
    yield text("hello\n") + end()


def long(n: int, body: bytes) -> Iterator[bytes | float]:
    whole = text(*WORDS)
    for start in range(0, len(whole), 16384):
        yield whole[start : start + 16384]
    yield end()


def slow(n: int, body: bytes) -> Iterator[bytes | float]:
    yield text("first ")
    yield 1.0
    yield text("last\n") + end()


def echoes(turns: int) -> Callable[[int, bytes], Iterator[bytes | float]]:
    def plan(n: int, body: bytes) -> Iterator[bytes | float]:
        yield call("shell", {"command": f"echo {n}"}, n) if n < turns else text("done\n") + end()

    return plan


def first_request(argv: Callable[[str], list[str]], cwd: str) -> float:
    with Server(plain) as server:
        result = run(argv(server.url), cwd)
        return server.seen[0].arrived - result.started


def gaps(argv: Callable[[str], list[str]], cwd: str, turns: int) -> tuple[list[float], int, int]:
    """Seconds from an answer's last byte to the next request, number of connections, bytes of the first body."""
    with Server(echoes(turns)) as server:
        run(argv(server.url), cwd)
        pairs = zip(server.seen, server.seen[1:], strict=False)
        waits = [after.arrived - before.answered for before, after in pairs]
        return waits, server.connections, len(server.seen[0].body)


def stream_cpu(argv: Callable[[str], list[str]], cwd: str, *, terminal: bool = False) -> tuple[float, float]:
    with Server(long) as server:
        result = run(argv(server.url), cwd, terminal=terminal)
    return result.cpu, result.peak


def delay_of_first_word(cwd: str) -> float:
    sent: list[float] = []

    def plan(n: int, body: bytes) -> Iterator[bytes | float]:
        for piece in slow(n, body):
            if not sent:
                sent.append(time.perf_counter())
            yield piece

    with Server(plan) as server:
        return run(job(server.url), cwd).first_byte - sent[0]


def measure(rounds: int, cwd: str) -> dict[str, tuple[float, float, str]]:
    """name -> (measured, target, unit)."""
    rows: dict[str, tuple[float, float, str]] = {}

    def bare(url: str) -> list[str]:
        return [*BARE, url, "1000"]

    run([*RALPH, "--version"], cwd)  # once for the disk
    with Server(plain) as server:  # first: a child's peak counts what this process had when it was forked
        small = run(job(server.url), cwd).peak
    _, peak = stream_cpu(job, cwd)
    version, nothing = interleaved(
        rounds, lambda: run([*RALPH, "--version"], cwd).cpu, lambda: run([sys.executable, "-c", "pass"], cwd).cpu
    )
    rows["--version, CPU over a bare interpreter"] = (version / nothing, 2.0, "x")
    mine, theirs = interleaved(rounds, lambda: first_request(job, cwd), lambda: first_request(bare, cwd))
    rows["start to first request over bare httpx"] = (mine / theirs, 1.5, "x")
    rows["start to first request"] = (mine * 1000, 1.5 * theirs * 1000, "ms")
    times, connections, body = gaps(job, cwd, 200)
    floor, _, _ = gaps(bare, cwd, 20)
    rows["tool round trip"] = (statistics.median(times) * 1000, 5.0, "ms")
    rows["tool round trip, bare loop"] = (statistics.median(floor) * 1000, 5.0, "ms")
    growth = statistics.median(times[-20:]) / statistics.median(times[:20])
    rows["round trip, last 20 of 200 over first 20"] = (growth, 1.3, "x")
    rows["connections for 201 requests"] = (connections, 1, "")
    rows["first request body"] = (body / 1000, 25, "kB")
    mine, theirs = interleaved(max(2, rounds // 3), lambda: stream_cpu(job, cwd)[0], lambda: stream_cpu(bare, cwd)[0])
    rows["20,000 tokens to a pipe, CPU over bare httpx"] = (mine / theirs, 1.5, "x")
    cpu, _ = stream_cpu(job, cwd, terminal=True)
    rows["20,000 tokens to a terminal, CPU"] = (cpu, 1.0, "s")
    rows["peak memory, plain answer"] = (small, 65, "MB")
    rows["memory after 20,000 tokens over plain"] = (peak / small, 1.2, "x")
    delays = sorted(delay_of_first_word(cwd) for _ in range(3))
    rows["first words of a slow answer"] = (delays[1] * 1000, 10, "ms")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as cwd:
        subprocess.run(["git", "init", "-q", cwd], check=True)
        rows = measure(options.rounds, cwd)
    if options.json:
        print(json.dumps({name: {"value": v, "target": t, "unit": u} for name, (v, t, u) in rows.items()}, indent=1))
    else:
        for name, (value, target, unit) in rows.items():
            print(f"{name:<46} {value:>8.2f} {unit:<3} target <= {target:.2f} {'' if value <= target else 'MISSED'}")
    sys.exit(any(value > target for value, target, _ in rows.values()))


if __name__ == "__main__":
    main()
