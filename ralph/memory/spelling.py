"""Misspelt words of a question, put right by the words that the store itself holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from ralph.memory.words import STOP_WORDS

SHORTEST = 4
"""Letters of a word that is looked at: of shorter ones half the alphabet is a neighbour."""
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
Frequencies = Callable[[Iterable[str]], Mapping[str, int]]


def corrected(
    words: Iterable[str], frequencies: Frequencies, known: Callable[[str], bool],
    common: Callable[[str], float] = lambda _word: 0.0,
) -> dict[str, str]:  # fmt: skip
    """What is meant by each word that nobody knows: the likeliest known word one slip away; no entry without one.

    `frequencies` tells in how many documents words stand, `known` whether a word that none has is right all the same,
    `common` how common it is in the language (0 to 1). The store's own words come first.
    """
    asked = {word for word in words if len(word) >= SHORTEST and word.isalpha() and word not in STOP_WORDS}
    found = frequencies(asked) if asked else {}
    meant: dict[str, str] = {}
    for word in sorted(asked - set(found)):
        if common(word) or known(word):
            continue
        slips = one_slip_away(word)
        if len(word) == SHORTEST:  # `race` is not `face`: so short a word has too many neighbours
            slips = {slip: likelihood for slip, likelihood in slips.items() if slip[0] == word[0]}
        nearby: dict[str, float] = dict(frequencies(slips))
        for slip in slips:
            usual = max(common(slip), float(slip in STOP_WORDS)) if len(slip) >= SHORTEST else 0.0
            if usual:
                nearby[slip] = nearby.get(slip, 0) + usual
        if nearby:
            meant[word] = max(nearby, key=lambda slip: (nearby[slip] * slips[slip], slip))
    return meant


def one_slip_away(word: str) -> dict[str, float]:
    """Every string that one slip of the fingers turns into `word`, with how likely that slip is against the others.

    Slips (Damerau 1964): two letters swapped, one too many, one missing, one wrong. The first letter is seldom wrong.
    """
    slips: dict[str, float] = {}

    def add(slip: str, likelihood: float) -> None:
        if slip != word and len(slip) >= SHORTEST - 1:
            first = 1.0 if slip[0] == word[0] else 0.25
            slips[slip] = max(slips.get(slip, 0.0), likelihood * first)

    letters = _LETTERS + "".join(sorted(set(word) - set(_LETTERS)))
    for place in range(len(word) + 1):
        head, tail = word[:place], word[place:]
        if tail:
            add(head + tail[1:], 2.0)
        if len(tail) > 1:
            add(head + tail[1] + tail[0] + tail[2:], 4.0)
        for letter in letters:
            add(head + letter + tail, 2.0)
            if tail:
                add(head + letter + tail[1:], 1.0)
    return slips
