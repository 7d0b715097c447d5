from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from ralph.errors import RalphError
from ralph.ingest.chunk import pieces
from ralph.ingest.pdf import ranges, read_pdf
from ralph.ingest.pdf_child import clean
from tests.ingest.pdfs import encrypted, make_pdf


async def run(module, given, seconds):
    """The child as its caller starts it, with the same interpreter; nothing but a descriptor goes in."""
    code = f"import sys; sys.path[:0] = {sys.path!r}; from {module} import main; main(0)"
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        printed, _ = await asyncio.wait_for(child.communicate(given), seconds)
    except TimeoutError:
        child.kill()
        await child.wait()
        return b"", None
    return printed, child.returncode


def read(data, **asked):
    return asyncio.run(read_pdf(data, "paper.pdf", run, **asked))


def test_each_page_keeps_its_number():
    texts = ["first page\nof two lines", "second page", "third"]
    document = read(make_pdf(texts))
    assert [document.page(number).strip() for number in (1, 2, 3)] == texts
    assert (document.kind, document.page_total, document.note) == ("pdf", 3, "")
    assert [(piece.page, piece.text) for piece in pieces(document)][1] == (2, "second page")


@pytest.mark.parametrize(("first", "last", "numbers"), [
    (2, 3, [2, 3]), (2, None, [2, 3, 4]), (3, 99, [3, 4]), (0, 1, [1]), (3, 2, [3]), (99, None, [4]),
])  # fmt: skip
def test_pages_are_clamped_to_those_there_are(first, last, numbers):
    document = read(make_pdf([f"page number {n}" for n in range(1, 5)]), first=first, last=last)
    assert [piece.page for piece in pieces(document)] == numbers
    assert document.page(numbers[0]).strip() == f"page number {numbers[0]}"
    with pytest.raises(IndexError):
        document.page(numbers[-1] + 1)


def test_the_outline_gives_headings_where_they_stand_on_the_page():
    words = "plain words. " * 30
    data = make_pdf([f"Methods\n{words}", f"{words}\nResults\n{words}"], [("Methods", 1), ("Results", 2), ("Gone", 2)])
    document = read(data)
    assert [heading.title for heading in document.headings] == ["Methods", "Gone", "Results"]
    assert document.text[document.headings[2].start :].startswith("Results")
    assert document.headings[1].start == document.pages[1]  # not on its page in these words: where the page begins


def test_a_page_without_text_is_said():
    document = read(make_pdf(["words here", None, None, "more words", None]))
    assert document.note == "no text on pages 2-3, 5 (scanned?)"
    assert [piece.page for piece in pieces(document)] == [1, 4]


GOOD = make_pdf(["words on a page"])


@pytest.mark.parametrize(("data", "says"), [
    (make_pdf([None, None]), "no text layer: its 2 pages have only pictures"),
    (encrypted(GOOD), "encrypted and asks for a password"),
    (b"not a pdf at all", "damaged or not a PDF"),
    (b"", "damaged or not a PDF"),
    (b"%PDF-1.4\n" + b"garbage " * 50, "damaged or not a PDF|could not be read"),
    (make_pdf([]), "has no pages|damaged"),
], ids=["scanned", "encrypted", "text", "nothing", "garbage", "pageless"])  # fmt: skip
def test_what_cannot_be_read_is_explained(data, says):
    with pytest.raises(RalphError, match=says) as caught:
        read(data)
    assert caught.value.hint
    assert "\n" not in str(caught.value)


def test_a_password_only_for_changing_does_not_matter():
    import io

    import pypdf

    writer = pypdf.PdfWriter(clone_from=io.BytesIO(GOOD))
    writer.encrypt("", "owner", algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    assert read(out.getvalue()).text == "words on a page\n"


def test_a_reader_that_never_ends_is_ended_and_what_it_read_is_kept():
    async def slow(module, given, seconds):
        printed, _ = await run(module, given, 30)
        lines = printed.splitlines(keepends=True)
        return b"".join(lines[:3]) + lines[3][:5], None  # the head, two pages, and a torn third

    document = asyncio.run(read_pdf(make_pdf(["one", "two", "three", "four"]), "paper.pdf", slow, seconds=5))
    assert document.text == "one\ntwo\n"
    assert document.note == "not read: pages 3-4 (it took longer than 5 s)"


def test_a_reader_that_dies_at_once_is_explained():
    async def dead(module, given, seconds):
        return b"", -11

    with pytest.raises(RalphError, match="the PDF reader gave up on it"):
        asyncio.run(read_pdf(GOOD, "paper.pdf", dead))


def test_memory_is_bounded(tmp_path):
    """The child itself sets the limit; a page that swells beyond it ends the child, not us."""
    code = ("import resource\nfrom ralph.ingest.pdf_child import _limit\n_limit(10, 5)\n"
            "print(resource.getrlimit(resource.RLIMIT_AS)[0] < 3 << 30, resource.getrlimit(resource.RLIMIT_CPU)[0])\n"
            "try:\n    bytearray(4 << 30)\nexcept MemoryError:\n    print('bounded')")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == ["True", "10", "bounded"]


def test_line_end_hyphens_are_joined():
    assert clean("exam\x02\r\nple and hy\ufffephen\r\nrest\0") == "example and hyphen\nrest"


def test_ranges():
    assert ranges([1, 2, 3, 7, 9, 10]) == "1-3, 7, 9-10"
    assert ranges(range(1, 60, 2)).endswith("17, 19 and 20 more")
