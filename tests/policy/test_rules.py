from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ralph.core.gate import Answer, Judgement, Question
from ralph.core.messages import ToolCall
from ralph.core.tools import ToolSpec
from ralph.policy.allowlist import Entry, built_in, read_entry, read_flag
from ralph.policy.categories import stand_in
from ralph.policy.rules import Rules


@dataclass
class Clock:
    at: float = 1000.0

    def __call__(self) -> float:
        return self.at


def rules(tmp_path: Path, **more: Any) -> Rules:
    workspace = tmp_path / "work"
    workspace.mkdir(exist_ok=True)
    return Rules(
        **{"cwd": str(workspace), "home": str(tmp_path / "home/.local/ralph"), "tilde": str(tmp_path / "home"), **more}
    )


def call(tool: str, /, **args: Any) -> ToolCall:
    return ToolCall("c1", tool, args)


def judge(policy: Rules, tool: str, /, **args: Any) -> Judgement:
    return policy.judge(call(tool, **args), stand_in(tool, args))


def answer(policy: Rules, given: Answer, tool: str, /, **args: Any) -> None:
    spec = stand_in(tool, args)
    policy.learn(Question(call(tool, **args), spec, policy.judge(call(tool, **args), spec)), given)


@pytest.mark.parametrize(
    ("tool", "args", "verdict"),
    [
        ("read_file", {"path": "a.py"}, "allow"),
        ("list_dir", {"path": "."}, "allow"),
        ("search_files", {"path": ".", "regex_pattern": "x"}, "allow"),
        ("write_file", {"path": "a.py", "content": "x"}, "ask"),
        ("web_fetch", {"url": "https://example.com/"}, "ask"),
        ("remember", {"content": "x"}, "allow"),
        ("TodoWrite", {"todos": [{"content": "x"}]}, "allow"),
        ("subagent", {"task": "x"}, "ask"),
        ("mcp_fs_read", {"path": "a"}, "ask"),
        ("python", {"code": "1"}, "ask"),
        ("a_tool_nobody_knows", {}, "ask"),
    ],
)
def test_default_verdicts(tmp_path: Path, tool: str, args: dict[str, Any], verdict: str) -> None:
    assert judge(rules(tmp_path), tool, **args).verdict == verdict


def test_python_runs_unasked_only_inside_a_sandbox_that_holds(tmp_path: Path) -> None:
    judgement = judge(rules(tmp_path, sandbox_holds=True), "python", code="1")
    assert judgement.verdict == "allow"
    assert not judgement.read_only


def test_every_judgement_names_its_rule_and_effects(tmp_path: Path) -> None:
    judgement = judge(rules(tmp_path), "write_file", path="src/a.py", content="x")
    assert (judgement.rule.name, judgement.rule.where) == ("category", "built in")
    (effect,) = judgement.effects
    assert (effect.kind, effect.target) == ("writes", str(tmp_path / "work/src/a.py"))
    assert judgement.judged["path"].resolved == str(tmp_path / "work/src/a.py")
    assert judgement.remember == {"tool": "write_file", "pattern": r"^src/.*\.py$"}


def test_read_only_is_for_calls_that_only_read(tmp_path: Path) -> None:
    policy = rules(tmp_path)
    assert judge(policy, "read_file", path="a").read_only
    assert judge(policy, "recall_memories", query="a").read_only
    assert judge(policy, "TodoRead").read_only
    assert not judge(policy, "remember", content="a").read_only
    assert not judge(policy, "write_file", path="a", content="").read_only
    assert not judge(policy, "mcp_fs_read", path="a").read_only


def test_reading_outside_the_workspace_asks_unless_an_entry_covers_it(tmp_path: Path) -> None:
    (tmp_path / "home/other").mkdir(parents=True)
    outside = str(tmp_path / "home/other/notes.md")
    judgement = judge(rules(tmp_path), "read_file", path=outside)
    assert (judgement.verdict, judgement.rule.name) == ("ask", "outside")
    allowed = rules(tmp_path, allowlist=[read_entry({"tool": "read_file", "pattern": f"^{tmp_path}/home/other/"})])
    assert judge(allowed, "read_file", path=outside).verdict == "allow"
    scratch = str(tmp_path / "home/.local/ralph/scratch/long.txt")
    assert judge(rules(tmp_path), "read_file", path=scratch).verdict == "allow"


def test_a_link_that_leads_outside_is_outside(tmp_path: Path) -> None:
    policy = rules(tmp_path)
    (tmp_path / "work/link").symlink_to("../home")
    assert judge(policy, "read_file", path="link/notes").rule.name == "outside"
    assert judge(rules(tmp_path, allowlist=built_in()), "shell", command="cat link/notes").verdict == "ask"


@pytest.mark.parametrize(
    ("path", "verdict"),
    [("/etc/hosts", "allow"), ("/usr/include/stdio.h", "allow"), ("/proc/cpuinfo", "allow"), ("/tmp/a", "allow"),
     ("/opt/x/README", "allow"), ("/home/you/notes", "ask"), ("/Users/you/notes", "ask"), ("/mnt/disk/a", "ask"),
     ("/media/me/a", "ask"), ("/srv/a", "ask"), ("/etc/shadow", "ask"), ("~/notes", "ask"), ("../other", "allow"),
     ("../home/other", "ask"), ("~/.pyenv/versions/3.12.0/lib/a.py", "allow"), ("a", "allow"), ("/proc/1/cwd/a", "ask"),
     ("/home/you/v/lib/python3.12/site-packages/a.py", "allow"), ("/var/mail/me", "ask"), ("/run/user/1000/a", "ask")],
)  # fmt: skip
def test_a_file_tool_and_a_shipped_command_may_read_the_same(tmp_path: Path, path: str, verdict: str) -> None:
    (tmp_path / "home").mkdir()
    policy = rules(tmp_path, allowlist=built_in())
    command = judge(policy, "shell", command=f"cat {path}")
    if path != "/proc/1/cwd/a":  # a file tool cannot follow it at all
        assert judge(policy, "read_file", path=path).verdict == verdict
    if not path.startswith("~"):
        assert command.verdict == verdict
    own = rules(tmp_path, allowlist=[read_entry({"command": ["cat"]}, "settings")])
    assert judge(own, "shell", command=f"cat {path}").verdict == ("ask" if path == "/etc/shadow" else "allow")


@pytest.mark.parametrize(
    "command",
    ["ls ..", "ls -la ~", "ls /home/you", "realpath ../../x", "find /home/you -name x", "stat ../a", "du -sh .."],
)
def test_names_may_be_listed_anywhere(tmp_path: Path, command: str) -> None:
    (tmp_path / "home").mkdir()
    policy = rules(tmp_path, allowlist=built_in())
    assert judge(policy, "shell", command=command).verdict == "allow"
    assert judge(policy, "list_dir", path="/home/you").verdict == "allow"
    assert judge(policy, "search_files", path="/home/you", regex_pattern="x").verdict == "ask"
    assert judge(policy, "search_files", path="/etc", regex_pattern="x").verdict == "ask"


@pytest.mark.parametrize(
    "command",
    ["grep -r x /home/you", "rg x ..", "git diff /home/you/a b", "git -P diff ~/a b", "jq . /home/you/a.json",
     "wc /mnt/x", "tree --fromfile /home/you/a", "du --files0-from=/home/you/a", "diff a /home/you/b",
     "awk 1 /home/you/a", "sed -n p /home/you/a", "tar -tf /home/you/a.tar", "wc --files0-from=/home/you/a",
     "cat a /home/you/a"],
)  # fmt: skip
def test_what_is_in_other_peoples_files_is_asked_about(tmp_path: Path, command: str) -> None:
    work = tmp_path / "home/work"
    work.mkdir(parents=True)
    policy = Rules(cwd=str(work), home=str(tmp_path / "h"), tilde=str(tmp_path / "home"), allowlist=built_in())
    assert judge(policy, "shell", command=command).verdict == "ask"


@pytest.mark.parametrize(
    "path", ["~/.ssh/id_ed25519", "~/.aws/credentials", "/etc/shadow", "~/.netrc", "/proc/self/environ"]
)
def test_secrets_of_other_programs_always_ask(tmp_path: Path, path: str) -> None:
    policy = rules(tmp_path, allowlist=[read_entry({"tool": "read_file", "pattern": "."})])
    judgement = judge(policy, "read_file", path=path)
    assert (judgement.verdict, judgement.rule.name, judgement.remember) == ("ask", "sensitive", None)
    assert "secret" in {effect.kind for effect in judgement.effects}


@pytest.mark.parametrize(
    "path", [".git/config", ".git/hooks/pre-commit", "~/.bashrc", ".envrc", ".github/workflows/ci.yml",
             ".vscode/tasks.json", "sub/.husky/pre-push", ".GIT/Config"],
)  # fmt: skip
def test_files_that_run_later_always_ask_for_writing_only(tmp_path: Path, path: str) -> None:
    entries = [read_entry({"tool": tool, "pattern": "."}) for tool in ("write_file", "read_file")]
    policy = rules(tmp_path, allowlist=entries, categories={"file_write": "allow"})
    judgement = judge(policy, "write_file", path=path, content="x")
    assert (judgement.verdict, judgement.remember) == ("ask", None)
    assert judge(policy, "read_file", path=path).verdict == "allow"


def test_the_order_protected_before_yolo(tmp_path: Path) -> None:
    policy = rules(tmp_path, yolo=True)
    judgement = judge(policy, "write_file", path=".env", content="x")
    assert (judgement.verdict, judgement.error, judgement.extra["path"]) == ("deny", "protected_file", ".env")
    assert judge(policy, "write_file", path="a", content="x").verdict == "allow"
    assert judge(policy, "web_fetch", url="http://169.254.169.254/").verdict == "deny"


def test_deny_beats_an_allowlist_entry(tmp_path: Path) -> None:
    entry = read_entry({"tool": "write_file", "pattern": "^docs/"}, "ralph.config.json")
    asked = {"path": "docs/a.md", "content": ""}
    assert judge(rules(tmp_path, allowlist=[entry]), "write_file", **asked).verdict == "allow"
    policy = rules(tmp_path, allowlist=[entry], categories={"file_write": "deny"}, origins={"file_write": "settings"})
    judgement = judge(policy, "write_file", **asked)
    assert (judgement.verdict, judgement.error, judgement.rule.where) == ("deny", "operation_denied", "settings")
    assert "user" not in judgement.message


def test_an_entry_is_named_with_where_it_is_written(tmp_path: Path) -> None:
    policy = rules(tmp_path, allowlist=[read_flag(r"write_file:^\./src/")])
    judgement = judge(policy, "write_file", path="./src/a.py", content="x")
    assert (judgement.verdict, judgement.rule.name) == ("allow", "allowlist")
    assert judgement.rule.where == r"--allow write_file:^\./src/"


@pytest.mark.parametrize("path", ["./src/../etc/a.py", "./src/link/a.py", "./src/../../a.py"])
def test_a_path_that_leaves_does_not_match(tmp_path: Path, path: str) -> None:
    policy = rules(tmp_path, allowlist=[read_flag(r"write_file:^\./src/")])
    (tmp_path / "work/src").mkdir()
    (tmp_path / "work/src/link").symlink_to(tmp_path)
    assert judge(policy, "write_file", path=path, content="x").verdict == "ask"


def test_every_path_of_a_diff_must_match(tmp_path: Path) -> None:
    policy = rules(tmp_path, allowlist=[read_flag("apply_delta:^src/")])
    one = "--- a/src/a.py\n+++ b/src/a.py\n@@ -1 +1 @@\n-a\n+b\n"
    two = "--- a/lib/b.py\n+++ b/lib/b.py\n@@ -1 +1 @@\n-a\n+b\n"
    assert judge(policy, "apply_delta", path="src/a.py", diff=one).verdict == "allow"
    judgement = judge(policy, "apply_delta", path="src/a.py", diff=one + two)
    assert judgement.verdict == "ask"
    assert set(judgement.judged) == {"path", "src/a.py", "lib/b.py"}


def test_a_diff_that_touches_a_protected_file_is_denied(tmp_path: Path) -> None:
    diff = "--- /dev/null\n+++ b/.env\n@@ -0,0 +1 @@\n+KEY=1\n"
    assert judge(rules(tmp_path), "apply_delta", path=".", diff=diff).error == "protected_file"


def test_tools_without_a_match_argument_match_exact_arguments_only(tmp_path: Path) -> None:
    spec = ToolSpec("mcp_db_query", "", {}, "mcp", None, "mcp:db")
    asked = ToolCall("1", "mcp_db_query", {"sql": "select 1", "limit": 5})
    other = ToolCall("1", "mcp_db_query", {"sql": "drop table x", "limit": 5})
    row = {"tool": "mcp_db_query", "arguments": {"limit": 5, "sql": "select 1"}}
    exact = rules(tmp_path, allowlist=[read_entry(row)])
    assert exact.judge(asked, spec).verdict == "allow"
    assert exact.judge(other, spec).verdict == "ask"
    loose = rules(tmp_path, allowlist=[read_entry({"tool": "mcp_db_query", "pattern": "select"})])
    assert loose.judge(asked, spec).verdict == "ask"


def test_mcp_tools_can_be_allowed_by_name(tmp_path: Path) -> None:
    policy = rules(tmp_path, allowlist=[read_entry({"tool": "mcp_docs_*"})])
    assert judge(policy, "mcp_docs_search", query="x").verdict == "allow"
    assert judge(policy, "mcp_docsx_search", query="x").verdict == "ask"
    assert judge(policy, "mcp_docs_read", path=".env").verdict == "deny"


def test_refusals_slow_the_tool_down_and_silence_does_not_count(tmp_path: Path) -> None:
    clock = Clock()
    policy = rules(tmp_path, now=clock)
    for _ in range(9):
        answer(policy, Answer(False, by="no terminal", error="non_interactive_gate"), "web_fetch", url="https://x.io/")
        answer(policy, Answer(False, stop=True), "web_fetch", url="https://x.io/")
    assert judge(policy, "web_fetch", url="https://x.io/").verdict == "ask"
    for _ in range(3):
        answer(policy, Answer(False), "web_fetch", url="https://x.io/")
    judgement = judge(policy, "web_fetch", url="https://x.io/")
    assert (judgement.verdict, judgement.error, judgement.extra["retry_after"]) == ("deny", "rate_limited", 5)
    clock.at += 5
    assert judge(policy, "web_fetch", url="https://x.io/").verdict == "ask"


def test_always_is_remembered_until_revoked(tmp_path: Path) -> None:
    policy = rules(tmp_path)
    asked = {"path": "docs/a.md", "content": ""}
    remember = judge(policy, "write_file", **asked).remember
    answer(policy, Answer(True, remember=remember), "write_file", **asked)
    judgement = judge(policy, "write_file", path="docs/b.md", content="")
    assert (judgement.verdict, judgement.rule.name, judgement.rule.where) == ("allow", "grant", "grant 1")
    assert policy.inherited().judge(call("write_file", **asked), stand_in("write_file", asked)).verdict == "ask"
    assert policy.grants.revoke(1)
    assert judge(policy, "write_file", **asked).verdict == "ask"


def test_a_grant_for_some_uses_ends(tmp_path: Path) -> None:
    policy = rules(tmp_path)
    asked = {"path": "docs/a.md", "content": ""}
    remember = {**(judge(policy, "write_file", **asked).remember or {}), "uses": 2}
    answer(policy, Answer(True, remember=remember), "write_file", **asked)
    assert [judge(policy, "write_file", **asked).verdict for _ in range(3)] == ["allow", "allow", "ask"]


def test_refresh_follows_the_path_again(tmp_path: Path) -> None:
    policy = rules(tmp_path)
    work = tmp_path / "work"
    (work / "a").write_text("x")
    asked = call("write_file", path="a", content="y")
    spec = stand_in("write_file", asked.args)
    judgement = policy.judge(asked, spec)
    os.replace(work / "a", work / "b")
    (work / "a").write_text("another file under the same name")
    fresh = policy.refresh(judgement, asked, spec)
    assert fresh is not None
    found = (work / "a").stat()
    assert fresh.judged["path"].inode == (found.st_dev, found.st_ino)
    (work / "a").unlink()
    (work / "a").symlink_to("b")
    assert policy.refresh(judgement, asked, spec) is None
    (work / "a").unlink()
    os.link(_env(work), work / "a")
    assert policy.refresh(judgement, asked, spec) is None


def _env(work: Path) -> Path:
    (work / ".env").write_text("KEY=1")
    return work / ".env"


@pytest.mark.parametrize("url", ["http://user@x.io/", "file:///etc/passwd", "http://0xa9fea9fe/"])
def test_urls_nobody_may_allow(tmp_path: Path, url: str) -> None:
    anything = read_entry({"tool": "web_fetch", "pattern": "."})
    policy = rules(tmp_path, categories={"network": "allow"}, allowlist=[anything])
    assert judge(policy, "web_fetch", url=url).verdict == "deny"


def test_local_addresses_ask_even_where_the_network_is_allowed(tmp_path: Path) -> None:
    policy = rules(tmp_path, categories={"network": "allow"})
    assert judge(policy, "web_fetch", url="https://example.com/").verdict == "allow"
    assert judge(policy, "web_fetch", url="http://localhost:3000/").verdict == "ask"


def test_a_path_that_cannot_be_followed_is_refused(tmp_path: Path) -> None:
    policy = rules(tmp_path)
    (tmp_path / "work/loop").symlink_to("loop")
    judgement = judge(policy, "read_file", path="loop")
    assert (judgement.verdict, judgement.error) == ("deny", "invalid_arguments")


def test_headless_refusals_say_which_flag_would_help(tmp_path: Path) -> None:
    judgement = judge(rules(tmp_path, attended=False), "write_file", path="a", content="")
    assert "--allow-category=file_write" in judgement.extra["suggestion"]
    always = judge(rules(tmp_path, attended=False), "write_file", path=".git/hooks/pre-commit", content="")
    assert "--allow" not in always.extra["suggestion"]
    outside = judge(rules(tmp_path, attended=False), "read_file", path="/srv/notes")
    assert '--allow "read_file:' in outside.extra["suggestion"]


def test_the_built_in_entries_are_for_reading(tmp_path: Path) -> None:
    assert Entry("shell", "built in", ("git", "status"), shell="posix") in built_in()
    assert {entry.tool for entry in built_in()} == {"shell"}


@pytest.mark.parametrize("command", ["cat *.txt", "head -1 notes.*", "wc -l ./n*", "awk 1 *.txt", "tac n[o]tes.txt"])
def test_a_pattern_that_fits_a_link_to_elsewhere_asks(tmp_path: Path, command: str) -> None:
    policy = rules(tmp_path, allowlist=built_in())
    (tmp_path / "home").mkdir()
    (tmp_path / "work/notes.txt").touch()
    assert judge(policy, "shell", command=command).verdict == "allow"
    (tmp_path / "work/notes.txt").unlink()
    (tmp_path / "work/notes.txt").symlink_to(tmp_path / "home/diary")
    assert judge(policy, "shell", command=command).verdict == "ask"
    (tmp_path / "work/notes.txt").unlink()
    (tmp_path / "work/notes.txt").symlink_to("/home/you/.ssh/id_rsa")
    own = rules(tmp_path, allowlist=[read_entry({"command": [command.split(maxsplit=1)[0]]}, "settings")])
    assert judge(own, "shell", command=command).rule.name == "sensitive"


@pytest.fixture
def tools(tmp_path):
    """A directory of programs outside the workspace, and one inside."""
    for folder in (tmp_path / "bin", tmp_path / "work" / "bin"):
        folder.mkdir(parents=True)
        for name in ("ps", "ss", "cat"):
            (folder / name).write_text("#!/bin/sh\n")
            (folder / name).chmod(0o755)
    return tmp_path / "bin"


def shown_by(tmp_path, command, path, *, confine=False):
    rules = Rules(cwd=str(tmp_path / "work"), home=str(tmp_path / "home"), allowlist=built_in(), confine=confine,
                  path=str(path))  # fmt: skip
    judgement = rules.judge(ToolCall("c1", "shell", {"command": command}), stand_in("shell"))
    assert judgement.verdict == "allow"
    return judgement.confined, judgement.argv


def test_what_only_shows_the_machine_is_not_shown_a_sandbox_instead(tmp_path, tools):
    for name, rest in (("ps", "aux"), ("ss", "-tln")):
        assert shown_by(tmp_path, f"{name} {rest}", tools) == (False, (str(tools / name), rest))
    assert shown_by(tmp_path, "cat a", tools) == (True, ("cat", "a"))
    assert shown_by(tmp_path, "ps aux", tools, confine=True) == (True, ("ps", "aux"))


def test_a_program_that_a_child_of_the_sandbox_could_have_made_stays_inside(tmp_path, tools):
    """As in an activated environment that lies in the workspace."""
    inside = tmp_path / "work" / "bin"
    assert shown_by(tmp_path, "ps aux", f"{inside}:{tools}") == (True, ("ps", "aux"))
    assert shown_by(tmp_path, "ps aux", tmp_path / "none") == (True, ("ps", "aux"))
    link = tmp_path / "links"
    link.mkdir()
    (link / "ps").symlink_to(inside / "ps")
    assert shown_by(tmp_path, "ps aux", link) == (True, ("ps", "aux"))
