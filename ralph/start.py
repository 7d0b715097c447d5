"""From read options to an exit code: every error is one line on stderr, a bug shows.

Only what a command and a job both need is loaded here; `ralph memory list` waits for no agent.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Mapping
from contextlib import suppress

from ralph.errors import Interrupted, RalphError
from ralph.options import Options


def run(options: Options, environ: Mapping[str, str] | None = None) -> int:
    """Do what the command line says. Every error becomes one line on stderr and an exit code; bugs show."""
    env = dict(os.environ if environ is None else environ)
    unread = _open_closed_streams()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # vectors here are small: threads cost more than they save
    try:
        if options.command:
            gc.enable()  # some of these work for minutes
            from ralph.commands import dispatch  # noqa: PLC0415  # a job needs none of it

            return dispatch(options, env)
        from ralph.begin import begin  # noqa: PLC0415  # a command needs none of it

        return begin(options, env, unread=unread)
    except RalphError as error:
        complain(error)
        return error.exit_code
    except BrokenPipeError:
        return 0
    except KeyboardInterrupt:
        return Interrupted.exit_code
    except MemoryError:
        complain(RalphError("out of memory", hint="give it a smaller job"))
        return 1


def _open_closed_streams() -> bool:
    """A stream that was closed before we began (`2>&-`) is None: write and read nothing instead of failing.

    True when nobody can read the answer.
    """
    unread = sys.stdout is None
    for name, number, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:  # the lowest free number is the closed one, unless another is closed too
                os.dup2(opened, number)
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115  # for good
    return unread


def complain(error: RalphError) -> None:
    with suppress(OSError):
        sys.stderr.write(f"ralph: {error}\n")
