"""What a word of a command can be, and what it does: paths, patterns, addresses, little programs.

A kind that is not in the code is a regular expression under "kinds" in programs.json, which must fit the whole word.
`text` any; `read` a file or directory; `tree` one that is read with all that is in it; `ref` a revision or a file;
`write` a file written, `delete` one removed, `into` one written as the ordinary work of an option, `chosen` one written
that the entry must name; `near` a path that must lie in the working directory; `run` a program or script; `script` a
script in the working directory; `host`, `secret`, `unknown` always those effects; `never`, `lost`, `shellscript` always
an objection.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from ralph.policy.scripts import awk, jq, sed, yq
from ralph.policy.sensitive import runs_later, secret
from ralph.policy.tables import table

NEVER = 1_000_000  # the index of a word no entry can reach

FIXED = {"run": "executes", "host": "contacts", "secret": "secret", "unknown": "unknown", "delete": "deletes",
          "clock": "writes", "history": "history"}  # fmt: skip
_SCRIPTS = {"sed": sed, "awk": awk, "jq": jq, "yq": yq}
_NEVER = {"never": ("executes", "what {word!r} makes of it is not in the table"),
          "lost": ("deletes", "the present content of {word!r} is lost"),
          "shellscript": ("executes", "the script {word!r} is not named by the entry")}  # fmt: skip
_PUNCTUATION = ("!", "(", ")", ",")  # of find and test
_TREES = re.compile(r"/|/~|/(root|etc|proc|home|home/[^/]+|Users|Users/[^/]+)")  # hold secrets somewhere
_LONGEST_SCRIPT = 4_096  # characters
_HERE = "/workspace"  # stands for the working directory when a relative path is matched against absolute patterns
_HARMLESS_DEVICES = ("/dev/null", "/dev/stdout", "/dev/stderr", "/dev/tty", "-")


@dataclass(frozen=True, slots=True)
class Finding:
    """What word number `at` does: an Effect's kind and target. `why`: "" when that is ordinary, else the objection."""

    at: int
    kind: str
    target: str
    why: str = ""


def value_of(kind: str, at: int, word: str) -> list[Finding]:
    """What a word of this kind does."""
    if kind == "text" or word in _PUNCTUATION:
        return []
    if kind in _NEVER:
        why = _NEVER[kind][1].format(word=word)
        return [Finding(NEVER if kind == "never" else at, _NEVER[kind][0], word, why)]
    if kind == "less":
        return _less(at, word)
    if kind in ("read", "ref", "tree"):
        return _read(at, word, kind)
    if kind in ("write", "into", "delete", "chosen"):
        return _change(kind, at, word)
    if kind in ("near", "script"):
        why = "" if near(word) else f"{word!r} lies outside the working directory"
        return [Finding(at, "executes" if kind == "script" else "places", word, why)]
    if kind in FIXED:
        return [Finding(at, FIXED[kind], word)]
    if kind in _SCRIPTS:
        if len(word) > _LONGEST_SCRIPT:
            return [Finding(at, "unknown", "", f"a {kind} text of {len(word):,} characters is not read")]
        return [Finding(at, effect, target, why) for effect, target, why in _SCRIPTS[kind](word)]
    if _pattern(kind).fullmatch(word):
        return [Finding(at, "contacts", word)] if kind in ("url", "source") else []
    return [Finding(at, "unknown", word, f"{word!r} is not a plain {kind} here")]


@cache
def _pattern(kind: str) -> re.Pattern[str]:
    return re.compile(table()["kinds"][kind], re.DOTALL)


def _less(at: int, word: str) -> list[Finding]:
    """`+command` is run by the pager at start."""
    if word[:1] != "+":
        return _read(at, word, "read")
    harmless = re.fullmatch(r"\+(\d+|[FGg]|/[^!|\n]*)?", word)
    return [] if harmless else [Finding(at, "executes", word, f"the pager runs {word!r} at start")]


def _read(at: int, word: str, kind: str) -> list[Finding]:
    if re.match(r"/+inet[46]?/", word):
        return [Finding(at, "contacts", word, f"gawk opens {word!r} as a connection")]
    why = secret_path(word)
    if kind == "tree" and _TREES.fullmatch(absolute(word)):
        why = f"reads everything in {word}"
    found = [Finding(at, "reads", word, why)] if kind != "ref" or re.match(r"[/~]|\.\./", word) else []
    return [*found, Finding(at, "secret", word, why)] if why else found


def _change(kind: str, at: int, word: str) -> list[Finding]:
    if word in _HARMLESS_DEVICES:
        return []
    why = f"{word!r} lies outside the working directory"
    if near(word) or (re.match(r"/tmp/[^/]", word) and ".." not in word):
        why = runs_later(absolute(word)) or secret_path(word)
    if kind == "into" and ":" in word:
        why = f"{word!r} may name another machine"
    if kind == "chosen":
        why = why or f"the entry does not name {word!r}"
    effect = "deletes" if kind == "delete" else "fills" if kind == "into" else "writes"
    return [Finding(at, effect, word, why)]


def absolute(word: str) -> str:
    """A spelling the tables of sensitive places understand, without looking at the disk."""
    parts: list[str] = []
    for part in (word if word[:1] in ("/", "~") else f"{_HERE}/{word}").split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)


def secret_path(word: str) -> str:
    """Why reading this is a matter for a person, or ""."""
    if re.search(r"(^|[/:])\.env(\.(?!example$|sample$|template$)[^/]*)?$", word, re.IGNORECASE):
        return f"{word}: holds settings and keys"
    base = word.rsplit("/", 1)[-1]
    if re.search(r"\.(pem|key|p12|pfx|jks|keystore|kdbx)$", base) and not re.search(r"pub|cert|chain|^ca\b", base):
        return f"{word}: may hold a private key"
    return secret(absolute(word.partition(":")[2] if re.match(r"[\w.-]+:", word) else word)) or secret(absolute(word))


def near(word: str) -> bool:
    """Inside the working directory, as written."""
    depth = 0
    for part in word.split("/"):
        depth += -1 if part == ".." else 0 if part in ("", ".") else 1
        if depth < 0:
            return False
    return word[:1] not in ("/", "~", "-", "@", "") and not re.search(r"://|\$|@[\w.-]+:", word)
