"""The index answers as exact search does, whatever happened to the store, the process or the file in between."""

import random
import subprocess
import sys
import textwrap
import threading
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from ralph.errors import StoreError
from ralph.memory.graph import variant
from ralph.memory.index import VectorIndex
from ralph.memory.rows import DOCUMENTS, LONG_TERM, Draft, Embedder, IndexSpec
from ralph.memory.store import Store

pytest.importorskip("hnswlib", reason="no wheel of hnswlib for this Python: exact search serves")

ROOT = Path(__file__).parents[2]


def clustered(count, dimension, seed=1, clusters=50):
    """Vectors that lie in heaps, as embeddings do."""
    centres = np.random.default_rng(7).standard_normal((clusters, dimension))
    noise = np.random.default_rng(seed)
    chosen = centres[noise.integers(clusters, size=count)]
    return (chosen + 0.7 * noise.standard_normal((count, dimension))).astype("f4")


def fill(store, name, rows):
    ids = []
    for start in range(0, len(rows), 500):
        ids += store.add(name, [Draft("", vector=row) for row in rows[start : start + 500]])
    return ids


def made(store, dimension, metric="cosine", name="mine"):
    store.definitions.create(IndexSpec(name, metric=metric, effort=40, embedder=Embedder("", dimension)))
    return name


def recall(index, truth, queries, k=10):
    """Share of the exact `k` nearest that the index finds."""
    right = found = 0
    for query in queries:
        want = {document for document, _ in truth.search(query, k)}
        found += len(want & {document for document, _ in index.search(query, k)})
        right += len(want)
    return found / right


def exact(store, name):
    return VectorIndex(store, name, engine=str)


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path, timeout=2)
    yield store
    store.close()


@pytest.mark.parametrize("dimension", [384, 1536])
def test_recall_of_ten_thousand(tmp_path, store, dimension):
    name = made(store, dimension)
    rows, queries = clustered(10_000, dimension), clustered(60, dimension, seed=2)
    fill(store, name, rows)
    truth = exact(store, name)
    index = VectorIndex(store, name, lasting=True)
    assert recall(index, truth, queries[:5]) >= 0.98  # at once, while it is being built
    index.settle()
    assert index.state().engine == "hnswlib"
    assert index.state().matrix == 0
    assert recall(index, truth, queries) >= 0.98
    index.close()
    again = VectorIndex(Store(tmp_path), name, lasting=True)
    again.search(queries[0], 1)
    assert again.state().graph == 10_000
    assert recall(again, truth, queries) >= 0.98
    again.close()


def with_graph(store, name):
    """An index that is searched by hnswlib from its first search on."""
    index = VectorIndex(store, name, lasting=True, rows=100)
    index.prepare()
    index.settle()
    return index


def test_vectors_without_structure_are_found_too(store):
    """The hardest case: noise. The index measures how widely it must look."""
    name = made(store, 96)
    random_rows = np.random.default_rng(5).standard_normal((3_060, 96)).astype("f4")
    fill(store, name, random_rows[:3_000])
    index = VectorIndex(store, name, lasting=True)
    index.prepare()
    index.settle()
    assert index.state().engine == "hnswlib"
    assert recall(index, exact(store, name), random_rows[3_000:]) >= 0.98
    index.close()


@pytest.mark.parametrize("metric", ["l2", "cosine", "ip"])
def test_graph_and_matrix_measure_alike(store, metric):
    name = made(store, 16, metric)
    rows, query = clustered(500, 16), clustered(1, 16, seed=9)[0]
    fill(store, name, rows)
    truth = exact(store, name).search(query, 10)
    index = with_graph(store, name)
    assert index.state().graph == 500
    assert index.search(query, 10) == [(document, pytest.approx(distance, abs=1e-3)) for document, distance in truth]
    index.close()


def test_random_history_across_restarts(tmp_path):
    """Adds, updates, deletes, restarts, two processes' views, a deleted snapshot: always as exact search."""
    dice = random.Random(4)
    pool = iter(clustered(6_000, 24, seed=11))
    queries = clustered(20, 24, seed=12)
    store = Store(tmp_path)
    name = made(store, 24)
    ids = set(fill(store, name, [next(pool) for _ in range(1_000)]))
    gone = set()
    index = VectorIndex(store, name, lasting=True, rows=200)
    other = VectorIndex(Store(tmp_path), name, lasting=True, rows=200)
    for _ in range(25):
        action = dice.choice(("add", "add", "update", "delete", "restart", "unlink", "settle"))
        if action == "add":
            ids |= set(fill(store, name, [next(pool) for _ in range(dice.randint(1, 150))]))
        elif action == "update":
            some = dice.sample(sorted(ids), 60)
            store.vectors.set(name, Embedder("", 24), [(one, None, next(pool)) for one in some])
        elif action == "delete":
            some = dice.sample(sorted(ids), 90)
            store.delete(some)
            ids -= set(some)
            gone |= set(some)
        elif action == "settle":
            index.settle()
        else:
            if action == "unlink":
                index.settle()
                (tmp_path / f"{name}.idx").unlink(missing_ok=True)
            index.close()
            store.close()
            store = Store(tmp_path)
            index = VectorIndex(store, name, lasting=True, rows=200)
        truth = exact(store, name)
        assert recall(index, truth, queries) >= 0.98, action
        assert recall(other, truth, queries[:5]) >= 0.98, action
        assert not gone & {document for query in queries for document, _ in index.search(query, 50)}
    index.close()
    other.close()
    assert store.integrity() == []
    store.close()


def test_a_deletion_elsewhere_counts_at_once(tmp_path, store):
    name = made(store, 4)
    ids = fill(store, name, clustered(300, 4))
    index = with_graph(store, name)
    query = clustered(300, 4)[7]
    assert index.search(query, 1)[0][0] == ids[7]
    Store(tmp_path).delete([ids[7]])
    assert ids[7] not in {document for document, _ in index.search(query, 300)}
    assert len(index.search(query, 300)) == 299
    index.close()


def test_most_of_it_deleted(store):
    name = made(store, 8)
    rows = clustered(600, 8)
    ids = fill(store, name, rows)
    index = with_graph(store, name)
    store.delete(ids[5:])
    assert {document for document, _ in index.search(rows[300], 20)} == set(ids[:5])
    store.delete(ids)
    assert index.search(rows[0], 3) == []
    index.close()


def test_an_index_made_anew_under_the_same_name(store):
    name = made(store, 4)
    fill(store, name, clustered(300, 4))
    index = with_graph(store, name)
    store.definitions.delete(name)
    made(store, 3)
    [id_] = fill(store, name, [[1.0, 2.0, 3.0]])
    assert index.search([1, 2, 3], 5) == [(id_, pytest.approx(0, abs=1e-6))]
    index.close()


def test_another_embedder_of_another_dimension(store):
    store.definitions.use(DOCUMENTS, Embedder("a", 4))
    ids = fill(store, DOCUMENTS, clustered(300, 4))
    index = with_graph(store, DOCUMENTS)
    store.definitions.use(DOCUMENTS, Embedder("b", 2))
    assert index.search([1, 2], 5) == []
    store.vectors.set(DOCUMENTS, Embedder("b", 2), [(ids[3], "", [1, 2])])
    assert [document for document, _ in index.search([1, 2], 5)] == [ids[3]]
    with pytest.raises(StoreError, match="4 numbers"):
        index.search([1, 2, 3, 4], 5)
    index.close()


def test_growing_past_its_capacity(store):
    store.definitions.create(IndexSpec("small", capacity=10, embedder=Embedder("", 4)))
    rows = clustered(2_500, 4)
    fill(store, "small", rows[:300])
    index = with_graph(store, "small")
    fill(store, "small", rows[300:])
    assert len(index.search(rows[0], 10)) == 10  # and the thread begins to move what came
    index.settle()
    assert index.state().graph == 2_500
    index.close()


def test_growing_into_a_graph_within_a_session(store):
    name = made(store, 4)
    index = VectorIndex(store, name, lasting=True, rows=100)
    assert index.search([1, 1, 1, 1], 3) == []
    fill(store, name, clustered(300, 4))
    index.search([1, 1, 1, 1], 3)
    index.settle()
    assert index.state().engine == "hnswlib"
    index.close()


def test_small_or_without_hnswlib_is_exact(store):
    name = made(store, 4)
    fill(store, name, clustered(50, 4))
    small = VectorIndex(store, name, lasting=True)
    assert len(small.search([1, 1, 1, 1], 5)) == 5
    assert small.state().engine == "exact"
    assert small.state().note == ""
    without = VectorIndex(store, name, lasting=True, rows=10, engine=str)
    assert len(without.search([1, 1, 1, 1], 5)) == 5
    assert "not installed" in without.state().note


def test_among_some_documents(store):
    name = made(store, 4)
    rows = clustered(300, 4)
    ids = fill(store, name, rows)
    index = with_graph(store, name)
    chosen = set(ids[10:14])
    assert {document for document, _ in index.search(rows[0], 10, among=chosen)} == chosen
    assert index.search(rows[0], 10, among=[10**9]) == []
    assert index.search(rows[0], 0) == []
    index.close()


@pytest.mark.parametrize("query", [[1, 2], [float("nan")] * 4, [float("inf"), 0, 0, 0], [0, 0, 0, 0]])
def test_questions_that_make_no_sense(store, query):
    name = made(store, 4)
    fill(store, name, clustered(3, 4))
    with pytest.raises(StoreError, match=r"numbers|finite|zeros"):
        VectorIndex(store, name).search(query, 3)


def test_an_index_without_an_embedder_finds_nothing(store):
    store.add(LONG_TERM, [Draft("x")])
    index = VectorIndex(store, LONG_TERM, lasting=True)
    assert index.search([1, 2], 3) == []
    store.definitions.use(LONG_TERM, Embedder("m", 2))
    [id_] = store.add(LONG_TERM, [Draft("y", vector=[1, 2])])
    assert [document for document, _ in index.search([1, 2], 3)] == [id_]


def test_searches_from_several_threads_while_rows_come(tmp_path, store):
    name = made(store, 8)
    rows = clustered(1_500, 8)
    fill(store, name, rows[:500])
    index = VectorIndex(store, name, lasting=True, rows=100)
    problems = []

    def search():
        for row in rows[:150]:
            if len(index.search(row, 10)) != 10:
                problems.append(row)

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    fill(store, name, rows[500:])
    for thread in threads:
        thread.join()
    assert not problems
    index.close()


# --- the snapshot

OPEN = """
    import random, sys
    from pathlib import Path
    from ralph.memory.index import VectorIndex
    from ralph.memory.store import Store

    def damage(file, dice, kind):
        data = bytearray(file.read_bytes())
        for _ in range({"bit": 1, "header": 1, "bits": 8}.get(kind, 0)):
            data[dice.randrange(100 if kind == "header" else len(data))] ^= 1 << dice.randrange(8)
        if kind == "cut":
            del data[dice.randrange(len(data)) :]
        elif kind == "grown":
            data += b"x" * dice.randint(1, 5_000)
        elif kind == "empty":
            data.clear()
        elif kind == "swapped":
            data[100:200], data[300:400] = data[300:400], data[100:200]
        file.unlink() if kind == "gone" else file.write_bytes(data)

    home, seed, trials = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    dice = random.Random(seed)
    store = Store(home)
    for trial in range(max(1, trials)):
        kind = ("bit", "header", "bits", "cut", "grown", "empty", "gone", "swapped")[(seed + trial) % 8]
        print(kind, flush=True)
        if trials:
            damage(home / "mine.idx", dice, kind)
        index = VectorIndex(store, "mine", lasting=True, rows=100)
        exact = VectorIndex(store, "mine", engine=str)
        for _ in range(5):
            query = [dice.gauss(0, 1) for _ in range(8)]
            got, want = index.search(query, 10), exact.search(query, 10)
            assert {one for one, _ in got} == {one for one, _ in want}, (kind, got, want)
        index.settle()
        assert {one for one, _ in index.search(query, 10)} == {one for one, _ in want}, kind
        index.close()
"""


def in_a_child(home, seed=0, trials=0):
    """Open the index, after damaging its file when there are `trials`, and compare it with exact search."""
    argv = [sys.executable, "-c", textwrap.dedent(OPEN), str(home), str(seed), str(trials)]
    return subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, timeout=100)


@pytest.fixture
def saved(tmp_path):
    store = Store(tmp_path)
    name = made(store, 8)
    fill(store, name, clustered(400, 8))
    index = with_graph(store, name)
    index.close()
    store.close()
    assert (tmp_path / "mine.idx").stat().st_size > 400 * 8 * 4
    return tmp_path


@pytest.mark.parametrize("seed", range(4))
def test_damaged_snapshots_neither_crash_nor_lie(saved, seed):
    done = in_a_child(saved, seed, trials=24)
    assert done.returncode == 0, (done.returncode, done.stdout.split()[-1], done.stderr)


def test_an_intact_snapshot_is_used_and_caught_up(saved):
    before = (saved / "mine.idx").read_bytes()
    store = Store(saved)
    fill(store, "mine", clustered(20, 8, seed=3))
    index = VectorIndex(store, "mine", lasting=True, rows=100)
    index.search([1] * 8, 1)
    assert index.state().graph >= 400
    index.close()
    store.close()
    assert in_a_child(saved).returncode == 0
    assert (saved / "mine.idx").read_bytes() != before  # it was written again, with the new rows


def test_a_snapshot_of_another_history_is_not_believed(saved, tmp_path_factory):
    """A restored backup: the file is whole and known, but tells of rows the database never had."""
    backup = (saved / "ralph.db").read_bytes()
    store = Store(saved)
    fill(store, "mine", clustered(1_200, 8, seed=3))
    index = VectorIndex(store, "mine", lasting=True, rows=100)
    index.search([1] * 8, 1)
    index.settle()
    index.close()
    store.close()
    (saved / "ralph.db").write_bytes(backup)
    assert in_a_child(saved).returncode == 0


def test_only_one_writes_and_leftovers_are_swept(saved):
    import filelock

    left = saved / "mine.idx.99999.tmp"
    left.write_bytes(b"half")
    before = (saved / "mine.idx").read_bytes()
    store = Store(saved)
    fill(store, "mine", clustered(10, 8, seed=3))
    with filelock.FileLock(saved / "mine.idx.lock"):
        index = VectorIndex(store, "mine", lasting=True, rows=100)
        index.search([1] * 8, 1)
        index.settle()
        index.close()
    assert (saved / "mine.idx").read_bytes() == before
    index = VectorIndex(store, "mine", lasting=True, rows=100)
    index.search([1] * 8, 1)
    index.settle()
    index.close()
    assert (saved / "mine.idx").read_bytes() != before
    assert not left.exists()
    store.close()


def test_a_build_that_was_interrupted_goes_on_where_it_stopped(tmp_path, store):
    name = made(store, 64)
    fill(store, name, clustered(6_000, 64))
    index = VectorIndex(store, name, lasting=True)
    index.prepare()
    while index.state().graph < 50:
        threading.Event().wait(0.002)
    index.close()
    again = VectorIndex(store, name, lasting=True)
    again.search(clustered(1, 64)[0], 1)
    assert again.state().graph >= 50
    again.settle()
    assert again.state().graph == 6_000
    assert recall(again, exact(store, name), clustered(30, 64, seed=8)) >= 0.98
    again.close()


def test_leaving_in_the_middle_of_a_build(tmp_path, store):
    """Without a word to the index: hnswlib would abort a process that ends while it is at work."""
    fill(store, made(store, 64), clustered(3_000, 64))
    code = """
import sys, time
from pathlib import Path
from ralph.memory.index import VectorIndex
from ralph.memory.store import Store
index = VectorIndex(Store(Path(sys.argv[1])), "mine", lasting=True)
index.prepare()
while index.state().graph < 30:
    time.sleep(0.001)
"""
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, cwd=ROOT)
        assert done.returncode == 0, done.stderr


def test_snapshots_are_private(saved):
    assert (saved / "mine.idx").stat().st_mode & 0o077 == 0


def test_there_is_an_hnswlib_here():
    assert variant()


def test_the_variant_is_what_the_installed_distribution_says():
    name, _, version = variant().partition(" ")
    assert metadata.version(name) == version
