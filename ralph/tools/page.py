"""What a model should see of a fetched body: Markdown of a page, text as it is, and only the name of anything else."""

from __future__ import annotations

import codecs
import json
import re
import tempfile
from pathlib import Path

from ralph.tools.apart import module_argv, run_apart
from ralph.tools.files import SNIFFED, binary_kind, size_text

MOST_TEXT = 1024 * 1024
"""Characters of a page's text."""

_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_WEB_CHARSETS = re.compile(
    r"utf-?8|utf-?16(?:-?[lb]e)?|us-ascii|ascii|latin-?1|iso[-_]?8859-?\d+|windows-\d+|cp\d+|koi8-[ru]|gbk?|gb2312|"
    r"gb18030|big5(?:-hkscs)?|euc-(?:jp|kr)|shift[-_]?jis|iso-2022-jp|macintosh",
    re.IGNORECASE,
)
_HTML = re.compile(r"\s*(?:<\?xml[^>]*>\s*)?<(?:!doctype html|html)\b", re.IGNORECASE)
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def page_text(body: bytes, content_type: str) -> str:
    """The body's text. Its encoding by byte order mark, header, the page's own word, else UTF-8 with replacement."""
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            return body[len(mark) :].decode(encoding, "replace")
    named = _CHARSET.search(content_type) or _CHARSET.search(body[:2048].decode("latin-1"))
    encoding = named[1] if named and _WEB_CHARSETS.fullmatch(named[1]) else "utf-8"  # not punycode, unicode_escape, ...
    try:
        return body.decode(encoding, "replace")
    except LookupError:
        return body.decode("utf-8", "replace")


def is_html(text: str, content_type: str) -> bool:
    return "html" in content_type.lower() or _HTML.match(text[:512]) is not None


async def readable(body: bytes, content_type: str, url: str, *, seconds: float) -> tuple[str, str]:
    """(text, note). The note says what was not shown, or not as asked."""
    marked = body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if kind := "" if marked else binary_kind(body[:SNIFFED]):
        return "", f"a binary file ({kind}, {size_text(len(body))}) is not shown"
    text = page_text(body, content_type)
    if not is_html(text, content_type):
        return text, ""
    given = json.dumps(url).encode() + b"\n" + text.encode("utf-8", "replace")
    argv = module_argv("ralph.tools.html", site=True)
    markdown, status = await run_apart(argv, cwd=Path(tempfile.gettempdir()), given=given, timeout=seconds)
    if status != 0:
        return text, "the page could not be turned into Markdown; this is its HTML"
    return markdown.decode("utf-8", "replace"), ""
