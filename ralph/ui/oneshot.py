"""The screen for one job: the answer on stdout as it comes, everything else on stderr."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TextIO

from ralph.ui.markdown import Live
from ralph.ui.plain import Plain, Writer
from ralph.ui.render import Screen

READER_GONE = 141
"""Exit code when stdout was closed (`| head -1`): what a shell reports of any program that a closed pipe ended.

`show` raises BrokenPipeError then; whoever catches it calls `ralph.ui.plain.abandon` so that exit is quiet too.
"""


def screen_for(
    out: TextIO, err: TextIO, *, colour: bool = True, clock: Callable[[], float] = time.monotonic,
    size: Callable[[], tuple[int, int]] | None = None, verbatim: Callable[[], bool] = lambda: False,
) -> Screen:  # fmt: skip
    """The screen for two streams. colour False (NO_COLOR): no escape sequence and nothing drawn twice, anywhere.

    verbatim: whether the answer being shown is no Markdown.
    """
    measure = size or (lambda: _size(out if out.isatty() else err))
    answer: Writer = Plain(out, to_terminal=out.isatty())
    if out.isatty() and colour:
        answer = Either(Live(out, measure), answer, verbatim)
    fancy = err.isatty() and colour
    return Screen(answer, err, live=fancy, colour=fancy, thoughts=err.isatty(), size=measure, clock=clock)


class Either:
    """Styled, or as it is where `verbatim` says so: built-in reflexes answer with the contents of files."""

    def __init__(self, styled: Writer, plain: Writer, verbatim: Callable[[], bool]) -> None:
        self._styled, self._plain, self._verbatim = styled, plain, verbatim

    def text(self, piece: str) -> None:
        (self._plain if self._verbatim() else self._styled).text(piece)

    def end(self) -> None:
        self._styled.end()
        self._plain.end()


def _size(stream: TextIO) -> tuple[int, int]:
    try:
        size = os.get_terminal_size(stream.fileno())
    except OSError:
        return 80, 24
    return size.columns or 80, size.lines or 24
