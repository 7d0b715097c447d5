"""Entry point of the `ralph` command: what needs nothing is answered before anything is loaded."""

from __future__ import annotations

import gc
import os
import sys

from ralph import __version__
from ralph.options import UsageError, help_text, parse


def main() -> None:
    """Entry point of the `ralph` command. Never returns: flushes and leaves with an exit code."""
    argv = sys.argv[1:]
    if argv and argv[0] in ("--version", "-h", "--help"):
        _say(f"ralph {__version__}" if argv[0] == "--version" else help_text())
        _leave(0)
    try:
        options = parse(argv)
    except UsageError as error:
        sys.stderr.write(f"ralph: {error}\n")
        _leave(2)
    if options.on("version") or options.on("help"):
        _say(f"ralph {__version__}" if options.on("version") else help_text())
        _leave(0)
    gc.disable()  # nothing that loading makes is garbage; turned on again once the session is open
    from ralph.start import run  # noqa: PLC0415  # nothing else is needed to answer --version and --help

    _leave(run(options))


def _say(text: str) -> None:
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _leave(code: int) -> None:
    """Flush and go: an interpreter's orderly shutdown is time the person waits for nothing."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            code = code or 0
    os._exit(code)
