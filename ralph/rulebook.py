"""The rules of a session from its settings and flags; apart from `app` because loading the policy takes 25 ms."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from ralph.audit.log import AuditLog
from ralph.config import Config
from ralph.core.gate import Question
from ralph.core.messages import Message
from ralph.errors import ConfigError
from ralph.place import Place, Wishes
from ralph.policy.allowlist import Entry, built_in, read_entry, read_flag
from ralph.policy.explain import as_lines, explain
from ralph.policy.facts import Places
from ralph.policy.grants import GrantFile, Grants
from ralph.policy.lint import broken_examples
from ralph.policy.protected import Protected
from ralph.policy.rules import Asks, Rules
from ralph.policy.secrets import Redactor, load_key
from ralph.policy.taint import Finishing, Taint
from ralph.sandbox.box import Sandbox, open_sandbox
from ralph.sandbox.confinement import PRIVATE, Mode, confine
from ralph.session.results import Cap

GRANTS = "grants.json"
PRIVATE_PLACES = (
    ".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker/config.json", ".config/gcloud", ".config/gh", ".config/op",
    ".netrc", ".git-credentials", ".npmrc", ".pypirc", ".pgpass", ".my.cnf", ".password-store", ".vault-token",
    ".bash_history", ".zsh_history", ".python_history", ".psql_history", ".local/share/keyrings", ".mozilla",
    ".config/google-chrome", ".config/chromium", ".thunderbird", "Library/Keychains",
)  # fmt: skip
"""Under the person's home: keys, tokens and what they typed or browsed."""
SYSTEM_SECRETS = tuple(map(Path, ("/etc/shadow", "/etc/gshadow", "/etc/sudoers", "/etc/sudoers.d")))
RUN_LATER = (
    ".github", ".gitlab-ci.yml", ".circleci", ".husky", ".vscode", ".idea", ".envrc", ".mcp.json",
    ".pre-commit-config.yaml",
)  # fmt: skip
"""What runs later or grants rights: readable in the sandbox, not writable where it exists."""
SEARCHES = frozenset({"grep", "egrep", "fgrep", "rg", "ag", "ack", "diff"})
"""Programs that read whole directories."""


def make_rules(
    place: Place, config: Config, wishes: Wishes, *, taint: Asks | None = None, sandbox_holds: bool = False
) -> Rules:
    """Raises ConfigError for an entry that is not understood. What a person granted for longer is in the home."""
    gates = config.approval_gates
    prefix = "approval_gates.categories."
    origins = {name.removeprefix(prefix): where for name, where in config.origins.items() if name.startswith(prefix)}
    return Rules(
        cwd=str(place.cwd), home=str(place.home), tilde=place.env.get("HOME", ""),
        categories=gates.categories, origins=origins, yolo=not gates.enabled, attended=wishes.attended,
        confine=wishes.confine, sandbox_holds=sandbox_holds, taint=taint, grants=open_grants(place),
        allowlist=[*_shipped(holds=sandbox_holds), *map(_tried, gates.allowlist), *map(read_flag, wishes.allow)],
    )  # fmt: skip


def _tried(row: Mapping[str, Any]) -> Entry:
    """An entry of the settings that gets its own examples right."""
    entry = read_entry(row)
    if entry.should_match or entry.should_not_match:
        for fault in broken_examples(entry):
            raise ConfigError(f"{entry.where}: {entry.text} {fault}", hint="mend the entry or the example")
    return entry


def _shipped(*, holds: bool) -> list[Entry]:
    """The built-in entries. Without a sandbox that hides protected files, what searches directories asks."""
    entries = list(built_in())
    return entries if holds else [entry for entry in entries if not SEARCHES.intersection(entry.words[:2])]


def make_taint(place: Place, history: list[Message], *, offline: bool) -> Taint:
    """`offline`: child processes were seen to have no network."""
    places = Places(str(place.cwd), str(place.cwd), str(place.home), place.env.get("HOME", ""))
    taint = Taint(places, load_key(place.home), offline=offline)
    taint.resume(history)
    return taint


def make_finishing(redact: Redactor, taint: Taint, scratch: Path) -> Finishing:
    """Secrets out, text from elsewhere framed, then capped."""
    return Finishing(redact, taint, Cap(scratch))


def make_log(place: Place, session_id: str, redact: Redactor, about: dict[str, str], sandbox: str) -> AuditLog:
    return AuditLog(place.home, session_id, redact=redact, about=about, sandbox=sandbox)


def open_grants(place: Place) -> Grants:
    """Those of this project and of the person; each process has its own session's besides."""
    return Grants(os.path.realpath(place.cwd), GrantFile(place.home / GRANTS))


def make_sandbox(place: Place, config: Config, scratch: Path, *, private: bool, again: bool = False) -> Sandbox:
    """Probed, or remembered from this boot (unless `again`). `private`: with a /tmp of its own.

    Hidden are Ralph's home, every protected file the workspace holds now, and the places of the person's keys.
    """
    found = map(Path, Protected(str(place.home), str(place.cwd)).in_workspace())
    protected = [path for path in found if not path.is_relative_to(place.home)]  # that is hidden as a whole
    tilde = Path(place.env.get("HOME") or "/nonexistent")
    hidden = [place.home, *protected, *(tilde / name for name in PRIVATE_PLACES), *SYSTEM_SECRETS]
    mode = cast(Mode, config.sandbox.mode)
    apart = PRIVATE if private else ()
    given = confine(mode, place.cwd, scratch, hidden=hidden, network=config.sandbox.network, private=apart)
    later = (place.cwd / name for name in RUN_LATER)
    given = replace(given, frozen=(*given.frozen, *(path for path in later if path.exists())))
    return open_sandbox(given, place.home, again=again)


def explained(rules: Rules, question: Question, width: int = 76) -> list[str]:
    """The rules that were considered about a call, as `ralph policy explain` shows them; no use of a grant counts."""
    return as_lines(explain(rules, question.call, question.spec), width)
