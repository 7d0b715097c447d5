"""What one call would do: its effects, where its paths lead, and what makes it a matter for a person."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ralph.core.gate import Effect
from ralph.core.messages import ToolCall
from ralph.core.tools import ToolSpec
from ralph.errors import ToolError
from ralph.policy.categories import QUIET_TOOLS
from ralph.policy.diffs import touched
from ralph.policy.effects import ShellReport, report
from ralph.policy.network import judge_url, overtly_local
from ralph.policy.paths import Walk, follow, inside
from ralph.policy.sensitive import apart, runs_later, secret

TEXT_ARGUMENTS = re.compile(
    r"(?:.*_)?(?:content|contents|text|body|message|query|prompt|description|title|code|diff|patch|task|context|"
    r"regex_?pattern|pattern|regex|glob_?filter|glob|old_?(?:str|string|text)|new_?(?:str|string|text)|operations|todos)$",
    re.IGNORECASE,
)
"""Names of arguments that carry text, not a path. The diff, code and glob among them are read by their own rules."""

_LISTING = frozenset({
    "list_dir", "file_info", "ls", "eza", "exa", "tree", "find", "fd", "fdfind", "realpath", "readlink", "dirname",
    "basename", "stat", "du", "df", "test", "[", "pwd", "namei", "which", "whereis", "locate", "plocate", "mountpoint",
})  # fmt: skip
"""Tools and programs that show names, sizes and dates."""

_PATH_ARGUMENT = re.compile(
    r"(?:.*_)?(?:paths?|files?|file_?name|file_?path|dir|dirs|directory|folder|source|src|destination|dest|dst|target|root)$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Places:
    """Absolute directories: `home` is Ralph's, `tilde` the person's; `workspace` and `scratch` are free of symlinks.

    `shell`: posix, cmd or powershell; "" is the one of this machine.
    """

    cwd: str
    workspace: str
    home: str
    tilde: str
    scratch: str = ""
    shell: str = ""


@dataclass(slots=True)
class Facts:
    """`walks`: argument name, or path inside a diff, -> where it leads. `caution`: always ask, and never "always".

    `outside`: a path that is read, outside the workspace and where a person's own things are. `problem`: for the model,
    when the call cannot be judged at all.
    """

    call: ToolCall
    spec: ToolSpec
    cwd: str
    effects: list[Effect] = field(default_factory=list)
    walks: dict[str, Walk] = field(default_factory=dict)
    report: ShellReport | None = None
    caution: str = ""
    outside: str = ""
    problem: str = ""

    @property
    def read_only(self) -> bool:
        if self.spec.category == "file_read" or self.spec.name in QUIET_TOOLS:
            return all(effect.kind == "reads" for effect in self.effects)
        return bool(self.effects) and all(effect.kind == "reads" for effect in self.effects)


def gather(call: ToolCall, spec: ToolSpec, places: Places) -> Facts:
    facts = Facts(call, spec, places.cwd)
    try:
        _GATHER.get(spec.category, _unknown)(facts, places)
    except ToolError as error:
        facts.problem = str(error)
    return facts


def path_arguments(args: Any) -> Iterator[str]:
    """Every string among the arguments, however deep, that may be a path."""
    if isinstance(args, str) and args:
        yield args
    elif isinstance(args, list | tuple):
        for item in args:
            yield from path_arguments(item)
    elif isinstance(args, Mapping):
        for name, item in args.items():
            if not TEXT_ARGUMENTS.match(str(name)):
                yield from path_arguments(item)


def _named_paths(call: ToolCall, match: str | None) -> Iterator[tuple[str, str]]:
    """(argument name, path) of a file tool; the items of a list are named `name[0]` and so on."""
    for name, value in call.args.items():
        if name != match and not _PATH_ARGUMENT.match(name):
            continue
        texts = list(path_arguments({name: value}))
        yield from ((name if isinstance(value, str) else f"{name}[{at}]", text) for at, text in enumerate(texts))


def _files(facts: Facts, places: Places) -> None:
    kind = "reads" if facts.spec.category == "file_read" else "writes"
    for name, text in _named_paths(facts.call, facts.spec.match):
        _touch(facts, places, name, text, kind)
    diff = facts.call.args.get("diff")
    if isinstance(diff, str):
        path = facts.call.args.get("path")
        for part in touched(diff, path if isinstance(path, str) else ""):
            _touch(facts, places, part.path, part.path, part.action)
    if not facts.walks:
        facts.effects.append(Effect(kind, "."))


def _touch(facts: Facts, places: Places, name: str, text: str, kind: str) -> None:
    walk = follow(text, facts.cwd, tilde=places.tilde)
    facts.walks[name] = walk
    facts.effects.append(Effect(kind, walk.resolved))
    _warn(facts, places, walk, kind)


def _warn(facts: Facts, places: Places, walk: Walk, kind: str) -> None:
    if reason := next((found for path in walk.spellings if (found := secret(path))), ""):
        if not any(effect.kind == "secret" for effect in facts.effects):
            facts.effects.append(Effect("secret", walk.resolved))
        facts.caution = facts.caution or reason
    if kind == "reads":
        near = any(inside(walk.resolved, root) for root in (places.workspace, places.scratch))
        if not near and not _only_names(facts) and (apart(walk.resolved, places.tilde) or _broad(facts, walk)):
            facts.outside = facts.outside or walk.resolved
    elif reason := next((found for path in walk.spellings if (found := runs_later(path))), ""):
        facts.caution = facts.caution or reason


def _only_names(facts: Facts) -> bool:
    """It tells what there is, not what is in it."""
    argv = facts.report.command.plain if facts.report else None
    if argv is None:
        return facts.spec.name in _LISTING
    return argv[0] in _LISTING and not any(re.match(r"--?(from|files0)", word) for word in argv)


def _broad(facts: Facts, walk: Walk) -> bool:
    """A search through all of the machine's settings or its running programs."""
    return facts.report is None and walk.is_dir and re.fullmatch(r"/|/etc|/proc|/var|/run", walk.resolved) is not None


def _shell(facts: Facts, places: Places) -> None:
    given = facts.call.args.get("working_dir")
    if isinstance(given, str) and given:
        walk = facts.walks["working_dir"] = follow(given, facts.cwd, tilde=places.tilde)
        facts.cwd = walk.resolved
    text = facts.call.args.get("command")
    if not isinstance(text, str):
        _unknown(facts, places)
        return
    facts.report = report(text, facts.cwd, places.shell)
    facts.effects += facts.report.effects
    reading = facts.report.reading
    named = [Effect(found.kind, found.target) for found in reading.findings] if reading else []  # globs written out
    for effect in dict.fromkeys((*facts.report.effects, *named)):
        if effect.kind in ("reads", "writes", "deletes") and effect.target:
            try:
                walk = follow(effect.target, facts.cwd, tilde=places.tilde)
            except ToolError:  # a descriptor of the child itself, such as /dev/stdin, or of any other program
                facts.outside = facts.outside or ("" if effect.target.startswith("/dev/") else effect.target)
                continue
            _warn(facts, places, walk, effect.kind)
        elif effect.kind == "secret" and effect not in named:
            facts.caution = facts.caution or f"{effect.target or 'the environment'} may be a secret"


def _network(facts: Facts, places: Places) -> None:
    url = facts.call.args.get("url")
    if not isinstance(url, str):
        facts.effects.append(Effect("contacts", "an address that is not in the arguments"))
        return
    seen = judge_url(url)
    facts.effects.append(Effect("contacts", seen.origin))
    if seen.problems:
        facts.problem = f"{url}: {seen.problems[0]}"
    elif overtly_local(seen):
        facts.caution = f"{seen.host} is an address on this machine or its network"


def _python(facts: Facts, places: Places) -> None:
    facts.effects.append(Effect("executes", "python"))


def _memory(facts: Facts, places: Places) -> None:
    kind = "reads" if facts.spec.name in QUIET_TOOLS else "writes"
    facts.effects.append(Effect(kind, "memory"))
    for name, text in _named_paths(facts.call, facts.spec.match):
        if name.endswith("path"):
            _touch(facts, places, name, text, "reads")


def _subagent(facts: Facts, places: Places) -> None:
    facts.effects.append(Effect("reads" if facts.spec.name in QUIET_TOOLS else "executes", "subagent"))


def _unknown(facts: Facts, places: Places) -> None:
    facts.effects.append(Effect("unknown", facts.spec.origin if facts.spec.origin != "builtin" else facts.spec.name))


_GATHER = {
    "file_read": _files, "file_write": _files, "shell": _shell, "network": _network, "python": _python,
    "memory": _memory, "subagent": _subagent,
}  # fmt: skip
