"""What commands do, and which run unasked: the corpus, and the facts shown to a person."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from ralph.core.gate import Effect
from ralph.policy.effects import may_auto, report

_ROWS = [json.loads(line) for line in (Path(__file__).parent / "data" / "shell.jsonl").read_text().splitlines()]


def _verdict(command: str, allow: list[list[str]], cwd: Path) -> str:
    facts = report(command, str(cwd))
    return "auto" if any(may_auto(facts, tuple(entry)) == "" for entry in allow) else "prompt"


def test_the_corpus_is_large_enough_to_mean_something() -> None:
    kinds = [row["id"].partition("-")[0] for row in _ROWS]
    assert kinds.count("daily") >= 300
    assert kinds.count("syntax") >= 120
    assert kinds.count("argument") >= 200
    assert len({row["id"] for row in _ROWS}) == len(_ROWS)


def test_every_row_of_the_corpus_is_judged_as_expected(tmp_path: Path) -> None:
    wrong = [
        (row["id"], row["command"]) for row in _ROWS
        if _verdict(row["command"], row["allow"], tmp_path) != row["expect"]
    ]  # fmt: skip
    assert wrong == []


def test_nothing_runs_unasked_without_an_entry_for_it() -> None:
    for row in _ROWS:
        assert may_auto(report(row["command"]), ()) != ""
        assert may_auto(report(row["command"]), ("another-program",)) != ""


@pytest.mark.parametrize(
    ("command", "effects"),
    [
        ("cat a b", {Effect("reads", "a"), Effect("reads", "b")}),
        ("cat < in > out", {Effect("reads", "in"), Effect("writes", "out"), Effect("reads", ".")}),
        ("ls && rm x", {Effect("reads", "."), Effect("deletes", "x")}),
        ("rm -rf build", {Effect("deletes", "build")}),
        ("cp a -t d", {Effect("reads", "a"), Effect("writes", "d")}),
        ("ls | tee x", {Effect("reads", "."), Effect("writes", "x")}),
        ("git stash", {Effect("writes", "git stash")}),
        ("sort -o x y", {Effect("writes", "x"), Effect("reads", "y")}),
        ("npm test", {Effect("executes", "npm test")}),
        ("curl https://a.example/x", {Effect("contacts", "https://a.example/x"), Effect("contacts", "curl")}),
        ("unheard-of x", {Effect("executes", "unheard-of"), Effect("unknown", "unheard-of")}),
        ("cat ~/.ssh/id_rsa", {Effect("reads", "~/.ssh/id_rsa"), Effect("secret", "~/.ssh/id_rsa")}),
        ("$x y", {Effect("unknown", "$x")}),
    ],
)
def test_effects(command: str, effects: set[Effect]) -> None:
    assert set(report(command).effects) == effects


def test_only_reading_is_certain() -> None:
    assert report("grep -rn 'a|b' src").certain
    assert report("git log -5").certain
    for command in ("npm test", "mkdir x", "ls; ls", "ls $x", "sudo ls", "sort -o a b", "cat .env", "rm x"):
        facts = report(command)
        assert not facts.certain, command
        assert facts.reasons, command


def test_globs_become_the_names_that_are_there(tmp_path: Path) -> None:
    for name in ("a.py", "b.py", ".hidden.py", "c.txt"):
        (tmp_path / name).touch()
    facts = report("wc -l *.py 'x*'", str(tmp_path))
    assert facts.command.plain == ("wc", "-l", "a.py", "b.py", "x*")
    assert may_auto(facts, ("wc",)) == ""
    assert report("ls *.nothing", str(tmp_path)).command.plain == ("ls", "*.nothing")


def test_a_file_name_that_looks_like_an_option_is_not_slipped_in(tmp_path: Path) -> None:
    (tmp_path / "-rf").touch()
    facts = report("ls *", str(tmp_path))
    assert facts.command.plain is None
    assert "option" in may_auto(facts, ("ls",))


def test_a_glob_that_fits_a_secret_asks(tmp_path: Path) -> None:
    (tmp_path / "server.key").touch()
    assert may_auto(report("cat s*.key", str(tmp_path)), ("cat",)) != ""


def test_every_word_that_may_be_a_path_is_reported() -> None:
    paths = report("x --config=a/b -fC d:e @f > g < h; cat \"$(cat i)\" {j,k}").paths
    assert {"a/b", "C", "e", "f", "g", "h", "i", "j", "k"} <= set(paths)


def test_the_words_an_entry_spells_out_are_the_persons_own() -> None:
    assert may_auto(report("bash scripts/test.sh"), ("bash",)) != ""
    assert may_auto(report("bash scripts/test.sh"), ("bash", "scripts/test.sh")) == ""
    assert may_auto(report("git push"), ("git",)) != ""
    assert may_auto(report("git push"), ("git", "push")) == ""
    assert may_auto(report("sudo ls"), ("sudo", "ls")) != ""
    assert may_auto(report("rm -rf x"), ("rm", "-rf", "x")) != ""


def test_long_and_deep_texts_are_judged_in_reasonable_time() -> None:
    started = time.perf_counter()
    for text in ("ls " + "a" * 70_000, "ls " + "a " * 30_000, "(" * 20_000, "$(" * 5_000, "`" * 9_001, "a;" * 30_000,
                 '"' * 60_001, "sudo " * 10_000, "{a," * 10_000,
                 "<<E " * 3_000, "sh -c " * 5_000, "x=y " * 10_000):  # fmt: skip
        assert may_auto(report(text), ("ls",)) != "" or text.startswith("ls a a")
    assert time.perf_counter() - started < 30


def test_a_typical_judgement_costs_less_than_two_milliseconds() -> None:
    started = time.process_time()
    for row in _ROWS:
        for entry in row["allow"]:
            may_auto(report(row["command"], "/nowhere"), tuple(entry))
    assert (time.process_time() - started) / len(_ROWS) < 0.002


@pytest.mark.parametrize(
    ("text", "entry", "allowed"),
    [("make lint deploy", "make", True), ("make lint deploy", "make lint", False),
     ("make lint deploy", "make lint deploy", True), ("make -s lint", "make -s", True),
     ("make lint V=1", "make lint", True)],
)  # fmt: skip
def test_an_entry_that_names_a_target_covers_no_other(text: str, entry: str, allowed: bool) -> None:
    assert (may_auto(report(text, shell="posix"), tuple(entry.split())) == "") is allowed
