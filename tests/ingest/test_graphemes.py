from __future__ import annotations

import pytest

from ralph.ingest.graphemes import edge_before, is_edge

WHOLE = [
    "e\u0301", "\r\n", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f44d\U0001f3fd", "\U0001f1e9\U0001f1ea",
    "\u2764\ufe0f", "\u1112\u1161\u11ab", "\uac00\u11a8", "\u0915\u093f",
    "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
]  # fmt: skip


@pytest.mark.parametrize("character", WHOLE)
def test_a_character_is_never_parted(character):
    text = f"a{character}{character}b"
    edges = [at for at in range(len(text) + 1) if is_edge(text, at)]
    assert edges == [0, 1, 1 + len(character), 1 + 2 * len(character), len(text)]


def test_the_edge_before():
    assert edge_before("abe\u0301", 3, 0) == 2
    assert edge_before("abc", 2, 0) == 2
    assert edge_before("xe\u0301y", 2, 1) == 3  # there is no place for it before
    pile = "a" + "\u0301" * 500
    assert edge_before(pile, 300, 0) == 300  # no character anybody wrote: cut somewhere
