"""The rules of a session from its settings and flags; apart from `app` because loading the policy takes 25 ms."""

from __future__ import annotations

from ralph.config import Config
from ralph.place import Place, Wishes
from ralph.policy.allowlist import built_in, read_entry, read_flag
from ralph.policy.rules import Rules


def make_rules(place: Place, config: Config, wishes: Wishes) -> Rules:
    """Raises ConfigError for an entry that is not understood."""
    gates = config.approval_gates
    prefix = "approval_gates.categories."
    origins = {name.removeprefix(prefix): where for name, where in config.origins.items() if name.startswith(prefix)}
    return Rules(
        cwd=str(place.cwd), home=str(place.home), tilde=place.env.get("HOME", ""),
        categories=gates.categories, origins=origins, yolo=not gates.enabled, attended=wishes.attended,
        allowlist=[*built_in(), *map(read_entry, gates.allowlist), *map(read_flag, wishes.allow)],
    )  # fmt: skip
