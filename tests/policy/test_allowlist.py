from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ralph.core.messages import ToolCall
from ralph.errors import ConfigError
from ralph.policy.allowlist import Entry, built_in, read_entry, read_flag, why_not
from ralph.policy.categories import stand_in
from ralph.policy.effects import may_auto, report
from ralph.policy.facts import Facts, Places, gather
from ralph.policy.rules import Rules


@pytest.mark.parametrize(
    "row",
    [{"tool": "shell", "command": ["git", "status"]}, {"tool": "shell", "pattern": ["git", "status"]},
     {"command": ["git", "status"]}, {"tool": "anything", "command": ["git", "status"]}],
)  # fmt: skip
def test_both_spellings_of_a_shell_entry(row: dict[str, Any]) -> None:
    entry = read_entry(row, "here")
    assert (entry.tool, entry.words, entry.where) == ("shell", ("git", "status"), "here")


@pytest.mark.parametrize(
    ("name", "shell"), [("bash", "posix"), ("ZSH", "posix"), ("pwsh", "powershell"), ("cmd.exe", "cmd")]
)
def test_shell_types(name: str, shell: str) -> None:
    assert read_entry({"tool": "shell", "command": ["ls"], "shell": name}).shell == shell


def test_flags_split_at_the_first_colon() -> None:
    assert read_flag("shell:git,status").words == ("git", "status")
    assert read_flag("web_fetch:^https://x.io/").pattern == "^https://x.io/"
    assert read_flag("shell:git,status").where == "--allow shell:git,status"


@pytest.mark.parametrize("spec", ["shell", "shell:", ":x", "", "write_file:(", "shell:git,,status"])
def test_bad_flags(spec: str) -> None:
    with pytest.raises(ConfigError):
        read_flag(spec)


@pytest.mark.parametrize(
    "row",
    [{}, {"tool": "write_file"}, {"tool": "write_file", "pattern": "("}, {"tool": "shell", "pattern": "^git"},
     {"tool": "shell", "command": []}, {"tool": "shell", "command": ["a", 1]}, {"tool": 3, "pattern": "x"},
     {"tool": "a", "patern": "x"}, {"tool": "shell", "command": ["ls"], "shell": "elvish"}],
)  # fmt: skip
def test_bad_rows_are_errors_that_name_their_place(row: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"settings\.json"):
        read_entry(row, "settings.json")


def test_an_entry_is_shown_as_a_flag_would_spell_it() -> None:
    for spec in ("shell:git,status", r"write_file:^\./src/"):
        assert read_flag(spec).text == spec


def test_built_in_entries_name_no_program_that_runs_others() -> None:
    programs = {entry.words[0] for entry in built_in() if entry.words[1:] != ("--version",)}
    assert not programs & {"env", "xargs", "sudo", "bash", "sh", "nohup", "curl", "rm", "time", "man"}
    assert all(entry.where == "built in" for entry in built_in())


def shell_facts(command: str) -> Facts:
    spec = stand_in("shell")
    return gather(ToolCall("1", "shell", {"command": command}), spec, Places("/tmp", "/tmp", "/nowhere/h", "/nowhere"))


@pytest.mark.parametrize("entry", built_in(), ids=lambda entry: " ".join(entry.words))
def test_every_built_in_entry_fires_for_its_own_words(entry: Entry) -> None:
    assert why_not(entry, shell_facts(" ".join(entry.words))) == ""


@pytest.mark.parametrize(
    "command",
    ["uniq a b", "xxd a b", "python --version x.py", "git tag v1", "git tag -l -d v1", "gcc --version a.c -o b",
     "find . -delete", "sort -o a b", "tree -o x", "fd -x rm", "rg --pre sh x", "hostname evil", "date -s now",
     "git branch -D x", "git diff --output=x", "git remote add a b", "ps e", "jq -n env", "sed -n 'w x' a",
     "go env -w A=b", "docker ps; rm x", "git reflog expire --all", "printenv", "env", "man ls"],
)  # fmt: skip
def test_no_built_in_entry_covers_more_than_reading(command: str) -> None:
    facts = shell_facts(command)
    assert [entry.text for entry in built_in() if not why_not(entry, facts)] == []


@pytest.mark.parametrize(
    ("words", "reads", "changes"),
    [
        ("uniq", "uniq -c a", "uniq a b"),
        ("xxd", "xxd -l 9 a", "xxd a b"),
        ("git tag", "git tag --contains HEAD", "git tag v1"),
        ("git branch", "git branch --merged main", "git branch new"),
        ("git shortlog", "git shortlog -sn", "git shortlog --output=x"),
        ("awk", "awk '/a/ {print \"x\"}' f", "awk '/\"/ {system(\"id\")} /\"/' f"),
        ("awk", "awk 'BEGIN { x = 6 / 2; print x }'", "awk 'BEGIN { if (1) /\"/; system(\"id\"); /\"/ }'"),
        ("awk", "awk '$1 ~ /[0-9]+/' f", "awk 'BEGIN { x = 1 \\\n/ system(\"id\") / 1 }'"),
    ],
)
def test_an_entry_for_what_reads_does_not_cover_its_changes(words: str, reads: str, changes: str) -> None:
    entry = tuple(words.split())
    assert may_auto(report(reads), entry) == ""
    assert may_auto(report(changes), entry) != ""


@pytest.mark.parametrize("command", ["git branch new", "git tag v1", "uniq a b", "git --no-pager log --output=x"])
def test_no_built_in_entry_covers_a_change(tmp_path: Path, command: str) -> None:
    policy = Rules(cwd=str(tmp_path), home=str(tmp_path / "h"), allowlist=built_in())
    assert policy.judge(ToolCall("1", "shell", {"command": command}), stand_in("shell")).verdict == "ask"
