from __future__ import annotations

import pytest

from ralph.errors import RalphError
from ralph.ingest.chunk import pieces
from ralph.ingest.readers import kind_of, read_text


def headings(text, name):
    return [(heading.level, heading.title) for heading in read_text(text.encode(), name).headings]


def test_kinds():
    names = ("a.PDF", "b.md", "c.html", "d.py", "e.txt", "LICENSE", "f.png")
    assert [kind_of(name) for name in names] == ["pdf", "markdown", "html", "code", "text", "text", ""]


def test_markdown_headings():
    fenced = "```sh\n# no heading\n```\n\n~~~\n# no\n```\n~~~"
    text = f"# One #\n\n## Two\n\nThree\n=====\n\n{fenced}\n\n#hashtag\n\n- item\n---\n\n### Four"
    assert headings(text, "a.md") == [(1, "One"), (2, "Two"), (1, "Three"), (3, "Four")]


def test_definitions_in_code():
    text = "import x\n\nclass Shape:\n    def area(self):\n        return 1\n\nasync def go():\n    pass\n"
    assert headings(text, "a.py") == [(1, "Shape"), (3, "area"), (1, "go")]
    assert headings("export default function go() {}\n", "a.ts") == [(1, "go")]
    assert headings("pub(crate) fn go() {}\nfunc (s *Server) Run() {}\n", "a.rs") == [(1, "go"), (1, "Run")]
    (only,) = pieces(read_text(text.encode(), "a.py"))
    assert only.path == ()


@pytest.mark.parametrize(("data", "text", "note"), [
    (b"plain\r\nlines\n", "plain\nlines\n", ""),
    (b"\xef\xbb\xbfmarked", "marked", ""),
    ("größe".encode("utf-16"), "größe", ""),
    (b"bad \xff\xfe bytes", "bad \ufffd\ufffd bytes", "2 places that are not UTF-8 were replaced"),
    ("a \ufffd of its own".encode(), "a \ufffd of its own", ""),
])  # fmt: skip
def test_bytes_become_text(data, text, note):
    document = read_text(data, "a.txt")
    assert (document.text, document.note) == (text, note)


@pytest.mark.parametrize(("data", "says"), [
    (b"", "holds no text"), (b" \n", "holds no text"), (b"a\0b", "is not text"),
])  # fmt: skip
def test_what_is_no_text_is_refused(data, says):
    with pytest.raises(RalphError, match=says):
        read_text(data, "a.txt")
