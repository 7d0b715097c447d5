from __future__ import annotations

import pytest

from ralph.core.messages import Message, Text, Thinking, ToolCall, ToolResult
from ralph.memory.conversations import Conversations
from ralph.memory.recall import Recall
from ralph.memory.rows import CONVERSATIONS
from ralph.memory.store import Store


@pytest.fixture
def store(tmp_path):
    opened = Store(tmp_path)
    yield opened
    opened.close()


def said(role, *texts):
    return Message(role, tuple(Text(text) for text in texts))


def stored(store):
    return [(d.text, d.session, d.scope, dict(d.metadata)) for d in store.find(CONVERSATIONS, oldest_first=True)]


def test_turns_are_searchable_as_they_happen(store):
    history = [said("user", "<file name='a'>\nmuch\n</file>", "which port does staging use?"),
               Message("assistant", (Thinking("hm"), Text("It is 8443."), ToolCall("1", "look")))]  # fmt: skip
    assert Conversations(store).record("s-1", history, "/project") == 2
    assert stored(store) == [
        ("which port does staging use?", "s-1", "/project", {"role": "user", "message": 0}),
        ("It is 8443.", "s-1", "/project", {"role": "assistant", "message": 1}),
    ]
    [hit, *_] = Recall(store)("staging port", index=CONVERSATIONS).hits
    assert hit.document.session == "s-1"


def test_each_message_once_and_no_tool_output(store):
    conversations = Conversations(store)
    history = [said("user", "one"), said("assistant", "two")]
    conversations.record("s-1", history, "/project")
    history += [Message("tool", (ToolResult("1", "printed"),)), said("assistant", " "), said("user", "three")]
    assert conversations.record("s-1", history, "/project") == 1
    assert conversations.record("s-1", history, "/project") == 0
    assert [row[0] for row in stored(store)] == ["one", "two", "three"]


def test_two_that_take_in_the_same_session_store_it_once(store):
    here, there = Conversations(store), Conversations(store)
    history = [said("user", "one"), said("assistant", "two")]
    assert here.record("s-1", history[:1], "/project") == 1
    assert there.record("s-1", history, "/project") == 1
    history.append(said("user", "three"))
    assert here.record("s-1", history, "/project") == 1
    assert [row[3]["message"] for row in stored(store)] == [0, 1, 2]


def test_what_was_forgotten_does_not_come_back_with_its_session(store):
    history = [said("user", "one"), said("assistant", "the word is swordfish")]
    Conversations(store).record("s-1", history, "/project")
    store.delete([document.id for document in store.find(CONVERSATIONS)])
    history.append(said("user", "three"))
    Conversations(store).record("s-1", history, "/project")
    assert [row[0] for row in stored(store)] == ["three"]


def test_sessions_are_kept_apart(store):
    conversations = Conversations(store)
    conversations.record("s-1", [said("user", "one")], "/project")
    conversations.record("s-2", [said("user", "uno")], "global")
    assert [row[:3] for row in stored(store)] == [("one", "s-1", "/project"), ("uno", "s-2", "global")]


def test_a_long_session_is_taken_in_whole(store):
    history = [said("user", f"word{number}") for number in range(120)]
    assert Conversations(store).record("s-1", history, "/project") == 120
    assert [row[3]["message"] for row in stored(store)] == list(range(120))


def test_secrets_are_taken_out_before_a_text_is_cut(store):
    conversations = Conversations(store, redact=lambda text: text.replace("sk-\n\n123", "[secret]"),
                                  split=lambda text: text.split("\n\n"))  # fmt: skip
    assert conversations.record("s-1", [said("user", "the key is sk-\n\n123"), said("assistant", "noted")], "p") == 2
    assert [row[0] for row in stored(store)] == ["the key is [secret]", "noted"]


def test_long_answers_are_cut(store):
    conversations = Conversations(store, split=lambda text: text.split("\n\n"))
    assert conversations.record("s-1", [said("assistant", "one\n\ntwo\n\n\n\nthree")], "/project") == 3
    assert [row[3] for row in stored(store)] == [{"role": "assistant", "message": 0}] * 3


def test_a_name_that_is_not_utf_8_does_not_keep_a_session_from_being_found(store):
    history = [said("user", "show caf\udce9.txt"), said("assistant", "done")]
    assert Conversations(store).record("s-1", history, "/project") == 2
    assert [row[0] for row in stored(store)] == ["show caf?.txt", "done"]
