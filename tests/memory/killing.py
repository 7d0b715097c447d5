"""Three processes add, change and forget memories at once, are killed with -9 at random moments, and the truth is told.

    python -m tests.memory.killing 200          # that many kills; exit code 1 and the findings when anything is wrong

Each child notes in a file of its own what it is about to do and what was acknowledged: `+ id text` stored, `? id`
about to delete, `- id` deleted, `~ id text` about to change, `= id text` changed. A line written is in the kernel's
hands, so a kill cannot take it back.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAME, DIMENSION, ROWS = "documents", 8, 60


def work(home: Path, slot: str) -> None:
    """One child: until it is killed."""
    from ralph.memory.index import VectorIndex
    from ralph.memory.rows import Draft, Embedder, Where
    from ralph.memory.store import Store

    dice, embedder = random.Random(), Embedder("m", DIMENSION)
    note = os.open(home / f"{slot}.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    store = Store(home)
    index = VectorIndex(store, NAME, lasting=True, rows=ROWS)
    mine = [document.id for document in store.find(NAME, Where(sessions=(slot,)))]

    def say(sign: str, id_: int, text: str = "") -> None:
        os.write(note, f"{sign} {id_} {text}\n".encode())

    def vector() -> list[float]:
        return [dice.gauss(0, 1) for _ in range(DIMENSION)]

    def words() -> str:
        return f"word{dice.getrandbits(60):x} " + "filler " * dice.randint(0, 60)

    while True:
        action = dice.random()
        if action < 0.5 or not mine:
            drafts = [Draft(words(), session=slot, vector=vector()) for _ in range(dice.choice((1, 1, 1, 5)))]
            for id_, draft in zip(store.add(NAME, drafts), drafts, strict=True):
                say("+", id_, draft.text)
                mine.append(id_)
        elif action < 0.75:
            id_ = mine.pop(dice.randrange(len(mine)))
            say("?", id_)
            store.delete([id_])
            say("-", id_)
        elif action < 0.85:
            id_, text = dice.choice(mine), words()
            say("~", id_, text)
            store.update(id_, text=text)
            say("=", id_, text)
        elif action < 0.95:
            store.vectors.set(NAME, embedder, [(id_, text, vector()) for id_, text in store.vectors.pending(NAME)])
        else:
            index.search(vector(), 5)
            if dice.random() < 0.2:
                index.close()  # writes a snapshot
                index = VectorIndex(store, NAME, lasting=True, rows=ROWS)


def told(home: Path) -> dict[int, set[str | None]]:
    """Document id -> the texts it may have now, None for being gone, by what the children noted."""
    may: dict[int, set[str | None]] = {}
    for log in home.glob("*.log"):
        for line in log.read_text().splitlines():
            sign, number, text = line.split(" ", 2)
            now = {text} if sign in "+=~" else {None}
            id_ = int(number)
            may[id_] = now if sign in "+-=" else may.get(id_, set()) | now
    return may


def findings(home: Path) -> list[str]:
    """What is wrong with the home after the kills; empty when nothing is."""
    from ralph.memory.index import VectorIndex
    from ralph.memory.store import Store

    store = Store(home)
    wrong = store.integrity()
    have = {document.id: document.text for document in store.find(NAME)}
    for id_, texts in told(home).items():
        if have.get(id_) not in texts:
            wrong.append(f"document {id_} is {have.get(id_)!r:.40}, not one of {texts!r:.80}")
    found = {hit for hit, _ in store.search_text(NAME, [text.split()[0] for text in have.values()][:2000], limit=10**6)}
    if found != set(list(have)[:2000]):
        wrong.append(f"full text differs from the documents by {found ^ set(have)}")
    with store.reading() as connection:
        embedded = {row[0] for row in connection.execute("SELECT document_id FROM vectors")}
    if embedded | {id_ for id_, _ in store.vectors.pending(NAME, 10**6)} != set(have):
        wrong.append("a document has neither a vector nor is pending")
    exact = VectorIndex(store, NAME, engine=str)
    for _ in range(2):
        index = VectorIndex(store, NAME, lasting=True, rows=ROWS)
        query = [random.gauss(0, 1) for _ in range(DIMENSION)]
        if {hit for hit, _ in index.search(query, 10**6)} != embedded:
            wrong.append("the index differs from the store")
        right = {hit for hit, _ in exact.search(query, 10)}
        if len(right & {hit for hit, _ in index.search(query, 10)}) < 0.9 * len(right):
            wrong.append("the index does not find what is nearest")
        index.settle()
        index.close()
    store.close()
    return wrong


def kill_often(home: Path, kills: int, *, seed: int = 0, check_every: int = 20) -> tuple[list[str], int]:
    """(findings, acknowledged operations). All three are stopped for each check, the last one included."""
    from ralph.memory.rows import Embedder
    from ralph.memory.store import Store

    store = Store(home)
    store.definitions.use(NAME, Embedder("m", DIMENSION))
    store.close()
    dice, wrong, children = random.Random(seed), [], {}
    for kill in range(1, kills + 1):
        for slot in "abc":
            if slot not in children:
                children[slot] = _spawn(home, slot)
        _wait_for_work(home, children)
        time.sleep(dice.uniform(0, 0.12))
        last = kill == kills or kill % check_every == 0
        for slot in sorted(children) if last else [dice.choice("abc")]:
            wrong += _end(children.pop(slot))
        if last:
            wrong += findings(home)
    return wrong, sum(sign[0] in "+-=" for log in home.glob("*.log") for sign in log.read_text().splitlines())


def _spawn(home: Path, slot: str) -> tuple[subprocess.Popen[bytes], int]:
    log = home / f"{slot}.log"
    size = log.stat().st_size if log.exists() else 0
    return subprocess.Popen([sys.executable, "-m", __name__ if __name__ != "__main__" else "tests.memory.killing",
                             str(home), slot], cwd=ROOT, stderr=subprocess.PIPE), size  # fmt: skip


def _wait_for_work(home: Path, children: dict[str, tuple[subprocess.Popen[bytes], int]]) -> None:
    deadline = time.monotonic() + 30
    for slot, (child, size) in children.items():
        log = home / f"{slot}.log"
        while not (log.exists() and log.stat().st_size > size) and child.poll() is None:
            assert time.monotonic() < deadline, "a child does nothing"
            time.sleep(0.005)


def _end(running: tuple[subprocess.Popen[bytes], int]) -> list[str]:
    child = running[0]
    child.kill()
    said = child.communicate()[1].decode()
    if child.returncode != -signal.SIGKILL:
        return [f"a child ended by itself with {child.returncode}: {said[-500:]}"]
    return [f"a thread of a child failed: {said[-500:]}"] if said else []


if __name__ == "__main__":
    if len(sys.argv) == 3:
        work(Path(sys.argv[1]), sys.argv[2])
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with tempfile.TemporaryDirectory() as folder:
        problems, operations = kill_often(Path(folder), count, seed=time.time_ns())
    print(f"{count} kills, {operations} acknowledged operations, {len(problems)} findings", *problems, sep="\n  ")
    sys.exit(bool(problems))
