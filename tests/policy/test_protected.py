from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ralph.core.messages import ToolCall
from ralph.policy.allowlist import read_entry
from ralph.policy.categories import stand_in
from ralph.policy.corpus import Case, read_cases, run_cases
from ralph.policy.paths import follow
from ralph.policy.protected import Protected, fold, protected_name
from ralph.policy.rules import Rules

CASES = Path(__file__).with_name("data") / "protected.jsonl"


def cases() -> tuple[Case, ...]:
    return read_cases(CASES.read_text(encoding="utf-8"), CASES.name)


@pytest.mark.parametrize("expect", ["deny", "ok"])
def test_the_corpus_has_no_miss_and_no_false_alarm(expect: str) -> None:
    chosen = [case for case in cases() if case.row["expect"] == expect]
    assert len(chosen) > 150
    wrong = [f"{one.id}: {one.rule}" for one in run_cases(chosen) if not one.passed and not one.skipped]
    assert wrong == []


def test_every_denial_of_the_corpus_also_holds_when_everything_is_allowed(tmp_path: Path) -> None:
    chosen = [case for case in cases() if case.row["expect"] == "deny" and case.row.get("setup") == _plain_setup()]
    assert len(chosen) > 100
    work = tmp_path / "w"
    work.mkdir()
    (work / ".env").write_text("KEY=secret\n")
    allowing = {name: "allow" for name in ("shell", "file_write", "file_read", "python", "mcp", "memory", "network")}
    policy = Rules(cwd=str(work), home=str(tmp_path / "h"), tilde=str(tmp_path), yolo=True, categories=allowing)
    for case in chosen:
        args = _filled(case.row["args"], str(tmp_path))
        judgement = policy.judge(ToolCall(case.id, case.row["tool"], args), stand_in(case.row["tool"], args))
        assert judgement.verdict == "deny", case.id


def _plain_setup() -> list[dict[str, str]]:
    return [{"dir": "w"}, {"file": "w/.env", "content": "KEY=secret\n"}]


def _filled(args: dict[str, object], root: str) -> dict[str, object]:
    return {name: value.replace("{TMP}", root) if isinstance(value, str) else value for name, value in args.items()}


def test_the_error_is_named_and_nothing_is_offered_to_remember(tmp_path: Path) -> None:
    anything = read_entry({"tool": "read_file", "pattern": "."})
    policy = Rules(cwd=str(tmp_path), home=str(tmp_path / "h"), allowlist=[anything])
    judgement = policy.judge(ToolCall("1", "read_file", {"path": ".env"}), stand_in("read_file"))
    assert (judgement.error, judgement.remember) == ("protected_file", None)


def protected(tmp_path: Path) -> Protected:
    return Protected(str(tmp_path / "home"), str(tmp_path / "work"))


def test_a_workspace_inside_ralphs_home_keeps_its_own_files(tmp_path: Path) -> None:
    guard = Protected(str(tmp_path), str(tmp_path / "work"))
    assert guard.named(str(tmp_path / "work/a.py")) == ""
    for name in ("trust.json", "tools/x.py", "audit/1.jsonl", "ralph.db", "ralph.db-wal", "memory.idx", "sessions/a"):
        assert guard.named(str(tmp_path / name)), name


def test_a_home_reached_through_a_link_is_the_same_home(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "home").symlink_to("real")
    assert protected(tmp_path).named(str(tmp_path / "real/trust.json"))
    assert protected(tmp_path).named(str(tmp_path / "home/trust.json"))


def test_a_hard_link_made_after_the_scan_is_found(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    moment = [0.0]
    guard = Protected(str(tmp_path / "home"), str(work), now=lambda: moment[0])
    (work / "a").write_text("x")
    os.link(work / "a", work / "b")
    assert guard.why(follow("b", str(work))) == ""
    (work / ".env").write_text("KEY=1")
    os.link(work / ".env", work / "c")
    moment[0] += 1
    assert "hard link" in guard.why(follow("c", str(work)))


def test_what_is_inside_a_directory_is_known(tmp_path: Path) -> None:
    guard = protected(tmp_path)
    (tmp_path / "work/app").mkdir(parents=True)
    assert guard.holds(str(tmp_path / "work/app")) == ""
    (tmp_path / "work/app/.env.local").write_text("x")
    assert guard.holds(str(tmp_path / "work/app")) == str(tmp_path / "work/app/.env.local")
    assert guard.holds(str(tmp_path)) == str(tmp_path / "home")


_MARKS = st.sampled_from(["\u200b", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u034f", "\ufe0f", "\U000e0041", "\u202e"])


_TAILS = st.sampled_from(["", ".", " ", ". ", "..", "::$DATA"])


@given(st.lists(_MARKS, max_size=4), st.integers(0, 4), _TAILS, st.data())
def test_no_disguise_of_a_name_gets_through(marks: list[str], at: int, tail: str, data: st.DataObject) -> None:
    letters = [data.draw(st.sampled_from(_spellings(letter))) for letter in ".env"]
    name = "".join([*letters[:at], *marks, *letters[at:]]) + tail
    assert protected_name(fold(name)), ascii(name)


def _spellings(letter: str) -> list[str]:
    wide = chr(ord(letter) + 0xFEE0)
    return [letter, wide] if letter == "." else [letter, letter.upper(), wide, chr(ord(letter.upper()) + 0xFEE0)]


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=12))
def test_folding_is_stable(name: str) -> None:
    assert fold(fold(name)) == fold(name)


@pytest.mark.parametrize(
    "name", [".env.example", ".ENV.Sample", ".env.template", ".envrc", "env", ".environment", "a.env"]
)
def test_names_that_only_look_like_it(name: str) -> None:
    assert protected_name(fold(name)) == ""
