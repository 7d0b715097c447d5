"""The rules of a session from its settings and flags; apart from `app` because loading the policy takes 25 ms."""

from __future__ import annotations

import os
from pathlib import Path
from typing import cast

from ralph.config import Config
from ralph.core.gate import Question
from ralph.place import Place, Wishes
from ralph.policy.allowlist import built_in, read_entry, read_flag
from ralph.policy.explain import as_lines, explain
from ralph.policy.grants import GrantFile, Grants
from ralph.policy.rules import Rules
from ralph.sandbox.box import Sandbox, open_sandbox
from ralph.sandbox.confinement import PRIVATE, Mode, confine

GRANTS = "grants.json"


def make_rules(place: Place, config: Config, wishes: Wishes, *, sandbox_holds: bool = False) -> Rules:
    """Raises ConfigError for an entry that is not understood. What a person granted for longer is in the home."""
    gates = config.approval_gates
    prefix = "approval_gates.categories."
    origins = {name.removeprefix(prefix): where for name, where in config.origins.items() if name.startswith(prefix)}
    return Rules(
        cwd=str(place.cwd), home=str(place.home), tilde=place.env.get("HOME", ""),
        categories=gates.categories, origins=origins, yolo=not gates.enabled, attended=wishes.attended,
        confine=wishes.confine, sandbox_holds=sandbox_holds, grants=open_grants(place),
        allowlist=[*built_in(), *map(read_entry, gates.allowlist), *map(read_flag, wishes.allow)],
    )  # fmt: skip


def open_grants(place: Place) -> Grants:
    """Those of this project and of the person; each process has its own session's besides."""
    return Grants(os.path.realpath(place.cwd), GrantFile(place.home / GRANTS))


def make_sandbox(place: Place, config: Config, scratch: Path, *, private: bool, again: bool = False) -> Sandbox:
    """Probed, or remembered from this boot (unless `again`). `private`: with a /tmp of its own."""
    hidden = [place.home, *(path for path in sorted(place.cwd.glob(".env*")) if path.is_file())]
    mode = cast(Mode, config.sandbox.mode)
    apart = PRIVATE if private else ()
    given = confine(mode, place.cwd, scratch, hidden=hidden, network=config.sandbox.network, private=apart)
    return open_sandbox(given, place.home, again=again)


def explained(rules: Rules, question: Question, width: int = 76) -> list[str]:
    """The rules that were considered about a call, as `ralph policy explain` shows them; no use of a grant counts."""
    return as_lines(explain(rules, question.call, question.spec), width)
