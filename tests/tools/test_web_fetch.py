from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ralph.errors import ToolError
from tests.tools.called import called

PAGES = {
    "/": ("text/html; charset=utf-8", "<title>Tïtle</title><p>See <a href='/a?b=1'>this</a>.".encode()),
    "/plain": ("text/plain; charset=latin-1", b"caf\xe9 <b>"),
    "/json": ("application/json", b'{"a": "<html>"}'),
    "/png": ("image/png", b"\x89PNG\r\n\x1a\n\0"),
    "/deep": ("text/html", b"<html>" + b"<div>" * 20_000 + b"bottom"),
    "/long": ("text/plain", b"x" * (1024 * 1024 + 1)),
    "/endless": ("text/plain", b"x" * (5 * 1024 * 1024)),
    "/empty": ("", b""),
    "/slow": ("text/plain", None),
}


class Site(BaseHTTPRequestHandler):
    def log_message(self, *_args):
        pass

    def do_GET(self):
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/plain")
        elif self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "http://169.254.169.254/latest/meta-data/")
        elif self.path in PAGES:
            self.send_response(200)
            content_type, body = PAGES[self.path]
            if content_type:
                self.send_header("Content-Type", content_type)
            self.end_headers()
            if body is None:
                self.server.leave.wait(20)
            else:
                self.wfile.write(body)
            return
        else:
            self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    leave = threading.Event()

    def handle_error(self, *_args):
        """A client that went away is no error here."""


@pytest.fixture(scope="module")
def site():
    with Server(("127.0.0.1", 0), Site) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.leave.set()
        server.shutdown()


def test_a_page_is_markdown_with_absolute_links(site, tmp_path):
    assert called("web_fetch", tmp_path, url=site) == {
        "url": site, "content": f"# Tïtle\n\nSee [this]({site}/a?b=1).", "content_type": "text/html; charset=utf-8",
        "size": 54, "truncated": False, "success": True,
    }  # fmt: skip


@pytest.mark.parametrize(("path", "content"), [
    ("/plain", "café <b>"), ("/json", '{"a": "<html>"}'), ("/empty", ""), ("/moved", "café <b>"),
])  # fmt: skip
def test_text_as_it_is(site, tmp_path, path, content):
    result = called("web_fetch", tmp_path, url=site + path)
    assert (result["content"], result["truncated"]) == (content, False)


def test_redirects_show_where_it_ended(site, tmp_path):
    assert called("web_fetch", tmp_path, url=f"{site}/moved")["url"] == f"{site}/plain"


def test_binary_files_are_named(site, tmp_path):
    result = called("web_fetch", tmp_path, url=f"{site}/png")
    assert (result["content"], result["note"]) == ("", "a binary file (PNG image, 9 bytes) is not shown")


@pytest.mark.parametrize("path", ["/long", "/endless"])
def test_long_text_is_cut(site, tmp_path, path):
    result = called("web_fetch", tmp_path, url=site + path)
    assert (len(result["content"]), result["truncated"]) == (1024 * 1024, True)


def test_a_page_nobody_can_convert_is_shown_as_it_is(site, tmp_path):
    result = called("web_fetch", tmp_path, url=f"{site}/deep")
    assert result["content"].startswith("<html><div>")
    assert "its HTML" in result["note"]


@pytest.mark.parametrize(("url", "reason"), [
    ("{site}/none", "answered HTTP 404 Not Found"),
    ("{site}/away", "redirects to another host: fetch http://169.254.169.254"),
    ("ftp://127.0.0.1/", "only http:// and https://"),
    ("http://user:secret@127.0.0.1/", "user name or password"),
    ("http://127.0.0.1:1/", "cannot fetch http://127.0.0.1:1/"),
])  # fmt: skip
def test_refusals(site, tmp_path, url, reason):
    with pytest.raises(ToolError) as raised:
        called("web_fetch", tmp_path, url=url.format(site=site))
    assert reason in str(raised.value)


def test_the_time_is_bounded(site, tmp_path):
    with pytest.raises(ToolError, match="not answered within 1 s"):
        called("web_fetch", tmp_path, url=f"{site}/slow", timeout=1)
