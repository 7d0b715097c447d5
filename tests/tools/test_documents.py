from __future__ import annotations

import asyncio
import json

import pytest

from ralph.core.tools import Context
from ralph.errors import RalphError, ToolError
from ralph.ingest.chunk import split_text
from ralph.memory.memory import Memory
from ralph.memory.rows import DOCUMENTS
from ralph.policy.paths import resolve
from ralph.tools.documents import document_tools, ingest, pages, read_document, wrong_citations
from tests.ingest.pdfs import encrypted, make_pdf
from tests.memory.words_embedder import Words


@pytest.fixture
def memory(tmp_path):
    opened = Memory(tmp_path / "home", embedder=Words())
    yield opened
    opened.close()


def take_in(memory, data, source, **more):
    if isinstance(data, str):
        data = data.encode()
    done = asyncio.run(ingest(memory, data, source, **more))
    assert memory.settled(10)
    return done


def extract(memory, folder, name, **args):
    [tool] = document_tools(memory)
    args = {"file_path": name, **args}
    assert tool.spec.problem_with(args) == ""
    context = Context("c", folder, folder, judged={"file_path": resolve(name, str(folder))})
    return json.loads(asyncio.run(tool.perform(args, context)).text)


def paragraphs(count, mark="about"):
    more = "It goes on for a while. " * 12
    return "\n\n".join(f"Paragraph {n} {mark} subject{n}. {more}" for n in range(count))


def test_what_was_taken_in_is_found_with_its_place(memory):
    text = f"# Guide\n\n{paragraphs(3)}\n\n## Ports\n\nThe staging port is 8443. {'It never changes. ' * 40}"
    done = take_in(memory, text, "/docs/guide.md")
    assert (done.kind, done.unchanged, done.added) == ("markdown", False, done.pieces)
    [hit, *_] = memory.recall("staging port", index=DOCUMENTS).hits
    place = {"file": "guide.md", "heading": ["Guide", "Ports"], "kind": "markdown"}
    assert hit.document.metadata.items() >= place.items()
    assert hit.document.source == "/docs/guide.md"
    assert text[hit.document.metadata["start"] : hit.document.metadata["end"]] == hit.document.text
    assert memory.store.vectors.count(DOCUMENTS) == done.pieces


def test_the_same_file_again_is_recognised(memory):
    first = take_in(memory, paragraphs(8), "/docs/a.txt")
    made = len(memory.embedder.made)
    again = take_in(memory, paragraphs(8), "/docs/a.txt")
    assert (again.unchanged, again.pieces, again.kept) == (True, first.pieces, first.pieces)
    assert len(memory.embedder.made) == made


def test_only_what_changed_is_embedded_again(memory):
    text = paragraphs(12)
    take_in(memory, text, "/docs/a.txt")
    before = {document.id: document.text for document in memory.store.find(DOCUMENTS)}
    memory.embedder.made.clear()
    done = take_in(memory, text.replace("Paragraph 6 about", "Paragraph 6 against"), "/docs/a.txt")
    assert (done.added, done.removed, done.changed) == (0, 0, len(memory.embedder.made))
    assert 1 <= done.changed <= 3
    assert done.kept == done.pieces - done.changed
    after = {document.id: document.text for document in memory.store.find(DOCUMENTS)}
    assert sum(before[key] == after[key] for key in before) == done.kept
    assert any("Paragraph 6 against" in text for text in after.values())
    assert not any("Paragraph 6 about" in text for text in after.values())
    assert memory.store.vectors.count(DOCUMENTS) == done.pieces


def test_a_shorter_and_a_longer_version(memory):
    take_in(memory, paragraphs(12), "/docs/a.txt")
    shorter = take_in(memory, paragraphs(3), "/docs/a.txt")
    assert shorter.removed > 0
    assert memory.store.count(DOCUMENTS) == shorter.pieces
    longer = take_in(memory, paragraphs(20), "/docs/a.txt")
    assert memory.store.count(DOCUMENTS) == longer.pieces
    parts = [d.metadata["part"] for d in memory.store.find(DOCUMENTS, oldest_first=True)]
    assert sorted(parts) == list(range(longer.pieces))


def test_a_renewal_that_was_cut_short_is_completed(memory):
    done = take_in(memory, paragraphs(12), "/docs/a.txt")
    memory.store.delete([document.id for document in memory.store.find(DOCUMENTS, limit=3)])
    again = take_in(memory, paragraphs(12), "/docs/a.txt")
    assert (again.unchanged, again.added, again.kept) == (False, 3, done.pieces - 3)


def test_two_files_do_not_touch_each_other(memory):
    one = take_in(memory, paragraphs(4), "/docs/a.txt")
    take_in(memory, paragraphs(4), "/docs/b.txt")
    take_in(memory, "changed entirely", "/docs/b.txt")
    assert memory.store.count(DOCUMENTS) == one.pieces + 1


def test_progress(memory):
    seen = []
    done = take_in(memory, paragraphs(12), "/docs/a.txt", progress=lambda at, total: seen.append((at, total)))
    assert seen[-1] == (done.pieces, done.pieces)


@pytest.mark.parametrize(("name", "data", "kind", "text"), [
    ("a.html", b"<html><body><h1>One</h1><p>Some <b>words</b></p></body></html>", "html", "words"),
    ("a.py", b"def f():\n    return 1\n", "code", "return"), ("README", b"plain words", "text", "plain"),
    ("renamed.txt", make_pdf(["words in a pdf"]), "pdf", "words in a pdf"),
])  # fmt: skip
def test_kinds_of_files(name, data, kind, text):
    document = asyncio.run(read_document(data, name))
    assert document.kind == kind
    assert text in document.text


@pytest.mark.parametrize(("name", "data", "says"), [
    ("a.png", b"\x89PNG\0\0", "is not text"), ("a.txt", b" ", "holds no text"), ("a.pdf", b"no pdf", "not a PDF"),
    ("a.html", b"<html><body></body></html>", "holds no text"), ("a.pdf", encrypted(make_pdf(["x"])), "encrypted"),
])  # fmt: skip
def test_what_cannot_be_read_stores_nothing(memory, name, data, says):
    with pytest.raises(RalphError, match=says):
        take_in(memory, data, f"/docs/{name}")
    assert memory.store.count(DOCUMENTS) == 0


def test_a_large_text(memory):
    memory.embedder = None  # 2 MB of vectors are not the point
    done = take_in(memory, "many words and so on. " * 100_000, "/docs/large.txt")
    assert done.pieces > 2000
    assert memory.store.count(DOCUMENTS) == done.pieces


class TestExtract:
    def test_all_pages(self, memory, tmp_path):
        (tmp_path / "paper.pdf").write_bytes(make_pdf(["first words", None, "third words"]))
        found = extract(memory, tmp_path, "paper.pdf")
        text = "[page 1]\nfirst words\n[page 3]\nthird words"
        assert found == {"success": True, "text": text, "page_count": 2, "length": len(text), "searchable_pieces": 2,
                         "note": "no text on page 2 (scanned?)"}  # fmt: skip
        assert memory.settled(5)
        [hit] = memory.recall("third", index=DOCUMENTS).hits
        assert (hit.document.metadata["page"], hit.document.source) == (3, str(tmp_path / "paper.pdf"))

    @pytest.mark.parametrize(("start", "end", "numbers"), [
        (0, 0, [1]), (1, 2, [2, 3]), (-1, 1, [1, 2]), (2, -1, [3, 4]), (3, 1, [4]), (9, 99, [4]),
        (-5, -5, [1, 2, 3, 4]),
    ])  # fmt: skip
    def test_ranges_are_0_based_and_clamped(self, memory, tmp_path, start, end, numbers):
        (tmp_path / "paper.pdf").write_bytes(make_pdf([f"words {n}" for n in range(1, 5)]))
        found = extract(memory, tmp_path, "paper.pdf", start_page=start, end_page=end)
        assert found["text"] == "\n".join(f"[page {n}]\nwords {n}" for n in numbers)
        assert memory.store.count(DOCUMENTS) == (4 if len(numbers) == 4 else 0)

    def test_errors_are_for_the_model(self, memory, tmp_path):
        (tmp_path / "note.txt").write_text("words")
        (tmp_path / "scan.pdf").write_bytes(make_pdf([None]))
        for name, says in (("gone.pdf", "does not exist"), ("note.txt", "not a PDF"), ("scan.pdf", "no text layer"),
                           (".", "a directory")):  # fmt: skip
            with pytest.raises(ToolError, match=says):
                extract(memory, tmp_path, name)


def test_a_long_answer_in_pieces():
    assert split_text("short") == ["short"]
    assert split_text(" ") == []
    found = split_text(paragraphs(12))
    assert len(found) > 3
    assert all(len(piece) <= 1000 for piece in found)


def test_pages_for_a_prompt(tmp_path):
    path = tmp_path / "paper.pdf"
    path.write_bytes(make_pdf([f"words {n}" for n in range(1, 6)]))
    assert asyncio.run(pages(path, 3, 5)) == "[page 3]\nwords 3\n[page 4]\nwords 4\n[page 5]\nwords 5"
    for first, last, says in ((6, 7, "has pages 1 to 5"), (0, 1, "has pages 1 to 5"), (3, 2, "has pages 1 to 5")):
        with pytest.raises(RalphError, match=says):
            asyncio.run(pages(path, first, last))
    with pytest.raises(RalphError, match="cannot read"):
        asyncio.run(pages(tmp_path / "gone.pdf", 1, 1))
    (tmp_path / "note.md").write_text("words")
    with pytest.raises(RalphError, match="has no pages"):
        asyncio.run(pages(tmp_path / "note.md", 1, 1))


def test_citations_are_checked_against_the_page(memory):
    lines = [" ".join(f"Word{n} stands here." for n in range(low, low + 4)) for low in range(0, 200, 4)]
    pages = ["Herons wait in\nshallow water.", "\n".join(lines)]  # the second page is more than one piece
    take_in(memory, make_pdf(pages), "/docs/birds.pdf")
    right = '"wait in shallow water" (birds.pdf, p. 1) and "Word80 stands here. Word81 stands here." [birds.pdf#2]'
    assert wrong_citations(memory.store, right) == []
    assert wrong_citations(memory.store, '"wait in shallow water" (birds.pdf, p. 2)') == [
        "birds.pdf, p. 2 does not hold the words “wait in shallow water”"
    ]
    assert wrong_citations(memory.store, '"whatever" (unknown.pdf, p. 2), and nothing else') == []
