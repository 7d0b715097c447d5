"""A text that is longer than a model reads: cut into parts it reads whole, whose vectors are averaged.

So one document keeps one vector, and nothing of it is passed over. Measured on manuals and notes in pieces of 1,000 to
1,500 characters, this finds as much as cutting the pieces smaller does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

MOST_PARTS, PART = 16, 1_000
"""Of a text longer than so many parts of so many characters, that many are read, spread evenly: a vector of a whole
book says little anyway, and would take minutes."""
_BREAKS = (re.compile(r"\n[^\S\n]*\n\s*"), re.compile(r"[.!?…]\s+|[。！？]"), re.compile(r"\s+"))  # noqa: RUF001  # full-width marks are meant


def windows(text: str, count: Callable[[str], int], most: int) -> list[str]:
    """The text in parts of at most `most`, as `count` has it, cut at a paragraph before a sentence before a word."""
    if len(text) > MOST_PARTS * PART:
        starts = (number * (len(text) - PART) // (MOST_PARTS - 1) for number in range(MOST_PARTS))
        spread = (text[start : start + PART] for start in starts)
        return [part for piece in spread for part in windows(piece, count, most)]
    if len(text) < 2 or len(text) * 3 <= most or count(text) <= most:
        return [text]
    at = _middle(text)
    return [*windows(text[:at], count, most), *windows(text[at:], count, most)]


def embed_whole(
    embed: Callable[[Sequence[str]], Floats], texts: Sequence[str], count: Callable[[str], int], most: int
) -> Floats:
    """float32 rows [texts, dimension] of length one; a long text as the mean of its parts, which are of like length."""
    import numpy as np

    parts = [windows(text, count, most) for text in texts]
    rows = embed([part for one in parts for part in one])
    if len(rows) == len(texts):
        return rows
    firsts = np.cumsum([0, *(len(one) for one in parts[:-1])])
    means = np.add.reduceat(rows, firsts, axis=0)
    return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True), np.float32)


def _middle(text: str) -> int:
    """The break nearest the middle, of the best kind that has one in the middle third."""
    low, half, high = len(text) // 3, len(text) // 2, 2 * len(text) // 3
    for kind in _BREAKS:
        ends = [found.end() for found in kind.finditer(text, low, high)]
        if ends := [end for end in ends if 0 < end < len(text)]:
            return min(ends, key=lambda end: abs(end - half))
    return half
