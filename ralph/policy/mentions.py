"""Which strings of a call name files, so that none of them may name a protected one.

A mention is not an access: text to be written, a pattern to search for and a word to print are not paths. The sandbox
holds what no reading of the arguments can see (a program that builds the name itself).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from posixpath import join

from ralph.errors import ToolError
from ralph.policy.facts import Facts, Places, path_arguments
from ralph.policy.globbing import could_name, only_harmless
from ralph.policy.literals import literals
from ralph.policy.paths import follow, lexical
from ralph.policy.pathwords import directories, handed_on, path_words
from ralph.policy.protected import Protected
from ralph.policy.shell import Command, Simple, parse

_URL = re.compile(r"(?!file:)[A-Za-z][A-Za-z0-9+.-]*://", re.IGNORECASE)
_LONGEST_NAME = 4096
_TAKING_WHOLE = frozenset({"cp", "mv", "rm", "rsync", "scp", "tar", "zip", "7z", "ln", "chmod", "chown", "bsdtar"})
_REMOVING = frozenset({"rm", "rmdir", "shred", "unlink"})
_CODE_PROGRAM = re.compile(r"(node|nodejs|deno|bun|perl|ruby|php|lua|sed|gsed|awk|gawk|mawk|nawk|osascript)[\d.]*")


def protected_mention(facts: Facts, places: Places, protected: Protected) -> tuple[str, str]:
    """(path, reason) of the first protected file the call would touch; ("", "") when there is none."""
    for walk in facts.walks.values():
        if reason := protected.why(walk):
            return walk.given, reason
    if facts.report is not None:
        return _in_shell(facts, places, protected)
    if facts.spec.category == "python" and isinstance(code := facts.call.args.get("code"), str):
        return _in_python(code, facts.cwd, places, protected)
    return _in_arguments(facts, places, protected)


def _in_shell(facts: Facts, places: Places, protected: Protected) -> tuple[str, str]:
    report_ = facts.report
    if report_ is None:
        return "", ""
    command = report_.command
    bases = _bases(command, facts.cwd, places)
    for word in _shell_words(command, facts.cwd):
        spelled = _known_variables(word, facts.cwd, places)
        for base in bases:
            if reason := _judge_word(spelled, base, places, protected):
                return word, reason
    for simple in command.simples:
        if found := _in_code(simple, facts.cwd, places, protected):
            return found
        if found := _whole_directories(simple, facts.cwd, places, protected):
            return found
    return "", ""


def _whole_directories(simple: Simple, cwd: str, places: Places, protected: Protected) -> tuple[str, str] | None:
    """A directory that is moved, copied or removed takes along what is in it."""
    program = simple.argv[0].rsplit("/", 1)[-1] if simple.argv else ""
    for word in simple.argv[1:] if program in _TAKING_WHOLE else ():
        try:
            walk = follow(_known_variables(word, cwd, places), cwd, tilde=places.tilde)
        except ToolError:
            continue
        if not walk.is_dir or walk.resolved == "/":
            continue
        if protected.home_is_inside(walk.resolved):
            return word, "Ralph's own home directory is inside"
        if program in _REMOVING and (held := protected.holds(walk.resolved)):
            return held, "it would be removed with the directory it is in"
        if program == "mv" and walk.resolved.endswith("/.ralph") and protected.holds(walk.resolved):
            return word, "it holds Ralph's configuration"
    return None


def _shell_words(command: Command, cwd: str) -> Iterator[str]:
    reads_names = any(simple.argv[:1] in (("read",), ("mapfile",), ("readarray",)) for simple in command.simples)
    for simple in command.simples:
        yield from path_words(simple)
        if reads_names:
            yield from simple.stdin.split()
            yield from simple.argv[1:] if simple.argv[:1] in (("echo",), ("printf",)) else ()
    yield from handed_on(command.simples, command.text)
    if re.search(r"\$\{\w+[#%/^,@]", command.text):  # what is cut out of a value may be any name
        cut = re.sub(r"\$\{\w+[#%/^,@][^}]*\}", "*", command.text)
        yield from (part.strip("\"'") for part in re.split(r"[\s;&|<>]+", cut) if "*" in part)
    if "extglob" in command.text:
        yield from re.split(r"[\s;&|<>]+", re.sub(r"[@!?+*]\([^()]*\)", "*", command.text))
    if "dotglob" in command.text:  # with it `*` takes in names that begin with a dot
        yield from (f".{word}" for simple in command.simples for word in simple.argv if word.startswith("*"))


def _bases(command: Command, cwd: str, places: Places) -> list[str]:
    """The working directory, and where `cd` and `-C` lead: each may be what a relative path is relative to."""
    simples = command.simples
    here, after = _moved(command, cwd, places)
    bases = [here]
    for word in directories(simples[after:]):
        for base in bases[:4]:
            try:
                bases.append(follow(_known_variables(word, base, places), base, tilde=places.tilde).resolved)
            except ToolError:
                continue
    return bases[:8]


def _moved(command: Command, cwd: str, places: Places) -> tuple[str, int]:
    """The directory after the `cd a && cd b && ..` that a chain begins with, and how many commands those are.

    Only where it is certain: plain words, nothing but `&&` between commands, and links that do not make `..` ambiguous.
    """
    if re.search(r"[;|\n()`$*?\[{]|(?<!&)&(?!&)|CDPATH", command.text):
        return cwd, 0
    here = spelled = cwd
    for count, simple in enumerate(command.simples):
        if simple.argv[:1] != ("cd",):
            return here, count
        word = simple.argv[1] if len(simple.argv) == 2 else "-"
        spelled = lexical(join(spelled, word))
        try:
            here = follow(word, here).resolved
        except ToolError:
            break
        if word[:1] in ("-", "~") or simple.assignments or simple.redirects or here != follow(spelled, "/").resolved:
            break
    return cwd, 0


def _known_variables(word: str, cwd: str, places: Places) -> str:
    """$HOME and its like written out; what another variable holds is anybody's guess, so it becomes `*`."""
    if "$" not in word:
        return word
    known = {"HOME": places.tilde, "PWD": cwd, "RALPH_HOME": places.home}
    for name, value in known.items():
        word = re.sub(rf"\$(?:{name}\b|\{{{name}\}})", lambda _found, value=value: value, word)  # type: ignore[misc]
    return re.sub(r"\$(?:\{[^}]*\}|\([^)]*\)|\w+)", "*", word)


def _in_code(simple: Simple, cwd: str, places: Places, protected: Protected) -> tuple[str, str] | None:
    """Programs in arguments: what stands in quotes in them may be opened."""
    program = simple.argv[0].rsplit("/", 1)[-1] if simple.argv else ""
    if re.fullmatch(r"(python|pypy)[\d.]*", program):
        codes = [*(word for before, word in pairwise(simple.argv) if before == "-c"), simple.stdin]
        found = [_in_python(code, cwd, places, protected) for code in codes if code]
        return next((item for item in found if item[1]), None)
    if not _CODE_PROGRAM.fullmatch(program):
        return None
    for word in (*simple.argv[1:], simple.stdin):
        if "awk" in program and not re.search(r"getline|system|[<>|]", word):
            continue  # it prints and compares, but opens nothing
        for text in (*re.split(r"[\"'`\n]", word)[1:-1], *re.findall(r"\b[rRwW]\s+(\S+)", word)):
            quoted = text.lstrip("<>+| ")
            if not quoted:
                continue
            if reason := _judge_loose(quoted, cwd, places, protected):
                return quoted, reason
    return None


def _judge_word(word: str, cwd: str, places: Places, protected: Protected) -> str:
    if only_harmless(word, cwd, places, protected):
        return ""
    judge = _judge_loose if " " in word else _judge
    return next((reason for piece in pieces(word) if (reason := judge(piece, cwd, places, protected))), "") or (
        could_name(word, cwd, places, protected)
    )


def pieces(word: str) -> Iterator[str]:
    """Every part of a shell word that a program may take for a path: `--opt=value`, `-fvalue`, `@file`, `host:path`."""
    if _URL.match(word):
        return
    yield word
    if word.startswith("file:"):
        yield re.sub(r"^file:(//[^/]*)?", "", word)
    if word.startswith("-") and not word.startswith("--") and len(word) > 2:
        yield word[2:]
    yield from (part for part in re.split(r"[=:,;@<>]", word) if part and part != word)
    for mark in re.finditer(r"[=:@<>]", word):
        if mark.end() < len(word):
            yield word[mark.end() :]


def _judge(text: str, cwd: str, places: Places, protected: Protected) -> str:
    if not text or len(text) > _LONGEST_NAME:
        return ""
    try:
        return protected.why(follow(text, cwd, tilde=places.tilde))
    except ToolError:
        return protected.named(join(cwd, text))


def _in_arguments(facts: Facts, places: Places, protected: Protected) -> tuple[str, str]:
    """Tools nobody here knows: any string that resolves to a protected file, unless it is plainly text."""
    for text in path_arguments(facts.call.args):
        if reason := _judge_loose(text, facts.cwd, places, protected):
            return text, reason
    globs = facts.call.args.get("glob_filter")
    name = globs.rpartition("/")[2] if isinstance(globs, str) else ""
    if not name.startswith("."):
        return "", ""
    reason = protected.named(join(facts.cwd, name)) or could_name(name, facts.cwd, places, protected)
    return (name, reason) if reason else ("", "")


def _judge_loose(text: str, cwd: str, places: Places, protected: Protected) -> str:
    """As `_judge`, for a string that may just as well be prose: with spaces, its directory must exist."""
    if "\n" in text or _URL.match(text):
        return ""
    text = re.sub(r"^file://[^/]*", "", text)
    if " " in text.strip() and not Path(cwd, text).parent.is_dir():
        return ""
    return _judge(text, cwd, places, protected)


def _in_python(code: str, cwd: str, places: Places, protected: Protected) -> tuple[str, str]:
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return "", ""  # it will not run either
    for text, runs in literals(tree):
        if reason := _judge_loose(text, cwd, places, protected):
            return text, reason
        if runs:
            for word in _shell_words(parse(text), cwd):
                if reason := _judge_word(word, cwd, places, protected):
                    return word, reason
    return "", ""
