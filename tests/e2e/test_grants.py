"""Grants on a real terminal: what one "always" silences, for how long, where, and how it is taken back."""

import json
import re
import shutil
import stat
from pathlib import Path

import pexpect
import pytest

from tests.e2e.program import calls

ASKED = r"allow\?.*details "
READY = r"\x1b\[\?2004h"  # the line editor is there
HOW_LONG = r"exact · n back "


def write(name, **more):
    return {**calls("write_file", path=name, content="x\n"), **more}


def plain(text):
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


class Talk:
    """The program on a pseudo-terminal: `does` waits for a text and presses keys."""

    def __init__(self, program, *args):
        words = program.argv(*args)
        env = {**program.env, "TERM": "xterm", "NO_COLOR": "1", "PROMPT_TOOLKIT_NO_CPR": "1"}
        self.child = pexpect.spawn(words[0], words[1:], cwd=str(program.cwd), env=env, encoding="utf-8", timeout=30,
                                   dimensions=(50, 120))  # fmt: skip
        self.child.delaybeforesend = 0.1
        self.seen = ""

    def does(self, text, keys=""):
        self.child.expect(text)
        self.seen += plain(self.child.before + self.child.after)
        if keys:
            self.child.send(keys)
        return self

    def ends(self):
        """The exit code, when nothing more is asked."""
        met = self.child.expect([pexpect.EOF, ASKED])
        self.seen += plain(self.child.before)
        assert met == 0, f"a question nobody expected:\n{self.seen}"
        self.child.close()
        return self.child.exitstatus


@pytest.fixture
def talk(program):
    talks = []

    def start(*args):
        talks.append(Talk(program, *args))
        return talks[-1]

    yield start
    for one in talks:
        one.child.close(force=True)


def written(program):
    return sorted(str(path.relative_to(program.cwd)) for path in program.cwd.rglob("*") if path.is_file())


def listed(program, *args):
    return json.loads(program.run("grants", "list", *args, "--json").stdout)


def test_always_for_the_session_silences_the_next_call_of_the_kind_only(program, talk):
    script = program.script(write("docs/a.md"), write("docs/b.md"), write("src/c.py"), {"text": "done"})
    one = talk(*script, "go").does(ASKED, "a").does(r"\^docs/\.\*", "").does(HOW_LONG, "\r").does(ASKED, "n")
    assert one.ends() == 0
    assert written(program) == ["docs/a.md", "docs/b.md"]
    assert one.seen.count("● write_file") == 2
    assert listed(program) == []
    assert program.run(*program.script(write("docs/c.md"), {"text": "no"}), "go").returncode == 4


def test_a_project_grant_holds_in_its_project_only_in_every_process(program, talk):
    script = program.script(write("docs/a.md"), {"text": "done"})
    assert talk(*script, "go").does(ASKED, "a").does(HOW_LONG, "p").ends() == 0
    [row] = listed(program)
    assert (row["scope"], row["workspace"], row["given_by"]) == ("project", str(program.cwd.resolve()), "person")
    kept = program.home / ".local/ralph/grants.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert str(kept) in program.run("grants", "list").stdout

    assert program.run(*program.script(write("docs/b.md"), {"text": "done"}), "go").returncode == 0
    assert written(program) == ["docs/a.md", "docs/b.md"]
    project, program.cwd = program.cwd, program.cwd.parent / "other"
    program.cwd.mkdir()
    assert program.run(*program.script(write("docs/b.md"), {"text": "done"}), "go").returncode == 4
    assert written(program) == []
    assert listed(program) == []
    assert [row["workspace"] for row in listed(program, "--all")] == [str(project.resolve())]
    assert program.run("grants", "revoke", str(row["id"])).returncode == 0
    assert listed(program, "--all") == []


def test_a_grant_for_good_holds_everywhere(program, talk):
    script = program.script(write("docs/a.md"), {"text": "done"})
    assert talk(*script, "go").does(ASKED, "a").does(HOW_LONG, "u").ends() == 0
    program.cwd = program.cwd.parent / "other"
    program.cwd.mkdir()
    assert program.run(*program.script(write("docs/b.md"), {"text": "done"}), "go").returncode == 0
    assert written(program) == ["docs/b.md"]


def test_uses_run_out(program, talk):
    script = program.script(*(write(f"docs/{number}.md") for number in range(4)), {"text": "done"})
    one = talk(*script, "go").does(ASKED, "a").does(HOW_LONG, "2").does(r"more uses\? ", "\r")
    assert one.does("2 more times").does(HOW_LONG, "s").does(ASKED, "n").ends() == 0
    assert written(program) == ["docs/0.md", "docs/1.md", "docs/2.md"]


def test_uses_of_a_kept_grant_are_shared_by_processes(program, talk):
    script = program.script(write("docs/a.md"), {"text": "done"})
    one = talk(*script, "go").does(ASKED, "a").does(HOW_LONG, "1").does(r"uses\? ", "\r")
    assert one.does(HOW_LONG, "p").ends() == 0
    assert listed(program)[0]["uses_left"] == 1
    codes = [program.run(*program.script(write(name), {"text": "."}), "go").returncode for name in ("docs/b.md",) * 2]
    assert codes == [0, 4]


def test_a_revocation_elsewhere_holds_at_the_next_call_of_a_running_process(program, talk):
    script = program.script(
        write("docs/a.md"), write("docs/b.md"), {"text": "first"}, write("docs/c.md"), {"text": "second"}
    )
    one = talk(*script).does(READY, "go\r").does(ASKED, "a").does(HOW_LONG, "p").does("first")
    assert written(program) == ["docs/a.md", "docs/b.md"]
    assert program.run("grants", "revoke", "101").stdout == "revoked grant 101\n"
    one.does(READY, "again\r").does(ASKED, "n").does("second").does(READY, "/quit\r")
    assert one.ends() == 0
    assert written(program) == ["docs/a.md", "docs/b.md"]


def test_grants_and_explain_in_the_conversation(program, talk):
    script = program.script(write("docs/a.md"), {"text": "first"}, write("docs/b.md"), {"text": "second"})
    one = talk(*script).does(READY, "/grants\r").does("nothing is granted").does(READY, "go\r")
    one.does(ASKED, "a").does(HOW_LONG, "\r").does("first")
    one.does(READY, "/grants\r").does(r"1 +write_file:\^docs/.* +this session .*person")
    one.does(READY, "/explain --tool write_file docs/z.md\r").does("allow.*grant: write_file")
    one.does(READY, "/grants revoke 7\r").does("there is no grant 7")
    one.does(READY, "/grants revoke 1\r").does("revoked grant 1")
    one.does(READY, "again\r").does(ASKED, "y").does("second")
    one.does(READY, "/policy explain 'git push'\r").does("one plain command: git push").does(READY, "/quit\r")
    assert one.ends() == 0


def test_explain_says_the_same_in_the_conversation_and_on_the_command_line(program, talk):
    one = talk(*program.script()).does(READY, "/explain rm -rf build; ls\r").does(r"verdict .*\r\n")
    shown = program.run("policy", "explain", "rm -rf build; ls").stdout
    assert shown.count("\n") > 8
    for line in shown.splitlines():
        assert line in one.seen.replace("\r", "")


def test_an_edited_rule_is_what_is_kept_and_a_bad_one_is_told_at_once(program, talk):
    script = program.script(write("docs/a.md"), write("docs/deep/b.md"), write("docs/c.txt"), {"text": "done"})
    one = talk(*script, "go").does(ASKED, "a")
    one.does(HOW_LONG, "e").does("md.*}", '\x15{"tool": "write_file", "pattern": "(^docs"}\r').does("rule is unchanged")
    one.does(HOW_LONG, "e").does("md.*}", '\x15{"tool": "write_file", "pattern": "^docs/", "scope": "project"}\r')
    assert one.does("for this project").does(HOW_LONG, "\r").ends() == 0
    assert written(program) == ["docs/a.md", "docs/c.txt", "docs/deep/b.md"]
    assert [row["rule"] for row in listed(program)] == [{"tool": "write_file", "pattern": "^docs/"}]


def test_ctrl_c_at_the_menu_stores_nothing_and_runs_nothing(program, talk):
    script = program.script(write("docs/a.md"), {"text": "done"})
    one = talk(*script, "go").does(ASKED, "a").does(HOW_LONG, "\x03")
    assert one.ends() == 130
    assert (written(program), listed(program)) == ([], [])


def test_what_was_typed_before_the_question_answers_nothing(program, talk):
    script = program.script({"text": "wait", "delay_s": 1.5, **write("docs/a.md")}, {"text": "done"})
    one = talk(*script, "go")
    one.child.send("yyyaaa\ry\r")
    assert one.does(ASKED, "n").ends() == 0
    assert written(program) == []


def test_a_granted_command_runs_unasked_and_its_neighbours_do_not(program, talk):
    script = program.script(
        calls("shell", command="mkdir one"), calls("shell", command="mkdir one/two"),
        calls("shell", command="mkdir one -p"), calls("shell", command="mkdir one; ls"), {"text": "done"},
    )  # fmt: skip
    one = talk(*script, "go").does(ASKED, "a").does(r'"mkdir", "one"\]').does(HOW_LONG, "\r")
    assert one.does("one/two").does(ASKED, "n").does("mkdir one; ls").does(ASKED, "n").ends() == 0
    assert [path.name for path in program.cwd.rglob("*")] == ["one"]


def test_details_show_every_rule_that_was_considered(program, talk):
    script = program.script(calls("shell", command="git push"), {"text": "done"})
    one = talk(*script, "go").does(ASKED, "?").does("which rule decides:").does(ASKED, "n")
    assert one.ends() == 0
    shown = program.run("policy", "explain", "git push").stdout.splitlines()
    assert next(line for line in shown if line.startswith("verdict")) in one.seen


@pytest.mark.skipif(shutil.which("rm") is None, reason="no rm here")
def test_there_is_no_always_for_rm(program, talk):
    (program.cwd / "a").write_text("")
    script = program.script(calls("shell", command="rm a"), {"text": "done"})
    one = talk(*script, "go").does(ASKED, "a").does("one yes to rm is not a yes to the next").does(ASKED, "n")
    assert one.ends() == 0
    assert Path(program.cwd / "a").exists()


def test_a_broken_file_of_grants_is_one_line_and_nothing_runs(program):
    kept = program.home / ".local/ralph/grants.json"
    kept.parent.mkdir(parents=True)
    kept.write_text('[{"id": 101, "rule": {"tool": "write_file", "pattern": "("}}]')
    done = program.run(*program.script(write("a.md"), {"text": "done"}), "go")
    assert done.returncode == 2
    assert "grants.json cannot be read" in done.stderr
    assert written(program) == []
    assert program.run("grants", "list").returncode == 2
