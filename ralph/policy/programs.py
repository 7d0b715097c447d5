"""The table of programs, and how a command's words are read against it.

`programs.json` holds one line of text per program (or a mapping of lines per sub-command, "" for the program itself):

    OPTIONS | OPERANDS | WORK

OPTIONS, in words: `-abc` short flags; `-n:int` and `--lines:int` take a value of that kind, written on or after
(`:text,read` takes two); `--color?text` may have one written on; `-delete!deletes` is a flag with an effect; `-#` a
number as an option; `$name` inserts the list of that name under "sets". Marks: `@single` long options have one dash;
`@bundle` the first word may be a bundle of short flags without its dash; `@rest` options end at the first operand;
`@loose` there are no options; `@nodash` `--` is not known; `@some` an operand is needed; `@lists` without
an option that lists, an operand is made; `@saves` without an option that says where, an operand is saved under a name
of its own choosing; `@views:-t,--list` with one of these it only reads; `@has -e -f` with one of these options the
first operand's kind falls away. A line `never EFFECT` always asks.
OPERANDS: kinds in order; `?` may be missing, `*` any number. WORK: what the program does beside reading (writes,
deletes, executes, contacts, history), which an allowlist entry for it covers; with `!` only an entry that names it down
to this sub-command.

Kinds are in `ralph.policy.kinds`. A value with an effect in an *option* is never the program's ordinary work; as an
*operand* it is. What the table does not say, nobody knows: the command asks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from ralph.policy.kinds import FIXED, NEVER, Finding, value_of
from ralph.policy.tables import table


@dataclass(slots=True)
class Reading:
    """A command's words against the table. `work`: its ordinary effect; an entry must have `named` words to cover it.

    `program`: the words that name program and sub-command. `only_words`: its operands are text, it looks at no file.
    `targets`: the places of the words that each name one more piece of work, as in `make lint deploy`. `views`: options
    say that it only looks, as in `tar -tf`.
    """

    tabled: bool
    program: str
    work: str = ""
    named: int = 1
    only_words: bool = False
    findings: list[Finding] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    views: bool = False

    def unknown(self, at: int, why: str) -> None:
        self.findings.append(Finding(at, "unknown", "", why))


@dataclass(frozen=True, slots=True)
class Line:
    """One parsed line of the table. `options`: name -> "" (flag), `:kind`, `?kind` or `!effect`."""

    options: dict[str, str]
    marks: frozenset[str]
    has: frozenset[str]
    operands: tuple[str, ...]
    work: str
    given: bool
    never: str = ""
    views: frozenset[str] = frozenset()


_TRUSTED = re.compile(r"/(?:usr/(?:local/)?)?s?bin/|/opt/homebrew/bin/")
_VERSIONED = re.compile(r"(python|pypy|pip|perl|ruby|lua|php|node|gcc|g\+\+|clang|bash|vim|gem|irb)-?\d[\d.]*")


def plain_name(word: str) -> str:
    """The name a program has in the table: without a system directory, without a version."""
    name = _TRUSTED.sub("", word) if _TRUSTED.match(word) else word
    versioned = _VERSIONED.fullmatch(name)
    return versioned[1] if versioned and name not in table()["programs"] else name


def judge(argv: tuple[str, ...]) -> Reading:
    """Read the words of one command against the table. Expects at least one word."""
    name, depth = plain_name(argv[0]), 1
    programs = table()["programs"]
    node = root = _entry(programs, name, programs)
    reading = Reading(node is not None, name)
    while isinstance(node, dict):
        own = _line(node.get("", ""))
        at = _before(argv, depth, node, own, reading)
        deeper = _entry(node, argv[at], root) if at < len(argv) else None
        if deeper is None:
            _without_sub_command(argv, depth, at, own, reading)
            return reading
        reading.program, node, depth = f"{reading.program} {argv[at]}", deeper, at + 1
    if isinstance(node, str):
        line = _line(node)
        if line.never:
            reading.findings.append(Finding(NEVER, line.never, "", f"{reading.program} always asks"))
        else:
            _read(argv, depth, line, reading)
        _settle(reading, line, depth)
    return reading


def _without_sub_command(argv: tuple[str, ...], depth: int, at: int, own: Line, reading: Reading) -> None:
    """No sub-command that is known: the program's own line decides, when it has one."""
    if own.given:
        reading.findings, reading.targets = [], []
        _read(argv, depth, own, reading)
        _settle(reading, own, depth)
    else:
        reading.unknown(at, f"{' '.join((reading.program, *argv[at : at + 1]))} is not in the table")


def _settle(reading: Reading, line: Line, depth: int) -> None:
    reading.work = "" if reading.views else line.work.lstrip("!")
    reading.only_words = bool(line.operands) and all(kind.rstrip("*?") == "text" for kind in line.operands)
    reading.named = depth if line.work[:1] == "!" else 1


def _entry(node: dict[str, Any], name: str, root: dict[str, Any]) -> Any:
    """The line or mapping under a name. `=other` is the same as its neighbour, `=/other` as one under the program,
    `=//other` as another program."""
    found = node.get(name) if name else None
    while isinstance(found, str) and found[:1] == "=":
        source = table()["programs"] if found[:3] == "=//" else root if found[:2] == "=/" else node
        found = source[found.lstrip("=/")]
    return found


@cache
def _beyond() -> frozenset[str]:
    return frozenset(table()["beyond"].split())


def is_beyond(program: str) -> bool:
    """What it shows lies outside of every sandbox."""
    return program in _beyond()


@cache
def _line(text: str) -> Line:
    if text.startswith("never "):
        return Line({}, frozenset(), frozenset(), (), "", True, text.split()[1])
    fields = [part.strip() for part in re.split(r"(?:^| )\|(?= |$)", text)] + ["", ""]
    options: dict[str, str] = {}
    words = list(_spread(fields[0]))
    has = frozenset(words[words.index("@has") + 1 :]) if "@has" in words else frozenset()
    marks = frozenset(word.partition(":")[0] for word in words if word[0] == "@")
    views = next((frozenset(word[7:].split(",")) for word in words if word.startswith("@views:")), frozenset[str]())
    for word in words[: words.index("@has")] if has else words:
        if word[0] == "@":
            continue
        cut = min((place for sign in ":?!" if (place := word.find(sign)) > 0), default=len(word))
        name, value = word[:cut], word[cut:]
        if "@single" in marks or name[:2] == "--" or value or name == "-#" or len(name) == 2:
            options[name] = value
        else:
            options.update((f"-{letter}", "") for letter in name[1:])
    return Line(options, marks, has, tuple(fields[1].split()), fields[2], "|" in text, views=views)


def _spread(text: str) -> Iterator[str]:
    for word in text.split():
        if word[0] == "$":
            yield from _spread(table()["sets"][word[1:]])
        else:
            yield word


def _before(argv: tuple[str, ...], at: int, node: dict[str, Any], line: Line, reading: Reading) -> int:
    """Judge the options that stand before a sub-command; the place of the first other word."""
    while at < len(argv) and argv[at][:1] == "-" and argv[at] != "-" and argv[at] not in node:
        at = _option(argv, at, line, reading, set())
    return at


def _read(argv: tuple[str, ...], at: int, line: Line, reading: Reading) -> None:
    """Judge every word after the program's name."""
    seen: set[str] = set()
    operands: list[tuple[int, str]] = []
    if "@bundle" in line.marks and at < len(argv) and argv[at][:1] != "-":
        at = _option((*argv[:at], _dashed(argv[at], line), *argv[at + 1 :]), at, line, reading, seen)
    while at < len(argv):
        word = argv[at]
        if word == "--" and "@nodash" not in line.marks and "@loose" not in line.marks:
            operands += list(enumerate(argv[at + 1 :], at + 1))
            break
        loose = "@loose" in line.marks or ("@rest" in line.marks and operands)
        if word[:1] == "-" and word != "-" and not loose:
            at = _option(argv, at, line, reading, seen)
        else:
            operands.append((at, word))
            at += 1
    if "@some" in line.marks and not operands and not seen & _ASKS_ONLY:
        reading.findings.append(Finding(NEVER, "unknown", "", f"{reading.program} alone is not in the table"))
    _operands(operands, line, reading, seen)
    if seen & line.views and not seen & _ALSO_WRITES:
        reading.views = True
        reading.findings = [replace(f, kind="reads") if f.kind == "fills" else f for f in reading.findings]


def _dashed(bundle: str, line: Line) -> str:
    """The first word of `tar xfz a.tgz` as an option; its letters take the words after it in order."""
    valued = [letter for letter in bundle if line.options.get(f"-{letter}", "")[:1] in (":", "?")]
    if len(valued) > 1:
        return f"--{bundle}"  # more than one value: nobody needs to work that out
    return "-" + "".join(sorted(bundle, key=lambda letter: letter in valued))


_ASKS_ONLY = {"--version", "--help", "-V", "-v", "-h", "-VV", "--check", "-c", "--test"}


_LISTS = {"-l", "--list", "-n", "--contains", "--no-contains", "--merged", "--no-merged", "--points-at"}
_ALSO_WRITES = {"-c", "-x", "-r", "-u", "-A", "--create", "--extract", "--get", "--append", "--update"}
_SAYS_WHERE = {"-O", "--output-document", "--spider"}
_TARGETS = ("target", "mvngoal", "session")  # kinds


def _operands(operands: list[tuple[int, str]], line: Line, reading: Reading, seen: set[str]) -> None:
    kinds = list(line.operands)
    if "@lists" in line.marks and operands and not seen & _LISTS:
        at, word = operands[0]
        reading.findings.append(Finding(at, "history", reading.program, f"{reading.program} makes {word!r}"))
    if "@saves" in line.marks and not seen & _SAYS_WHERE:
        for at, word in operands:
            reading.findings.append(Finding(at, "writes", "", f"{reading.program} names a file after {word!r}"))
    if seen & line.has and kinds:
        del kinds[0]
    if kinds and kinds[-1][-1] not in "*?" and len(kinds) > 1 and kinds[0][-1] == "*":  # sources, then a target
        last, kinds = kinds[-1], kinds[:1]
        if len(operands) > 1:
            reading.findings += value_of(last, *operands.pop())
    for place, (at, word) in enumerate(operands):
        kind = kinds[min(place, len(kinds) - 1)] if kinds else ""
        if not kind or (place >= len(kinds) and kind[-1] != "*"):
            reading.unknown(at, f"{reading.program} is not known to take the operand {word!r}")
        else:
            reading.findings += value_of(kind.rstrip("*?"), at, word)
            _target(kind.rstrip("*?"), at, word, reading)


def _target(kind: str, at: int, word: str, reading: Reading) -> None:
    if kind in _TARGETS and "=" not in word:
        reading.targets.append(at)


def _option(argv: tuple[str, ...], at: int, line: Line, reading: Reading, seen: set[str]) -> int:
    """Judge the option at this place; the place after it and its value."""
    word = argv[at]
    name, equals, value = word.partition("=")
    if "@single" in line.marks or word[:2] == "--":
        spec = line.options.get(name)
        if spec is None and "@single" in line.marks:
            spec = line.options.get("-" + name.lstrip("-")) if name[:2] == "--" else None
        if spec is None or (equals and spec[:1] not in (":", "?")):
            reading.unknown(at, f"{reading.program} is not known to take {word!r}")
            return at + 1
        return _valued(argv, at, name, spec, value if equals else None, reading, seen)
    if "-#" in line.options and word[1:].isdigit():
        return at + 1
    for place, letter in enumerate(word[1:], 2):
        spec = line.options.get(f"-{letter}")
        if spec is None:
            reading.unknown(at, f"{reading.program} is not known to take -{letter}")
            return at + 1
        if spec[:1] in (":", "?"):
            return _valued(argv, at, f"-{letter}", spec, word[place:] or None, reading, seen)
        _valued(argv, at, f"-{letter}", spec, None, reading, seen)
    return at + 1


def _valued(
    argv: tuple[str, ...], at: int, name: str, spec: str, value: str | None, reading: Reading, seen: set[str]
) -> int:
    """Judge one option and its value; `value` is what was written onto it."""
    seen.add(name)
    if spec[:1] == "!":
        reading.findings.append(Finding(at, spec[1:], "", f"{reading.program} {name} {spec[1:]}"))
    if spec[:1] == "?" and value is None and spec[1:] in FIXED:
        reading.findings.append(Finding(at, FIXED[spec[1:]], "", f"{reading.program} {name} {FIXED[spec[1:]]}"))
    if spec[:1] in ("", "!") or (spec[0] == "?" and value is None):
        return at + 1
    texts = [] if value is None else [value]
    wanted = spec[1:].split(",")
    after = at + 1 + len(wanted) - len(texts)
    texts += argv[at + 1 : after]
    if len(texts) < len(wanted):
        reading.unknown(at, f"{reading.program} {name} lacks its value")
    for place, (kind, text) in enumerate(zip(wanted, texts, strict=False)):
        _target(kind, after - len(wanted) + place, text, reading)
        for found in value_of(kind, after - len(wanted) + place, text):
            does = f"{reading.program} {name} {found.kind} {text!r}" if found.kind not in _QUIET else ""
            beyond = found.why or does
            reading.findings.append(Finding(found.at, found.kind, found.target, beyond))
    return after


_QUIET = ("", "reads", "places", "fills")
