"""Which words of a shell command its program takes for paths, when only a person's eye for talk can tell.

The program table says what is known to be safe; this asks the opposite question, "could this word be opened?", and
leaves out only what is plainly something else: patterns to search for, messages, names to exclude, words to print.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

from ralph.policy.reader import Simple


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TALK = """
    echo printf true false : seq sleep date kill pkill killall type which whereis man apropos expr export declare local
    readonly typeset unset alias unalias basename dirname tr set shopt hostname whoami id groups hash history printenv
    write-output write-host
"""
_TALKERS = _words(_TALK)

_PATTERN_FIRST = _words("grep egrep fgrep zgrep rg ag ack sed gsed awk gawk mawk nawk jq yq gojq")
_PATTERN_GIVEN = re.compile(r"-[a-zA-Z]*[ef]|--(regexp|file|expression|from-file|files)(=.*)?")
_PATH_OPTION = re.compile(r"-g|--(i?glob|ignore-file|pre|slurpfile|rawfile|argfile|exclude-from)")
_TWO_VALUES = ("--slurpfile", "--rawfile", "--argfile")
_TEXT_LONG = re.compile(
    r"--(exclude(?!-from)[a-z-]*|ignore(?!-file)[a-z-]*|message|title|body|grep|author|format|pretty|regexp|expression|"
    r"since|until|after|before|hide|skip|omit|max-count|context|after-context|before-context|type|type-not|header|"
    r"user-agent|request|delimiter|field-separator|label|notes|description|name|arg|argjson)$"
)
_TEXT_SHORT = {  # letters of options whose value is no path
    "grep": "eABCmdD", "egrep": "eABCmdD", "fgrep": "eABCmdD", "zgrep": "eABCmdD", "rg": "eABCmtTjMrEd", "ag": "ABCm",
    "ack": "ABCm", "git": "mSGnUcO", "tree": "IPL", "ls": "IwT",
    "eza": "I", "exa": "I", "fd": "EedtcSx", "fdfind": "EedtcSx", "diff": "xIU",
    "zip": "x", "sed": "e", "gsed": "e", "awk": "vF", "gawk": "vF", "mawk": "vF", "curl": "HAXum", "xargs": "IndPLs",
    "glab": "lasSLR", "head": "nc", "tail": "nc", "cut": "dfcb", "sort": "kt", "docker": "e", "gh": "tbSLlsaABHqRmju",
    "du": "d", "wc": "", "yq": "p",
}  # fmt: skip
_GH_TEXT = re.compile(
    r"--(search|label|assignee|reviewer|author|state|limit|jq|json|repo|head|base|milestone|workflow|branch|user|owner|"
    r"language|topic|visibility|job|app|event|status|project|add-[a-z]+|remove-[a-z]+|match|sort|order|hostname)$"
)
_SCRIPTED = _words("vi vim nvim ex emacs sqlite3 duckdb psql mysql tmux screen at batch gdb")
"""Programs that take lines of their own language as words or on their input."""
_LISTING = _words("ls du eza exa")
_GIT_SHOWING = _words("log show diff grep whatchanged archive format-patch reflog diff-tree diff-index rev-list stash")
_GIT_TALK = frozenset({"check-ignore", "ls-files", "status", "check-attr", "config"})
_FIND_PATTERNS = _words("-name -iname -path -ipath -wholename -iwholename -regex -iregex -lname -ilname")
_FIND_ACTS = _words("-exec -execdir -ok -okdir -delete -fprint -fls")
_NAMES_FROM_STDIN = _words("xargs parallel tar cpio rsync read mapfile readarray pax zip git")


def path_words(simple: Simple) -> Iterator[str]:
    """Words (and redirection targets, assigned values, names piped in) that the command could open."""
    for redirect in simple.redirects:
        if redirect.target is not None and not redirect.op.startswith("<<"):
            yield redirect.target.text
    argv = simple.argv
    if not argv:
        return
    yield from (value for _name, value in simple.assignments if value)
    program = argv[0].rsplit("/", 1)[-1].lower()
    yield argv[0]
    if program in _NAMES_FROM_STDIN:
        yield from simple.stdin.split()
        for source in simple.upstream:
            yield from source[1:]
    if program in _TALKERS:
        return
    if program in _SCRIPTED:
        yield from (part for word in (*argv[1:], simple.stdin) if " " in word for part in word.split())
    if program in ("test", "[", "[["):
        yield from _compared(argv)
        return
    if program in ("find", "gfind"):
        yield from _find(argv)
    else:
        yield from _operands(program, argv)


def _operands(program: str, argv: tuple[str, ...]) -> Iterator[str]:
    rest, command = list(argv[1:]), ""
    pattern_first = program in _PATTERN_FIRST and not any(_PATTERN_GIVEN.fullmatch(word) for word in rest)
    if program == "git":
        command = next((word for word in rest if not word.startswith("-")), "")
        if command in _GIT_TALK:
            return
        pattern_first = command == "grep" and not any(_PATTERN_GIVEN.fullmatch(word) for word in rest)
        rest = rest[rest.index(command) + 1 :] if pattern_first else rest
    if program == "yq" and rest[:1] in (["e"], ["eval"], ["ea"], ["eval-all"]):
        rest = rest[1:]
    short = _TEXT_SHORT.get(program, "")
    at, ended = 0, False
    while at < len(rest):
        word = rest[at]
        at += 1
        if word == "--" and not ended:
            ended = True
        elif word.startswith("-") and len(word) > 1 and not ended:
            taken = _text_option(word, short)
            if taken < 0 and program in ("gh", "glab") and _GH_TEXT.match(word.partition("=")[0]):
                taken = 0 if "=" in word else 1
            at += max(taken, 0)
            if taken < 0 or word[1] not in f"-{short}":  # in `-L1,9:.env` and `-fn.env` the n is of the name
                yield word
            if taken < 0 and pattern_first and _PATH_OPTION.fullmatch(word):
                values = rest[at : at + (2 if word in _TWO_VALUES else 1)]
                yield from values
                at += len(values)
        elif pattern_first:
            pattern_first = False
        else:
            yield from _operand(program, command, word)


def _operand(program: str, command: str, word: str) -> Iterator[str]:
    if program == "git":
        yield from _pathspec(command, word)
    elif program not in _LISTING or "/" in word or not re.search(r"[*?\[]", word):  # `ls .*` opens nothing
        yield word


def _pathspec(command: str, word: str) -> Iterator[str]:
    """A word that git may match against its files: `:(top).env`, and `*` for leading dots too (gitglossary)."""
    magic = re.match(r":(\([^)]*\)|[/!^]*:?)", word)
    excluded = magic is not None and re.search(r"[!^]|\bexclude\b", magic[0])
    if not excluded:
        yield word
        yield word[magic.end() :] if magic else ""
    name = word.rpartition("/")[2].lower()
    if command in _GIT_SHOWING and "env" in name and not excluded and fnmatchcase(".env", name):
        yield ".env"


def _text_option(word: str, short: str) -> int:
    """How many words after this option are its text; -1 when the option itself may hold a path."""
    if word.startswith("--"):
        name, equals, _ = word.partition("=")
        if not _TEXT_LONG.match(name):
            return -1
        return 0 if equals else 2 if name in ("--arg", "--argjson") else 1
    for place, letter in enumerate(word[1:], 2):
        if letter in short:
            return 0 if place < len(word) else 1
    return -1


def _find(argv: tuple[str, ...]) -> Iterator[str]:
    """What is only looked for is talk, unless something is then done with it."""
    acts = any(word in _FIND_ACTS for word in argv)
    for at, word in enumerate(argv[1:], 1):
        if argv[at - 1] in _FIND_PATTERNS:
            negated = argv[at - 2] in ("!", "-not")
            if acts and not negated:
                yield word.rpartition("/")[2]
        elif not word.startswith("-"):
            yield word


def _compared(argv: tuple[str, ...]) -> Iterator[str]:
    """Operands of a test that are files: not what is compared as text."""
    signs = ("=", "==", "!=", "=~", "<", ">")
    for at, word in enumerate(argv[1:], 1):
        if not {argv[at - 1], *argv[at + 1 : at + 2]} & {*signs} and argv[at - 1] not in ("-n", "-z"):
            yield word


def handed_on(simples: tuple[Simple, ...], text: str) -> Iterator[str]:
    """Words put where a later `$name` may pick them up, when some word is such a name that nobody has resolved."""
    if not any("$" in word for simple in simples if simple.argv[0:1] != ("echo",) for word in simple.argv):
        return
    for simple in simples:
        if simple.argv[:1] and simple.argv[0] in _SETTING:
            yield from simple.argv[1:]
    for chosen in re.findall(r"\bselect\s+\w+\s+in\s+([^;\n]*)", text):
        yield from chosen.split()


_SETTING = _words("declare typeset export readonly local set printf")


def directories(simples: tuple[Simple, ...]) -> Iterator[str]:
    """Directories the command moves to (`cd d`, `-C d`), where its relative paths may be meant."""
    for simple in simples:
        argv = simple.argv
        if argv[:1] in (("cd",), ("pushd",), ("chdir",)):
            yield from (word for word in argv[1:2] if not word.startswith("-"))
            yield from (f"./{word}" for word in argv[1:2] if word.startswith("~"))  # it may have been quoted
        for at, word in enumerate(argv[1:], 1):
            if word in ("-C", "--directory", "--chdir", "--work-tree", "--cwd", "--prefix") and at + 1 < len(argv):
                yield argv[at + 1]
            elif found := re.match(r"--(?:directory|chdir|work-tree|cwd|prefix)=(.+)|-C(.+)", word):
                yield found[1] or found[2]
