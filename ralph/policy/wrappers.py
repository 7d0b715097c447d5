"""Open the commands inside a command: what `sudo`, `xargs`, `sh -c`, `find -exec` and their kind would run.

The table `wrappers` of programs.json says, per wrapper, which of its options take a value (`-n:`), which value is
shell text (`-c:sh`), how many operands come before the command (`+1`), whether `NAME=value` operands do (`=`), and
whether the rest is joined into shell text (`join`). A two-word key (`docker exec`) is a program and its sub-command.
"""

from __future__ import annotations

import re
from functools import cache

from ralph.policy.scan import Word
from ralph.policy.tables import table

SHELLS = frozenset(
    {"sh", "bash", "dash", "zsh", "ksh", "ash", "mksh", "rbash", "fish", "csh", "tcsh", "yash", "posh"}
)

Inner = tuple[Word, ...] | str  # words run directly, or text a shell will read


def name_of(word: str) -> str:
    """`/usr/bin/rm` and `rm` are the same program to a reader; `./rm` is somebody's own."""
    return word.rsplit("/", 1)[-1] if word[:1] == "/" or "bin/" in word else word


def is_wrapper(words: tuple[str, ...]) -> bool:
    """Whether this program's work is to run another one (or text as a program)."""
    name = name_of(words[0]) if words else ""
    return name in SHELLS or name in ("eval", "source", ".", "trap", "fd", "fdfind") or _spec(words)[0] > 0


def inside(words: tuple[Word, ...], stdin: str = "") -> list[Inner]:
    """What this command would run, one level down."""
    argv = tuple(word.text for word in words)
    if not argv:
        return []
    name = name_of(argv[0])
    if name in SHELLS:
        return _shell(argv, stdin)
    if name == "command" and argv[1:2] in (("-v",), ("-V",)):
        return []  # only says what it would be
    if name == "eval":
        return [" ".join(argv[1:])]
    if name == "trap":
        return [argv[1]] if len(argv) > 2 else []
    if name == "alias":
        return [word.partition("=")[2] for word in argv[1:]]
    if name in ("find", "gfind"):
        return _find(words, ("-exec", "-execdir", "-ok", "-okdir"))
    if name in ("fd", "fdfind"):
        return _find(words, ("-x", "-X", "--exec", "--exec-batch"))
    depth, spec = _spec(argv)
    return _wrapped(words, depth, spec) if depth else []


def _spec(argv: tuple[str, ...]) -> tuple[int, str]:
    """How many words name the wrapper, and its line in the table."""
    wrappers = table()["wrappers"]
    name = name_of(argv[0]) if argv else ""
    for depth in (3, 2, 1):
        key = " ".join((name, *argv[1:depth]))
        if len(argv) >= depth and key in wrappers:
            spec = str(wrappers[key])
            return depth, str(wrappers[spec[1:]]) if spec[:1] == "=" and spec != "=" else spec
    return 0, ""


def _shell(argv: tuple[str, ...], stdin: str) -> list[Inner]:
    at = 1
    while at < len(argv) and argv[at][:1] in ("-", "+") and argv[at] not in ("-", "--"):
        option = argv[at]
        if re.fullmatch(r"-[A-Za-z]*c[A-Za-z]*", option) or option == "--command":
            return [argv[at + 1]] if at + 1 < len(argv) else []
        at += 2 if re.fullmatch(r"[-+][A-Za-z]*[oO]|--(rcfile|init-file)", option) else 1
    return [stdin] if stdin else []


def _find(words: tuple[Word, ...], starts: tuple[str, ...]) -> list[Inner]:
    found: list[Inner] = []
    at = 0
    while at < len(words):
        at += 1
        if words[at - 1].text in starts:
            end = at
            while end < len(words) and words[end].text not in (";", "+"):
                end += 1
            found.append(words[at:end])
            at = end
    return found


@cache
def _options(spec: str) -> dict[str, str]:
    """Option -> what its value is; an option that is not here is a flag."""
    return {word.partition(":")[0]: word.partition(":")[2] for word in spec.split() if word[0] == "-"}


def _wrapped(words: tuple[Word, ...], depth: int, spec: str) -> list[Inner]:
    valued, found = _options(spec), []
    skip = int(match[1]) if (match := re.search(r"\+(\d)", spec)) else 0
    at = depth
    while at < len(words):
        option, equals, value = words[at].text.partition("=")
        if option == "--":
            at += 1
            if "+" not in spec:
                break
        elif option[:1] == "-" and len(option) > 1:
            name, attached = _named(option, valued)
            attached = value if equals else attached
            at += 1
            if name and not attached and not equals and at < len(words):
                attached = words[at].text
                at += 1
            if name and valued[name] == "sh":
                found.append(attached)
        elif "=" in spec and re.match(r"[A-Za-z_]\w*=", words[at].text):
            at += 1
        elif skip:
            skip, at = skip - 1, at + 1
        else:
            break
    rest = words[at:]
    inner: Inner = " ".join(word.text for word in rest) if "join" in spec else rest
    return [*found, inner] if rest else list(found)


def _named(option: str, valued: dict[str, str]) -> tuple[str, str]:
    """The option in this word that takes a value, and the value written onto it."""
    if option in valued or option[:2] == "--":
        return (option, "") if option in valued else ("", "")
    for place, letter in enumerate(option[1:], 2):
        if f"-{letter}" in valued:
            return f"-{letter}", option[place:]
    return "", ""
