"""How fast memories are found again: in a session, before a prompt, and by a command that starts from nothing.

    .venv/bin/python benchmarks/recall.py [--large] [--home HOME] [--json]

Needs the embedded model (`ralph memory embedder install`), in HOME (the usual one unless given). About a minute;
--large adds 100,000 memories (some three minutes more). The stored vectors are made up, the question's is the model's:
what is measured is time alone. `ralph memory eval` measures what is found. Exit code 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as `ralph` does: two threads cost more than they save
ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402  # reads the variable above

from ralph.config import home_directory  # noqa: E402  # found by the path above
from ralph.memory.embed import TextEmbedder, choose, identity  # noqa: E402
from ralph.memory.memory import Memory  # noqa: E402
from ralph.memory.model import folder_of, installed  # noqa: E402
from ralph.memory.rows import LONG_TERM, Draft  # noqa: E402

Rows = dict[str, tuple[float, float]]
"""name -> (milliseconds, target)"""
QUESTIONS, WARM_UP = 60, 10


def vocabulary(home: Path) -> list[str]:
    """English words, the common ones first."""
    lines = (folder_of(home) / "vocab.txt").read_text(encoding="utf-8").splitlines()
    return [word for word in lines if word.isascii() and word.isalpha() and len(word) > 2]


def texts(words: list[str], count: int, length: int, seed: int) -> Iterator[str]:
    """Common words more often than rare ones."""
    dice = random.Random(seed)
    for _ in range(count):
        picks = (min(int(dice.paretovariate(0.25)), 10 * len(words)) % len(words) for _ in range(length))
        yield " ".join(words[pick] for pick in picks)


def fill(memory: Memory, embedder: TextEmbedder, words: list[str], count: int) -> None:
    store = memory.store
    store.definitions.use(LONG_TERM, identity(embedder))
    dice = np.random.default_rng(1)
    centres = dice.standard_normal((300, embedder.dimension)).astype("f4")
    batch: list[Draft] = []
    for number, text in enumerate(texts(words, count, 25, seed=1), 1):
        vector = centres[dice.integers(300)] + 0.7 * dice.standard_normal(embedder.dimension, dtype="f4")
        batch.append(Draft(text, vector=vector / np.linalg.norm(vector)))
        if len(batch) == 1_000 or number == count:
            store.add(LONG_TERM, batch)
            batch = []


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds of the clock, and of the processor for this thread."""
    wall, cpu = time.perf_counter(), time.thread_time()
    work()
    return (time.perf_counter() - wall) * 1000, (time.thread_time() - cpu) * 1000


def report(rows: Rows, name: str, found: list[float], p50: float, p95: float) -> None:
    ordered = sorted(found)
    rows[f"{name}, p50"] = (statistics.median(ordered), p50)
    rows[f"{name}, p95"] = (ordered[int(0.95 * len(ordered))], p95)


def one_shot(home: Path, *words: str) -> float:
    """Milliseconds of CPU of a whole `ralph memory WORDS`; the best of five."""
    argv = [sys.executable, "-m", "ralph", "--home", str(home), "memory", *words, "--json"]
    spent: list[float] = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(argv, cwd=ROOT, capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(spent) * 1000


def asking(rows: Rows, home: Path, model: Path, count: int) -> None:
    """Fill a home and ask it."""
    home.mkdir()
    (home / "models").symlink_to(folder_of(model).parent.resolve())
    embedder = choose(home)
    assert embedder is not None
    words = vocabulary(home)
    memory = Memory(home, embedder=embedder, lasting=True)
    embedder.embed(["ready"])
    fill(memory, embedder, words, count)
    size, small = f"{count:,}", count <= 10_000
    bar = 20 if small else 50
    questions = list(texts(words, WARM_UP + 3 * QUESTIONS, 9, seed=2))
    for question in questions[:WARM_UP]:
        memory.recall(question)
    memory.index(LONG_TERM).settle()  # the graph
    first, second, third = (questions[WARM_UP + n * QUESTIONS :][:QUESTIONS] for n in range(3))
    found = [timed(lambda q=q: memory.recall(q)) for q in first]
    report(rows, f"recall in a session of {size}", [wall for wall, _ in found], bar, 2 * bar)
    prompt = lambda q: memory.before(q, threshold=0.35, conversations=True)  # noqa: E731  # timed needs a name for it
    found = [timed(lambda q=q: prompt(q)) for q in second]
    report(rows, f"before a prompt of nine words, {size}, CPU", [cpu for _, cpu in found], 10 if small else 50, 50)
    if small:
        found = [timed(lambda q=q: memory.remember(q, keep_both=True)) for q in third]
        report(rows, f"remember with the model running, {size}", [wall for wall, _ in found], 20, 50)
    memory.settled(60)
    memory.close()
    one_shots(rows, home, size, words, first[0])


def one_shots(rows: Rows, home: Path, size: str, words: list[str], question: str) -> None:
    """Commands in processes of their own: the whole of it with the model, without it what the start does not cost."""
    hybrid = one_shot(home, "search", question)
    rows[f"one-shot hybrid recall, {size}, CPU of the process"] = (hybrid, 200 if size == "10,000" else 500)
    start = one_shot(home, "help")
    asked = {
        "list": ["list"], "stats": ["stats"], "show": ["show", "50"], "keyword search": ["search", question],
        "keyword search, usual words": ["search", *words[150:190:10]],
    }  # fmt: skip
    for name, argv in asked.items():
        spent = one_shot(home, *argv, *(["--keyword"] if "search" in argv else [])) - start
        rows[f"one-shot {name}, {size}, CPU beside the start"] = (spent, 25)


def embedding(rows: Rows, embedder: TextEmbedder, words: list[str]) -> None:
    """The model alone. Nine words are about twelve pieces; it reads 256 of a text."""
    for name, length, target in (("a question of nine words", 9, 8), ("a text of 256 pieces", 256, 80)):
        found = [timed(lambda t=t: embedder.embed([t]))[1] for t in texts(words, 40, length, seed=length)]
        rows[f"embedding {name}, CPU, p50"] = (statistics.median(found), target)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--home", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    model = options.home or home_directory(None, os.environ, Path.cwd())
    if not installed(model):
        sys.exit("the embedded model is not there: ralph memory embedder install")
    rows: Rows = {}
    with tempfile.TemporaryDirectory() as folder:
        alone = choose(model)
        assert alone is not None
        embedding(rows, alone, vocabulary(model))
        for count in (10_000, 100_000) if options.large else (10_000,):
            asking(rows, Path(folder) / str(count), model, count)
    if options.json:
        print(json.dumps({name: {"ms": value, "target": target} for name, (value, target) in rows.items()}, indent=1))
    else:
        for name, (value, target) in rows.items():
            print(f"{name:<56} {value:>8.1f} ms  target <= {target:g} {'MISSED' if value > target else ''}")
    sys.exit(any(value > target for value, target in rows.values()))


if __name__ == "__main__":
    main()
