"""Memory through the real program: kept over processes, put before a prompt when it matters, shown, forgotten."""

import json
import re

import pexpect

from tests.e2e.program import calls


def remembered(program, content):
    script = program.script(calls("remember", content=content), {"text": "ok"})
    lines, done = program.lines(*script, "keep this")
    assert done.returncode == 0
    return json.loads(lines[2]["message"]["content"][0]["content"])


def test_a_memory_comes_back_when_it_matters(program):
    body = remembered(program, "the staging server listens on port 8443")
    assert body["success"] is True
    lines, _ = program.lines(*program.script({"text": "hm"}), "which port does the staging server use?")
    [recalled] = [line for line in lines if line.get("subtype") == "recalled"]
    assert str(body["memory_id"]) in [str(item["id"]) for item in recalled["items"]]
    lines, _ = program.lines(*program.script({"text": "hm"}), "paint a zebra")
    assert not [line for line in lines if line.get("subtype") == "recalled"]
    shown = json.loads(program.run("memory", "why", "--json").stdout)
    assert "paint a zebra" not in json.dumps(shown.get("items", []))


def test_forgotten_is_gone(program):
    number = remembered(program, "the cat is called Miezi")["memory_id"]
    script = program.script(calls("forget_memory", memory_id=number), {"text": "ok"})
    assert program.run(*script, "forget it").returncode == 0
    assert json.loads(program.run("memory", "list", "--json").stdout).get("total", 0) == 0


def test_secrets_are_not_remembered(program):
    script = program.script(calls("remember", content="key AKIAIOSFODNN7EXAMPLE"), {"text": "ok"})
    program.run(*script, "keep this")
    everything = b"".join(path.read_bytes() for path in (program.home / ".local/ralph").glob("ralph.db*"))
    assert b"AKIAIOSFODNN7EXAMPLE" not in everything


def test_what_was_said_in_a_conversation_is_found_later(program):
    script = program.script({"text": "The deploy key expires in March."})
    child = pexpect.spawn(program.argv()[0], program.argv(*script)[1:], cwd=str(program.cwd), encoding="utf-8",
                          env={**program.env, "TERM": "xterm"}, timeout=30, dimensions=(40, 100))  # fmt: skip
    child.expect("/help")
    child.send("when does the deploy key expire\r")
    child.expect("March")
    child.expect(r"\[\?2004h")  # the next prompt
    child.send("/memory search deploy key\r")
    child.expect("expires in March")
    for _ in range(20):
        child.sendeof()
        if child.expect([pexpect.EOF, pexpect.TIMEOUT], timeout=1) == 0:
            break
    found = program.run("memory", "search", "deploy", "key").stdout
    assert re.search(r"deploy key expires in March", found)
