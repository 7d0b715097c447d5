from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralph.net import EventReader, ServerEvent, WrongAnswer

CASES = json.loads((Path(__file__).parent.parent / "data" / "sse_cases.json").read_text("utf-8"))


def read(pieces: list[bytes]) -> list[ServerEvent]:
    reader = EventReader()
    return [event for piece in pieces for event in reader.feed(piece)] + reader.finish()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_case_whole(case):
    assert [event.data for event in read([case["stream"].encode()])] == case["data"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_case_byte_by_byte(case):
    stream = case["stream"].encode()
    pieces = [bytes([byte]) for byte in stream]
    assert [event.data for event in read(pieces)] == case["data"]
    assert [event.data for event in read([b"", *pieces, b""])] == case["data"]


FRAGMENTS = [
    b"\r", b"\n", b"data: a", b"data:", b"event: x", b":", b" ", b"\xef\xbb\xbf", b"\x00", b"id", "é\u2028".encode(),
]  # fmt: skip


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=25).map(b"".join), st.data())
def test_where_the_network_cuts_makes_no_difference(stream, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert read(pieces) == read([stream])


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=25).map(b"".join))
def test_agrees_with_the_specification_read_line_by_line(stream):
    assert [tuple(event) for event in read([stream])] == by_the_book(stream)


def by_the_book(stream: bytes) -> list[tuple[str, str]]:
    """The algorithm of the specification, as slow as it is written; the last event may lack its blank line."""
    text = stream.decode("utf-8", "replace").removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    *lines, _half = text.split("\n")
    found, name, data = [], "", []
    for line in [*lines, *([""] if stream else [])]:
        if not line:
            if data:
                found.append((name or "message", "\n".join(data)))
            name, data = "", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "event":
            name = value
    return found


def test_events_are_named_and_carry_any_character():
    assert read([b'event: error\ndata: {"a":"\xe2\x80\xa8"}\n\n']) == [ServerEvent("error", '{"a":"\u2028"}')]
    assert read([b"data: \xff\n\n"]) == [ServerEvent("message", "\ufffd")]


def test_a_last_event_without_its_blank_line_counts_and_half_a_line_does_not():
    assert read([b"data: [DONE]\n"]) == [ServerEvent("message", "[DONE]")]
    assert read([b"data: a\n\ndata: b\ndata: c"]) == [ServerEvent("message", "a"), ServerEvent("message", "b")]


def test_an_event_without_end_is_an_error_and_many_small_ones_are_not():
    reader = EventReader(max_event=1000)
    for _ in range(100):
        reader.feed(b"data: " + b"x" * 500 + b"\n\n")
    reader.feed(b"data: " + b"x" * 900)
    with pytest.raises(WrongAnswer, match="more than 1000 bytes"):
        reader.feed(b"x" * 100)


def test_a_large_event_in_small_pieces_is_put_together_once():
    reader = EventReader()
    assert reader.feed(b"data: ") == []
    for _ in range(20_000):
        assert reader.feed(b"x" * 100) == []
    assert reader.feed(b"\n") == []
    assert [len(event.data) for event in reader.feed(b"\n")] == [2_000_000]
