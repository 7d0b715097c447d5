"""The answer as it is: to a pipe byte for byte, to a terminal without colour with nothing that could drive it."""

from __future__ import annotations

import os
from typing import Protocol, TextIO

from ralph.errors import StoreError
from ralph.ui.visible import printable


class Writer(Protocol):
    """Shows the text of an answer as it arrives, one write and one flush per piece."""

    def text(self, piece: str) -> None: ...

    def end(self) -> None:
        """Complete the line begun, if any, so that something else can be shown below it."""
        ...


def put(out: TextIO, text: str) -> None:
    """Write and flush. What the stream's encoding cannot say becomes a question mark, never a crash.

    Raises BrokenPipeError when the reader is gone, StoreError when it cannot be written (a full disk).
    """
    try:
        try:
            out.write(text)
        except UnicodeEncodeError:
            encoding = out.encoding or "utf-8"
            out.write(text.encode(encoding, "replace").decode(encoding))
        out.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        abandon(out)
        raise StoreError(f"the output cannot be written: {error.strerror}", hint="free space or redirect it") from error


class Plain:
    """Raw text. `to_terminal`: control characters are made visible."""

    def __init__(self, out: TextIO, *, to_terminal: bool = False) -> None:
        self._out, self._to_terminal = out, to_terminal
        self._inside_line = False

    def text(self, piece: str) -> None:
        if piece:
            put(self._out, printable(piece) if self._to_terminal else piece)
            self._inside_line = not piece.endswith("\n")

    def end(self) -> None:
        if self._inside_line:
            self._inside_line = False
            put(self._out, "\n")


def abandon(out: TextIO) -> None:
    """Send what is still buffered nowhere: the reader of a closed pipe is gone, and exit must not complain about it."""
    try:
        number = out.fileno()
    except (OSError, ValueError):  # not a file of the system: nothing will be flushed at exit
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)
