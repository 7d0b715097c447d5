"""Work that may take for ever (a regular expression, a hostile page) runs in a process that can be ended."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile

from ralph.tools.process import Group


async def run_apart(argv: Sequence[str], *, cwd: Path, given: bytes = b"", timeout: float) -> tuple[bytes, int | None]:
    """(what the program wrote on stdout, its exit status; None when it was ended after `timeout` seconds).

    `given` is there for it to read at the descriptor that replaces a `{given}` among its words.
    """
    import asyncio
    import subprocess

    with TemporaryFile() as source, TemporaryFile() as sink:
        source.write(given)
        source.seek(0)
        words = [str(source.fileno()) if word == "{given}" else word for word in argv]
        group = Group(words, cwd=cwd, env={"LANG": "C.UTF-8"}, stdout=sink.fileno(), stderr=subprocess.DEVNULL,
                      pass_fds=(source.fileno(),))  # fmt: skip
        try:
            await asyncio.wait([group.exited], timeout=timeout)
            status = group.popen.poll() if group.exited.done() else None
        finally:
            group.kill()
        sink.seek(0)
        return sink.read(), status


def module_argv(module: str, *, site: bool) -> list[str]:
    """Words that run `module.main(descriptor)` in a bare interpreter which finds modules where this one does.

    site: whether it needs installed libraries at all; without them it starts in a third of the time.
    """
    program = f"import sys; sys.path[:0] = sys.argv[2:]; from {module} import main; main(int(sys.argv[1]))"
    here = str(Path(__file__).parents[2])
    folders = [folder for folder in sys.path if folder] if site else []
    return [sys.executable, "-I", "-S", "-c", program, "{given}", here, *folders]
