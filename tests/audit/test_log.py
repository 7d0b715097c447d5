"""What an audit log says of a session, and that nothing runs unrecorded."""

import asyncio
import json
import multiprocessing
import os
import stat
import time
from contextlib import aclosing
from pathlib import Path

import pytest

from ralph.audit.log import AuditLog, fingerprint
from ralph.audit.verify import show, verify
from ralph.core.gate import Answer, Effect, Judgement, Rule
from ralph.core.messages import ToolCall, ToolResult
from ralph.core.tools import Judged
from ralph.errors import StoreError
from ralph.policy.secrets import Redactor
from tests.helpers import Answers, TestPolicy, collect, make_agent, tool

SECRET = "s3cret-value-77"
RULE = Rule("category", "file_write calls are asked about")


def same(text):
    return text


def writing(path, verdict="ask"):
    effects = (Effect("writes", str(path)),)
    return Judgement(verdict, RULE, effects, {"path": Judged("a", str(path), None)}, remember={"tool": "write_file"})


def decide(log, number=0, judgement=None, answer=None, args=None):
    call = ToolCall(f"c{number}", "write_file", args or {"path": "a.txt", "content": f"text {number}"})
    log.decided(call, judgement or Judgement("allow", RULE, read_only=True), answer or Answer(True, by="category"))
    log.performed(call, ToolResult(call.id, "done"), 0.25)


def test_a_decision_and_its_effect_are_told_whole(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    log = AuditLog(tmp_path / "home", "s1", redact=same, clock=lambda: 12.5, about={"version": "1"}, sandbox="off")
    call = ToolCall("c1", "write_file", {"path": "a.txt", "content": "new" * 1000})
    log.decided(call, writing(target), Answer(True, by="person", remember={"tool": "write_file"}))
    target.write_text("older")  # while the question was open
    log.starting(call)
    target.write_text("new")
    log.performed(call, ToolResult("c1", "done"), 0.25)
    log.close()
    opened, decided, started, performed, closed = show(tmp_path / "home")
    assert (opened["event"], opened["about"], closed["event"]) == ("opened", {"version": "1"}, "closed")
    assert decided["rule"] == {"name": "category", "text": RULE.text, "where": "built in"}
    assert (decided["verdict"], decided["by"], decided["allowed"], decided["sandbox"]) == ("ask", "person", True, "off")
    assert decided["effects"] == [["writes", str(target)]]
    assert "3,000 characters in all" in decided["args"]["content"]
    assert started["before"][str(target)]["size"] == 5
    assert performed["after"] == {str(target): fingerprint(str(target))}
    assert (performed["seconds"], performed["is_error"], decided["at"]) == (0.25, False, 12.5)


def test_files_that_are_not_there_or_not_regular_are_said_to_be_so(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/etc/passwd")
    assert fingerprint(str(tmp_path / "none")) is None
    assert fingerprint(str(tmp_path / "pipe")) == {"unread": "not a regular file"}
    assert "unread" in fingerprint(str(tmp_path / "link"))


def test_no_secret_gets_into_the_log(tmp_path):
    log = AuditLog(tmp_path, "s1", redact=Redactor([("X_TOKEN", SECRET)], b"k" * 32))
    judgement = Judgement("deny", Rule("r", f"because of {SECRET}"), (Effect("reads", f"/{SECRET}"),))
    decide(log, judgement=judgement, answer=Answer(False, reason=SECRET), args={"a": [{"b": SECRET}], SECRET: 1})
    log.close()
    written = (tmp_path / "audit" / "s1.jsonl").read_text()
    assert SECRET not in written
    assert written.count("[secret:x_token:") == 5
    assert verify(tmp_path).whole


def test_files_are_private_and_appear_with_the_first_decision(tmp_path):
    log = AuditLog(tmp_path / "home", "s1", redact=same)
    log.close()
    assert not (tmp_path / "home").exists()
    decide(log)
    log.close()
    folder = tmp_path / "home" / "audit"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {
        "s1.jsonl": 0o600, "index.jsonl": 0o600,
    }  # fmt: skip


def test_a_session_is_gone_on_with(tmp_path):
    for _ in range(3):
        log = AuditLog(tmp_path, "s1", redact=same)
        decide(log)
        log.close()
    report = verify(tmp_path)
    assert (report.whole, report.sessions, report.rows, report.open) == (True, 1, 12, ())


def test_a_row_torn_by_a_crash_is_explained_by_the_next_one(tmp_path):
    log = AuditLog(tmp_path, "s1", redact=same)
    decide(log)
    path = tmp_path / "audit" / "s1.jsonl"
    os.close(log._chain.fd)  # no `close`: the process died
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])
    assert not verify(tmp_path).whole
    again = AuditLog(tmp_path, "s1", redact=same)
    decide(again, 1)
    again.close()
    assert verify(tmp_path).problems == ()
    path.write_bytes(path.read_bytes().replace(b'"is_error"', b'"is_errot"', 1))
    assert not verify(tmp_path).whole


def test_one_log_is_not_written_by_two_processes(tmp_path):
    first, second = AuditLog(tmp_path, "s1", redact=same), AuditLog(tmp_path, "s1", redact=same)
    decide(first)
    with pytest.raises(StoreError, match="open in another process"):
        decide(second)
    first.close()


def _write_many(home, name):
    for part in range(3):
        log = AuditLog(Path(home), f"{name}-{part}", redact=same)
        for number in range(10):
            decide(log, number)
        if part != 1:
            log.close()


def test_several_processes_write_at_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_write_many, args=(str(tmp_path), f"p{number}")) for number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    report = verify(tmp_path)
    assert (report.problems, report.sessions) == ((), 9)
    assert len(report.open) == 3


def test_what_cannot_be_recorded_does_not_run(tmp_path):
    (tmp_path / "audit").write_text("a file where the folder should be")
    ran = []
    log = AuditLog(tmp_path, "s1", redact=same)
    script = [{"calls": [{"name": "act"}]}, {"text": "x"}]
    agent = make_agent(script, [tool("act", lambda a, c: ran.append(1))], witness=log)
    with pytest.raises(StoreError, match="audit log"):
        asyncio.run(collect(agent))
    assert ran == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_stops_the_turn(tmp_path):
    log = AuditLog(tmp_path, "s1", redact=same)
    decide(log)
    os.dup2(os.open("/dev/full", os.O_RDWR | os.O_APPEND), log._chain.fd)
    with pytest.raises(StoreError, match="No space left"):
        decide(log, 1)


def test_a_whole_turn_is_recorded_in_order(tmp_path):
    log = AuditLog(tmp_path, "s1", redact=same)
    tools = [tool("look", lambda a, c: "seen"), tool("act", lambda a, c: "did"), tool("no", lambda a, c: "never")]
    script = [{"calls": [{"name": "look"}, {"name": "act"}, {"name": "no"}]}, {"text": "done"}]
    policy = TestPolicy({"act": "ask", "no": "deny"})
    agent = make_agent(script, tools, policy=policy, approver=Answers(True), witness=log)

    async def main():
        async with aclosing(agent.turn("go")) as events:
            async for _ in events:
                pass

    asyncio.run(main())
    log.close()
    rows = [(row["event"], row.get("tool"), row.get("by")) for row in show(tmp_path)]
    decided = [row for row in rows if row[0] == "decided"]
    assert sorted(decided) == [("decided", "act", "person"), ("decided", "look", "test"), ("decided", "no", "test")]
    assert [row[1] for row in rows if row[0] == "performed"] == ["look", "act"]
    assert [row["tool"] for row in show(tmp_path, "s", denied=True)] == ["no"]


def test_calls_that_were_never_judged_are_recorded_too(tmp_path):
    log = AuditLog(tmp_path, "s1", redact=Redactor([("X_TOKEN", SECRET)], b"k" * 32))
    tools = [tool("look", lambda a, c: "seen", properties={"path": {"type": "string"}})]
    calls = [{"name": "ghost", "args": {"x": SECRET}}, {"name": "look", "args": {"path": 7}}]
    script = [{"calls": calls}, {"text": "x"}]
    asyncio.run(collect(make_agent(script, tools, witness=log)))
    log.close()
    refused = show(tmp_path, denied=True)
    assert [(row["event"], row["tool"], row["error"]) for row in refused] == [
        ("refused", "ghost", "unknown_tool"), ("refused", "look", "invalid_arguments"),
    ]  # fmt: skip
    assert SECRET not in json.dumps(refused)
    assert verify(tmp_path).whole


def test_what_the_person_stopped_is_recorded_as_not_run(tmp_path):
    log = AuditLog(tmp_path, "s1", redact=same)
    tools = [tool("act", lambda a, c: "did"), tool("ask", lambda a, c: "never")]
    script = [{"calls": [{"name": "act"}, {"name": "ask"}]}, {"text": "x"}]
    stop = Answers(Answer(False, stop=True))
    asyncio.run(collect(make_agent(script, tools, policy=TestPolicy({"ask": "ask"}), approver=stop, witness=log)))
    log.close()
    rows = [(row["event"], row.get("tool"), row.get("error")) for row in show(tmp_path)[1:-1]]
    assert rows == [("decided", "act", ""), ("decided", "ask", ""), ("refused", "act", "aborted")]


def test_a_round_costs_little(tmp_path):
    redact = Redactor([(f"T{number}_TOKEN", f"value-{number}-of-many") for number in range(10)], b"k" * 32)
    log = AuditLog(tmp_path, "s1", redact=redact)
    decide(log)
    judgement = Judgement("allow", RULE, (Effect("writes", "/x"),))
    start = time.perf_counter()
    for number in range(50):
        decide(log, number, judgement)
    took = (time.perf_counter() - start) / 50
    log.close()
    assert took < 0.01  # about 0.3 ms when the machine is quiet; a sync in the way would be 4 ms or more
    assert json.loads((tmp_path / "audit" / "s1.jsonl").read_text().splitlines()[-1])["event"] == "closed"
