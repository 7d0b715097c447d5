"""Whatever is done to the record is found, as far as verify says that it can be."""

import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ralph.audit.chain import Head, encode
from ralph.audit.log import AuditLog
from ralph.audit.verify import show, verify
from ralph.errors import ConfigError
from tests.audit.test_log import decide, same


def record(home, sessions=("a", "b", "c"), crashed=("b",)):
    for name in sessions:
        log = AuditLog(home, name, redact=same, clock=lambda: 1.0)
        for number in range(3):
            decide(log, number)
        if name not in crashed:
            log.close()
    return home


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return record(tmp_path_factory.mktemp("home"))


def files(home):
    return {path: path.read_bytes() for path in sorted((home / "audit").iterdir())}


def broken(home, path, data):
    """Is it found when `path` holds `data`? The record is put back afterwards."""
    before = path.read_bytes()
    assert data != before
    try:
        path.write_bytes(data)
        return not verify(home).whole
    finally:
        path.write_bytes(before)


def test_an_untouched_record_is_whole(home):
    report = verify(home)
    assert (report.problems, report.sessions, report.open) == ((), 3, ("b",))
    assert len(report.head) == 64


def test_no_record_at_all_is_whole(tmp_path):
    assert verify(tmp_path).whole


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_every_changed_byte_is_found(home, data):
    path = data.draw(st.sampled_from(sorted(files(home))))
    text = path.read_bytes()
    at = data.draw(st.integers(0, len(text) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != text[at]))
    assert broken(home, path, text[:at] + bytes([byte]) + text[at + 1 :])
    assert broken(home, path, text[:at] + text[at + 1 :])
    assert broken(home, path, text[:at] + bytes([byte]) + text[at:])


def test_every_removed_swapped_repeated_or_cut_row_is_found(home):
    for path, text in files(home).items():
        lines = text.splitlines(keepends=True)
        for at in range(len(lines)):
            assert broken(home, path, b"".join(lines[:at] + lines[at + 1 :])), (path.name, at, "removed")
            assert broken(home, path, b"".join(lines[: at + 1] + lines[at:])), (path.name, at, "repeated")
            assert broken(home, path, b"".join(lines[:at]) + lines[at][:-7]), (path.name, at, "cut")
            if at:
                swapped = [*lines[: at - 1], lines[at], lines[at - 1], *lines[at + 1 :]]
                assert broken(home, path, b"".join(swapped)), (path.name, at, "swapped")
                assert broken(home, path, b"".join(lines[:at])), (path.name, at, "cut at a row's end")


def test_a_removed_or_added_or_renamed_log_is_found(home):
    for path, text in files(home).items():
        path.unlink()
        assert not verify(home).whole, path.name
        path.write_bytes(text)
    first = home / "audit" / "a.jsonl"
    added = first.with_name("z.jsonl")
    added.write_bytes(first.read_bytes())
    assert not verify(home).whole
    added.unlink()
    assert verify(home).whole


def test_a_log_that_was_written_anew_is_found(home):
    path = home / "audit" / "a.jsonl"
    rows, head, forged = [json.loads(line) for line in path.read_bytes().splitlines()], Head(), b""
    for row in rows:
        row.pop("hash")
        row.pop("prev")
        row.pop("seq")
        line, head = encode({**row, "at": 2.0}, head)
        forged += line
    assert broken(home, path, forged)


def test_an_index_that_was_written_anew_is_found_by_the_logs(home):
    path = home / "audit" / "index.jsonl"
    line, _ = encode({"session": "a", "rows": 0, "head": "0" * 64, "closed": True}, Head())
    assert broken(home, path, line)
    assert broken(home, path, b"")


@pytest.mark.parametrize("text", [b'{"seq":"x","prev":1', b"[1", b'{"seq":0,"prev":"' + b"0" * 64 + b'"', b"\xff"])
def test_rows_that_are_none_are_problems_not_crashes(home, text):
    line = text + b',"hash":"' + hashlib.sha256(text).hexdigest().encode() + b'"}\n'
    for path in files(home):
        assert broken(home, path, line)
        assert broken(home, path, path.read_bytes() + line)


def test_the_gap_that_is_left_is_the_one_that_is_told(tmp_path):
    """Rows cut off a log that was not closed, before another session starts; after that they are missed."""
    record(tmp_path, ("a", "b"), crashed=("b",))
    path = tmp_path / "audit" / "b.jsonl"
    whole = path.read_bytes()
    cut = b"".join(whole.splitlines(keepends=True)[:-1])
    path.write_bytes(cut)
    assert verify(tmp_path).whole
    assert verify(tmp_path).open == ("b",)
    path.write_bytes(whole)
    record(tmp_path, ("c",), crashed=())
    path.write_bytes(cut)
    assert any("lost rows" in problem.text for problem in verify(tmp_path).problems)


def test_sessions_are_found_by_their_beginning(home):
    assert {row["session"] for row in show(home, "b")} == {"b"}
    with pytest.raises(ConfigError, match="no recorded session"):
        show(home, "zz")
