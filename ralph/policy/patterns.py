"""The exact rule an "always" would store: as narrow as is useful, and none where one yes must not become many."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from ralph.core.gate import Effect
from ralph.policy.effects import may_auto
from ralph.policy.facts import Facts
from ralph.policy.kinds import near
from ralph.policy.network import judge_url

_RISKY = (  # run other programs, reach the network, or destroy: every such call is its own question
    "env sudo doas su timeout nice ionice nohup xargs time watch stdbuf setsid flock parallel script busybox command "
    "exec eval builtin chroot unshare nsenter strace ltrace gdb "
    "sh bash zsh dash ksh fish csh tcsh python python3 python2 pypy node deno bun ruby perl php lua tclsh awk gawk "
    "mawk sed osascript pwsh powershell cmd expect "
    "rm rmdir shred unlink dd mkfs chmod chown chgrp chattr kill pkill killall systemctl service shutdown reboot "
    "curl wget ssh scp sftp rsync nc ncat netcat socat telnet ftp dig nslookup host ping docker podman kubectl helm "
    "terraform aws gcloud az gh npx bunx pnpx uvx pipx source ."
)
_NEVER = frozenset(_RISKY.split())

_WORDS = {  # how many leading words name what is done
    "npm run": 3, "pnpm run": 3, "yarn run": 3, "bun run": 3, "uv run": 3, "poetry run": 3, "go tool": 3,
    "git remote": 3, "git stash": 3, "git config": 3, "git worktree": 3, "git submodule": 3,
}  # fmt: skip
_WITH_SUBCOMMANDS = (
    "git npm pnpm yarn bun pip pip3 uv poetry cargo go make just rake gradle mvn dotnet mix bundle rustup brew apt "
    "hatch tox nox pre-commit ruff composer flutter dart swift zig cmake"
)
_SUBCOMMANDS = frozenset(_WITH_SUBCOMMANDS.split())
_ONE_WORD = "pytest mypy ls cat head tail wc grep rg find tree stat file du df sort uniq cut diff jq"
_ALONE = frozenset(_ONE_WORD.split())


def suggest(facts: Facts, *, shell: str = "posix") -> Mapping[str, Any] | None:
    """An allowlist row (see `allowlist.read_entry`) that covers this call, or None where there must be none."""
    if facts.caution or facts.problem:
        return None
    if facts.report is not None:
        return _shell(facts, shell)
    if facts.spec.category in ("file_write", "file_read"):
        return _path(facts)
    if facts.spec.category == "network":
        return _host(facts)
    if facts.spec.category == "python":
        return None  # an interpreter
    return {"tool": facts.call.name, "arguments": dict(facts.call.args)}


def _shell(facts: Facts, shell: str) -> Mapping[str, Any] | None:
    report = facts.report
    if report is None or report.dangerous or report.ruinous or report.command.plain is None:
        return None
    if any(effect.kind == "contacts" for effect in report.effects):
        return None  # what leaves this machine is a question each time
    if any(_leaves(effect, facts.cwd) for effect in report.effects):
        return None
    words = prefix(report.command.plain)
    if words and report.reading and report.reading.targets:  # each of them is one more thing that is done
        words = report.command.plain[: max(len(words), report.reading.targets[-1] + 1)]
    if not words or may_auto(report, words):
        return None  # it would not run unasked even with the rule: a rule that cannot fire must not be offered
    return {"tool": "shell", "command": list(words), "shell": shell}


def _leaves(effect: Effect, cwd: str) -> bool:
    """Is it a change of something that looks inside the workspace and, through a symlink, is not?"""
    if effect.kind not in ("writes", "deletes") or not near(effect.target) or "\0" in effect.target:
        return False
    root, leads = os.path.realpath(cwd), os.path.realpath(os.path.join(cwd, effect.target))  # noqa: PTH118  # as written
    return os.path.commonpath((root, leads)) != root


def never_always(argv: tuple[str, ...]) -> bool:
    """Interpreters, wrappers, network tools and what destroys: one yes must not stand for the next."""
    program = argv[0].rpartition("/")[2]
    return program in _NEVER or re.fullmatch(r"(python|pypy|perl|ruby|lua|php)[\d.]+", program) is not None


def prefix(argv: tuple[str, ...]) -> tuple[str, ...]:
    """Program and sub-command; the whole command where a shorter rule would cover unlike things; () for never."""
    program = argv[0].rpartition("/")[2]
    if never_always(argv):
        return ()
    if len(argv) == 1:
        return argv
    if program in _ALONE:
        return argv[:1]
    if program in _SUBCOMMANDS and argv[1].startswith("-"):
        return argv  # an option before the sub-command may change what the sub-command means
    return argv[: _WORDS.get(f"{program} {argv[1]}", 2)]


def _path(facts: Facts) -> Mapping[str, Any]:
    """`^dir/.*\\.ext$`, narrowed to `dir/prefix_` names; exact for names without a directory or an ending, and /tmp."""
    given = facts.call.args.get(facts.spec.match) if facts.spec.match else None
    if not isinstance(given, str) or len(facts.walks) != 1 or facts.spec.match not in facts.walks:
        return {"tool": facts.call.name, "arguments": dict(facts.call.args)}
    return {"tool": facts.call.name, "pattern": path_pattern(given)}


def path_pattern(given: str) -> str:
    """The regular expression for paths like this one."""
    directory, _, name = given.rpartition("/")
    stem, dot, ending = name.rpartition(".")
    exact = f"^{re.escape(given)}$"
    if directory in ("", ".") or not dot or not stem or ".." in given.split("/"):
        return exact
    if given.startswith(("/tmp/", "/var/tmp/", "~")):
        return exact
    head, underscore, _ = stem.partition("_")
    start = f"{re.escape(head)}_" if head and underscore else ""
    return f"^{re.escape(directory)}/{start}.*\\.{re.escape(ending)}$"


def _host(facts: Facts) -> Mapping[str, Any] | None:
    url = facts.call.args.get("url")
    if not isinstance(url, str):
        return None
    seen = judge_url(url)
    if seen.problems or "@" in url:
        return None
    scheme, _, rest = url.partition("://")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    return {"tool": facts.call.name, "pattern": f"^{re.escape(scheme)}://{re.escape(authority)}([/?#]|$)"}
