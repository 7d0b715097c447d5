from __future__ import annotations

import asyncio
import time

import pytest

from ralph.tools.page import is_html, page_text, readable


@pytest.mark.parametrize(("body", "content_type", "text"), [
    (b"caf\xc3\xa9", "", "café"),
    (b"caf\xe9", "text/plain", "caf\ufffd"),
    (b"caf\xe9", "text/plain; charset=ISO-8859-1", "café"),
    (b'<meta charset="windows-1252">\x80', "text/html", '<meta charset="windows-1252">€'),
    (b"<meta content='text/html; charset=koi8-r'>\xc1", "", "<meta content='text/html; charset=koi8-r'>\u0430"),
    (b"\xef\xbb\xbfcaf\xc3\xa9", "text/plain; charset=latin-1", "café"),
    (b"\xff\xfea\0", "", "a"),
    (b"+AOk-", "text/plain; charset=utf-7", "+AOk-"),
    (b"a", "text/plain; charset=unicode_escape", "a"),
    (b"a", "text/plain; charset=iso-8859-99", "a"),
])  # fmt: skip
def test_encodings(body, content_type, text):
    assert page_text(body, content_type) == text


@pytest.mark.parametrize(("text", "content_type", "html"), [
    ("x", "text/html", True), ("x", "application/xhtml+xml", True), (" <!DOCTYPE html>", "", True),
    ("<HTML>", "", True), ("<?xml version='1.0'?>\n<html>", "text/plain", True), ("<htmlx>", "", False),
    ("a <html>", "", False),
])  # fmt: skip
def test_what_is_html(text, content_type, html):
    assert is_html(text, content_type) is html


def test_a_conversion_that_takes_too_long_is_ended():
    page = b"<html>" + b"<p>x <a href='/y'>z</a>\n" * 100_000
    started = time.monotonic()
    text, note = asyncio.run(readable(page, "text/html", "http://h/", seconds=0.2))
    assert time.monotonic() - started < 5
    assert text.startswith("<html>")
    assert "its HTML" in note
