"""What a shell command would do, as facts, and whether it may run unasked.

Nothing here runs anything or decides: the rules do, with these facts. A command may run unasked under an allowlist
entry when it is one plain command, its words begin with the entry's words, it is not dangerous, and nothing in it goes
beyond the ordinary work of the program and sub-command that the entry names: no argument runs another program, writes
a file of its own choosing, reads a secret or destroys work. Words the entry itself spells out are the person's own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from ralph.core.gate import Effect
from ralph.policy import cmd, powershell
from ralph.policy.danger import danger
from ralph.policy.globs import TooManyNames, expand
from ralph.policy.kinds import NEVER, Finding, secret_path, value_of
from ralph.policy.programs import Reading, judge
from ralph.policy.shell import Command, Simple, Word, parse
from ralph.policy.wrappers import is_wrapper

_LAUNCHERS = (("uv", "run"), ("poetry", "run"), ("pipenv", "run"), ("pdm", "run"), ("hatch", "run"), ("bundle", "exec"),
              ("npx",), ("pnpm", "exec"), ("yarn", "exec"), ("bunx",))  # fmt: skip
_RUNS = re.compile(r"--?(\w*-)*(exec|eval|command|script|shell|pager|editor|filter|hooks?|plugin|preload|pre|load|"
                   r"require|browser|rsh|helper)([-=].*)?$")  # fmt: skip
_WRITES = re.compile(
    r"--(output|out|outfile|output-file|out-file|save|write|log-file|in-?place|delete|force)(=.*)?$|-o.*$"
)


@dataclass(frozen=True, slots=True)
class ShellReport:
    """Everything the policy knows about one command.

    `command.plain` is the argv to run when it is allowed (globs and `~` already turned into names). `certain`: plain,
    understood, and only reading. `reasons`: why not. `dangerous`: "" or why it always asks; `ruinous`: "" or why it is
    refused even under `--yolo`. `paths`: every word that may name a file, as written. `reading`: the plain command
    against the table of programs.
    """

    command: Command
    effects: tuple[Effect, ...]
    certain: bool
    reasons: tuple[str, ...]
    dangerous: str
    ruinous: str
    tabled: bool
    paths: tuple[str, ...]
    reading: Reading | None = None


def report(text: str, cwd: str = "/", shell: str = "") -> ShellReport:
    """`shell`: posix, cmd or powershell; "" is the one of this machine."""
    shell = shell or ("posix" if os.name != "nt" else "powershell" if "PSMODULEPATH" in os.environ else "cmd")
    if shell == "posix":
        command = _expanded(parse(text), cwd)
        dangerous, ruinous = danger(command.text, command.simples)
    else:
        command = _windows(text, cmd.scan(text) if shell == "cmd" else powershell.scan(text), shell)
        simples, ruinous = command.simples, ""
        dangerous = cmd.danger(simples) if shell == "cmd" else powershell.danger(text, simples)
    reading = judge(command.plain) if command.plain else None
    if reading and shell != "posix" and cmd.is_own(reading.program.partition(" ")[0]):
        reading = Reading(False, reading.program)
    effects = tuple(dict.fromkeys(effect for simple in command.simples for effect in _effects(simple)))
    reasons = _reasons(command, reading, dangerous)
    return ShellReport(
        command, effects, not reasons, reasons, dangerous, ruinous, reading is not None and reading.tabled,
        tuple(dict.fromkeys(path for simple in command.simples for path in _paths(simple))), reading,
    )  # fmt: skip


def may_auto(report: ShellReport, entry: tuple[str, ...]) -> str:
    """"" when the allowlist entry covers the command and it is safe to run unasked, else the reason."""
    argv, reading = report.command.plain, report.reading
    if report.dangerous:
        return report.dangerous
    if argv is None or reading is None:
        return report.command.trouble
    if not entry or argv[: len(entry)] != entry:
        return f"its words do not begin with {' '.join(entry)!r}"
    for launcher in _LAUNCHERS:
        if entry[: len(launcher)] == launcher and len(entry) > len(launcher) and entry[len(launcher)][:1] != "-":
            argv, entry = argv[len(launcher) :], entry[len(launcher) :]
            reading = judge(argv)
    return _objection(argv, reading, len(entry))


def _objection(argv: tuple[str, ...], reading: Reading, named: int) -> str:
    """What keeps these words from running unasked under an entry of `named` words."""
    if is_wrapper(argv) and argv[1:] not in (("--version",), ("--help",)) and not reading.tabled:
        return f"{argv[0]} runs another program"
    findings = reading.findings if reading.tabled else _untabled(argv)
    for finding in findings:
        if finding.why and finding.at >= named:
            return finding.why
        if finding.kind in _CHANGES and finding.at >= named and not reading.work:  # as in `uniq a b`
            return f"{reading.program} mostly reads, and here it {_CHANGES[finding.kind]} {finding.target}"
    further = [at for at in reading.targets if at >= named]
    if further and len(further) < len(reading.targets):
        return f"the entry does not name {argv[further[0]]!r}"
    if reading.work and reading.named > named:
        return f"{reading.program} {reading.work} something, and the entry does not name it"
    return ""


def _windows(text: str, scanned: tuple[tuple[Word, ...], str], shell: str) -> Command:
    words, trouble = scanned
    name = re.sub(r"\.exe$", "", words[0].text.lower()) if words else ""
    trouble = trouble or cmd.trouble_with(name)
    plain = None if trouble else (name, *(word.text for word in words[1:]))
    return Command(text, plain, tuple((cmd if shell == "cmd" else powershell).read(text)), trouble, words)


def _expanded(command: Command, cwd: str) -> Command:
    """With globs and `~` turned into the names they stand for now; still not plain when a name could be an option."""
    if not command.words or command.plain is not None:
        return command
    home = os.environ.get("HOME", "")
    argv: list[str] = []
    for word in command.words:
        if word.pattern[:1] == "~" and not home.startswith("/"):
            return replace(command, trouble="there is no home directory")
        try:
            names = expand(word, cwd, home)
        except TooManyNames:
            return replace(command, trouble=f"{word.text!r} fits too many names to judge")
        if any(name[:1] == "-" != word.text[:1] for name in names):
            return replace(command, trouble=f"{word.text!r} fits a name that looks like an option")
        argv += names
    return replace(command, plain=tuple(argv), trouble="")


def _reasons(command: Command, reading: Reading | None, dangerous: str) -> tuple[str, ...]:
    found = [command.trouble, dangerous]
    if command.plain and reading:
        if not reading.tabled:
            found.append(f"{command.plain[0]} runs another program" if is_wrapper(command.plain) else "")
        if reading.work:
            found.append(f"{reading.program} {reading.work} something")
        found += [finding.why for finding in reading.findings]
        found += [f"{f.target} is changed" for f in reading.findings if not f.why and f.kind in ("writes", "deletes")]
    return tuple(dict.fromkeys(reason for reason in found if reason))


def _untabled(argv: tuple[str, ...]) -> Iterator[Finding]:
    """Objections to the words of a program nobody has described, by what such words usually mean."""
    for at, word in enumerate(argv[1:], 1):
        for part in dict.fromkeys((word, word.partition("=")[2], word.partition(":")[2], word.lstrip("@"))):
            if part and (why := secret_path(part)):
                yield Finding(at, "secret", part, why)
        if _RUNS.match(word):
            yield Finding(at, "executes", word, f"{argv[0]} {word} may run a program")
        elif _WRITES.match(word):
            yield Finding(at, "writes", word, f"{argv[0]} {word} may write a file")


def _effects(simple: Simple) -> Iterator[Effect]:
    """The facts about one simple command."""
    for redirect in simple.redirects:
        if redirect.target and not redirect.op.startswith("<<"):
            kind = "reads" if redirect.op[0] == "<" else "writes"
            if not (redirect.op.endswith("&") and redirect.target.text.isdigit()):
                yield from (Effect(f.kind, f.target) for f in _target(kind, redirect.target.text))
    argv = simple.argv
    if not argv:
        return
    if not simple.words[0].literal:
        yield Effect("unknown", argv[0])
        return
    reading = judge(argv)
    findings = reading.findings if reading.tabled else [*_untabled(argv)]
    changed = _changed(findings, reading)
    yield from changed
    yield from (Effect(f.kind, f.target or argv[0]) for f in findings if f.kind not in (*_CHANGES, "places"))
    if not reading.tabled:
        yield Effect("executes", argv[0])
        yield Effect("unknown", argv[0])
    elif reading.work and (reading.work not in _CHANGES.values() or not changed):
        yield Effect(reading.work, reading.program)
    elif not findings and not reading.only_words:
        yield Effect("reads", ".")


_CHANGES = {"writes": "writes", "deletes": "deletes", "fills": "writes"}


def _changed(findings: Iterable[Finding], reading: Reading) -> list[Effect]:
    """What is written and deleted. The program stands for its targets only where the words name none of them."""
    changes = [(_CHANGES[finding.kind], finding.target) for finding in findings if finding.kind in _CHANGES]
    named = {kind for kind, target in changes if target}
    return [Effect(kind, target or reading.program) for kind, target in changes if target or kind not in named]


def _target(kind: str, path: str) -> list[Finding]:
    found = value_of("read" if kind == "reads" else "write", NEVER, path)
    return [finding for finding in found if finding.target not in ("/dev/null", "/dev/stdout", "/dev/stderr")]


def _paths(simple: Simple) -> Iterator[str]:
    """Every spelling in the command that could be a path: words, values, targets, what follows `=`, `:`, `@`, `-x`."""
    texts = [*simple.argv[1:], *(value for _, value in simple.assignments)]
    texts += [redirect.target.text for redirect in simple.redirects if redirect.target]
    for text in (*simple.argv[:1], *texts):
        if not text or len(text) > 4_096 or "\n" in text:
            continue
        yield text
        for separator in "=:@,":
            yield from (part for part in text.split(separator)[1:] if part and part != text)
        if re.match(r"-[A-Za-z][^-]", text):
            yield text[2:]
