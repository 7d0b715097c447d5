"""`ralph COMMAND ...`: what the REPL's slash commands show, for scripts too.

`--json` and `--home DIR` may stand anywhere after the command. Each module here adds its commands to a typer app; what
is asked most and must be quick is read without it (`ralph.commands.plain`).
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ralph.commands import memory
from ralph.commands.shown import Lines, Shown
from ralph.config import home_directory
from ralph.options import Options
from ralph.place import Place, working_directory
from ralph.policy.trust import Trust

MODULES = ("about", "sessions", "policy", "grants", "audit", "memory")


@dataclass(frozen=True)
class Common:
    """The words of a command without the flags that all of them share."""

    words: list[str]
    as_json: bool
    home: str | None


def dispatch(options: Options, env: Mapping[str, str]) -> int:
    """Run a subcommand and give its exit code. A usage error is typer's: one line on stderr, exit code 2."""
    common = read_common(options.command)
    cwd = working_directory()
    home = home_directory(common.home or options.text("home"), env, cwd)
    place = Place(cwd, home, env, Trust(home).holds(cwd))
    as_json = common.as_json or options.on("json")
    codes = [0]

    def show(shown: Shown) -> None:
        rows = shown.data if isinstance(shown.data, Lines) else [shown.data]
        lines = [json.dumps(row, ensure_ascii=False, default=str) for row in rows] if as_json else [shown.text]
        sys.stdout.write("\n".join([*lines, ""]))
        sys.stdout.flush()
        codes.append(shown.exit_code)

    if common.words[:1] != ["memory"] or not memory.answer(common.words[1:], place, show):
        codes.append(_dispatch_by_typer(common.words, place, show))
    return codes[-1] or codes[-2 if len(codes) > 1 else -1]


def _dispatch_by_typer(words: list[str], place: Place, show: Callable[[Shown], None]) -> int:
    try:
        build(place, show, words[0])(words, prog_name="ralph")
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else 0
    return 0


def build(place: Place, show: Callable[[Shown], None], command: str = "") -> Any:
    """The typer app of all commands, or only of those in the module that has `command`.

    Its type is typer's, which only this room loads.
    """
    import typer

    app = typer.Typer(
        add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True,
        epilog="Every command takes --json and --home DIR.",
    )  # fmt: skip
    for name in [command] if command in MODULES else ["about"] if command else MODULES:
        importlib.import_module(f"ralph.commands.{name}").add(app, place, show)
    return app


def read_common(command: Sequence[str]) -> Common:
    """Take --json and --home out of a command's words; after `--` nothing is taken."""
    words: list[str] = []
    as_json, home = False, None
    rest = list(command)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return Common([*words, word, *rest], as_json, home)
        if word == "--json":
            as_json = True
        elif word == "--home" and rest:
            home = rest.pop(0)
        elif word.startswith("--home="):
            home = word.removeprefix("--home=")
        else:
            words.append(word)
    return Common(words, as_json, home)
