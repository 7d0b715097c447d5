"""Run a shell command.

Gate: shell
Match: command
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ralph.core.tools import Context


async def shell(
    command: str, working_dir: str | None = None, timeout: int = 30, capture_stderr: bool = True, *, ctx: Context
) -> dict[str, Any]:
    """Run a command with bash, without a terminal and without input; cd and variables do not carry over.

    Args:
        command: The command line.
        working_dir: Where to run it (default: the workspace).
        timeout: Seconds until it is ended, up to 600. Its output so far is kept.
        capture_stderr: False throws error output away.
    """
    from shutil import which

    from ralph.errors import ToolError
    from ralph.sandbox.launch import plain
    from ralph.tools.process import run

    given = ctx.judged.get("working_dir")
    cwd = ctx.cwd / (given.resolved if given else working_dir or "")
    if not cwd.is_dir():
        raise ToolError(f"working_dir {working_dir!r} is not a directory; the workspace is {ctx.cwd}")
    env = dict(ctx.env)
    env.pop("BASH_ENV", None)  # a file that bash would run before the command that was approved
    bash = which("bash", path=env.get("PATH"))
    shell_words = [bash, "--noprofile", "--norc", "-c"] if bash else ["/bin/sh", "-c"]
    words = list(ctx.argv or (*shell_words, command))
    if words[0] in ("cd", "hash", "help", "times", "type", "ulimit", "umask"):
        words = [*shell_words, '"$@"', "sh", *words]  # its own words: they get what was judged, as words
    seconds = min(timeout, 600) if timeout > 0 else 30
    started = ctx.launch(words, env) if ctx.launch else plain(words, env)
    said = ""
    try:
        done = await run(
            started.argv, cwd=cwd, env=started.env, timeout=seconds, scratch=ctx.scratch, say=ctx.say,
            stderr=capture_stderr, label="shell", start=started.start,
        )  # fmt: skip
        said = done.stdout + done.stderr
    finally:  # also of a command that was interrupted
        hint = started.ended(said)
    result = {
        "stdout": done.stdout, "stderr": done.stderr, "exit_code": done.exit_code,
        "execution_time": round(done.seconds, 3), "timed_out": done.timed_out,
    }  # fmt: skip
    note = " ".join(filter(None, (done.note, hint)))
    return {**result, "note": note} if note else result
