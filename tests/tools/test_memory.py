from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from ralph.core.tools import Context
from ralph.errors import ToolError
from ralph.memory.memory import Memory
from ralph.memory.rows import CONVERSATIONS, LONG_TERM, Draft
from ralph.tools.memory import tools_for
from tests.memory.words_embedder import Words


@pytest.fixture
def memory(tmp_path):
    opened = Memory(tmp_path, scope="/project", secret=lambda text: "an API key" if "sk-" in text else "")
    yield opened
    opened.close()


def using(memory):
    tools = {tool.spec.name: tool for tool in tools_for(memory)}

    def use(name, **args):
        assert tools[name].spec.problem_with(args) == ""
        return asyncio.run(tools[name].perform(args, Context("c", Path(), Path())))

    return use


@pytest.fixture
def use(memory):
    return using(memory)


def body(output):
    return json.loads(output.text)


def test_the_tools_and_their_categories(memory):
    specs = {tool.spec.name: tool.spec for tool in tools_for(memory)}
    assert len(specs) == 17
    assert {spec.category for name, spec in specs.items() if name != "pdf_extract_text"} == {"memory"}
    assert (specs["pdf_extract_text"].category, specs["pdf_extract_text"].match) == ("file_read", "file_path")
    size = sum(len(json.dumps([s.name, s.description, s.parameters], separators=(",", ":"))) for s in specs.values())
    assert size < 6000  # they are sent with every request


def test_remember_recall_forget(use):
    stored = body(use("remember", content="Alice prefers tabs", type="preference", importance="high"))
    assert stored["success"]
    assert stored["metadata"].items() >= {"type": "preference", "source": "conversation", "importance": "high",
                                          "memory_id": stored["memory_id"]}.items()  # fmt: skip
    assert len(stored["metadata"]["timestamp"]) == 19
    found = body(use("recall_memories", query="what does Alice prefer?"))
    [hit] = found["memories"]
    assert hit.items() >= {"memory_id": stored["memory_id"], "content": "Alice prefers tabs", "type": "preference",
                           "source": "conversation", "importance": "high", "match_type": "text"}.items()  # fmt: skip
    assert found["note"].startswith("keyword only")
    gone = body(use("forget_memory", memory_id=stored["memory_id"]))
    assert gone["deleted"] == {"type": "preference", "preview": "Alice prefers tabs"}
    assert body(use("recall_memories", query="what does Alice prefer?")) == {
        "success": True, "memories": [], "message": "No relevant memories", "note": "keyword only: no embedding model"
    }  # fmt: skip


def test_nothing_relevant_is_said_as_nothing(use):
    for n in range(20):
        use("remember", content=f"Colleague number {n} is called name{n}", keep_both=True)
    assert body(use("recall_memories", query="quantum chromodynamics lattice"))["memories"] == []


def test_schema_and_arguments(use, memory):
    specs = {tool.spec.name: tool.spec for tool in tools_for(memory)}
    for name, args, says in (
        ("remember", {}, "content"), ("remember", {"content": "x", "importance": "huge"}, "importance"),
        ("remember", {"content": 5}, "string"), ("remember", {"content": "x", "mood": 1}, "unknown argument"),
        ("recall_memories", {}, "query"), ("forget_memory", {}, "memory_id"),
        ("forget_memory", {"memory_id": "1"}, "integer"),
    ):  # fmt: skip
        assert says in specs[name].problem_with(args)
    for name, args, says in (
        ("remember", {"content": " "}, "empty"), ("remember", {"content": "my key is sk-123"}, "an API key"),
        ("recall_memories", {"query": " "}, "query"), ("recall_memories", {"query": "x", "k": 0}, "at least 1"),
        ("forget_memory", {"memory_id": 12345}, "no memory 12345"),
        ("forget_memory", {"memory_id": -1}, "no memory -1"), ("forget_memory", {"memory_id": 10**30}, "no memory"),
    ):  # fmt: skip
        with pytest.raises(ToolError, match=says):
            use(name, **args)
    assert memory.store.count(LONG_TERM) == 0


def test_the_same_again_and_what_is_at_odds(use, memory):
    first = body(use("remember", content="Alice lives in Paris"))["memory_id"]
    again = body(use("remember", content="alice lives in Paris."))
    assert (again["success"], again["memory_id"], again["duplicate"]) == (True, first, True)
    odds = body(use("remember", content="Alice lives in Berlin"))
    assert (odds["success"], odds["error"]) == (False, "similar_memory")
    assert odds["similar"][0]["relation"] == "contradiction"
    settled = body(use("remember", content="Alice lives in Berlin", replaces=first))
    assert (settled["success"], settled["memory_id"]) == (True, first)
    assert memory.store.count(LONG_TERM) == 1


def test_earlier_sessions_are_recalled_but_not_this_one(use, memory):
    memory.session = "now"
    memory.store.add(CONVERSATIONS, [
        Draft("we chose postgres for the ledger", "turn", session="before", scope="/project"),
        Draft("we chose postgres for the ledger today", "turn", session="now", scope="/project"),
    ])  # fmt: skip
    [hit] = body(use("recall_memories", query="which database did we choose for the ledger: postgres?"))["memories"]
    assert hit["session"] == "before"


def test_a_memory_of_a_document_cannot_be_forgotten_by_mistake(use, memory):
    [document_id] = memory.store.add("documents", [Draft("page one")])
    with pytest.raises(ToolError, match="there is no memory"):
        use("forget_memory", memory_id=document_id)
    assert memory.store.get(document_id)


def test_with_an_embedder(tmp_path):
    memory = Memory(tmp_path, embedder=Words())
    use = using(memory)
    use("remember", content="the cat sat on the mat")
    assert memory.settled(5)
    found = body(use("recall_memories", query="cat on mat"))
    assert found["memories"][0]["match_type"] == "semantic"
    assert "note" not in found
    memory.close()


def test_what_others_wrote_is_data(use):
    text = 'quotes " and \\ and \u2028 and </memory> {"a": 1}'
    stored = body(use("remember", content=text, source='so "called"'))
    [hit] = body(use("recall_memories", query="quotes memory"))["memories"]
    assert (hit["content"], hit["source"], hit["memory_id"]) == (text, 'so "called"', stored["memory_id"])
