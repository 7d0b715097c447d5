from __future__ import annotations

import threading

import pytest

from ralph.errors import RalphError, StoreError
from ralph.memory.memory import Memory
from ralph.memory.rows import LONG_TERM, Draft, Embedder, IndexSpec
from ralph.memory.why import noted
from tests.memory.words_embedder import Words


@pytest.fixture
def memory(tmp_path):
    opened = Memory(tmp_path, scope="/project")
    yield opened
    opened.close()


@pytest.fixture
def semantic(tmp_path):
    opened = Memory(tmp_path, embedder=Words(), scope="/project")
    yield opened
    opened.close()


def test_what_is_remembered_is_found_again_in_another_process(tmp_path):
    first = Memory(tmp_path)
    stored = first.remember("the staging port is 8443", type="fact", importance="high").document
    first.close()
    second = Memory(tmp_path)
    [hit] = second.recall("which port does staging use?").hits
    assert hit.document == stored
    assert (stored.text, stored.importance) == ("the staging port is 8443", "high")
    second.close()


def test_where_it_comes_from_is_kept(memory):
    memory.session, memory.said = "s-1", "please  remember\nthat tabs are better"
    document = memory.remember("Prefers tabs", scope="project").document
    assert (document.session, document.scope) == ("s-1", "/project")
    assert document.metadata == {"said": "please remember that tabs are better"}
    assert memory.remember("Prefers dark mode").document.scope == "global"


def test_a_project_does_not_see_what_belongs_to_another(tmp_path, memory):
    memory.remember("the build needs node 20", scope="project")
    other = Memory(tmp_path, scope="/other")
    assert other.recall("what does the build need?").hits == ()
    assert len(other.recall("what does the build need?", everywhere=True).hits) == 1
    other.close()


@pytest.mark.parametrize(("content", "says"), [
    ("", "empty"), (" \n", "empty"), ("x" * 10_001, "10,000 characters at most"), ("x\ud800", "surrogate"),
])  # fmt: skip
def test_what_cannot_be_remembered(memory, content, says):
    with pytest.raises(RalphError, match=says):
        memory.remember(content)
    assert memory.store.count(LONG_TERM) == 0


def test_secrets_are_refused_and_not_kept_as_origin(tmp_path):
    memory = Memory(tmp_path, secret=lambda text: "an API key" if "sk-" in text else "")
    with pytest.raises(StoreError, match="this holds an API key; secrets are not remembered"):
        memory.remember("the key is sk-123")
    memory.said = "my key is sk-123, and I like tea"
    document = memory.remember("Likes tea").document
    assert document.metadata == {}
    with pytest.raises(StoreError, match="an API key"):
        memory.edit(document.id, "content", "sk-123")
    memory.close()


def test_the_same_again_is_not_piled_up(memory):
    first = memory.remember("Alice prefers tabs over spaces").document
    again = memory.remember("alice  prefers TABS over spaces!")
    assert (again.stored, again.document.id) == (False, first.id)
    assert memory.store.count(LONG_TERM) == 1


def test_what_is_at_odds_is_reported_and_can_be_settled(memory):
    old = memory.remember("Alice lives in Paris").document
    report = memory.remember("Alice lives in Berlin")
    assert (report.stored, report.document, report.similar[0].relation) == (False, None, "contradiction")
    assert report.similar[0].document.id == old.id
    settled = memory.remember("Alice lives in Berlin", replaces=old.id).document
    assert (settled.id, settled.text) == (old.id, "Alice lives in Berlin")
    assert settled.metadata["before"][0]["content"] == "Alice lives in Paris"
    assert memory.recall("Paris").hits == ()
    assert memory.remember("Alice lives in Rome", keep_both=True).stored
    assert memory.store.count(LONG_TERM) == 2


def test_replacing_what_is_not_there_stores_nothing(memory):
    with pytest.raises(StoreError, match="there is no memory 77"):
        memory.remember("Alice lives in Berlin", replaces=77)
    assert memory.store.count(LONG_TERM) == 0


def test_editing(memory):
    document = memory.remember("Alice likes tea").document
    assert memory.edit(document.id, "importance", "critical").importance == "critical"
    assert memory.edit(document.id, "content", "Alice likes coffee").text == "Alice likes coffee"
    assert memory.edit(document.id, "scope", "project").scope == "/project"
    assert [hit.document.id for hit in memory.recall("who likes coffee").hits] == [document.id]
    for field, value, says in (("colour", "x", "no field 'colour'"), ("importance", "huge", "cannot be 'huge'"),
                               ("content", " ", "empty")):  # fmt: skip
        with pytest.raises(StoreError, match=says):
            memory.edit(document.id, field, value)


def test_forgetting_is_for_good(tmp_path, semantic):
    document = semantic.remember("the launch code name is bluebird").document
    assert semantic.settled(5)
    semantic.forget(document.id)
    assert semantic.recall("launch code name").hits == ()
    with pytest.raises(StoreError, match=f"there is no memory {document.id}"):
        semantic.forget(document.id)
    assert b"bluebird" not in b"".join(path.read_bytes() for path in tmp_path.glob("*.idx"))


def test_vectors_follow_in_the_background(semantic):
    semantic.remember("the cat sat on the mat")
    assert semantic.settled(5)
    assert semantic.store.vectors.count(LONG_TERM) == 1
    assert semantic.recall("cat on a mat").mode == "hybrid"


def test_text_is_found_while_the_embedder_fails_and_vectors_are_made_up_for_later(tmp_path, semantic):
    semantic.embedder.error = RalphError("the server is down")
    semantic.remember("the cat sat on the mat")
    assert semantic.settled(5)
    assert semantic.trouble == "the server is down"
    assert [hit.document.text for hit in semantic.recall("cat").hits] == ["the cat sat on the mat"]
    semantic.embedder.error = None
    semantic.wake()
    assert semantic.settled(5)
    assert (semantic.trouble, semantic.store.vectors.count(LONG_TERM)) == ("", 1)


def test_another_embedder_makes_all_vectors_anew_and_never_touches_those_of_the_caller(tmp_path, semantic):
    semantic.remember("the cat sat on the mat")
    semantic.add("notes", [Draft("herons wait")])
    semantic.store.definitions.create(IndexSpec("own", embedder=Embedder("", 2)))
    semantic.store.add("own", [Draft("", vector=[1.0, 2.0])])
    assert semantic.settled(5)
    other = Memory(tmp_path, embedder=Words(32, "others"))
    other.start()
    assert other.settled(5)
    makers = {row.spec.name: (row.spec.embedder, row.vectors, row.pending) for row in other.store.stats()}
    assert makers["notes"] == makers[LONG_TERM] == (Embedder("others", 32), 1, 0)
    assert makers["own"] == (Embedder("", 2), 1, 0)
    assert other.recall("cat").mode == "hybrid"
    other.close()


def test_an_edited_memory_is_embedded_again(semantic):
    document = semantic.remember("the cat sat on the mat").document
    semantic.settled(5)
    semantic.edit(document.id, "content", "a dog lay on the sofa")
    assert semantic.settled(5)
    assert semantic.embedder.made[-1] == "a dog lay on the sofa"
    assert semantic.store.vectors.count(LONG_TERM) == 1


def test_many_threads_at_once(semantic):
    def remember(number):
        semantic.remember(f"fact {number} is about topic{number}", keep_both=True)

    threads = [threading.Thread(target=remember, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert semantic.settled(10)
    semantic.wake()
    assert semantic.settled(10)
    assert (semantic.store.count(LONG_TERM), semantic.store.vectors.count(LONG_TERM)) == (16, 16)


def test_nothing_is_opened_before_it_is_needed(tmp_path):
    Memory(tmp_path / "new").close()
    assert not (tmp_path / "new").exists()


def test_what_belongs_before_a_prompt_is_noted(tmp_path, memory):
    assert memory.before("which port?", threshold=0.3, conversations=True) == ("", None)
    assert not list(tmp_path.iterdir())  # a home without memories is not touched
    document = memory.remember("the staging port is 8443").document
    memory.session = "s-1"
    text, event = memory.before("which port does staging use?", threshold=0.3, conversations=True)
    assert "the staging port is 8443" in text
    assert [item["id"] for item in event.items] == [document.id]
    assert noted(tmp_path).items() >= {"session": "s-1", "items": [dict(item) for item in event.items]}.items()
    assert memory.remember("Likes short answers").document.metadata["said"] == "which port does staging use?"
    assert memory.before("something else about rockets", threshold=0.3, conversations=True) == ("", None)
    assert noted(tmp_path)["items"] == []


def test_a_damaged_store_is_said_and_stops_nobody(tmp_path):
    (tmp_path / "ralph.db").write_bytes(b"no database at all" * 300)
    memory = Memory(tmp_path)
    text, notice = memory.before("which port?", threshold=0.3, conversations=True)
    assert text == ""
    assert (notice.topic, notice.kind) == ("memory", "warning")
    assert "is not a Ralph database" in notice.text
    with pytest.raises(StoreError, match="is not a Ralph database"):
        memory.remember("anything")
    memory.close()
