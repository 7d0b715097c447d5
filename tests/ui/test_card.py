from __future__ import annotations

import pytest

from ralph.core.gate import Question
from ralph.core.messages import ToolCall
from ralph.policy.categories import stand_in
from ralph.policy.rules import Rules
from ralph.ui.card import Card


@pytest.fixture
def ask(tmp_path):
    """The lines of a question as the real rules put it; `origins` of categories as settings would give them."""
    work = tmp_path / "work"
    work.mkdir()

    def card(tool, /, *, part="short", width=100, **args):
        rules = Rules(cwd=str(work), home=str(tmp_path / "home"), origins={"shell": "/h/ralph.config.json"})
        call, spec = ToolCall("c1", tool, args), stand_in(tool, args)
        judgement = rules.judge(call, spec)
        assert judgement.verdict == "ask", judgement
        drawn = Card(work, colour=False)
        asked = Question(call, spec, judgement)
        return (drawn.short if part == "short" else drawn.details)(asked, width)

    card.work = work
    return card


def test_a_command(ask):
    assert ask("shell", command="make all > ../log.txt; git push") == [
        "", "● shell", "  make all > ../log.txt; git push",
        "  does: runs make",
        "        writes outside the workspace: ../log.txt",
        "        uses the network (git push)",
        "  asks: shell calls are asked about (rule category, written in /h/ralph.config.json)",
        "  rule: no always: only one plain command can have a rule, and this one holds a redirection (>)",
    ]  # fmt: skip


def test_a_plain_command_shows_the_rule_an_always_would_store(ask):
    lines = ask("shell", command="pytest -q")
    assert lines[3] == "  does: runs pytest"
    assert lines[-1] == '  rule: always would store {"tool": "shell", "command": ["pytest"], "shell": "posix"}'


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("python3 x.py", "one yes to python3 is not a yes to the next"),
        ("bash -c 'ls'", "one yes to bash is not a yes to the next"),
        ("timeout 5 make", "one yes to timeout is not a yes to the next"),
        ("rm a.txt", "one yes to rm is not a yes to the next"),
        ("chmod +x a.sh", "one yes to chmod is not a yes to the next"),
        ("curl https://example.org", "one yes to curl is not a yes to the next"),
        ("ssh host", "one yes to ssh is not a yes to the next"),
        ("git push", "what uses the network is asked about every time"),
        ("rm -rf build", "dangerous calls are asked about every time"),
        ("cat ~/.netrc", "holds credentials"),
        ("make && make test", "only one plain command can have a rule"),
    ],
)
def test_where_no_rule_may_be_the_reason_is_said(ask, command, why):
    last = ask("shell", command=command, width=400)[-1]
    assert last.startswith("  rule: no always: ")
    assert why in last


def test_reasons_are_broken_between_words(ask):
    lines = ask("write_file", path=".github/workflows/ci.yml", content="x", width=60)
    start = next(number for number, line in enumerate(lines) if line.startswith("  asks: "))
    assert all(len(line) <= 60 for line in lines)
    assert lines[start + 1].startswith("        ")
    said = " ".join(line.strip() for line in lines[start:])
    assert "continuous integration runs it (rule sensitive, built in)" in said


def test_files_that_run_later_have_no_always(ask):
    last = ask("write_file", path=".git/hooks/pre-commit", content="x", width=400)[-1]
    assert last.startswith("  rule: no always: ")
    assert last.endswith("git obeys it")


def test_a_patch_shows_every_file_and_no_prose(ask):
    (ask.work / "a.txt").write_text("one\n")
    diff = "--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-one\n+two\n--- /dev/null\n+++ b/b.txt\n@@ -0,0 +1 @@\n+new\n"
    text = "\n".join(ask("apply_delta", diff="+ this line is prose\n" + diff))
    assert "prose" not in text
    assert "  changes a.txt\n  line 1\n  - one\n  + two\n  new file b.txt\n  line 1\n  + new\n" in text
    assert "does: writes a.txt, b.txt" in text


def test_a_long_patch_is_bounded_and_its_last_deed_still_named(ask):
    (ask.work / "z.txt").write_text("gone\n")
    added = "".join(f"+line {number}\n" for number in range(60))
    diff = f"--- /dev/null\n+++ b/a.txt\n@@ -0,0 +1,60 @@\n{added}--- a/z.txt\n+++ /dev/null\n@@ -1 +0,0 @@\n-gone\n"
    short = ask("apply_delta", diff=diff)
    assert len(short) < 30
    assert "  … 49 more lines: ? shows all" in short
    assert "  does: deletes z.txt" in short
    assert "  - gone" in ask("apply_delta", part="details", diff=diff)


def test_the_whole_address(ask):
    url = "https://example.org/a?" + "x" * 300
    lines = ask("web_fetch", url=url)
    assert f"  {url}" in lines
    assert "  does: contacts example.org" in lines


def test_a_huge_rule_is_cut_and_whole_in_the_details(ask):
    code = "print(1)\n" * 100
    short = ask("mcp_x_run", code=code)[-1]
    assert short == "  rule: always would allow exactly this call and no other (? shows the rule)"
    assert any(line.startswith("  rule: always would store") and line.count("print") == 100
               for line in ask("mcp_x_run", part="details", code=code))  # fmt: skip


@pytest.mark.parametrize("width", [20, 80])
def test_no_line_holds_what_would_drive_the_terminal(ask, width):
    command = "echo \x1b[2J\u202e\u200b\x07 > 'x\x1b]0;t\x07'"
    for line in [*ask("shell", command=command, width=width), *ask("shell", part="details", command=command)]:
        assert line.isprintable(), line
