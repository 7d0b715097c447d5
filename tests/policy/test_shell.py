"""Parsing shell commands: one plain command, or the commands inside it."""

from __future__ import annotations

from ralph.policy.shell import parse


def test_a_plain_command_is_its_words() -> None:
    command = parse("git log --format='%h %s' -n 5")
    assert command.plain == ("git", "log", "--format=%h %s", "-n", "5")
    assert command.trouble == ""


def test_what_a_shell_would_make_more_of_is_not_plain() -> None:
    for text in ("ls; rm x", "ls $HOME", 'echo "$(id)"', "ls\nrm x", "A=b ls", "ls > f", "a{b,c}", "ls #x", "if x", ""):
        command = parse(text)
        assert command.plain is None, text
        assert command.trouble, text


def test_commands_are_found_inside_commands() -> None:
    cases = {
        "ls && rm -rf x": "rm -rf x",
        'echo "$(rm -rf x)"': "rm -rf x",
        "echo ${x:-$(rm y)}": "rm y",
        "sudo -u root env A=b nice -n 5 rm z": "rm z",
        "sh -c 'cd a && rm b'": "rm b",
        "find . -name x -exec rm {} +": "rm {}",
        "cat <<E\n$(rm here)\nE\n": "rm here",
        "r\\m${IFS}-rf${IFS}/": "rm -rf /",
        "$'\\x72m' x": "rm x",
        "a='rm -rf'; $a /": "rm -rf /",
        "{rm,-rf,/}": "rm -rf /",
        "ls | xargs -n 1 rm -f": "rm -f",
        "case x in a) rm q;; esac": "rm q",
    }
    for text, inner in cases.items():
        assert inner in [" ".join(simple.argv) for simple in parse(text).simples], text
