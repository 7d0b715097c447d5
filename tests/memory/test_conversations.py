from __future__ import annotations

import pytest

from ralph.core.messages import Message, Text, Thinking, ToolCall, ToolResult
from ralph.memory.conversations import Conversations
from ralph.memory.memory import Memory
from ralph.memory.rows import CONVERSATIONS


@pytest.fixture
def memory(tmp_path):
    opened = Memory(tmp_path, scope="/project", secret=lambda text: "a key" if "sk-" in text else "")
    opened.session = "s-1"
    yield opened
    opened.close()


def said(role, *texts):
    return Message(role, tuple(Text(text) for text in texts))


def stored(memory):
    return [(d.text, d.session, d.scope, dict(d.metadata)) for d in memory.store.find(CONVERSATIONS, oldest_first=True)]


def test_turns_are_searchable_as_they_happen(memory):
    conversations = Conversations(memory)
    history = [said("user", "<file name='a'>\nmuch\n</file>", "which port does staging use?"),
               Message("assistant", (Thinking("hm"), Text("It is 8443."), ToolCall("1", "look")))]  # fmt: skip
    assert conversations.record(history) == 2
    assert stored(memory) == [
        ("which port does staging use?", "s-1", "/project", {"role": "user", "message": 0}),
        ("It is 8443.", "s-1", "/project", {"role": "assistant", "message": 1}),
    ]
    [hit, *_] = memory.recall("staging port", index=CONVERSATIONS).hits
    assert hit.document.session == "s-1"


def test_each_message_once_and_no_tool_output(memory):
    conversations = Conversations(memory)
    history = [said("user", "one"), said("assistant", "two")]
    conversations.record(history)
    history += [Message("tool", (ToolResult("1", "printed"),)), said("assistant", " "), said("user", "three")]
    assert conversations.record(history) == 1
    assert conversations.record(history) == 0
    assert [row[0] for row in stored(memory)] == ["one", "two", "three"]


def test_a_session_that_is_resumed_is_not_stored_twice(memory):
    history = [said("user", "one"), said("assistant", "two")]
    Conversations(memory).record(history)
    history.append(said("user", "three"))
    assert Conversations(memory).record(history) == 1
    assert [row[3]["message"] for row in stored(memory)] == [0, 1, 2]


def test_a_new_session_starts_anew(memory):
    conversations = Conversations(memory)
    conversations.record([said("user", "one")])
    memory.session = "s-2"
    conversations.record([said("user", "uno")])
    assert [row[:2] for row in stored(memory)] == [("one", "s-1"), ("uno", "s-2")]


def test_it_can_be_turned_off_and_keeps_no_secrets(memory):
    assert Conversations(memory, enabled=False).record([said("user", "one")]) == 0
    assert Conversations(memory).record([said("user", "the key is sk-123"), said("assistant", "noted")]) == 1
    assert [row[0] for row in stored(memory)] == ["noted"]


def test_long_answers_are_cut(memory):
    conversations = Conversations(memory, split=lambda text: text.split("\n\n"))
    assert conversations.record([said("assistant", "one\n\ntwo\n\n\n\nthree")]) == 3
    assert [row[3] for row in stored(memory)] == [{"role": "assistant", "message": 0}] * 3


def test_a_name_that_is_not_utf_8_does_not_keep_a_session_from_being_found(memory):
    assert Conversations(memory).record([said("user", "show caf\udce9.txt"), said("assistant", "done")]) == 2
    assert [row[0] for row in stored(memory)] == ["show caf?.txt", "done"]
