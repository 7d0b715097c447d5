"""Text files of every kind: decoded, and their headings found. Markdown, source code, plain text."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import PurePath

from ralph.errors import RalphError
from ralph.ingest.document import Document, Heading

_ENDINGS = {
    "pdf": "pdf",
    "markdown": "md markdown mdx rst adoc",
    "html": "html htm xhtml",
    "code": "py pyi js mjs cjs ts tsx jsx go rs c h cc cpp cxx hpp cs java kt kts scala swift rb php pl pm lua r jl sh "
    "bash zsh fish ps1 sql hs ml mli ex exs erl clj el vim zig nim dart css scss vue svelte tf proto cmake toml yaml "
    "yml json ini cfg",
    "text": "txt text log csv tsv tex org srt vtt eml xml",
}
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))

_ATX = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$")
_UNDERLINE = re.compile(r"(={3,}|-{3,}|~{3,}|\^{3,})[ \t]*$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_DEFINITION = re.compile(
    r"(?P<indent>[ \t]*)(?:(?:export|default|public|private|protected|static|final|abstract|async|pub(?:\(\w+\))?|"
    r"override|unsafe|virtual|inline)[ \t]+)*"
    r"(?:class|def|function|func|fn|fun|struct|enum|trait|interface|impl|module|namespace|type|record|object|sub)\b"
    r"[ \t]*(?:\([^()\n]{0,80}\)[ \t]*)?(?P<name>[A-Za-z_$][\w$.:<>]{0,80})"
)


def kind_of(name: str) -> str:
    """pdf, html, markdown, code, text, or "" for a file that is probably no text, by the ending of its name."""
    ending = PurePath(name).suffix.lower().removeprefix(".")
    return next((kind for kind, endings in _ENDINGS.items() if ending in endings.split()), "" if ending else "text")


def read_text(data: bytes, name: str) -> Document:
    """A text file. Raises RalphError when it holds no text; places that are not UTF-8 are replaced, and said."""
    mark, encoding = next(((mark, name) for mark, name in _MARKS if data.startswith(mark)), (b"", "utf-8"))
    if b"\0" in data[:8192] and not encoding.startswith("utf-16"):
        raise RalphError(f"{name} is not text", hint="PDF, HTML, Markdown, source code and plain text can be read")
    text = data[len(mark) :].decode(encoding, "replace").replace("\r\n", "\n").replace("\0", "")
    if not text.strip():
        raise RalphError(f"{name} holds no text", hint="nothing was stored")
    strays = text.count("\ufffd") - data.count(b"\xef\xbf\xbd")
    note = f"{strays:,} places that are not {encoding.upper()} were replaced" if strays > 0 else ""
    kind = kind_of(name) or "text"
    return document_of(text, "text" if kind == "pdf" else kind, note)


def document_of(text: str, kind: str, note: str = "") -> Document:
    """A document from text alone, with the headings its kind has."""
    found: Iterator[Heading] = iter(())
    if kind in ("markdown", "html"):
        found = _markdown_headings(text)
    elif kind == "code":
        found = _definitions(text)
    return Document(kind, text, headings=tuple(found), note=note)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """(offset, line without its end)."""
    start = 0
    for line in text.split("\n"):
        yield start, line
        start += len(line) + 1


def _markdown_headings(text: str) -> Iterator[Heading]:
    """Lines that begin with `#`, and lines that are underlined; not those inside a fenced block."""
    fence = ""
    before_at, before = 0, ""
    for start, line in _lines(text):
        if mark := _FENCE.match(line):
            if not fence:
                fence = mark[1]
            elif line.strip().startswith(fence) and not line.strip().strip(fence[0]):
                fence = ""
        elif not fence:
            if (atx := _ATX.match(line)) and atx[2]:
                yield Heading(start, len(atx[1]), atx[2])
            elif (under := _UNDERLINE.match(line)) and _is_title(before):
                yield Heading(before_at, 1 + "=-~^".index(under[1][0]), before.strip())
        before_at, before = start, "" if fence else line


def _is_title(line: str) -> bool:
    return bool(line.strip()) and line[0] not in " \t>|-*+#" and len(line) <= 120


def _definitions(text: str) -> Iterator[Heading]:
    """Functions, classes and their like, nested by how far they are indented."""
    for start, line in _lines(text):
        if found := _DEFINITION.match(line):
            depth = len(found["indent"].expandtabs(4)) // 2
            yield Heading(start, depth + 1, found["name"].rstrip(":<>"))
