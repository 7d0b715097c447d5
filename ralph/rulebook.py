"""The rules of a session from its settings and flags; apart from `app` because loading the policy takes 25 ms."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
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
from ralph.policy.protected import Protected, fold, protected_name
from ralph.policy.rules import Asks, Rules
from ralph.policy.secrets import Redactor, load_key
from ralph.policy.taint import Finishing, Taint
from ralph.sandbox.box import Sandbox, open_sandbox
from ralph.sandbox.confinement import PRIVATE, Mode, confine
from ralph.sandbox.guard import Guard
from ralph.sandbox.survey import Kind
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
RUN_LATER = frozenset({
    ".github", ".gitlab-ci.yml", ".travis.yml", ".circleci", ".buildkite", ".woodpecker", ".woodpecker.yml",
    ".drone.yml", ".appveyor.yml", ".ci", "azure-pipelines.yml", "bitbucket-pipelines.yml", "jenkinsfile",
    ".husky", ".pre-commit-config.yaml", "lefthook.yml", ".gitmodules", ".gitconfig",
    ".vscode", ".idea", ".zed", ".fleet", ".devcontainer", ".vim", ".vimrc", ".exrc", ".nvimrc", ".nvim.lua",
    ".emacs.d", ".dir-locals.el",
    ".mcp.json", ".claude", ".cursor", ".codex", ".gemini", ".continue", ".windsurf", ".kiro", ".aider.conf.yml",
    "agents.md", "prompt.md",
    ".envrc", "mise.toml", ".mise.toml", ".tool-versions", ".npmrc", ".yarnrc", ".yarnrc.yml", ".pypirc", ".condarc",
    "pip.conf", "sitecustomize.py", "usercustomize.py",
    ".profile", ".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".bash_aliases", ".zshrc", ".zshenv",
    ".zprofile", ".zlogin", ".zlogout", ".inputrc", ".xinitrc", ".xprofile",
})  # fmt: skip
"""Names, in lower case, of what runs later or grants rights: in the sandbox to be read, not to be changed or made.

A build file or a test (Makefile, package.json, conftest.py) is not among them: to change those is the work itself.
"""
RUN_BY_GIT = frozenset({"hooks", "config", "config.worktree", "modules", "commondir"})
"""The same in a `.git`, which may not be made either, but is written to by every commit."""
SEARCHES = frozenset({"grep", "egrep", "fgrep", "rg", "ag", "ack", "diff", "yamllint"})
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
        path=place.env.get("PATH", ""),
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


def make_sandbox(
    place: Place, config: Config, scratch: Path, *, private: bool, again: bool = False,
    tell: Callable[[str], None] = lambda _text: None,
) -> Sandbox:  # fmt: skip
    """Probed, or remembered from this boot (unless `again`). `private`: with a /tmp of its own. `tell`: see Guard.

    Hidden are Ralph's home, every protected file the workspace holds when a child is started, and the places of the
    person's keys.
    """
    protected = Protected(str(place.home), str(place.cwd))

    def protected_now() -> list[Path]:
        found = map(Path, protected.in_workspace())
        return [path for path in found if not path.is_relative_to(place.home)]  # that is hidden as a whole

    tilde = Path(place.env.get("HOME") or "/nonexistent")
    hidden = [place.home, *(tilde / name for name in PRIVATE_PLACES), *SYSTEM_SECRETS]
    mode = cast(Mode, config.sandbox.mode)
    apart = PRIVATE if private else ()
    given = confine(mode, place.cwd, scratch, hidden=hidden, network=config.sandbox.network, private=apart)
    return open_sandbox(given, place.home, guard=Guard(given, kind_of, protected_now, tell), again=again)


def kind_of(directory: str, name: str) -> Kind:
    """How the sandbox guards an entry of the workspace."""
    folded = name.lower() if name.isascii() else fold(name)
    if folded == ".git":
        return "new"
    if folded in RUN_LATER or (folded in RUN_BY_GIT and directory.endswith("/.git")):
        return "frozen"
    return "hidden" if protected_name(f"{directory.lower()}/{folded}") else ""


def explained(rules: Rules, question: Question, width: int = 76) -> list[str]:
    """The rules that were considered about a call, as `ralph policy explain` shows them; no use of a grant counts."""
    return as_lines(explain(rules, question.call, question.spec), width)
