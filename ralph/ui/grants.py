"""What a person allowed on the way, as a list they can read and take back."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from ralph.policy.grants import Grant
from ralph.ui.table import table

_HOLDS = {"session": "this session", "user": "everywhere"}
NONE = "nothing is granted"


def as_rows(grants: Iterable[Grant]) -> list[dict[str, Any]]:
    """For --json: times in seconds since the epoch, None where there is no such end."""
    return [
        {
            "id": grant.id, "rule": dict(grant.rule), "scope": grant.scope, "workspace": grant.workspace or None,
            "uses_left": grant.uses, "expires": grant.expires, "given_by": grant.origin, "given": grant.given,
        }
        for grant in grants
    ]  # fmt: skip


def as_text(grants: Iterable[Grant], where: str) -> str:
    """`where`: the file that those for longer than a session are written in."""
    found = tuple(grants)
    if not found:
        return NONE
    rows = [
        (grant.id, grant.entry.text, _HOLDS.get(grant.scope, grant.workspace), "" if grant.uses is None else grant.uses,
         _clock(grant.expires), grant.origin, _clock(grant.given))
        for grant in found
    ]  # fmt: skip
    kept = [f"written in {where}"] if any(grant.scope != "session" for grant in found) else []
    return "\n".join([table(("id", "allows", "in", "uses", "until", "by", "since"), rows), *kept])


def _clock(seconds: float | None) -> str:
    return "" if seconds is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
