from __future__ import annotations

import asyncio
import os
from dataclasses import replace

import pytest

from ralph.core.gate import Answer, Effect, Judgement, Question, Rule
from ralph.core.messages import ToolCall
from ralph.core.tools import Judged, ToolSpec
from ralph.ui.approve import Refuse, TerminalApprover
from ralph.ui.terminal import Terminal
from tests.ui.keyboard import Person, play

REMEMBER = {"tool": "shell", "command": ["git", "log"]}
ALLOW = "? details "
HOW_LONG = "n back "
LABEL = '"command": ["git", "log"]}'


@pytest.fixture
def person():
    person = Person(100, 40)
    yield person
    person.close()


def question(name="shell", args=None, *, remember=REMEMBER, category="shell", call_id="c1", match=None, **judged):
    call = ToolCall(call_id, name, {"command": "git log --oneline"} if args is None else args)
    judgement = Judgement(
        "ask", Rule("category", "shell commands are asked about", "ralph.config.json"), (Effect("executes", "git"),),
        remember=remember, **judged,
    )  # fmt: skip
    return Question(call, ToolSpec(name, "", {"type": "object"}, category, match), judgement)


def answered(person, *steps, ask=None, tmp_path="/", **settings):
    async def run():
        approver = TerminalApprover(Terminal(person.device), cwd=tmp_path, **settings)
        return await play(person, approver.ask(ask or question()), *steps)

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("key", "answer"), [("y", Answer(True)), ("Y", Answer(True)), ("n", Answer(False)), ("N", Answer(False))]
)
def test_one_key_answers(person, key, answer):
    assert answered(person, (ALLOW, key)) == answer


@pytest.mark.parametrize("key", ["\x03", "\x04"])
def test_ctrl_c_and_ctrl_d_end_the_turn(person, key):
    answer = answered(person, (ALLOW, key))
    assert (answer.allowed, answer.stop, answer.error) == (False, True, "aborted")


def test_a_terminal_that_goes_away_ends_the_turn(person):
    async def run():
        approver = TerminalApprover(Terminal(person.device), cwd="/")
        task = asyncio.ensure_future(approver.ask(question()))
        await person.sees(ALLOW)
        os.close(person.hand)
        return await asyncio.wait_for(task, 5)

    answer = asyncio.run(run())
    assert not answer.allowed
    assert answer.error in ("aborted", "non_interactive_gate")


def test_the_question_says_what_it_is_what_it_does_and_why(person):
    answered(person, (ALLOW, "n"))
    assert "● shell" in person.text
    assert "git log --oneline" in person.text
    assert "does: runs git" in person.text
    assert "asks: shell commands are asked about (rule category, written in ralph.config.json)" in person.text
    assert 'rule: always would store {"tool": "shell", "command": ["git", "log"]}' in person.text


@pytest.mark.parametrize("keys", ["\r", " ", "q", "\x1b[A", "\x1bOA", "\x1b", "yes please", "yyyy", "ja", "\x1by", "ÿ"])
def test_other_keys_sequences_and_pastes_answer_nothing(person, keys):
    answer = answered(person, (ALLOW, keys), ("please, or", "n"))
    assert answer == Answer(False)


def test_what_was_typed_before_the_question_does_not_answer_it(person):
    async def run():
        person.press("yyy\ny")
        approver = TerminalApprover(Terminal(person.device), cwd="/", settle=lambda: person.press("y"))
        task = asyncio.ensure_future(approver.ask(question()))
        await person.sees(ALLOW)
        await asyncio.sleep(0.1)
        assert not task.done()
        person.press("n")
        return await asyncio.wait_for(task, 5)

    assert asyncio.run(run()) == Answer(False)


def test_what_was_typed_before_the_confirmation_does_not_confirm(person):
    answer = answered(person, (ALLOW, "a"), (HOW_LONG, "n"), (ALLOW, "n"))
    assert answer == Answer(False)


@pytest.mark.parametrize("ending", ["y", "\x03", "cancel"])
def test_the_terminal_is_left_as_it_was(person, ending):
    before = person.mode()

    async def run():
        approver = TerminalApprover(Terminal(person.device), cwd="/")
        task = asyncio.ensure_future(approver.ask(question()))
        await person.sees(ALLOW)
        assert person.mode() != before
        await asyncio.sleep(0.02)
        if ending == "cancel":
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        else:
            person.press(ending)
            await asyncio.wait_for(task, 5)

    asyncio.run(run())
    assert person.mode() == before


def test_always_shows_the_rule_and_stores_it_only_when_confirmed(person):
    answer = answered(person, (ALLOW, "a"), (HOW_LONG, "y"))
    assert answer == Answer(True, remember=REMEMBER)
    assert '{"tool": "shell", "command": ["git", "log"]}' in person.text


def test_always_can_be_left(person):
    assert answered(person, (ALLOW, "a"), (HOW_LONG, "n"), (ALLOW, "n")) == Answer(False)


def test_always_can_be_edited(person):
    longer = '", "--oneline"]}'
    edit = (LABEL, "\x7f" * 3 + longer + "\r")
    answer = answered(person, (ALLOW, "a"), (HOW_LONG, "e"), edit, (HOW_LONG, "\r"))
    assert answer == Answer(True, remember={"tool": "shell", "command": ["git", "log", "--oneline"]})


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("{oops", "the rule is unchanged"),
        ("[1]", "a rule is an object"),
        ('{"tool": "x", "pattern": "^a"}', "the rule must be for shell"),
        ('{"tool": "shell", "command": []}', "a list of words"),
        ('{"tool": "shell", "command": ["git"], "colour": 1}', "unknown key colour"),
        ('{"tool": "shell", "command": ["git", "lgo"]}', "would not cover this call (its words do not begin with"),
        ('{"tool": "shell", "command": ["git"], "scope": "galaxy"}', "a grant cannot be for 'galaxy'"),
        ('{"tool": "shell", "command": ["git"], "uses": 0}', "uses are a whole number"),
        ('{"tool": "shell", "command": ["git"], "minutes": Infinity}', "minutes are a number"),
    ],
)
def test_a_badly_edited_rule_is_told_at_once_and_changes_nothing(person, typed, told):
    steps = ((ALLOW, "a"), (HOW_LONG, "e"), (LABEL, f"\x15{typed}\r"), (told, ""), (HOW_LONG, "\r"))
    assert answered(person, *steps) == Answer(True, remember=REMEMBER)
    assert "the rule is unchanged" in person.text


def test_a_pattern_that_does_not_compile_is_told_at_once(person):
    rule = {"tool": "write_file", "pattern": "^a$"}
    ask = question("write_file", {"path": "a", "content": ""}, remember=rule, category="file_write", match="path")
    edit = ('"^a$"}', '\x15{"tool": "write_file", "pattern": "(a"}\r')
    steps = ((ALLOW, "a"), (HOW_LONG, "e"), edit, ("does not compile", ""), (HOW_LONG, "\r"))
    assert answered(person, *steps, ask=ask) == Answer(True, remember=rule)


def test_an_edit_may_say_how_long_the_rule_holds(person):
    edit = (LABEL, "\x7f" + ', "scope": "project", "uses": 3}\r')
    steps = ((ALLOW, "a"), ("for this session", ""), (HOW_LONG, "e"), edit, ("for this project, from now on", "\r"))
    answer = answered(person, *steps)
    assert answer == Answer(True, remember={**REMEMBER, "scope": "project", "uses": 3})


@pytest.mark.parametrize(("key", "scope"), [("s", "session"), ("p", "project"), ("U", "user")])
def test_one_key_says_how_long(person, key, scope):
    answer = answered(person, (ALLOW, "a"), (HOW_LONG, key))
    assert answer == Answer(True, remember={**REMEMBER, "scope": scope})


def test_a_number_of_uses_is_shown_before_it_is_stored(person):
    steps = ((ALLOW, "a"), (HOW_LONG, "1"), ("more uses? 1", "2\r"), ("12 more times", ""), (HOW_LONG, "s"))
    assert answered(person, *steps) == Answer(True, remember={**REMEMBER, "uses": 12, "scope": "session"})


def test_minutes(person):
    steps = ((ALLOW, "a"), (HOW_LONG, "t"), ("how many minutes? ", "30\r"), ("for 30 minutes", ""), (HOW_LONG, "p"))
    assert answered(person, *steps) == Answer(True, remember={**REMEMBER, "minutes": 30, "scope": "project"})


@pytest.mark.parametrize(("key", "typed"), [("t", "soon\r"), ("t", "-3\r"), ("0", "\r"), ("t", "99999999999\r")])
def test_a_bad_number_changes_nothing(person, key, typed):
    steps = ((ALLOW, "a"), (HOW_LONG, key), ("how many", typed), ("the rule is unchanged", ""), (HOW_LONG, "\r"))
    assert answered(person, *steps) == Answer(True, remember=REMEMBER)


def test_a_number_can_be_left(person):
    assert answered(person, (ALLOW, "a"), (HOW_LONG, "t"), ("minutes? ", "\x1b"), (HOW_LONG, "n"), (ALLOW, "y")).allowed


def test_other_keys_store_nothing(person):
    steps = ((ALLOW, "a"), (HOW_LONG, "\x1b[B"), ("one of those keys", ""), (HOW_LONG, "q"), (HOW_LONG, "n"))
    assert answered(person, *steps, (ALLOW, "n")) == Answer(False)


def test_ctrl_c_stores_nothing(person):
    answer = answered(person, (ALLOW, "a"), (HOW_LONG, "\x03"))
    assert (answer.allowed, answer.stop, answer.remember) == (False, True, None)


def test_always_can_be_narrowed_to_exactly_this_call(person):
    steps = ((ALLOW, "a"), (HOW_LONG, "x"), ('"arguments"', ""), (HOW_LONG, "\r"))
    exact = {"tool": "shell", "arguments": {"command": "git log --oneline"}}
    assert answered(person, *steps) == Answer(True, remember=exact)


def test_a_narrowed_rule_keeps_its_end(person):
    steps = ((ALLOW, "a"), (HOW_LONG, "3"), ("uses? 3", "\r"), (HOW_LONG, "x"), (HOW_LONG, "\r"))
    assert answered(person, *steps).remember["uses"] == 3


def test_there_is_no_always_where_no_rule_may_be(person):
    ask = question(args={"command": "python3 x.py"}, remember=None)
    answer = answered(person, (ALLOW, "a"), ("no rule may cover", "y"), ask=ask)
    assert answer == Answer(True)
    assert "no rule may cover this call: one yes to python3 is not a yes to the next" in person.text
    assert "y once · n no · r no, because…" in person.text
    assert "a always" not in person.text


def test_no_with_a_reason_reaches_the_model(person):
    answer = answered(person, (ALLOW, "r"), ("no, because:", "use the tést\x7f\x7fst dir\r"))
    assert answer == Answer(False, reason="the user denied this shell call and says: use the tést dir")


def test_an_empty_reason_or_escape_goes_back(person):
    assert answered(person, (ALLOW, "r"), ("because:", "\r"), (ALLOW, "n")) == Answer(False)


def test_escape_leaves_the_reason(person):
    assert answered(person, (ALLOW, "r"), ("because:", "x"), ("x", "\x1b"), (ALLOW, "n")) == Answer(False)


def test_ctrl_c_in_the_reason_ends_the_turn(person):
    assert answered(person, (ALLOW, "r"), ("because:", "well\x03")).stop


def test_details_show_everything_behind_the_question(person):
    judged = {"path": Judged("a.py", "/w/src/a.py", None)}
    ask = question("shell", {"command": "git log", "timeout": 30}, judged=judged, argv=("git", "log"))
    assert answered(person, (ALLOW, "?"), (ALLOW, "n"), ask=ask) == Answer(False)
    for part in ("timeout:", "30", "/w/src/a.py (new)", "runs git", "without a shell", "ralph.config.json", "category"):
        assert part in person.text


def test_details_say_which_rules_were_considered(person):
    steps = ((ALLOW, "?"), ("which rule decides:", ""), (ALLOW, "n"))
    answered(person, *steps, explain=lambda asked: [f"ask  category: {asked.spec.category} asks\x1b[2J"])
    assert "ask  category: shell asks\\u{1b}[2J" in person.text


def test_long_details_are_paged():
    person = Person(60, 10)
    ask = question("shell", {"command": "\n".join(f"echo {n}" for n in range(30))})
    assert answered(person, (ALLOW, "?"), ("more: any key", "q"), (ALLOW, "n"), ask=ask) == Answer(False)
    person.close()


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("ls\x1b[2J\x1b[Hecho safe", "ls\\u{1b}[2J\\u{1b}[Hecho safe"),
        ("rm -rf x\rls", "rm -rf x\\u{d}ls"),
        ("cat \u202etxt.exe", "cat \\u{202e}txt.exe"),
        ("git\u200b push", "git\\u{200b} push"),
        ("ls\nrm -rf build", "rm -rf build"),
        ("ls " + " " * 300 + "; rm x", "; rm x"),
    ],
)
def test_the_whole_command_is_seen(person, command, shown):
    answered(person, (ALLOW, "n"), ask=question("shell", {"command": command}))
    assert shown in person.text


def test_a_huge_command_says_what_it_leaves_out(person):
    answered(person, (ALLOW, "n"), ask=question("shell", {"command": "x" * 5000}))
    assert "1,000 more characters" in person.text


def test_an_edit_is_shown_as_a_diff(person, tmp_path):
    (tmp_path / "a.py").write_text("one\ntwo\nthree\n")
    ask = question("write_file", {"path": "a.py", "content": "one\n2\nthree\n"}, category="file_write")
    answered(person, (ALLOW, "n"), ask=ask, tmp_path=tmp_path)
    assert "- two" in person.text
    assert "+ 2" in person.text
    assert b"\x1b[31m- two" in person.raw
    assert b"\x1b[32m+ 2" in person.raw


def test_no_colour_means_no_escape_sequences(person, tmp_path):
    ask = question("write_file", {"path": "a.py", "content": "one\n"}, category="file_write", dangerous=True)
    answered(person, (ALLOW, "n"), ask=ask, tmp_path=tmp_path, colour=False)
    assert "+ one" in person.text
    assert b"\x1b" not in person.raw


def test_twenty_columns_are_enough():
    person = Person(20, 12)
    assert answered(person, (ALLOW, "?"), ("more: ", " "), (ALLOW, "y")) == Answer(True)
    person.close()


def test_asking_leaves_the_loop_free_and_one_question_is_asked_at_a_time(person):
    async def run():
        approver = TerminalApprover(Terminal(person.device), cwd="/")
        first = asyncio.ensure_future(approver.ask(question()))
        second = asyncio.ensure_future(approver.ask(question(args={"command": "whoami"})))
        await person.sees(ALLOW)
        await asyncio.sleep(0.02)
        assert "whoami" not in person.text
        person.press("y")
        await person.sees("whoami")
        await asyncio.sleep(0.02)
        person.press("n")
        return await asyncio.wait_for(asyncio.gather(first, second), 5)

    assert asyncio.run(run()) == [Answer(True), Answer(False)]


def surveyed(person, questions, *steps):
    async def run():
        return await play(person, TerminalApprover(Terminal(person.device), cwd="/").survey(questions), *steps)

    return asyncio.run(run())


def three(**third):
    return (
        question(call_id="a"), question(args={"command": "make"}, call_id="b"),
        question(args={"command": "rm -rf /"}, call_id="c", **third),
    )  # fmt: skip


LIST = "Enter one by one "


@pytest.mark.parametrize(("key", "allowed"), [("y", True), ("n", False)])
def test_all_at_once(person, key, allowed):
    answers = surveyed(person, three(), (LIST, key))
    assert {name: answer.allowed for name, answer in answers.items()} == dict.fromkeys("abc", allowed)
    assert "3 operations wait" in person.text
    assert "rm -rf /" in person.text


def test_yes_to_all_leaves_the_dangerous_one_to_be_asked(person):
    answers = surveyed(person, three(dangerous=True), (LIST, "y"))
    assert set(answers) == {"a", "b"}


def test_one_of_several_is_looked_at_then_the_rest(person):
    answers = surveyed(person, three(), (LIST, "2"), (ALLOW, "y"), (LIST, "n"))
    assert "[+]" in person.text
    assert {name: answer.allowed for name, answer in answers.items()} == {"a": False, "b": True, "c": False}


def test_one_by_one_leaves_all_open(person):
    assert surveyed(person, three(), (LIST, "\r")) == {}


def test_ctrl_c_at_the_list_stops_all(person):
    answers = surveyed(person, three(), (LIST, "\x03"))
    assert all(answer.stop for answer in answers.values())
    assert len(answers) == 3


def test_other_keys_at_the_list_hint(person):
    answers = surveyed(person, three(), (LIST, "9"), (LIST, "x"), ("please, or", "n"))
    assert len(answers) == 3


def test_a_second_digit_is_waited_for(person):
    many = tuple(question(args={"command": f"job {n}"}, call_id=str(n)) for n in range(1, 13))
    answers = surveyed(person, many, (LIST, "1"), ("", "2"), (ALLOW, "y"), (LIST, "n"))
    assert [name for name, answer in answers.items() if answer.allowed] == ["12"]


def test_without_a_terminal_the_answer_is_no_and_names_the_ways_out():
    async def run():
        return await Refuse().ask(question()), await Refuse().survey((question(), question()))

    answer, survey = asyncio.run(run())
    assert (answer.allowed, answer.by, answer.error, survey) == (False, "no terminal", "non_interactive_gate", {})
    for flag in ("--yolo", '--allow "shell:', "--allow-category=shell"):
        assert flag in answer.reason


def test_without_a_terminal_no_flag_is_named_that_would_not_help():
    asked = question()
    rule = Rule("dangerous", "it always asks: rm: deletes whole directories")
    asked = replace(asked, judgement=replace(asked.judgement, rule=rule))
    reason = asyncio.run(Refuse().ask(asked)).reason
    assert "deletes whole directories" in reason
    assert "--yolo" in reason
    assert "--allow" not in reason
