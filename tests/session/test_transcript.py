"""Sessions on disk: what was said comes back, whatever interrupted the writing."""

import asyncio
import json
from contextlib import aclosing
from pathlib import Path

import pytest

from ralph.core.events import ToolFinished, ToolRequested
from ralph.core.messages import Image, Message, Text, Thinking, ToolCall, ToolResult, dump, load
from ralph.errors import ConfigError, StoreError
from ralph.session.transcript import latest, read_messages, recorded, resume, sessions, start
from tests.helpers import make_agent, tool

SCRIPT = [{"calls": [{"name": "look"}, {"name": "slow_look"}]}, {"text": "done"}]


def tools():
    return [tool("look", lambda a, c: "seen"), tool("slow_look", lambda a, c: "seen slowly")]


def run(agent, transcript, prompt="go", until=lambda event: False):
    async def main():
        async with aclosing(recorded(agent.turn(prompt), transcript, agent.history)) as events:
            async for event in events:
                if until(event):
                    break

    asyncio.run(main())


def test_messages_survive_json():
    message = Message("assistant", (Text("é"), Thinking("t", "sig", "anthropic"), ToolCall("1", "f", {"a": [1]})))
    other = Message("user", (Image("image/png", "QUJD"), ToolResult("1", "x", True, "shown")))
    assert load(json.loads(json.dumps(dump(message)))) == message
    assert load(json.loads(json.dumps(dump(other)))) == other


def test_a_session_is_resumed_with_everything_said(tmp_path):
    agent, transcript = make_agent(SCRIPT, tools()), start(tmp_path, cwd=Path("/x"), version="1")
    run(agent, transcript)
    transcript.close()
    again, history = resume(tmp_path, transcript.id[:17])
    assert history == agent.history
    assert again.id == transcript.id
    assert [s.title for s in sessions(tmp_path)] == ["go"]
    assert latest(tmp_path, Path("/x")) == transcript.id
    assert latest(tmp_path, Path("/y")) is None


@pytest.mark.parametrize("kind", [ToolRequested, ToolFinished])
def test_an_interrupted_batch_is_resumed_fully_answered(tmp_path, kind):
    agent, transcript = make_agent(SCRIPT, tools()), start(tmp_path, cwd=Path("/x"), version="1")
    run(agent, transcript, until=lambda event: isinstance(event, kind))
    transcript.close()
    assert resume(tmp_path, transcript.id)[1] == agent.history


def test_a_killed_process_loses_no_finished_result(tmp_path):
    agent, transcript = make_agent(SCRIPT, tools()), start(tmp_path, cwd=Path("/x"), version="1")
    run(agent, transcript)
    transcript.close()
    lines = transcript.path.read_bytes().splitlines(keepends=True)
    kinds = [json.loads(line)["type"] for line in lines]
    first_result = kinds.index("result")
    transcript.path.write_bytes(b"".join(lines[: first_result + 1]) + lines[first_result + 1][:20])  # a torn line
    again, history = resume(tmp_path, transcript.id)
    assert [json.loads(b.text)["error"] if b.is_error else b.text for b in history[-1].blocks] == ["seen", "aborted"]
    again.sync([*history, Message("user", (Text("next"),))])
    again.close()
    assert read_messages(transcript.path)[-1].text == "next"
    assert len(read_messages(transcript.path)) == len(history) + 1


def test_one_session_is_not_written_by_two_processes(tmp_path):
    transcript = start(tmp_path, cwd=Path("/x"), version="1")
    transcript.sync([Message("user", (Text("hi"),))])
    second, history = resume(tmp_path, transcript.id)
    with pytest.raises(StoreError, match="open in another process"):
        second.sync([*history, Message("user", (Text("me too"),))])
    transcript.close()


def test_ids_that_match_nothing_or_too_much_are_errors(tmp_path):
    for _ in range(2):
        start(tmp_path, cwd=Path("/x"), version="1").sync([Message("user", (Text("hi"),))])
    with pytest.raises(ConfigError, match="no session"):
        resume(tmp_path, "zzz")
    with pytest.raises(ConfigError, match="2 sessions"):
        resume(tmp_path, "2")


def test_a_home_that_cannot_be_written_is_one_clear_error(tmp_path):
    (tmp_path / "sessions").write_text("a file where the folder should be")
    with pytest.raises(StoreError, match="cannot write the session"):
        start(tmp_path / "sessions", cwd=Path("/x"), version="1").sync([Message("user", (Text("hi"),))])


def test_a_session_in_which_nothing_was_said_leaves_no_file(tmp_path):
    start(tmp_path, cwd=Path("/x"), version="1").close()
    assert list(tmp_path.iterdir()) == []
