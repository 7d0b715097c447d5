"""Past conversations: listed, found, shown, written out, and deleted only by name."""

import json
from pathlib import Path

import pytest

from ralph.core.messages import Message, Text, ToolCall, ToolResult
from ralph.errors import ConfigError
from ralph.session.transcript import start


@pytest.fixture
def session(ralph):
    transcript = start(ralph.home / "sessions", cwd=ralph.work, version="1")
    transcript.sync([
        Message("user", (Text("fix the footer"),)),
        Message("assistant", (ToolCall("c1", "look", {"path": "footer.py"}),)),
        Message("tool", (ToolResult("c1", "the year is wrong"),)),
        Message("assistant", (Text("The footer is fixed \x1b[2J."),)),
    ])  # fmt: skip
    transcript.close()
    return transcript.id


def test_list(ralph, session):
    [row] = ralph("sessions", "list", "--json").data
    assert (row["id"], row["title"], row["messages"]) == (session, "fix the footer", 4)
    assert "fix the footer" in ralph("sessions", "list").text
    assert ralph("sessions", "list", "--here", "--json").data == [row]


def test_search_finds_all_the_words(ralph, session):
    hits = ralph("sessions", "search", "footer", "fixed", "--json").data
    assert [(hit["id"], hit["message"]) for hit in hits] == [(session, 3)]
    assert "nothing found" in ralph("sessions", "search", "header").text


def test_show_never_drives_the_terminal(ralph, session):
    text = ralph("sessions", "show", session[:17]).text
    assert "[look" in text
    assert "\x1b" not in text


def test_export_never_overwrites(ralph, session):
    target = ralph.work / "out.md"
    assert ralph("sessions", "export", session, str(target)).code == 0
    assert "fix the footer" in target.read_text()
    with pytest.raises(ConfigError, match="cannot write"):
        ralph("sessions", "export", session, str(target))
    ralph("sessions", "export", session, str(ralph.work / "out.json"))
    assert json.loads(Path(ralph.work / "out.json").read_text())[0]["role"] == "user"


def test_delete(ralph, session):
    assert ralph("sessions", "delete", session).code == 0
    assert ralph("sessions", "list", "--json").data == []
    with pytest.raises(ConfigError, match="no session"):
        ralph("sessions", "delete", session)


def test_what_memory_holds_of_it_goes_too(ralph, session):
    assert "footer" in ralph("memory", "search", "footer").text
    assert "2 searchable turns" in ralph("sessions", "delete", session).text
    assert "nothing relevant" in ralph("memory", "search", "footer").text
    assert b"footer" not in (ralph.home / "ralph.db").read_bytes()
