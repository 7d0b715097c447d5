"""HTML as Markdown. Runs in a process of its own: a hostile page may take very long or nest very deep."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from itertools import chain
from typing import Any
from urllib.parse import urljoin, urlsplit

_LEFT_OUT = ["script", "style", "noscript", "template", "nav", "svg", "iframe", "canvas", "title", "meta", "link"]
_BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "details", "div", "dl", "fieldset", "figure", "footer", "form", "h1",
    "h2", "h3", "h4", "h5", "h6", "header", "hr", "main", "menu", "nav", "ol", "p", "pre", "section", "table", "ul",
})  # fmt: skip
_IMPLIED: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    **dict.fromkeys(_BLOCKS, (frozenset({"p"}), (_BLOCKS - {"p"}) | {"body", "dd", "li", "td", "th"})),
    "li": (frozenset({"li"}), frozenset({"menu", "ol", "ul"})),
    **dict.fromkeys(("dt", "dd"), (frozenset({"dt", "dd"}), frozenset({"dl"}))),
    **dict.fromkeys(("td", "th"), (frozenset({"td", "th"}), frozenset({"table", "tr"}))),
    "tr": (frozenset({"tr"}), frozenset({"table"})),
    **dict.fromkeys(("tbody", "tfoot"), (frozenset({"tbody", "thead"}), frozenset({"table"}))),
    "option": (frozenset({"option"}), frozenset({"select"})),
    "body": (frozenset({"head"}), frozenset({"html"})),
}
"""A start tag -> the open tags it ends without their saying so, and those it looks no further than (HTML standard)."""


def to_markdown(html: str, url: str) -> str:
    """What a reader of the page at `url` would read, with absolute links. Raises RecursionError on absurd nesting."""
    from markdownify import MarkdownConverter

    soup = _parsed(html)
    title = soup.title.get_text(" ", strip=True) if soup.title else ""
    base = soup.find("base", href=True)
    root = urljoin(url, str(base["href"])) if base else url
    for tag in soup(_LEFT_OUT):
        tag.decompose()
    _make_absolute(soup("a"), "href", root)
    _make_absolute(soup("img"), "src", root)
    text = MarkdownConverter(heading_style="ATX", bullets="-").convert_soup(soup)
    text = re.sub(r"[ \t]+\n", "\n", text)
    text = re.sub(r"\n{3,}", "\n\n", text).strip()
    return text if not title or soup.h1 else f"# {title}\n\n{text}"


def _parsed(html: str) -> Any:
    """The standard library's parser leaves tags open that nobody has to close, such as `<li>` and `<p>`."""
    from bs4 import BeautifulSoup

    class Closing(BeautifulSoup):
        def handle_starttag(self, name: str, *args: Any, **kwargs: Any) -> Any:
            ends, until = _IMPLIED.get(name, (frozenset(), frozenset()))
            for tag in chain([self.currentTag], self.currentTag.parents) if ends and self.currentTag else ():
                if tag.name in ends:
                    self.handle_endtag(tag.name)
                if tag.name in ends or tag.name in until:
                    break
            return super().handle_starttag(name, *args, **kwargs)

    return Closing(html, "html.parser")


def _make_absolute(tags: Iterable[Any], name: str, root: str) -> None:
    """Links that lead nowhere on the web (scripts, inlined images) are dropped, their text stays."""
    for tag in tags:
        try:
            target = urljoin(root, tag.get(name) or "")
            scheme = urlsplit(target).scheme
        except ValueError:
            target = scheme = ""
        if tag.get(name) and scheme in ("http", "https", "mailto"):
            tag[name] = target
        elif tag.name == "img":
            tag.decompose()
        else:
            tag.unwrap()


def main(descriptor: int) -> None:
    """The process that may be ended: one line of JSON (url), then the page in UTF-8; Markdown to stdout."""
    with os.fdopen(descriptor, "rb") as source:
        url = json.loads(source.readline())
        html = source.read().decode("utf-8", "replace")
    text = to_markdown(html, url).encode("utf-8", "replace")
    with os.fdopen(1, "wb") as sink:
        sink.write(text)
