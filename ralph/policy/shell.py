"""A shell command as the gate sees it: one plain command with its argv, or the simple commands found in it.

`plain` needs two readers to agree: the strict scan, which refuses whatever a shell could make more of, and bashlex.
`simples` comes from the tolerant reader, joined by what only bashlex saw, with every wrapper opened; it is for showing
effects and for finding danger, and grants nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from ralph.policy import bash
from ralph.policy.reader import MOST_COMMANDS, Redirect, Simple, read
from ralph.policy.scan import LONGEST, Word, scan
from ralph.policy.wrappers import inside

__all__ = ["Command", "Redirect", "Simple", "Word", "parse"]

_DEEPEST = 12


@dataclass(frozen=True, slots=True)
class Command:
    """`plain`: the argv, when the text is exactly one plain command. `trouble`: why it is not ("" when plain).

    `words`: the scanned words, also when globs keep it from being plain as written.
    """

    text: str
    plain: tuple[str, ...] | None
    simples: tuple[Simple, ...]
    trouble: str
    words: tuple[Word, ...] = ()


@lru_cache(maxsize=256)
def parse(text: str) -> Command:
    words, trouble = scan(text)
    if not trouble and not _agreed(text, words):
        words, trouble = (), "the two readers disagree about its words"
    if trouble:
        return Command(text, None, tuple(_compound(text[:LONGEST])), trouble)
    simples = tuple(_opened([Simple(words)], 0))
    if not all(word.literal for word in words):
        return Command(text, None, simples, "holds a name pattern", words)
    return Command(text, tuple(word.text for word in words), simples, "", words)


_QUOTING = str.maketrans("", "", "'\"\\")


def _agreed(text: str, words: tuple[Word, ...]) -> bool:
    """bashlex finds the same words in the same places, with the same text.

    It unquotes badly (it drops a backslash that double quotes keep, and quotes inside a word that is quoted in part),
    so the characters of quoting are not compared: the places already say where each word begins and ends.
    """
    theirs = bash.words(text)
    if theirs is None or [written for written, _ in theirs] != [word.written for word in words]:
        return False
    return [word.translate(_QUOTING) for _, word in theirs] == [word.text.translate(_QUOTING) for word in words]


def _compound(text: str) -> list[Simple]:
    found = read(text)
    if len(found) < MOST_COMMANDS:
        seen = {simple.argv for simple in found}
        others = (tuple(argv) for argv in bash.commands(text))
        found += [
            Simple(tuple(Word(word, "$" not in word) for word in argv))
            for argv in others
            if argv not in seen and not any("$" in word or "`" in word for word in argv)
        ]
    return _opened(found, 0)


def _opened(simples: list[Simple], depth: int) -> list[Simple]:
    """Each command followed by what it would run itself, and so on down."""
    found: list[Simple] = []
    for simple in simples:
        found.append(simple)
        if depth >= _DEEPEST or len(found) > MOST_COMMANDS:
            continue
        for inner in inside(simple.words, simple.stdin):
            if isinstance(inner, str):
                found += _opened(read(inner[:LONGEST]), depth + 1)
            else:
                found += _opened([Simple(inner, stdin=simple.stdin, upstream=simple.upstream)], depth + 1)
    return found
