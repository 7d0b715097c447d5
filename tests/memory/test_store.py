"""The store: documents, full text, vectors, changes; bad input; and a file other programs meddle with."""

import os
import sqlite3
import stat
import subprocess
import sys
import threading

import pytest

from ralph.errors import StoreError
from ralph.memory.rows import CONVERSATIONS, DOCUMENTS, LONG_TERM, Draft, Embedder, IndexSpec, Where
from ralph.memory.schema import MIGRATIONS
from ralph.memory.store import Store, digest_of

TINY = Embedder("tiny", 3)


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path, timeout=0.3, now=iter(range(1000, 100_000)).__next__)
    yield store
    store.close()


def add(store, *texts, index=LONG_TERM, **fields):
    return store.add(index, [Draft(text, **fields) for text in texts])


# --- documents


def test_what_is_stored_comes_back_whole(store, tmp_path):
    text = "Grüße, 世界 \U0001f600\nsecond line"
    metadata = {"page": 3, "a": [1, None]}
    draft = Draft(text, "fact", "book", "high", "/home/ada", "s1", "Ada", metadata, created=12.5)
    [id_] = store.add(DOCUMENTS, [draft])
    store.close()
    found = Store(tmp_path).get(id_)
    assert (found.index, found.text, found.metadata, found.created) == (DOCUMENTS, draft.text, draft.metadata, 12.5)
    assert (found.type, found.source, found.importance) == ("fact", "book", "high")
    assert (found.scope, found.session, found.about, found.digest) == ("/home/ada", "s1", "Ada", digest_of(draft.text))


def test_ids_are_never_given_twice(store, tmp_path):
    ids = add(store, "one", "two")
    assert store.delete(ids) == ids
    store.close()
    assert add(Store(tmp_path), "three")[0] > max(ids)


def test_all_or_none(store):
    with pytest.raises(StoreError, match="empty"):
        add(store, "one", "  ")
    assert store.count(LONG_TERM) == 0


def test_update_changes_words_and_drops_the_vector(store):
    store.definitions.use(LONG_TERM, TINY)
    [id_] = store.add(LONG_TERM, [Draft("old words", vector=[1, 2, 3])])
    assert store.vectors.pending(LONG_TERM) == []
    before = store.get(id_)
    after = store.update(id_, text="new words", importance="high", metadata={"k": 1})
    assert (after.text, after.importance, after.metadata) == ("new words", "high", {"k": 1})
    assert after.created == before.created
    assert after.updated > before.updated
    assert store.search_text(LONG_TERM, ["old"]) == []
    assert [hit for hit, _ in store.search_text(LONG_TERM, ["new"])] == [id_]
    assert store.vectors.get(LONG_TERM, [id_]) == {}
    assert store.vectors.pending(LONG_TERM) == [(id_, "new words")]


def test_update_of_other_fields_keeps_the_vector(store):
    store.definitions.use(LONG_TERM, TINY)
    [id_] = store.add(LONG_TERM, [Draft("words", vector=[1, 2, 3])])
    store.update(id_, type="preference")
    assert list(store.vectors.get(LONG_TERM, [id_])) == [id_]


@pytest.mark.parametrize("id_", [77, 0, -1, 2**63, -(2**80)])
def test_ids_that_do_not_exist(store, id_):
    assert store.get(id_) is None
    assert store.delete([id_]) == []
    with pytest.raises(StoreError, match="no document"):
        store.update(id_, text="x")


def test_find_filters_orders_and_pages(store):
    ids = [*add(store, "a", "b", type="fact", scope="global"), *add(store, "c", type="note", scope="/p", session="s")]
    add(store, "elsewhere", index=CONVERSATIONS)
    assert [d.text for d in store.find(LONG_TERM)] == ["c", "b", "a"]
    assert [d.text for d in store.find(LONG_TERM, oldest_first=True, limit=1, offset=1)] == ["b"]
    assert [d.id for d in store.find(LONG_TERM, Where(scopes=("/p", "/q")))] == ids[2:]
    assert [d.text for d in store.find(LONG_TERM, Where(since=1001, until=1001))] == ["b"]
    assert store.count(LONG_TERM, Where(types=("fact",))) == 2
    assert store.count(LONG_TERM, Where(digests=(digest_of("a"),), sessions=("",), sources=("conversation",))) == 1


def test_neighbours_are_of_the_same_source_and_session(store):
    first = add(store, "1", "2", session="a")
    add(store, "other", session="b")
    second = add(store, "3", "4", session="a")
    document = store.get(second[0])
    assert [d.id for d in store.neighbours(document)] == [first[1], second[1]]
    assert [d.id for d in store.neighbours(document, 9)] == [*first, second[1]]


# --- full text


def test_search_text_stems_folds_and_ranks(store):
    ids = add(store, "The cafés were running late", "a cat ran", "nothing of the kind")
    assert [hit for hit, _ in store.search_text(LONG_TERM, ["cafe"])] == [ids[0]]
    assert [hit for hit, _ in store.search_text(LONG_TERM, ["run"])] == [ids[0]]
    hits = store.search_text(LONG_TERM, ["cat", "running", "late"])
    assert [hit for hit, _ in hits] == [ids[0], ids[1]]
    assert hits[0][1] > hits[1][1] > 0
    assert store.search_text(LONG_TERM, ["cat", "late"], every=True) == []


@pytest.mark.parametrize("term", ['"', "a\"b", "NOT", "*", "text:x", "(", "", "\0", "a\0b", "^", "NEAR(", "-"])
def test_search_terms_are_words_never_syntax(store, term):
    add(store, "some text")
    assert store.search_text(LONG_TERM, [term]) == []


def test_about_is_found_and_weighed(store):
    [named] = add(store, "went to the lake", about="Caroline")
    [said] = add(store, "Caroline was mentioned")
    assert {hit for hit, _ in store.search_text(LONG_TERM, ["caroline"])} == {named, said}
    assert store.search_text(LONG_TERM, ["caroline"], about_weight=9.0)[0][0] == named
    assert store.search_text(LONG_TERM, ["caroline"], about_weight=0.01)[0][0] == said


def test_text_of_another_index_is_not_found(store):
    add(store, "apples", index=CONVERSATIONS)
    assert store.search_text(LONG_TERM, ["apples"]) == []


def test_the_vocabulary_is_unstemmed_and_forgets(store):
    ids = add(store, "Running déjà vu", "running")
    assert store.frequencies(["running", "run", "deja"]) == {"running": 2, "deja": 1}
    store.delete(ids[1:])
    assert store.frequencies(["running"]) == {"running": 1}


# --- vectors and changes


def test_changes_since_tells_of_adds_updates_and_deletes(store):
    store.definitions.use(LONG_TERM, TINY)
    a, b = store.add(LONG_TERM, [Draft("a", vector=[1, 0, 0]), Draft("b", vector=[0, 1, 0])])
    first = store.vectors.changes_since(LONG_TERM, 0)
    assert [document for *_, document, _ in first.added] == [a, b]
    labels = {document: label for _, label, document, _ in first.added}
    store.vectors.set(LONG_TERM, TINY, [(a, "a", [0, 0, 1])])
    store.delete([b])
    later = store.vectors.changes_since(LONG_TERM, first.seq)
    assert [document for *_, document, _ in later.added] == [a]
    assert set(later.removed) == set(labels.values())
    assert store.vectors.documents_of([*labels.values(), later.added[0][1]]) == {later.added[0][1]: a}
    assert store.vectors.changes_since(LONG_TERM, later.seq).added == []


def test_changes_come_in_pieces(store):
    store.definitions.use(LONG_TERM, TINY)
    ids = store.add(LONG_TERM, [Draft(str(n), vector=[n, 1, 0]) for n in range(10)])
    store.delete(ids[:1])
    seen, removed, seq = [], [], 0
    while seq < store.definitions.get(LONG_TERM).seq:
        piece = store.vectors.changes_since(LONG_TERM, seq, limit=4)
        seen += [document for *_, document, _ in piece.added]
        removed += piece.removed
        seq = piece.seq
    assert seen == ids[1:]
    assert len(removed) == 1


def test_a_slow_embedder_cannot_describe_words_that_changed(store):
    store.definitions.use(LONG_TERM, TINY)
    kept, reworded, gone = add(store, "kept", "before", "gone")
    store.update(reworded, text="after")
    store.delete([gone])
    late = [(kept, "kept", [1, 0, 0]), (reworded, "before", [1, 0, 0]), (gone, "gone", [1, 0, 0])]
    assert store.vectors.set(LONG_TERM, TINY, late) == 1
    assert store.vectors.pending(LONG_TERM) == [(reworded, "after")]


def test_another_embedder_starts_over_and_going_back_is_free(store):
    store.definitions.use(LONG_TERM, TINY)
    ids = store.add(LONG_TERM, [Draft("a", vector=[1, 0, 0]), Draft("b", vector=[0, 1, 0])])
    assert store.definitions.use(LONG_TERM, Embedder("wide", 4)) == 2
    assert store.vectors.changes_since(LONG_TERM, 0).added == []
    assert store.vectors.set(LONG_TERM, Embedder("wide", 4), [(ids[0], "a", [1, 0, 0, 0])]) == 1
    assert store.definitions.use(LONG_TERM, TINY) == 0
    assert len(store.vectors.changes_since(LONG_TERM, 0).added) == 2


def test_known_vectors_are_found_by_digest(store):
    store.definitions.use(LONG_TERM, TINY)
    store.add(LONG_TERM, [Draft("a", vector=[1, 2, 3])])
    assert set(store.vectors.known(TINY, [digest_of("a"), digest_of("b")])) == {digest_of("a")}
    assert store.vectors.known(Embedder("other", 3), [digest_of("a")]) == {}


@pytest.mark.parametrize(
    ("vector", "why"),
    [
        ([1, 2], "2 numbers"), ([], "0 numbers"), (["a", 1, 2], "numbers"), ([None] * 3, "numbers"),
        ([1, 2, float("nan")], "finite"), ([1, 2, float("inf")], "finite"), ([1e300, 0, 0], "finite"),
        ([0, 0, 0], "zeros"),
    ],
)  # fmt: skip
def test_bad_vectors_store_nothing(store, vector, why):
    store.definitions.use(LONG_TERM, TINY)
    with pytest.raises(StoreError, match=why):
        store.add(LONG_TERM, [Draft("x", vector=vector)])
    assert store.count(LONG_TERM) == 0


def test_vectors_need_an_embedder(store):
    with pytest.raises(StoreError, match="no vectors yet"):
        store.add(LONG_TERM, [Draft("x", vector=[1, 2, 3])])


# --- indices


def test_three_indices_are_always_there(store):
    specs = {spec.name: spec for spec in store.definitions.list()}
    assert (specs[LONG_TERM].links, specs[LONG_TERM].effort, specs[LONG_TERM].capacity) == (16, 200, 100_000)
    assert (specs[DOCUMENTS].links, specs[DOCUMENTS].effort, specs[DOCUMENTS].capacity) == (32, 400, 50_000)
    store.add(LONG_TERM, [Draft("x")])
    store.definitions.delete(LONG_TERM)
    assert store.count(LONG_TERM) == 0
    assert len(store.definitions.list()) == 3


def test_indices_are_made_and_deleted_with_all_they_hold(store):
    spec = store.definitions.create(IndexSpec("mine", metric="l2", embedder=Embedder("", 2)))
    assert store.definitions.get("mine").spec == spec
    [id_] = store.add("mine", [Draft("", vector=[0, 0])])
    with pytest.raises(StoreError, match="already exists"):
        store.definitions.create(IndexSpec("MINE"))
    store.definitions.delete("mine")
    assert store.get(id_) is None
    with pytest.raises(StoreError, match=r"no index 'mine'.*long_term_memory"):
        store.add("mine", [Draft("x")])
    assert store.integrity() == []


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a" * 65, "a b", "x\0"])
def test_names_that_could_not_be_files(store, name):
    with pytest.raises(StoreError, match="cannot be named"):
        store.definitions.create(IndexSpec(name))


@pytest.mark.parametrize("fields", [{"metric": "dot"}, {"links": 0}, {"capacity": 0}, {"embedder": Embedder("", 0)}])
def test_indices_that_could_not_work(store, fields):
    with pytest.raises(StoreError):
        store.definitions.create(IndexSpec("mine", **fields))


def test_stats(store):
    store.definitions.use(LONG_TERM, TINY)
    store.add(LONG_TERM, [Draft("a", vector=[1, 0, 0]), Draft("b")])
    row = next(row for row in store.stats() if row.spec.name == LONG_TERM)
    assert (row.documents, row.vectors, row.pending) == (2, 1, 1)


# --- bad input


@pytest.mark.parametrize("field", ["text", "source", "about", "session"])
def test_invalid_utf8_is_refused(store, field):
    with pytest.raises(StoreError, match=rf"{field}.*surrogate"):
        store.add(LONG_TERM, [Draft(**{"text": "x", field: "bad \udc80"})])
    with pytest.raises(StoreError, match="surrogate"):
        store.add(LONG_TERM, [Draft("x", metadata={"a": "\udc80"})])


def test_metadata_that_is_no_json(store):
    for metadata in ({"a": float("nan")}, {"a": object()}, {"a": {1, 2}}):
        with pytest.raises(StoreError, match="JSON"):
            store.add(LONG_TERM, [Draft("x", metadata=metadata)])


def test_ten_megabytes_of_text(store):
    text = "lorem ipsum dolor " * 560_000
    [id_] = store.add(LONG_TERM, [Draft(text + "needle")])
    assert store.get(id_).text == text + "needle"
    assert [hit for hit, _ in store.search_text(LONG_TERM, ["needle"])] == [id_]
    with pytest.raises(StoreError, match="too long"):
        store.add(LONG_TERM, [Draft("x" * 32_000_001)])


def test_text_with_control_characters_comes_back(store):
    [id_] = add(store, "a\0b \x1b[31m \r\n \u2028 end")
    assert store.get(id_).text == "a\0b \x1b[31m \r\n \u2028 end"
    assert store.delete([id_]) == [id_]
    assert store.integrity() == []


# --- the file


def test_the_home_and_the_file_are_private(tmp_path):
    home = tmp_path / "new" / "home"
    old = os.umask(0o000)
    try:
        add(Store(home), "x")
    finally:
        os.umask(old)
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    for file in home.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_a_newer_schema_is_left_alone(tmp_path):
    store = Store(tmp_path)
    add(store, "x")
    store.close()
    with sqlite3.connect(tmp_path / "ralph.db") as other:
        other.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    other.close()
    before = (tmp_path / "ralph.db").read_bytes()
    with pytest.raises(StoreError, match="newer Ralph"):
        Store(tmp_path).stats()
    assert (tmp_path / "ralph.db").read_bytes() == before


def test_locked_by_another_program(store, tmp_path):
    add(store, "x")
    other = sqlite3.connect(tmp_path / "ralph.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked"):
        add(store, "y")
    assert store.count(LONG_TERM) == 1  # readers are not kept out
    other.execute("ROLLBACK")
    other.close()
    add(store, "y")


def test_a_short_lock_is_waited_for(store, tmp_path):
    add(store, "x")
    other = sqlite3.connect(tmp_path / "ralph.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.05, other.rollback)
    timer.start()
    add(store, "y")
    timer.join()
    other.close()
    assert store.count(LONG_TERM) == 2


def test_not_a_database(tmp_path):
    (tmp_path / "ralph.db").write_bytes(b"this is a text file, quite long enough to be looked at" * 40)
    before = (tmp_path / "ralph.db").read_bytes()
    with pytest.raises(StoreError, match="not a Ralph database"):
        Store(tmp_path).stats()
    assert (tmp_path / "ralph.db").read_bytes() == before


def test_a_folder_in_the_place_of_the_file(tmp_path):
    (tmp_path / "ralph.db").mkdir()
    with pytest.raises(StoreError, match="cannot be"):
        Store(tmp_path).stats()


def test_corrupt_pages_are_said_and_the_rest_is_kept(tmp_path):
    store = Store(tmp_path)
    ids = add(store, *(f"memory number {n} " + "x" * 900 for n in range(300)))
    store.close()
    file = tmp_path / "ralph.db"
    data = bytearray(file.read_bytes())
    page = data.find(b"memory number 150 ") // 4096
    data[page * 4096 : page * 4096 + 200] = b"\xa5" * 200
    file.write_bytes(data)
    damaged = Store(tmp_path)
    with pytest.raises(StoreError, match=r"damaged.*recover"):
        damaged.find(LONG_TERM)
    assert damaged.integrity()
    assert damaged.get(ids[0]).text.startswith("memory number 0 ")
    damaged.close()


def test_what_was_deleted_is_nowhere_in_the_files(store, tmp_path):
    add(store, *(f"filler number {n}" for n in range(50)))
    [id_] = store.add(LONG_TERM, [Draft("the password is xyzzyplugh", about="quuxname", metadata={"k": "frobnicate"})])
    store.delete([id_])
    store.purge()
    for file in tmp_path.iterdir():
        data = file.read_bytes()
        for word in (b"xyzzyplugh", b"quuxname", b"frobnicate"):
            assert word not in data, (file, word)


def test_compact_shrinks_and_keeps(store, tmp_path):
    ids = add(store, *(f"memory {n} " + "y" * 2000 for n in range(400)))
    store.delete(ids[10:])
    assert store.compact() > 100_000
    assert [d.id for d in store.find(LONG_TERM, oldest_first=True)] == ids[:10]
    assert len(store.search_text(LONG_TERM, ["memory"])) == 10
    assert store.integrity() == []


def test_one_moment_for_several_reads(store, tmp_path):
    [id_] = add(store, "x")
    other = Store(tmp_path)
    with store.reading():
        assert store.count(LONG_TERM) == 1
        assert other.delete([id_]) == [id_]
        assert store.get(id_) is not None
    assert store.get(id_) is None
    other.close()


def test_a_write_inside_a_read_is_a_bug_that_shows(store):
    with store.reading(), pytest.raises(RuntimeError, match="inside a read"):
        add(store, "x")


def test_writes_together_or_not_at_all(store):
    def half():
        with store.writing():
            add(store, "x")
            raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        half()
    assert store.count(LONG_TERM) == 0


def test_threads_share_a_store(tmp_path):
    store = Store(tmp_path)

    def work(number):
        for n in range(20):
            add(store, f"thread {number} memory {n}")

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.count(LONG_TERM) == 80
    store.close()


def test_processes_create_and_migrate_at_once(tmp_path):
    code = f"""
import sys; sys.path.insert(0, {os.getcwd()!r})
from pathlib import Path
from ralph.memory.rows import Draft
from ralph.memory.store import Store
store = Store(Path({str(tmp_path)!r}))
print(store.add("long_term_memory", [Draft("hello")])[0])
"""
    children = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    ids = {int(child.communicate(timeout=30)[0]) for child in children}
    assert ids == {1, 2, 3, 4}


def test_keyword_work_loads_no_numpy(tmp_path):
    code = """
import sys
from pathlib import Path
from ralph.memory.rows import Draft
from ralph.memory.store import Store
assert "sqlite3" not in sys.modules
store = Store(Path(sys.argv[1]))
store.add("long_term_memory", [Draft("hello")])
store.search_text("long_term_memory", ["hello"]); store.stats(); store.find("long_term_memory")
assert not {"numpy", "hnswlib", "filelock", "asyncio"} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
