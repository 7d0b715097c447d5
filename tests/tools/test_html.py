from __future__ import annotations

import pytest

from ralph.tools.html import to_markdown


def markdown(html):
    return to_markdown(html, "https://h.example/a/b")


@pytest.mark.parametrize(("html", "text"), [
    ("<p>one<p>two", "one\n\ntwo"),
    ("<h1>T</h1><h2>U</h2>", "# T\n\n## U"),
    ("<title>T</title><h1>U</h1>", "# U"),
    ("<title>T</title>x", "# T\n\nx"),
    ("<ul><li>a<li>b</ul>", "- a\n- b"),
    ("<pre>x = 1\n  y</pre>", "```\nx = 1\n  y\n```"),
    ("<table><tr><th>h<th>i<tr><td>1<td>2</table>", "| h | i |\n| --- | --- |\n| 1 | 2 |"),
    ("<nav>menu</nav><script>x()</script><style>p{}</style><noscript>n</noscript>text", "text"),
    ("a<meta name=x><link rel=y>b<br>c", "ab\nc"),
    ("<a href=c?d=1#e>x</a>", "[x](https://h.example/a/c?d=1#e)"),
    ("<a href=//o.example/>x</a>", "[x](https://o.example/)"),
    ("<base href=https://b.example/q/><a href=r>x</a>", "[x](https://b.example/q/r)"),
    ("<a href='javascript:alert(1)'>x</a>", "x"),
    ("<a href='http://[bad'>x</a>", "x"),
    ("<a name=n>x</a>", "x"),
    ("<img alt=A src=i.png>", "![A](https://h.example/a/i.png)"),
    ("<img alt=A src=data:image/png;base64,AAAA>y", "y"),
    ("<head><title>T</title><body><form><p>x", "# T\n\nx"),
    ("<dl><dt>a<dd>b<dt>c</dl>", "a\n:   b\n\nc"),
    ("<ul><li>a<ul><li>b</ul><li>c</ul>", "- a\n  - b\n- c"),
    ("<p><b>bold</b><div>x</div>", "**bold**\n\nx"),
    ("", ""),
])  # fmt: skip
def test_pages(html, text):
    assert markdown(html) == text


def test_absurd_nesting_is_an_error_of_its_own():
    with pytest.raises(RecursionError):
        markdown("<div>" * 20_000 + "x")
