from __future__ import annotations

import pytest

from ralph.errors import ProviderError, StoreError
from ralph.memory.embed import Embedded, catch_up, choose, identity
from ralph.memory.model import packaged
from ralph.memory.people import embeddable, people_of
from ralph.memory.remote import Remote
from ralph.memory.rows import LONG_TERM, Draft
from ralph.memory.store import Store
from tests.memory.words_embedder import Words


@pytest.fixture
def store(tmp_path):
    opened = Store(tmp_path)
    yield opened
    opened.close()


def test_a_configured_server_comes_first_then_the_model_then_nobody(tmp_path, model_home):
    assert isinstance(choose(model_home, url="http://localhost:1/v1"), Remote)
    assert isinstance(choose(model_home), Embedded)
    if packaged() is None:
        assert choose(tmp_path) is None


def test_the_model_loads_in_the_background(model_home):
    embedder = choose(model_home)
    assert not embedder.available()
    embedder.warm()
    assert embedder.embed(["hello"]).shape == (1, 384)
    assert embedder.available()


def test_a_model_that_cannot_be_loaded_is_said_whenever_it_is_asked():
    loads = []

    def load():
        loads.append(1)
        raise StoreError("the embedding model is damaged")

    embedder = Embedded(load)
    embedder.warm()
    for _ in range(2):
        with pytest.raises(StoreError, match="damaged"):
            embedder.embed(["x"])
    assert embedder.available()
    assert embedder.common("the") == 0
    assert len(loads) == 1


@pytest.mark.parametrize(("text", "people", "bare"), [
    ("Caro: I went home", {"caro"}, "I went home"),
    ("What did Caro's sister tell Mel?", {"caro", "mel"}, "What did sister tell ?"),
    ("Carol met Caro", {"caro"}, "Carol met"),
    ("CARO went", {"caro"}, "went"),
    ("Caro", {"caro"}, "Caro"),  # nothing would be left
    ("no names", set(), "no names"),
])  # fmt: skip
def test_names_of_people_are_not_embedded(text, people, bare):
    assert embeddable(text, people) == bare


def test_people_are_who_speaks_and_who_takes_part():
    assert people_of({"speaker": "Ann Lee", "people": ["Bob", 7]}) == {"ann", "lee", "bob"}
    assert people_of({"people": "Bob"}) == people_of({}) == set()


def test_every_document_gets_its_vector_once(store):
    words = Words()
    store.add(LONG_TERM, [Draft(f"text {n % 90}") for n in range(100)])
    seen = []
    assert catch_up(store, LONG_TERM, words, progress=seen.append) == 100
    assert sorted(words.made) == sorted({f"text {n}" for n in range(90)})  # equal texts are embedded once
    assert seen == [64, 100]
    assert catch_up(store, LONG_TERM, words) == 0
    assert len(words.made) == 90


def test_a_text_seen_in_another_index_is_not_embedded_again(store):
    words = Words()
    for index in (LONG_TERM, "documents"):
        store.add(index, [Draft("the same text")])
        catch_up(store, index, words)
    assert words.made == ["the same text"]


def test_another_embedder_makes_all_vectors_anew(store):
    store.add(LONG_TERM, [Draft("one"), Draft("two")])
    catch_up(store, LONG_TERM, Words(64))
    wider = Words(96, "wider")
    assert catch_up(store, LONG_TERM, wider) == 2
    [stats] = [row for row in store.stats() if row.spec.name == LONG_TERM]
    assert (stats.spec.embedder, stats.vectors, stats.pending) == (identity(wider), 2, 0)


def test_work_that_was_stopped_or_failed_is_taken_up_again(store):
    words = Words()
    store.add(LONG_TERM, [Draft(f"text {n}") for n in range(100)])
    stops = iter([False, True])
    assert catch_up(store, LONG_TERM, words, stop=lambda: next(stops)) == 64
    words.error = ProviderError("away", kind="network")
    with pytest.raises(ProviderError):
        catch_up(store, LONG_TERM, words)
    words.error = None
    assert catch_up(store, LONG_TERM, words) == 36
