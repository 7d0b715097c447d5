"""The second reader: its kept tables are those it would make itself, and no text makes it stumble or hang."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from ralph.policy import bash


def test_the_kept_tables_are_what_bashlex_makes() -> None:
    program = "import json; from ralph.policy.bash import tables; print(json.dumps(tables()))"
    made = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    kept = json.loads(bash._TABLES.read_text(encoding="utf-8"))
    assert kept == json.loads(made.stdout), "python -m ralph.policy.bash makes them again"


def test_words_are_those_of_one_plain_command() -> None:
    assert bash.words("ls -l 'a b'") == [("ls", "ls"), ("-l", "-l"), ("'a b'", "a b")]
    for text in ("a; b", "a | b", "a > b", "A=b c", "(a)", "a &", "if a; then b; fi", "time a", "a 'b", ""):
        assert bash.words(text) is None


def test_commands_are_found_at_any_depth() -> None:
    found = bash.commands("a | b \"$(c d)\"; for x in 1; do e; done; if f; then g; fi; (h); i() { j; }")
    assert {words[0] for words in found} == set("abcefghj")


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text", ["echo a'${'", "echo ${", 'echo "${"', "$(", "`", "<<", "a <<E", "$((", "x=(", "case", "é'", "a)"]
)
def test_texts_that_bashlex_stumbles_over_are_not_read(text: str) -> None:
    assert bash.words(text) is None
    bash.commands(text)
