"""`ralph grants`: what was allowed for longer than one session, and taking it back."""

from __future__ import annotations

from typing import Any

from ralph.commands.shown import Show, Shown, group
from ralph.errors import ConfigError
from ralph.place import Place
from ralph.rulebook import GRANTS, open_grants
from ralph.ui.grants import as_rows, as_text


def add(app: Any, place: Place, show: Show) -> None:
    import typer

    made = group(app, "grants", "What you allowed on the way: list it, take it back.")

    @made.command("list")
    def list_grants(everywhere: bool = typer.Option(False, "--all", help="also those of other directories")) -> None:
        """Grants of this directory and those for everywhere. Those of a running session are in its /grants."""
        found = open_grants(place).list(everywhere=everywhere)
        show(Shown(as_rows(found), as_text(found, str(place.home / GRANTS))))

    @made.command("revoke")
    def revoke(number: int) -> None:
        """Take one back, from the next call on, also in sessions that are running."""
        if not open_grants(place).revoke(number):
            raise ConfigError(f"there is no grant {number}", hint="see `ralph grants list --all`")
        show(Shown({"revoked": number}, f"revoked grant {number}"))
