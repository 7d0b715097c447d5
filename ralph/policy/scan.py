"""The strict scan: is this text one plain command, and what are its words?

It reads character by character and gives up at the first thing a shell could make more of than the word that is
written: operators, expansions, escapes, comments, assignments, reserved words, control or non-ASCII characters.
What it accepts is small on purpose (the grammar of POSIX 2.2 quoting only), so that there is nothing to disagree about.

Unquoted `*`, `?`, `[` and a leading `~` are accepted but not literal: the word carries the pattern, and
`ralph.policy.globs` turns it into the files of today, which are then judged and run as they are, without a shell.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

LONGEST = 65_536  # characters; a longer command is never read (and so never runs unasked)

_RESERVED = frozenset(
    {
        "!", "[[", "]]", "{", "}", "case", "coproc", "do", "done", "elif", "else", "esac", "fi", "for", "function",
        "if", "in", "select", "then", "time", "until", "while",
    }
)
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\[[^]]*\])?\+?=")
_NAMES = {";": "a command separator", "&": "a command separator", "|": "a pipe", "<": "a redirection",
          ">": "a redirection", "(": "a subshell", ")": "a subshell", "`": "a command substitution",
          "$": "an expansion", "\\": "an escape"}  # fmt: skip
_EARLIER = re.compile(r"!(?:[!?#]|-?\d|[*^](?=\s|\Z))")  # harmless here, but not what it means where it was typed
_LITERAL_DOLLAR = re.compile(r"\$(?=\Z|[ |)])")  # inside double quotes nothing expands there: "^import .*$"
_KEPT_AFTER_BACKSLASH = re.compile(r"[^$`\"\\\n]")  # inside double quotes a backslash before these stays a backslash


@dataclass(frozen=True, slots=True)
class Word:
    """`text`: quotes removed; `written`: with them. `literal`: no expansion of any kind would change it.

    `pattern`: of a word with an unquoted glob or leading tilde, in fnmatch spelling; quoted specials stand in brackets.
    """

    text: str
    literal: bool
    pattern: str = ""
    written: str = ""


def scan(text: str) -> tuple[tuple[Word, ...], str]:
    """The words of a plain command and "", or no words and why it is not one."""
    if len(text) > LONGEST:
        return (), f"longer than {LONGEST:,} characters"
    if odd := re.search(r"[^ -~]", text):
        return (), f"holds the character U+{ord(odd[0]):04X}"
    words: list[Word] = []
    at = 0
    while (at := _skip(text, at)) < len(text):
        word, at, trouble = _word(text, at)
        if trouble:
            return (), trouble
        words.append(word)
    return (tuple(words), "") if (trouble := _first_word(words, text)) == "" else ((), trouble)


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] == " ":
        at += 1
    return at


def _first_word(words: list[Word], text: str) -> str:
    if not words:
        return "empty"
    if words[0].text in _RESERVED:
        return f"begins with the shell's word {words[0].text!r}"
    if words[0].text[:1] == "%":
        return "names a job of the shell"
    if _ASSIGNMENT.match(words[0].text):
        return "sets a variable"
    return "" if words[0].literal and words[0].text else "the program's name is not written out"


def _word(text: str, at: int) -> tuple[Word, int, str]:
    """Read one word: its characters, each with whether it was quoted."""
    start, chars, quoted = at, list[str](), list[bool]()
    while at < len(text) and text[at] != " ":
        char = text[at]
        if char in "'\"":
            inner, at, trouble = _quotes(text, at)
            if trouble:
                return Word("", False), at, trouble
            chars += inner
            quoted += [True] * len(inner)
            continue
        if char in _NAMES:
            return Word("", False), at, f"holds {_NAMES[char]} ({char})"
        if char == "#" and at == start:
            return Word("", False), at, "holds a comment"
        if char == "!" and at == start and _EARLIER.match(text, at):
            return Word("", False), at, "names an earlier command (!), at a prompt"
        chars.append(char)
        quoted.append(False)
        at += 1
    if trouble := _brace_or_tilde(chars, quoted, text[start:at]):
        return Word("", False), at, trouble
    whole = "".join(chars)
    pattern = _pattern(chars, quoted)
    return Word(whole, not pattern, pattern, text[start:at]), at, ""


def _quotes(text: str, at: int) -> tuple[str, int, str]:
    end = text.find(text[at], at + 1)
    if end < 0:
        return "", at, "a quote is not closed"
    inner = text[at + 1 : end]
    if text[at] == "'":
        return inner, end + 1, ""
    for special in re.finditer(r"[$`\\]", inner):
        char = special[0]
        if char == "$" and _LITERAL_DOLLAR.match(inner, special.start()):
            continue
        if char != "\\" or not _KEPT_AFTER_BACKSLASH.match(inner, special.end()):
            return "", at, f"holds {_NAMES[char]} ({char})"
    return inner, end + 1, ""


def _brace_or_tilde(chars: list[str], quoted: list[bool], written: str) -> str:
    bare = "".join("q" if hidden else char for char, hidden in zip(chars, quoted, strict=True))
    for brace in re.finditer(r"\{([^}]*)(\}?)", bare):
        inside = "".join(chars[brace.start(1) : brace.end(1)])
        if not brace[2] or "{" in inside or "," in inside or ".." in inside:
            return "holds a brace expansion"
    if re.search(r"[=:]~", bare) or (bare[:1] == "~" and not re.match(r"~(/|$)", written)):
        return "holds a tilde that is not the home directory"
    return "holds a bracket class" if "[[:" in bare or "[[." in bare or "[[=" in bare else ""


def _pattern(chars: list[str], quoted: list[bool]) -> str:
    bare = "".join("q" if hidden else char for char, hidden in zip(chars, quoted, strict=True))
    tilde = bool(chars) and chars[0] == "~" and not quoted[0]
    if not tilde and not re.search(r"[*?]|\[.+\]", bare):
        return ""
    return "".join(
        f"[{char}]" if hidden and char in "*?[~" else char for char, hidden in zip(chars, quoted, strict=True)
    )
