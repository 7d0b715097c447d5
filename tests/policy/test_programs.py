"""The table of programs: every line of it is well formed, and words are read against it as programs read them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from ralph.policy import kinds
from ralph.policy.programs import _line, judge
from ralph.policy.tables import table

_EFFECTS = {"reads", "writes", "deletes", "executes", "contacts", "secret", "history", "unknown"}
_MARKS = {"@single", "@bundle", "@rest", "@loose", "@nodash", "@some", "@has", "@lists", "@saves", "@views"}
_CODED = {"text", "read", "ref", "write", "into", "delete", "chosen", "near", "script", "less", "tree"}


def _lines(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(node, str):
        yield path, node
    else:
        for name, inner in node.items():
            yield from _lines(inner, f"{path} {name}")


def _wrong(text: str) -> Iterator[str]:
    line = _line(text)
    known = _CODED | set(kinds.FIXED) | set(kinds._NEVER) | set(kinds._SCRIPTS) | set(table()["kinds"])
    yield from line.marks - _MARKS
    yield from {kind.rstrip("*?") for kind in line.operands} - known
    valued = [spec[1:] for spec in line.options.values() if spec[:1] in (":", "?")]
    yield from {kind for spec in valued for kind in spec.split(",")} - known
    yield from {spec[1:] for spec in line.options.values() if spec[:1] == "!"} - _EFFECTS
    yield from {line.work.lstrip("!") or "reads", line.never or "reads"} - _EFFECTS
    yield from (name for name in line.options if not re.fullmatch(r"--?[\w#+.@~?~1X-]+|\+[A-Z]\d?", name))


def test_every_line_is_well_formed() -> None:
    lines = ((path, text) for path, text in _lines(table()["programs"]) if text[:1] != "=")
    wrong = {path: found for path, text in lines if (found := [*_wrong(text)])}
    assert wrong == {}


def test_every_reference_leads_to_a_line() -> None:
    programs = table()["programs"]
    for path, text in _lines(programs):
        if text[:1] == "=":
            words = path.split()
            if len(words) == 1 or text.startswith("=//"):
                assert text.lstrip("=/") in programs, path
            else:
                assert judge((*words, "--version")).tabled, path


def test_every_pattern_compiles() -> None:
    for pattern in table()["kinds"].values():
        re.compile(pattern)


@pytest.mark.parametrize(
    ("command", "effects"),
    [
        ("sort -u -ofile names", {"writes", "reads"}),
        ("sort --output=file", {"writes"}),
        ("sort --output file", {"writes"}),
        ("sort -- -o file", {"reads"}),
        ("grep -rnf patterns src", {"reads"}),
        ("head -20 a", {"reads"}),
        ("tar xzf a.tgz", {"fills", "writes"}),
        ("git log -n5 --oneline", set()),
        ("python3.12 -c x", {"executes"}),
        ("/usr/bin/git status", set()),
        ("git --no-pager log --outpu=x", {"unknown"}),
        ("ls --no-such-option", {"unknown"}),
        ("git no-such-command", {"unknown"}),
        ("find . -name a -delete", {"reads", "deletes"}),
    ],
)
def test_options_are_read_in_every_spelling(command: str, effects: set[str]) -> None:
    reading = judge(tuple(command.split()))
    assert reading.tabled
    found = {finding.kind for finding in reading.findings} | ({reading.work} if reading.work == "writes" else set())
    assert found == effects


@pytest.mark.parametrize(
    ("text", "targets"),
    [("make -j4 lint V=1 deploy", [2, 4]), ("make", []), ("mvn -q test install", [2, 3]), ("tox -e a -e b", [2, 4]),
     ("nox --session=a -s b", [1, 3]), ("git status a", [])],
)  # fmt: skip
def test_pieces_of_work_are_told_from_options_and_settings(text: str, targets: list[int]) -> None:
    assert judge(tuple(text.split())).targets == targets


@pytest.mark.parametrize(
    ("text", "objects"),
    [("tar tfz a.tgz", False), ("tar xfz a.tgz", False), ("tar tfI a.tar ./x", True),
     ("tar xIf ./x a.tar", True), ("tar tf host:a.tar", True), ("tar -tf a.tar", False)],
)  # fmt: skip
def test_a_bundle_without_a_dash_takes_its_values_in_order(text: str, *, objects: bool) -> None:
    assert any(finding.why for finding in judge(tuple(text.split())).findings) is objects


def test_a_listing_option_makes_reading_of_writing() -> None:
    assert [f.kind for f in judge(("tar", "-tf", "a.tar")).findings] == ["reads"]
    assert judge(("tar", "-tf", "a.tar")).work == ""
    assert judge(("tar", "-xf", "a.tar")).work == "writes"
    assert judge(("tar", "-t", "-x", "-f", "a.tar")).work == "writes"
