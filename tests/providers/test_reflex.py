"""The reflexes through the real loop with the real tools: what is understood, what is answered, what is refused."""

import asyncio
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ralph.core.agent import Agent
from ralph.core.events import Notice, Reply, TextDelta, ToolRequested, TurnFinished
from ralph.core.gate import Gate
from ralph.core.messages import Message, Text, ToolCall, ToolResult, Usage
from ralph.core.provider import Request
from ralph.core.runner import Runner
from ralph.core.tools import Toolbox
from ralph.errors import ProviderError
from ralph.providers.grammar import LONGEST, NotUnderstood, understand
from ralph.providers.reflex import Reflex
from ralph.session.results import Cap
from ralph.tools.loader import load_folder
from ralph.tools.todo import Todos, todo_tools
from tests.helpers import Answers, Record, TestPolicy, collect, tool

DEFAULTS, _ = load_folder(Path(__file__).parents[2] / "tools_default", "default")


def memory_tools(hits=(), pieces=()):
    """Stand-ins of the shapes the memory tools have."""
    text = {"type": "string"}
    number = {"type": "integer"}
    memories = {"success": True, "memories": list(hits), "message": ""}
    stored = {"success": True, "memory_id": 7, "message": "stored"}
    return [
        tool("remember", lambda *_: json.dumps(stored), {"content": text}),
        tool("recall_memories", lambda *_: json.dumps(memories), {"query": text, "k": number}),
        tool("forget_memory", lambda args, _: json.dumps({"message": f"forgot {args['memory_id']}"}),
             {"memory_id": number}),
        tool("vector_db_search_text", lambda args, _: json.dumps({"success": True, "results": list(pieces)}),
             {"index_name": text, "query": text, "k": number}),
    ]  # fmt: skip


def agent(cwd, extra=(), *, policy=None, approver=None, cap=60_000):
    box = Toolbox([*DEFAULTS, *todo_tools(Todos()), *extra])
    gate = Gate(box, policy or TestPolicy(), approver or Answers(), Record())
    runner = Runner(
        gate, cwd=cwd, scratch=cwd / "scratch", env={"PATH": os.environ["PATH"]}, finish=Cap(cwd / "s", cap)
    )

    async def prepare(history):
        return Request(("system",), tuple(history), box.specs)

    return Agent(Reflex(), prepare, runner)


def ask(cwd, prompt, **kwargs):
    """(the answer, the calls made)"""
    events = asyncio.run(collect(agent(cwd, **kwargs), prompt))
    assert isinstance(events[-1], TurnFinished)
    assert events[-1].reason == "done"
    return events[-1].text, [(e.call.name, dict(e.call.args)) for e in events if isinstance(e, ToolRequested)]


@pytest.fixture
def cwd(tmp_path):
    (tmp_path / "a.txt").write_text("one\ntwo\nthree\n")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "x.py").write_text("def turn():\n    return 1  # TODO: two\n")
    (tmp_path / "long").write_text("".join(f"line {n}\n" for n in range(1, 5001)))
    return tmp_path


ANSWERS = {
    "read a.txt": "one\ntwo\nthree\n",
    "please show me the file a.txt": "one\ntwo\nthree\n",
    "what is in a.txt?": "one\ntwo\nthree\n",
    "show line 2 of a.txt": "two\n",
    "cat a.txt lines 2-3": "two\nthree\n",
    "first 2 lines of a.txt": "one\ntwo\n",
    "last 2 lines of a.txt": "two\nthree\n",
    "show the last line of a.txt": "three\n",
    "tail -n 1 a.txt": "three\n",
    "how many lines are in a.txt?": "a.txt: 3 lines",
    "how many lines in long": "long: 5,000 lines",
    "list src": "src/x.py",
    "list *.txt": "a.txt",
    "what's in src/?": "src/x.py",
    "show src": "src/x.py",
    "list .": "src/\na.txt\nlong",
    "find files named x.py": "src/x.py",
    "find *.py": "src/x.py",
    "list *.md": "[nothing in . fits *.md]",
    'search "TODO: two"': "src/x.py:2: return 1  # TODO: two",
    "grep two a.txt": "a.txt:2: two",
    "search for todo in src case-insensitively": "src/x.py:2: return 1  # TODO: two",
    "search /^t\\w+e$/ in a.txt": "a.txt:3: three",
    "where is turn defined?": "src/x.py:1: def turn():",
    "run `echo hi`": "hi\n[exit code 0]",
    "$ echo hi; echo no >&2; exit 3": "hi\n[stderr]\nno\n[exit code 3]",
    "run true": "[exit code 0]",
    'write "hello" to b.txt': "b.txt: 6 bytes written",
    "save 'hello' as greeting": "greeting: 6 bytes written",
    'append "x" to a.txt then read a.txt': "a.txt: 2 bytes appended\n\none\ntwo\nthree\nx\n",
    'create c.txt with "a; then b", then read c.txt': "c.txt: 10 bytes written\n\na; then b\n",
    "todo add buy milk\nadd call Ana to my todo list; mark 1 done; todos":
        "The to-do list was updated.\n\n" * 3 + "1. [x] buy milk\n2. [ ] call Ana",
    "todos": "[the to-do list is empty]",
    "read none.txt": "[read_file failed: none.txt does not exist]",
    "read none.txt then run `touch made`": "[read_file failed: none.txt does not exist]\n"
                                           "[not done because of that: run `touch made`]",
    "mark 3 done": "[there is no to-do 3: the list has 0]",
}  # fmt: skip


@pytest.mark.parametrize("prompt", ANSWERS)
def test_answers_come_from_results(cwd, prompt):
    answer, calls = ask(cwd, prompt)
    lines = sorted(answer.splitlines()) if prompt == "list ." else answer.splitlines()
    assert lines == (sorted if prompt == "list ." else list)(ANSWERS[prompt].splitlines())
    assert calls


def test_info_and_long_files(cwd):
    assert ", 14 bytes, " in ask(cwd, "how big is a.txt?")[0]
    answer, calls = ask(cwd, "read long")
    assert answer.startswith("line 1\n")
    assert answer.endswith("[lines 1-2000 of 5,000; continue with start_line=2001]")
    answer, calls = ask(cwd, "tail -3 long")
    assert answer.startswith("line 4998\nline 4999\nline 5000\n")
    assert [args.get("start_line") for _, args in calls] == [None, 4998]


def test_results_that_were_cut_are_shown_as_far_as_they_go(cwd):
    answer, _ = ask(cwd, "run `seq 1 5000; exit 4`", cap=9_000)
    assert answer.startswith("1\n2\n3\n")
    assert "left out" in answer
    assert answer.endswith("[exit code 4]")
    for number in range(200):
        (cwd / f"file {number}").touch()
    answer, _ = ask(cwd, "list files", cap=9_000)
    assert "file 0\n" in answer
    assert "left out" in answer
    assert "nothing to list" not in answer


def test_git_commands_are_a_table(cwd):
    assert ask(cwd, "what is git status?")[1] == [("shell", {"command": "git status"})]
    assert ask(cwd, "show the last 5 commits")[1] == [("shell", {"command": "git log --oneline -n 5"})]
    assert ask(cwd, "show the diff")[1] == [("shell", {"command": "git diff"})]


def test_memory_and_questions_with_their_source(cwd):
    hit = {"memory_id": 3, "score": 0.9, "content": "Ana likes\ntea", "source": "conversation"}
    piece = {"id": 12, "content": "Ana Gray wrote it.", "source": "pdf", "metadata": {"source": "book.pdf", "page": 4}}
    tools = memory_tools([hit], [piece])
    assert ask(cwd, "remember that Ana likes tea", extra=tools)[0] == "stored (memory 7)"
    assert ask(cwd, "forget #7", extra=tools)[0] == "forgot 7"
    assert ask(cwd, "what do you remember about Ana?", extra=tools) == (
        "- Ana likes tea (memory 3, conversation)", [("recall_memories", {"query": "Ana"})],
    )  # fmt: skip
    assert ask(cwd, "Who is Ana?", extra=tools)[0] == (
        "Found, best first:\n- Ana likes tea (memory 3, conversation)\n"
        "- Ana Gray wrote it. (piece 12, book.pdf, page 4)"
    )
    assert ask(cwd, "recall Ana", extra=memory_tools())[0] == "[nothing is remembered about this]"


def test_a_question_nothing_is_found_for_is_not_answered(cwd):
    with pytest.raises(ProviderError, match="neither memory nor documents") as error:
        ask(cwd, "Who is Ana?", extra=memory_tools())
    assert error.value.exit_code == 5


def test_a_refusal_is_told_with_what_would_allow_it(cwd):
    answer, _ = ask(cwd, "write 'x' to b.txt then read b.txt", policy=TestPolicy({"write_file": "deny"}))
    assert answer == ("[write_file was refused (operation_denied): not here]\n[not done because of that: read b.txt]")
    assert not (cwd / "b.txt").exists()


def test_suggestions_of_the_gate_are_passed_on():
    body = {"error": "non_interactive_gate", "message": "nobody to ask", "tool": "shell", "suggestion": "use --yolo"}
    messages = (
        said("run true"), Message("assistant", (ToolCall("reflex_1", "shell", {"command": "true"}),)),
        Message("tool", (ToolResult("reflex_1", json.dumps(body), True),)),
    )  # fmt: skip
    assert step(messages)[-1].message.text == "[shell was refused (non_interactive_gate): nobody to ask; use --yolo]"


def step(messages, provider=None, specs=None, schema=None):
    request = Request((), tuple(messages), Toolbox(DEFAULTS).specs if specs is None else specs, output_schema=schema)

    async def listen():
        return [delta async for delta in (provider or Reflex()).stream(request)]

    return asyncio.run(listen())


def said(text):
    return Message("user", (Text(text),))


def test_the_notice_comes_once_and_nothing_costs(cwd):
    provider = Reflex()
    notice, reply = step([said("read a.txt")], provider)
    assert isinstance(notice, Notice)
    assert notice.topic == "reflex"
    assert "ANTHROPIC_API_KEY" in notice.text
    assert (reply.usage, reply.cost_usd, reply.model, reply.stop) == (Usage(0, 0), 0.0, "reflex", "tool_use")
    assert [type(delta) for delta in step([said("read a.txt")], provider)] == [Reply]


def test_the_answer_is_streamed_and_repeated_in_the_reply(cwd):
    result = Message("tool", (ToolResult("reflex_1", '{"result": "x", "success": true}'),))
    call = Message("assistant", (ToolCall("reflex_1", "read_file", {"path": "a"}),))
    _, delta, reply = step([said("read a"), call, result])
    assert delta == TextDelta("x")
    assert (reply.message, reply.stop) == (Message("assistant", (Text("x"),)), "end")


def test_ids_are_new_in_the_whole_conversation():
    before = Message(
        "assistant", (ToolCall("reflex_4", "shell", {}), ToolCall("reflex_x", "shell", {}), ToolCall("c", "x"))
    )
    (call,) = step([said("hi"), before, said("read a.txt")])[-1].message.calls
    assert call.id == "reflex_5"


def test_only_the_last_text_of_the_person_counts():
    attached = Message("user", (Text("<stdin>\nrun `rm -rf /`\n</stdin>"), Text("read a.txt")))
    (call,) = step([said("write 'x' to y.txt"), Message("assistant", (Text("ok"),)), attached])[-1].message.calls
    assert (call.name, call.args) == ("read_file", {"path": "a.txt"})


NOT_UNDERSTOOD = [
    "", "   ", "hello", "fix the bug", "explain this repository", "read", "read this", "show me how to do it", "dance.",
    "write code to sort a list", "write an essay to essay.txt", "run the tests", "run tests", "run the build",
    "search the web for cats", "Who is Ana?", "read a.txt then dance", "x" * (LONGEST + 1), "summarise a.txt",
]  # fmt: skip


@pytest.mark.parametrize("prompt", NOT_UNDERSTOOD)
def test_what_is_not_understood_does_nothing_and_says_what_would_be(cwd, prompt):
    with pytest.raises(ProviderError) as error:
        ask(cwd, prompt)
    assert error.value.kind == "bad_request"
    assert error.value.exit_code == 5
    assert "no model is configured, and the built-in reflexes do not understand" in error.value.message
    assert "read README.md" in error.value.hint
    assert "--api-url" in error.value.hint


def test_the_part_that_is_not_understood_is_named():
    with pytest.raises(ProviderError, match="do not understand 'dance'"):
        step([said("read a.txt; dance")])
    with pytest.raises(ProviderError, match="say the command, such as: run `pytest -q`"):
        step([said("run the tests")])
    with pytest.raises(ProviderError, match="put the text in quotes"):
        step([said("write hello to b.txt")])


def test_missing_tools_and_forms_are_said():
    with pytest.raises(ProviderError, match="needs the tool read_file, which is not there"):
        step([said("read a.txt")], specs=())
    with pytest.raises(ProviderError, match="answers in a given form need a model"):
        step([said("read a.txt")], schema={"type": "object"})
    with pytest.raises(ProviderError, match="holds a NUL character"):
        step([said("read a\0b")])


COMMANDS = {
    "run make; make test": ["make; make test"],
    "!ls -la | head": ["ls -la | head"],
    "run `make; make test` then run true": ["make; make test", "true"],
    "run make && make test, then run true": ["make && make test", "true"],
    "run if true; then echo yes; fi": ["if true; then echo yes; fi"],
    'run echo "a; then b"': ['echo "a; then b"'],
    "please execute the command `git status` for me": ["git status"],
    "run one\nrun two": ["one", "two"],
    "$ a\n$ b": ["a", "b"],
    "run " + "x then run " * 40 + "y": ["x"] * 40 + ["y"],
}


@pytest.mark.parametrize("prompt", COMMANDS)
def test_commands_are_taken_as_they_stand(prompt):
    assert [intent.given["command"] for intent in understand(prompt)] == COMMANDS[prompt]


PIECES = st.sampled_from([
    "read ", "show ", "list ", "ls -R ", "find ", "search ", "for ", "grep ", "run ", "$ ", "!", "write ", "append ",
    "create ", '"a b"', "'x", "`ls`", "“q”", "a.txt", "*.py", " to ", " in ", " with ", " then ", "; ", "\n", "?", ".",
    "src/", "lines 3-4 ", "of ", "last ", "5 ", "99999999999 ", "lines ", "todo add ", "todos", "mark ", "done", "is ",
    "remember ", "recall ", "forget 3", "what ", "who ", "how many ", "fetch ", "http://x.y/z ", "info on ",
    "git status", "please ", "\0", "\ud800", "(", "\\",
])  # fmt: skip
PROMPTS = st.one_of(st.text(), st.lists(PIECES, max_size=9).map("".join))
SPECS = Toolbox([*DEFAULTS, *todo_tools(Todos()), *memory_tools()]).specs
RESULTS = st.sampled_from([
    '{"result": "x\\n", "success": true}', '{"results": [], "success": true}', '{"results": [{"path": "a"}, 3]}',
    '{"results": [{"id": 1, "content": "c", "metadata": null}]}', '{"memories": [{"memory_id": 1, "content": "c"}]}',
    '{"tasks": [{"content": "a"}]}', '{"tasks": []}', '{"stdout": "x", "exit_code": 0}', '{"result": 3, "note": "n"}',
    '{"error": "bad", "success": false}', '{"error": "operation_denied", "message": "no", "tool": "t"}', "plain", "[1]",
    "null", "", '{"result": "abc\\\n[... 9 characters left out ...]\nx"}', '{"note": "lines 1-20 of 3,000; more"}',
    '{"results": [{"path": "a"}, {"pa\n[... 9 characters left out ...]\nx',
])  # fmt: skip


@settings(deadline=None)
@given(PROMPTS, st.lists(RESULTS, min_size=1, max_size=4))
def test_any_text_gives_a_fitting_call_or_an_honest_error(prompt, results):
    specs = {spec.name: spec for spec in SPECS}
    messages = [said(prompt)]
    for turn in range(40):
        try:
            reply = step(messages, specs=SPECS)[-1]
        except ProviderError:
            return
        if not reply.message.calls:
            return
        (call,) = reply.message.calls
        assert specs[call.name].problem_with(call.args) == ""
        messages += [reply.message, Message("tool", (ToolResult(call.id, results[turn % len(results)]),))]
    pytest.fail("no answer after 40 calls")


@given(PROMPTS)
def test_nothing_is_done_without_its_tool(prompt):
    with pytest.raises(ProviderError):
        step([said(prompt)], specs=())


@given(st.text())
def test_the_grammar_understands_or_says_that_it_does_not(prompt):
    try:
        intents = understand(prompt)
    except NotUnderstood:
        return
    assert all(intent.said and intent.said in prompt for intent in intents)
