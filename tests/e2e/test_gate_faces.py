"""With nobody who says yes, every tool is called once in every face and nothing happens."""

import json
import os
import re

import pexpect
import pytest

from ralph.config import CATEGORIES

CALLS = {
    "read_file": {"path": "a.txt"}, "write_file": {"path": "new.txt", "content": "x"},
    "append_file": {"path": "a.txt", "content": "x"}, "file_info": {"path": "a.txt"}, "list_dir": {"path": "."},
    "search_files": {"path": ".", "regex_pattern": "A"},
    "apply_delta": {"path": "a.txt", "operations": [{"type": "delete", "start_line": 1, "end_line": 1}]},
    "shell": {"command": "touch made-by-shell"}, "web_fetch": {"url": "http://127.0.0.1:9/"},
    "python": {"code": "open('made-by-python', 'w')"}, "TodoWrite": {"todos": [{"content": "x"}]}, "TodoRead": {},
}  # fmt: skip


@pytest.fixture
def strict(program):
    """Every category asks; one reply calls every tool."""
    home = program.home / ".local/ralph"
    home.mkdir(parents=True)
    settings = {"approval_gates": {"categories": dict.fromkeys(CATEGORIES, "gate")}}
    (home / "ralph.config.json").write_text(json.dumps(settings))
    (program.cwd / "a.txt").write_text("A\n")
    calls = [{"name": name, "args": args} for name, args in CALLS.items()]
    program.model = program.script({"calls": calls}, {"text": "nothing was done"})
    return program


def untouched(program):
    assert sorted(os.listdir(program.cwd)) == ["a.txt"]
    assert (program.cwd / "a.txt").read_text() == "A\n"
    return True


def test_the_table_has_every_tool(strict):
    listed = {tool["name"] for tool in json.loads(strict.run("tools", "list", "--json").stdout)["tools"]}
    assert set(CALLS) <= listed


def test_one_shot(strict):
    done = strict.run(*strict.model, "go")
    assert (done.returncode, done.stdout) == (4, "nothing was done\n")
    assert done.stderr.count("non_interactive_gate") == len(CALLS)
    assert untouched(strict)


def test_json(strict):
    lines, done = strict.lines(*strict.model, "go")
    assert done.returncode == 4
    assert [row["tool"] for row in lines[-1]["denials"]] == list(CALLS)
    assert all(line["message"]["content"][0]["is_error"] for line in lines if line["type"] == "user")
    assert untouched(strict)


def test_repl(strict):
    child = pexpect.spawn(strict.argv()[0], strict.argv(*strict.model)[1:], cwd=str(strict.cwd), encoding="utf-8",
                          env={**strict.env, "TERM": "xterm"}, timeout=20, dimensions=(60, 100))  # fmt: skip
    child.expect("/help")
    child.send("go\r")
    child.expect("one by one")
    child.send("n")
    child.expect("nothing was done")
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", child.before)
    assert shown.count("refused, operation_denied") == len(CALLS)
    child.send("/quit\r")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert untouched(strict)


def test_repl_conversation(program):
    slow = {"chunks": ["slow ", "answer"], "delay_s": 1}
    model = program.script({"text": "**first** answer"}, slow, {"text": "third"})
    child = pexpect.spawn(program.argv()[0], program.argv(*model)[1:], cwd=str(program.cwd), encoding="utf-8",
                          env={**program.env, "TERM": "xterm"}, timeout=20, dimensions=(40, 90))  # fmt: skip
    child.expect("/help")
    child.send("/hel\r")
    child.expect("start over: a new session")
    child.send("/nonsense\r")
    child.expect("there is no command /nonsense")
    child.send("one\r")
    child.expect("first")
    child.send("two\r")
    child.expect("slow")
    child.sendintr()
    child.expect("interrupted")
    child.send("/clear\r")
    child.expect("a new session")
    child.send("three\r")
    child.expect("third")
    for _ in range(20):  # Ctrl+D counts at the prompt, which comes a moment after the answer
        child.sendeof()
        if child.expect([pexpect.EOF, pexpect.TIMEOUT], timeout=1) == 0:
            break
    listed = json.loads(program.run("sessions", "list", "--json").stdout)
    assert [session["title"] for session in listed] == ["three", "one"]
    assert (program.home / ".local/ralph/history").read_text().count("+one") == 1
