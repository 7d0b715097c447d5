"""What a command answers, and how a group of commands is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Shown:
    """`data` for --json, `text` for a person."""

    data: Any
    text: str
    exit_code: int = 0


class Lines(list[Any]):
    """Data that `--json` prints one row a line."""


Show = Callable[[Shown], None]


def group(app: Any, name: str, about: str) -> Any:
    """A typer group `ralph NAME ...` that prints its help when called alone."""
    import typer

    made = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=about)
    app.add_typer(made, name=name)
    return made
