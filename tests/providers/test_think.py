from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralph.providers.think import Splitter, parse_call

TOOLS = ("list_dir", "shell")
FRAGMENTS = st.sampled_from([
    "<think>", "</think>", "<tool_call>", "</tool_call>", '{"name": "shell", "arguments": {"command": "ls"}}', "<",
    "</", "think>", "tool_call>", "{", "}", " ", "\n", "a", "é", "\U0001f600", '{"name": "other"}',
])  # fmt: skip


def bare(text: str) -> str:
    """Without tags and white space."""
    return "".join(re.sub("</?(think|tool_call)>", "", text).split())


def split(chunks: list[str], tools: tuple[str, ...] = TOOLS) -> list[tuple[str, str]]:
    """The pieces with neighbours of one kind joined; calls stay apart."""
    splitter = Splitter(tools)
    joined: list[tuple[str, str]] = []
    for kind, text in [piece for chunk in chunks for piece in splitter.feed(chunk)] + splitter.end():
        if joined and kind != "call" and joined[-1][0] == kind:
            joined[-1] = (kind, joined[-1][1] + text)
        else:
            joined.append((kind, text))
    return joined


@given(st.lists(FRAGMENTS, max_size=20), st.data())
def test_the_cut_of_the_chunks_does_not_matter(fragments, data):
    whole = "".join(fragments)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    chunks = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert split(chunks) == split([whole]) == split(list(whole))


@given(st.lists(FRAGMENTS, max_size=20))
def test_nothing_but_tags_and_white_space_is_lost(fragments):
    whole = "".join(fragments)
    pieces = split([whole])
    kept = "".join(bare(text) for _, text in pieces)
    assert kept == bare(whole)


@given(st.lists(FRAGMENTS, max_size=20))
def test_without_a_think_tag_at_the_start_and_without_tools_it_is_the_identity(fragments):
    whole = "".join(fragments)
    if not whole.lstrip().startswith("<think>"):
        assert "".join(text for _, text in split(list(whole), ())) == whole


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("<think>why</think>\n\nyes", [("thinking", "why"), ("text", "yes")]),
        ("\n <think>why</think>", [("thinking", "why")]),
        ("<think></think>yes", [("text", "yes")]),
        ("yes <think>no</think>", [("text", "yes <think>no</think>")]),
        ("<thin", [("text", "<thin")]),
        ("  indented", [("text", "  indented")]),
        ("</think>late", [("text", "</think>late")]),
        ("<think>a</think><think>b</think>", [("thinking", "a"), ("text", "<think>b</think>")]),
        ("<think>a </thin", [("thinking", "a </thin")]),
        ("", []),
    ],
)
def test_thinking_is_at_the_start_only(answer, expected):
    assert split([answer]) == split(list(answer)) == expected


CALL = '{"name": "shell", "arguments": {"command": "ls"}}'


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (f"<tool_call>{CALL}</tool_call>", [("call", CALL)]),
        (f"Look:\n<tool_call>\n{CALL}\n</tool_call>\n", [("text", "Look:\n"), ("call", f"\n{CALL}\n")]),
        (f"<think>t</think>\n<tool_call>{CALL}</tool_call>", [("thinking", "t"), ("call", CALL)]),
        (f"<tool_call>{CALL}</tool_call>\n" * 2, [("call", CALL), ("call", CALL)]),
        (f"<tool_call>{{oops\n<tool_call>{CALL}</tool_call>", [("text", "<tool_call>{oops\n"), ("call", CALL)]),
    ],
)
def test_calls_in_the_text(answer, expected):
    assert split([answer]) == split(list(answer)) == expected


@pytest.mark.parametrize(
    "answer",
    [
        f"write `<tool_call>{CALL}</tool_call>` to call",  # quoted within a line
        f"<tool_call>{CALL}",  # never closed
        "<tool_call>{</tool_call> more",
        '<tool_call>{"name": "rm_everything"}</tool_call>',  # no such tool
        "<tool_call>[1]</tool_call>",
        "<tool_call></tool_call>",
        '<tool_call>{"name": 3}</tool_call>',
        "<tool_call>" + "[" * 10 + "</tool_call>",
        '<tool_call>{"a":' + "[" * 200_000 + "</tool_call>",
        "<tool_call",
    ],
)
def test_what_is_no_call_stays_text(answer):
    assert split([answer]) == [("text", answer)]


def test_what_cannot_become_a_call_is_not_held_back():
    splitter = Splitter(TOOLS)
    shown = [text for chunk in ("<tool_call>", " is", " a tag") for _, text in splitter.feed(chunk)]
    assert "".join(shown) == "<tool_call> is a tag"


def test_thought_that_was_never_closed_can_be_had_back():
    splitter = Splitter()
    splitter.feed("<think>all I ")
    splitter.feed("say</th")
    splitter.end()
    assert splitter.thought == "all I say</th"
    closed = Splitter()
    closed.feed("<think>all</think>")
    assert closed.thought == ""


@pytest.mark.parametrize(
    ("body", "args"),
    [
        ('{"name": "t"}', {}),
        ('{"name": "t", "arguments": null}', {}),
        ('{"name": "t", "parameters": {"a": 1}}', {"a": 1}),
        ('{"name": "t", "arguments": "{\\"a\\": 1}"}', {"a": 1}),
    ],
)
def test_spellings_of_the_arguments(body, args):
    name, text = parse_call(body)
    assert (name, json.loads(text)) == ("t", args)
