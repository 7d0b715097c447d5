"""Markdown for a terminal, one complete line at a time: what was shown is never rendered again."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import TextIO

from ralph.ui.plain import put
from ralph.ui.visible import printable, rows

LONGEST = 2_000
"""Characters of a line that is still styled: matching pairs in a line takes time that grows with its square."""

_BOLD, _ITALIC, _UNDER, _STRUCK, _DIM = "\x1b[1m", "\x1b[3m", "\x1b[4m", "\x1b[9m", "\x1b[2m"
_CODE, _RED, _GREEN, _RESET = "\x1b[36m", "\x1b[31m", "\x1b[32m", "\x1b[0m"


@cache
def _block() -> re.Pattern[str]:
    return re.compile(
        r"(?P<fence>\s*(`{3,}|~{3,})\s*(?P<language>[\w+#.-]*)[^`]*$)"
        r"|(?P<heading>#{1,6})\s+(?P<title>.*?)\s*#*$"
        r"|(?P<rule>(?:[-*_]\s*){3,}$)"
        r"|(?P<quote>\s*(?:>\s?)+)"
        r"|(?P<indent>\s*)[-*+](?P<gap>\s+)"
    )


@cache
def _inline() -> re.Pattern[str]:
    """Pairs close on the line they opened on; between ASCII letters and digits stars and underscores are no marks."""
    word = "[A-Za-z0-9]"
    return re.compile(
        r"\\(?P<plain>[!-/:-@\[-`{-~])"
        r"|(?P<ticks>`+)(?!`)(?P<code>.+?)(?<!`)(?P=ticks)(?!`)"
        rf"|(?<!{word})\*\*(?=\S)(?P<bold>.+?)(?<=\S)\*\*(?![*A-Za-z0-9])"
        rf"|(?<!\w)__(?=\S)(?P<bold_>.+?)(?<=\S)__(?!\w)"
        rf"|(?<![*A-Za-z0-9])\*(?=[^\s*])(?P<italic>.+?)(?<=[^\s*])\*(?![*A-Za-z0-9])"
        r"|(?<!\w)_(?=[^\s_])(?P<italic_>.+?)(?<=[^\s_])_(?!\w)"
        r"|~~(?=\S)(?P<struck>.+?)(?<=\S)~~"
        r"|!?\[(?P<label>[^\]]*)\]\((?P<address>[^\s()]+)\)"
    )


def inline(text: str, base: str = "") -> str:
    """Bold, italic, code, struck and links of one line. `base` is the style around it, resumed after each span."""

    def styled(found: re.Match[str]) -> str:
        group = found.groupdict()
        if group["plain"]:
            return str(group["plain"])
        if group["code"]:
            return f"{_CODE}{group['code'].strip() or group['code']}{_RESET}{base}"
        if (address := group["address"]) is not None:
            label = group["label"] or ""
            shown = f"{_UNDER}{label}{_RESET}{base} " if label and label != address else ""
            return f"{shown}{_DIM}{'(' * bool(shown)}{address}{')' * bool(shown)}{_RESET}{base}"
        for names, style in ((("bold", "bold_"), _BOLD), (("italic", "italic_"), _ITALIC), (("struck",), _STRUCK)):
            for name in names:
                if group[name]:
                    return f"{style}{inline(group[name], base + style)}{_RESET}{base}"
        return found[0]

    return _inline().sub(styled, text) if len(text) <= LONGEST else text


class Markdown:
    """Styles the lines of one document in order; it remembers only whether they are inside a code block."""

    def __init__(self) -> None:
        self._fence = ""
        self._language = ""

    def line(self, text: str) -> str:
        """`text` without its line feed, already safe for a terminal. Tables stay as they are: columns must line up."""
        found = _block().match(text) if len(text) <= LONGEST else None
        if self._fence:
            return self._in_block(text)
        if found is None:
            return text if text.lstrip().startswith("|") else inline(text)
        if found["fence"]:
            self._fence, self._language = found[2], found["language"]
            return f"{_DIM}{text}{_RESET}"
        if found["heading"]:
            style = _BOLD + _UNDER if len(found["heading"]) == 1 else _BOLD
            return f"{style}{inline(found['title'], style)}{_RESET}"
        if found["rule"]:
            return f"{_DIM}{text}{_RESET}"
        rest = text[found.end() :]
        if found["quote"]:
            return f"{_DIM}{found['quote'].replace('>', '│')}{_RESET}{_ITALIC}{inline(rest, _ITALIC)}{_RESET}"
        return f"{found['indent']}•{found['gap']}{inline(rest)}"

    def _in_block(self, text: str) -> str:
        bare = text.strip()
        if len(bare) >= len(self._fence) and set(bare) == {self._fence[0]}:
            self._fence = ""
            return f"{_DIM}{text}{_RESET}"
        if not text:
            return text
        if self._language == "diff" and text[0] in "+-":
            return f"{_GREEN if text[0] == '+' else _RED}{text}{_RESET}"
        return f"{_CODE}{text}{_RESET}"


class Live:
    """A Writer for terminals. Words appear raw as they come; a line that turns out to need style is drawn once more.

    size: columns and lines of the terminal now. A line is replaced only while it is surely all on screen, else it
    stays raw: wrong guesses about wide characters must not erase anything.
    """

    def __init__(self, out: TextIO, size: Callable[[], tuple[int, int]]) -> None:
        self._out, self._size = out, size
        self._markdown = Markdown()
        self._shown: list[str] = []
        self._length = 0

    def text(self, piece: str) -> None:
        piece = printable(piece)
        if "\n" in piece:
            first, *middle, piece = piece.split("\n")
            done = [self._completed(first), *(self._markdown.line(line) + "\n" for line in middle)]
            put(self._out, "".join(done) + piece)
        elif piece:
            put(self._out, piece)
        if piece:
            self._length += len(piece)
            if self._length <= LONGEST:
                self._shown.append(piece)

    def end(self) -> None:
        if self._shown:
            put(self._out, self._completed(""))

    def _completed(self, rest: str) -> str:
        """What to write so that the line begun and `rest` become one finished line."""
        shown = "".join(self._shown)
        length = self._length + len(rest)
        self._shown, self._length = [], 0
        if length > LONGEST:
            return rest + "\n"
        styled = self._markdown.line(shown + rest)
        if not shown:
            return styled + "\n"
        if styled == shown + rest:
            return rest + "\n"
        columns, lines = self._size()
        taken = rows(shown, columns)
        if taken is None or taken > lines:
            return rest + "\n"
        up = f"\x1b[{taken - 1}A" if taken > 1 else ""
        return f"\r{up}\x1b[J{styled}\n"
