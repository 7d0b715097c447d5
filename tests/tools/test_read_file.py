from __future__ import annotations

import os
import re
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralph.core.tools import Judged
from ralph.errors import ToolError
from ralph.tools.pages import BYTES, read_page
from tests.tools.called import called


@pytest.fixture
def read(tmp_path):
    def read(data: bytes, **args):
        (tmp_path / "f").write_bytes(data)
        return called("read_file", tmp_path, path="f", **args)

    return read


def test_a_whole_file(read):
    assert read(b"a\r\nb\n\x0cc\xe2\x80\xa8d") == {"result": "a\r\nb\n\x0cc\u2028d", "success": True}


@pytest.mark.parametrize(("args", "text", "note"), [
    ({"start_line": 2}, "b\nc", "lines 2-3 of 3"),
    ({"start_line": 2, "end_line": 2}, "b\n", "lines 2-2 of 3"),
    ({"end_line": 9}, "a\nb\nc", None),
    ({"start_line": 4}, "", "the file has 3 lines"),
    ({"number_lines": True}, "     1\ta\n     2\tb\n     3\tc", None),
    ({"number_lines": True, "start_line": 3}, "     3\tc", "lines 3-3 of 3"),
])  # fmt: skip
def test_ranges(read, args, text, note):
    result = read(b"a\nb\nc", **args)
    assert (result["result"], result.get("note")) == (text, note)


@pytest.mark.parametrize("args", [{"start_line": 0}, {"start_line": 3, "end_line": 2}, {"start_line": -5}])
def test_impossible_ranges(read, args):
    with pytest.raises(ToolError, match="counts from 1"):
        read(b"a\n", **args)


def test_an_empty_file(read):
    assert read(b"")["note"] == "the file is empty"


def test_long_files_come_in_pages(read):
    text = b"".join(b"line %d\n" % number for number in range(1, 31_023))
    first = read(text)
    assert first["note"] == "lines 1-2000 of 31,022; continue with start_line=2001"
    assert first["result"].endswith("line 2000\n")
    assert read(text, start_line=31_001)["note"] == "lines 31001-31022 of 31,022"


@given(st.lists(st.integers(0, 40_000), max_size=12), st.booleans())
def test_pages_together_are_the_file(tmp_path_factory, lengths, ended):
    data = b"\n".join(b"x" * length for length in lengths) + b"\n" * ended
    path = tmp_path_factory.mktemp("pages") / "f"
    path.write_bytes(data)
    start, read = 1, b""
    while start:
        result = called("read_file", path.parent, path="f", start_line=start)
        read += result["result"].encode()
        more = re.search(r"start_line=(\d+)", result.get("note", ""))
        start = int(more[1]) if more else 0
    assert read == data


def test_a_line_longer_than_a_page_is_cut(read):
    result = read(b"\xc3\xa9" * BYTES + b"\nnext\n")
    assert result["note"].startswith("lines 1-1 of 2; continue with start_line=2; line 1 is longer than 100,000 bytes")
    assert set(result["result"]) == {"é"}
    assert read(b"a" * (BYTES + 1))["note"].startswith("lines 1-1 of 1; line 1 is longer")


def test_strays_are_noted(read):
    assert read("caf\xe9 \ufffd".encode() + b"\xe9")["note"] == "not valid UTF-8: 1 places are shown as \ufffd"


def test_utf16_and_byte_order_marks(read):
    assert read("é\r\nb".encode("utf-16"))["result"] == "é\r\nb"
    assert read(b"\xef\xbb\xbfa\n") == {"result": "a\n", "success": True}


@pytest.mark.parametrize(("data", "words"), [
    (b"\x89PNG\r\n\x1a\n", "f is binary (PNG image, 8 bytes)"), (b"a\0", "f is binary (unknown type, 2 bytes)"),
])  # fmt: skip
def test_binary_files_are_named(read, data, words):
    with pytest.raises(ToolError, match=re.escape(words)):
        read(data)


def test_a_huge_file_is_not_loaded(tmp_path):
    """A sparse gigabyte: the first page, and a line far behind it."""
    with (tmp_path / "f").open("wb") as stream:
        stream.write(b"line\n" * 10_000)
        stream.truncate(10**9)
    tracemalloc.start()
    started = time.perf_counter()
    note = called("read_file", tmp_path, path="f")["note"]
    spent, peak = time.perf_counter() - started, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert re.fullmatch(r"lines 1-2000 of about [\d,]+ \(1\.0 GB\); continue with start_line=2001", note)
    assert peak < 10_000_000
    assert spent < 5  # a fraction of that on a machine with nothing else to do


def test_utf16_that_is_too_long_is_refused(tmp_path):
    with (tmp_path / "f").open("wb") as stream:
        stream.write(b"\xff\xfea\0")
        stream.truncate(10**8)
    with pytest.raises(ToolError, match="iconv"):
        called("read_file", tmp_path, path="f")


def test_what_was_judged_is_what_is_read(tmp_path):
    for name in "ab":
        (tmp_path / name).write_text(name)
    status = (tmp_path / "b").stat()
    other = Judged("a", str(tmp_path / "b"), (status.st_dev, status.st_ino))
    assert called("read_file", tmp_path, path="a", judged={"path": other})["result"] == "b"
    (tmp_path / "b").unlink()
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(ToolError, match="path_changed"):
        called("read_file", tmp_path, path="a", judged={"path": other})


def test_a_file_that_says_it_is_empty_may_not_be():
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo", "rb") as stream:
            assert read_page(stream, 1, 1, name="cpuinfo").note.startswith("lines 1-1 of ")
