from __future__ import annotations

import asyncio
import json

import pytest

from ralph.core.tools import Context
from ralph.errors import ToolError
from ralph.memory.memory import Memory
from ralph.policy.paths import resolve
from ralph.tools.vectors import vector_tools
from tests.ingest.pdfs import encrypted, make_pdf
from tests.memory.words_embedder import Words


class Desk:
    def __init__(self, home, embedder=None):
        self.memory = Memory(home / "home", embedder=embedder)
        self.home = home
        self.tools = {tool.spec.name.removeprefix("vector_db_"): tool for tool in vector_tools(self.memory)}

    def use(self, name, **args):
        tool = self.tools[name]
        assert tool.spec.problem_with(args) == ""
        judged = {"pdf_path": resolve(args["pdf_path"], str(self.home))} if "pdf_path" in args else {}
        context = Context("c", self.home, self.home, judged=judged)
        return json.loads(asyncio.run(tool.perform(args, context)).text)


@pytest.fixture
def desk(tmp_path):
    made = Desk(tmp_path)
    yield made
    made.memory.close()


@pytest.fixture
def semantic(tmp_path):
    made = Desk(tmp_path, Words())
    yield made
    made.memory.close()


def test_there_are_thirteen(desk):
    assert list(desk.tools) == [
        "create_index", "delete_index", "list_indices", "add_vector", "update_vector", "delete_vector", "get_vector",
        "search", "add_text", "add_chunked_text", "add_pdf_document", "search_text", "search_by_time",
    ]  # fmt: skip
    assert all(tool.spec.category == "memory" for tool in desk.tools.values())


@pytest.mark.parametrize(("metric", "rows", "distances"), [
    ("l2", [[1, 1], [2, 0], [-1, -1]], [0, 2, 8]), ("cosine", [[3, 3], [5, 0], [-2, 2]], [0, 1 - 2**-0.5, 1]),
    ("ip", [[3, 3], [2, 0], [-1, 0]], [-5, -1, 2]),
])  # fmt: skip
def test_vectors(desk, metric, rows, distances):
    made = desk.use("create_index", index_name="own", dimension=2, metric=metric)
    assert made == {"success": True, "message": "Index 'own' created with 2 dimensions"}
    labels = [desk.use("add_vector", index_name="own", vector=row)["label"] for row in rows]
    found = desk.use("search", index_name="own", query_vector=[1, 1], k=99)["results"]
    assert [hit["label"] for hit in found] == labels
    assert [hit["distance"] for hit in found] == pytest.approx(distances, abs=1e-5)


def test_update_get_delete(desk):
    desk.use("create_index", index_name="own", dimension=3)
    label = desk.use("add_vector", index_name="own", vector=[1, 2, 3], metadata={"a": {"b": [1]}})["label"]
    assert desk.use("get_vector", index_name="own", label=label) == {
        "success": True, "label": label, "vector": [1.0, 2.0, 3.0], "metadata": {"a": {"b": [1]}}}
    desk.use("update_vector", index_name="own", label=label, vector=[3, 2, 1], metadata={"c": 1})
    assert desk.use("get_vector", index_name="own", label=label)["vector"] == [3.0, 2.0, 1.0]
    assert desk.use("get_vector", index_name="own", label=label)["metadata"] == {"c": 1}
    desk.use("delete_vector", index_name="own", label=label)
    assert desk.use("search", index_name="own", query_vector=[3, 2, 1], k=5)["results"] == []
    with pytest.raises(ToolError, match="element not found"):
        desk.use("get_vector", index_name="own", label=label)
    assert desk.use("add_vector", index_name="own", vector=[1, 2, 3])["label"] != label


def test_what_is_wrong_is_said_and_changes_nothing(desk):
    desk.use("create_index", index_name="own", dimension=2, metric="cosine")
    label = desk.use("add_vector", index_name="own", vector=[1, 0])["label"]
    for name, args, says in (
        ("create_index", {"index_name": "own", "dimension": 2}, "already exists"),
        ("create_index", {"index_name": "x", "dimension": 0}, "at least 1"),
        ("create_index", {"index_name": "../x", "dimension": 2}, "cannot be named"),
        ("create_index", {"index_name": "x", "dimension": 2, "M": 1}, "between"),
        ("add_vector", {"index_name": "none", "vector": [1, 2]}, "index not found: 'none'; these exist: .*own"),
        ("add_vector", {"index_name": "own", "vector": [1, 2, 3]}, "mismatch: 3 numbers, index 'own' takes 2"),
        ("add_vector", {"index_name": "own", "vector": [0, 0]}, "all zeros"),
        ("add_vector", {"index_name": "own", "vector": [1, 1e300]}, "not finite|list of numbers"),
        ("add_vector", {"index_name": "documents", "vector": [1, 2]}, "takes texts"),
        ("update_vector", {"index_name": "own", "label": label, "vector": [1]}, "dimension mismatch"),
        ("update_vector", {"index_name": "own", "label": 999, "vector": [1, 1]}, "element not found"),
        ("get_vector", {"index_name": "own", "label": -1}, "element not found"),
        ("search", {"index_name": "own", "query_vector": [1, 1], "k": 0}, "k must be at least 1"),
        ("search", {"index_name": "own", "query_vector": [1], "k": 1}, "dimension mismatch"),
        ("delete_index", {"index_name": "long_term_memory"}, "stays"),
        ("delete_index", {"index_name": "none"}, "index not found"),
        ("add_text", {"index_name": "own2", "text": "  "}, "empty"),
        ("add_chunked_text", {"index_name": "own2", "text": " "}, "chunking failed"),
        ("add_chunked_text", {"index_name": "own2", "text": "x", "max_chunk_size": 9, "overlap_size": 9}, "chunking"),
        ("search_text", {"index_name": "own", "query": " "}, "query is empty"),
    ):  # fmt: skip
        with pytest.raises(ToolError, match=says):
            desk.use(name, **args)
    assert desk.use("get_vector", index_name="own", label=label)["vector"] == [1.0, 0.0]


def test_schemas_take_numbers_and_objects(desk):
    problem = desk.tools["add_vector"].spec.problem_with
    assert "vector" in problem({"index_name": "x", "vector": "[1, 2]"})
    assert "vector[1]" in problem({"index_name": "x", "vector": [1, "2"]})
    assert "metadata" in problem({"index_name": "x", "vector": [1], "metadata": '{"a": 1}'})
    create = desk.tools["create_index"].spec
    assert "metric" in create.problem_with({"index_name": "x", "dimension": 2, "metric": "dot"})


def test_an_index_and_all_in_it_can_be_deleted_and_made_anew(desk):
    for dimension in (2, 3):
        desk.use("create_index", index_name="own", dimension=dimension)
        desk.use("add_vector", index_name="own", vector=[1] * dimension)
        assert len(desk.use("search", index_name="own", query_vector=[1] * dimension, k=3)["results"]) == 1
        desk.use("delete_index", index_name="own")
    assert desk.use("list_indices") == {"success": True, "indices": ["long_term_memory", "conversations", "documents"]}


def test_texts_without_an_embedder_are_found_by_words_and_it_is_said(desk):
    text = "the heron stands in the shallow water" + " and waits" * 10
    added = desk.use("add_text", index_name="birds", text=text, metadata={"page": 3})
    assert added["text_preview"] == text[:50] + "..."
    assert added["note"] == "keyword only: there is no embedding model"
    found = desk.use("search_text", index_name="birds", query="heron in water")
    [hit] = found["results"]
    assert found["count"] == 1
    row = {"id": added["id"], "content": text, "type": "text", "source": "api", "metadata": {"page": 3}}
    assert hit.items() >= row.items()
    assert 0 <= hit["distance"] <= 1
    assert found["note"].startswith("keyword only")
    with pytest.raises(ToolError, match="no vector yet"):
        desk.use("get_vector", index_name="birds", label=added["id"])


def test_texts_with_an_embedder(semantic):
    added = semantic.use("add_text", index_name="birds", text="the heron stands in shallow water")
    assert "note" not in added
    assert semantic.memory.settled(5)
    assert len(semantic.use("get_vector", index_name="birds", label=added["id"])["vector"]) == 64
    assert "note" not in semantic.use("search_text", index_name="birds", query="heron")


def test_an_index_for_vectors_of_the_right_size_takes_texts_while_it_is_empty(semantic):
    for name, dimension, filled, note in (("a", 64, False, None), ("b", 3, False, "vectors of another kind"),
                                          ("c", 64, True, "vectors of another kind")):  # fmt: skip
        semantic.use("create_index", index_name=name, dimension=dimension, metric="cosine")
        if filled:
            semantic.use("add_vector", index_name=name, vector=[1] * dimension)
        assert (note or "") in semantic.use("add_text", index_name=name, text="some words").get("note", "")
        assert semantic.use("search_text", index_name=name, query="words")["count"] == 1


def test_a_long_text_in_pieces(desk):
    text = " ".join(f"Sentence {n} speaks of topic{n}." for n in range(300))
    done = desk.use("add_chunked_text", index_name="long", text=text, metadata={"book": "x"})
    assert done.items() >= {"successful_chunks": done["total_chunks"], "failed_chunks": 0}.items()
    assert done["total_chunks"] > 8
    [best, *_] = desk.use("search_text", index_name="long", query="topic250")["results"]
    assert "topic250" in best["content"]
    assert best["type"] == "chunk"
    assert best["metadata"]["book"] == "x"


def test_a_pdf(desk):
    path = desk.home / "paper.pdf"
    path.write_bytes(make_pdf(["herons wait in shallow water", "gulls follow the plough"]))
    done = desk.use("add_pdf_document", index_name="papers", pdf_path="paper.pdf")
    assert done.items() >= {"success": True, "successful_chunks": 2, "failed_chunks": 0, "total_chunks": 2,
                            "pdf_pages": 2}.items()  # fmt: skip
    [hit] = desk.use("search_text", index_name="papers", query="what do gulls follow?")["results"]
    assert (hit["type"], hit["metadata"]["page"], hit["metadata"]["file"]) == ("pdf_chunk", 2, "paper.pdf")
    again = desk.use("add_pdf_document", index_name="papers", pdf_path="paper.pdf")
    assert again["message"] == "paper.pdf: was there already"
    assert desk.memory.store.count("papers") == 2
    for name, data, says in (
        ("locked.pdf", encrypted(path.read_bytes()), "encrypted"), ("scan.pdf", make_pdf([None]), "no text layer"),
        ("note.pdf", b"hello", "not a PDF"),
    ):  # fmt: skip
        (desk.home / name).write_bytes(data)
        with pytest.raises(ToolError, match=says):
            desk.use("add_pdf_document", index_name="papers", pdf_path=name)
    with pytest.raises(ToolError, match="does not exist"):
        desk.use("add_pdf_document", index_name="papers", pdf_path="gone.pdf")


def test_by_time(desk):
    ids = [desk.use("add_text", index_name="log", text=f"entry {n}")["id"] for n in range(3)]
    found = desk.use("search_by_time", index_name="log")
    assert [hit["id"] for hit in found["results"]] == ids[::-1]
    assert "distance" not in found["results"][0]
    assert desk.use("search_by_time", index_name="log", end_time=1000)["count"] == 0
    assert desk.use("search_by_time", index_name="log", limit=1)["count"] == 1


def test_all_of_it_is_there_in_the_next_process(tmp_path):
    first = Desk(tmp_path)
    first.use("create_index", index_name="own", dimension=2, metric="ip", M=24, max_elements=77)
    label = first.use("add_vector", index_name="own", vector=[1, 2])["label"]
    first.memory.close()
    second = Desk(tmp_path)
    [hit] = second.use("search", index_name="own", query_vector=[1, 2], k=1)["results"]
    assert hit == {"label": label, "distance": -4.0}
    spec = second.memory.store.definitions.get("own").spec
    assert (spec.metric, spec.links, spec.capacity) == ("ip", 24, 77)
    second.memory.close()


def test_secrets_in_texts_are_blacked_out(tmp_path):
    def blacken(text):
        at = text.find("sk-123456")
        return [(at, at + 9, "[secret]")] if at >= 0 else []

    memory = Memory(tmp_path / "other", blacken=blacken)
    call = {tool.spec.name: tool for tool in vector_tools(memory)}
    for name in ("add_text", "add_chunked_text"):
        args = {"index_name": "notes", "text": "the key sk-123456 opens it"}
        asyncio.run(call[f"vector_db_{name}"].perform(args, Context("c", tmp_path, tmp_path)))
    assert [d.text for d in memory.store.find("notes")] == ["the key [secret] opens it"] * 2
    memory.close()
