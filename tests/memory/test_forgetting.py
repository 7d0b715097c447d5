"""What is forgotten is gone: no file of the home holds its words any more, and nothing brings it back."""

from __future__ import annotations

import threading
import time

import pytest

from ralph.core.messages import Message, Text
from ralph.memory import upkeep
from ralph.memory.conversations import Conversations
from ralph.memory.index import VectorIndex
from ralph.memory.memory import Memory
from ralph.memory.resemblance import said_in
from ralph.memory.rows import LONG_TERM, Draft
from ralph.memory.store import Store
from ralph.memory.why import noted
from tests.memory.words_embedder import Words

SECRET = "Zebulon keeps xylophonist swordfish in Quetzaltenango"
WORDS = (b"zebulon", b"xylophonist", b"swordfish", b"quetzal")


def traces(home):
    return sorted({path.name for path in home.rglob("*") if path.is_file()
                   for word in WORDS if word in path.read_bytes().lower()})  # fmt: skip


@pytest.fixture
def memory(tmp_path):
    opened = Memory(tmp_path, embedder=Words())
    opened.store.add(LONG_TERM, [Draft(f"fact number{n} about thing{n % 7}") for n in range(300)])
    yield opened
    opened.close()


def test_no_file_holds_the_words_any_more(memory):
    number = memory.remember(SECRET).document.id
    changed = memory.remember(f"{SECRET} and Peru", keep_both=True).document.id
    memory.edit(changed, "content", "nothing of the kind")
    assert memory.settled(10)
    memory.before("where does Zebulon keep his swordfish?", threshold=0.1, conversations=True)
    assert "recalled.json" in traces(memory.home)
    memory.forget(number)
    assert traces(memory.home) == []
    assert number not in [item["id"] for item in noted(memory.home)["items"]]
    memory.store.compact()
    assert traces(memory.home) == []
    assert number not in [hit.document.id for hit in memory.recall("Zebulon swordfish", 50).hits]
    assert memory.store.frequencies(["zebulon", "swordfish"]) == {}


def test_what_was_edited_out_is_gone_too(memory):
    number = memory.remember(SECRET).document.id
    memory.settled(10)
    memory.edit(number, "content", "nothing of the kind")
    memory.settled(10)
    memory.store.purge()  # whatever still read when the edit purged
    assert traces(memory.home) == []


def test_a_short_reader_is_waited_for(memory):
    number = memory.remember(SECRET).document.id
    memory.settled(10)
    other, reads = Store(memory.home), threading.Event()

    def read():
        with other.reading():
            reads.set()
            time.sleep(0.05)
        other.close()

    reader = threading.Thread(target=read)
    reader.start()
    reads.wait()
    memory.store.delete([number])
    upkeep.purge(memory.store.database, 10)
    assert traces(memory.home) == []
    reader.join()


def test_while_another_process_reads_nothing_waits_and_its_end_wipes_the_rest(memory):
    number = memory.remember(SECRET).document.id
    memory.settled(10)
    other = Store(memory.home)
    with other.reading():
        memory.forget(number)
    other.close()
    assert memory.store.purge() is None
    assert traces(memory.home) == []


def test_only_what_quotes_it_leaves_the_note_of_the_last_turn(memory):
    gone, kept = (memory.remember(text).document.id for text in (SECRET, "Wilma keeps parrots in Lima"))
    memory.settled(10)
    memory.before("where does Zebulon keep swordfish, and Wilma parrots?", threshold=0.01, conversations=True)
    before = noted(memory.home)
    memory.forget(gone)
    after = noted(memory.home)
    assert kept in [item["id"] for item in after["items"]]
    assert gone not in [item["id"] for item in after["items"]]
    assert (after["at"], after["mode"]) == (before["at"], before["mode"])


def test_where_it_was_said_is_told(memory):
    history = [Message("user", (Text(f"Remember this: {SECRET}!"),)), Message("assistant", (Text("Zebulon? Sure."),))]
    Conversations(memory.store).record("s-1", history, "global")
    [turn] = said_in(memory.store, SECRET)
    assert (turn.session, turn.metadata["message"]) == ("s-1", 0)
    memory.forget(turn.id)
    assert said_in(memory.store, SECRET) == []


def test_compacting_leaves_no_snapshot_with_the_numbers_of_what_was_removed(memory):
    number = memory.remember(SECRET).document.id
    memory.catch_up(LONG_TERM)
    index = VectorIndex(memory.store, LONG_TERM, lasting=True, rows=50)
    index.prepare()
    index.settle(20)
    index.close()
    snapshot = memory.store.definitions.snapshot_path(LONG_TERM)
    if not snapshot.exists():
        pytest.skip("no hnswlib here")
    memory.forget(number)
    assert memory.store.compact() is not None
    assert not snapshot.exists()
    index = VectorIndex(memory.store, LONG_TERM, lasting=True, rows=50)
    [query] = Words().embed(["fact number7"])
    assert len(index.search(query, 5)) == 5
    index.settle(20)
    index.close()
