"""Where a text may be cut between two characters that a reader sees as two.

The cases of Unicode Standard Annex 29 that occur in practice: combining marks, joined emoji, skin tones, flags, Hangul
syllables, CR LF. Prepended marks and Indic conjuncts are left out.
"""

from __future__ import annotations

import unicodedata
from itertools import chain

_JOINER = "\u200d"
_LONGEST = 64
"""Code points; a longer pile of marks on one letter is not a character anybody wrote."""


def is_edge(text: str, at: int) -> bool:
    """May the text be cut before index `at`?"""
    if at <= 0 or at >= len(text):
        return True
    before, after = text[at - 1], text[at]
    if after.isascii():
        return (before, after) != ("\r", "\n")
    if after == _JOINER or _is_extension(after):
        return before in "\r\n"
    if before == _JOINER and unicodedata.category(after) == "So":
        return False
    if _is_flag(before) and _is_flag(after):
        return _flags_before(text, at) % 2 == 0
    return not _same_syllable(before, after)


def edge_before(text: str, at: int, low: int) -> int:
    """The last edge at or before `at`, above `low`, else the first one behind it; `at` when none is within reach."""
    for index in chain(range(at, max(low, at - _LONGEST), -1), range(at + 1, at + _LONGEST)):
        if is_edge(text, index):
            return index
    return at


def _is_extension(char: str) -> bool:
    """Combining marks (variation selectors are some), skin tones and the tags of regional flags."""
    tone, tag = "\U0001f3fb" <= char <= "\U0001f3ff", "\U000e0020" <= char <= "\U000e007f"
    return tone or tag or unicodedata.category(char) in ("Mn", "Me", "Mc")


def _is_flag(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _flags_before(text: str, at: int) -> int:
    start = at
    while start > 0 and at - start < _LONGEST and _is_flag(text[start - 1]):
        start -= 1
    return at - start


def _same_syllable(before: str, after: str) -> bool:
    """Hangul: leading consonants, vowels and trailing consonants of one syllable, or a whole one and what follows."""
    vowel, trailing = "\u1160" <= after <= "\u11a7", "\u11a8" <= after <= "\u11ff"
    whole = "\uac00" <= before <= "\ud7a3"
    if "\u1100" <= before <= "\u115f":
        return vowel or "\u1100" <= after <= "\u115f" or "\uac00" <= after <= "\ud7a3"
    if "\u1160" <= before <= "\u11a7" or (whole and (ord(before) - 0xAC00) % 28 == 0):
        return vowel or trailing
    return trailing and (whole or "\u11a8" <= before <= "\u11ff")
