"""`ralph COMMAND ...`: what the REPL's slash commands show, for scripts too.

`--json` and `--home DIR` may stand anywhere after the command. Each module here adds its commands to one typer app.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ralph.app import working_directory
from ralph.commands import about, audit, grants, memory, policy, sessions
from ralph.commands.shown import Lines, Shown
from ralph.config import home_directory
from ralph.options import Options
from ralph.place import Place
from ralph.policy.trust import Trust

MODULES = (about, sessions, policy, grants, audit, memory)


@dataclass(frozen=True)
class Common:
    """The words of a command without the flags that all of them share."""

    words: list[str]
    as_json: bool
    home: str | None


def dispatch(options: Options, env: Mapping[str, str]) -> int:
    """Run a subcommand and give its exit code. A usage error is typer's: one line on stderr, exit code 2."""
    import typer

    common = read_common(options.command)
    cwd = working_directory()
    home = home_directory(common.home or options.text("home"), env, cwd)
    place = Place(cwd, home, env, Trust(home).holds(cwd))
    as_json = common.as_json or options.on("json")
    codes = [0]

    def show(shown: Shown) -> None:
        rows = shown.data if isinstance(shown.data, Lines) else [shown.data]
        lines = [json.dumps(row, ensure_ascii=False, default=str) for row in rows] if as_json else [shown.text]
        typer.echo("\n".join(lines))
        codes.append(shown.exit_code)

    app = build(place, show)
    try:
        app(common.words, prog_name="ralph")
    except SystemExit as left:
        codes.append(left.code if isinstance(left.code, int) else 0)
    return codes[-1] or codes[-2 if len(codes) > 1 else -1]


def build(place: Place, show: Callable[[Shown], None]) -> Any:
    """The typer app of all commands (its type is typer's, which only this room loads)."""
    import typer

    app = typer.Typer(
        add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True,
        epilog="Every command takes --json and --home DIR.",
    )  # fmt: skip
    for module in MODULES:
        module.add(app, place, show)
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
