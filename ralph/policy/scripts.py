"""Little programs in arguments: what a sed, awk or jq text does beside transforming its input.

Each reader returns (effect, target, objection) triples; none means the text only reads and prints. They know the safe
part of each language and object to the rest, the unreadable included. Sources: POSIX sed and awk, the GNU manuals for
`e`, `w`, `R`, `W` and gawk's extensions, the jq 1.7 manual.
"""

from __future__ import annotations

import re

Triples = list[tuple[str, str, str]]

_SED_ADDRESS = re.compile(
    r"\s*(?:(?:\d+(?:~\d+)?|\$|/(?:\\.|[^\\/\n])*/[IM]*|\\(.)(?:\\.|(?!\1)[^\\\n])*\1[IM]*)"
    r"(?:\s*,\s*(?:[+~]?\d+|\$|/(?:\\.|[^\\/\n])*/[IM]*))?)?\s*!?\s*"
)
_SED_ACTS = {"w": "writes", "W": "writes", "r": "reads", "R": "reads", "e": "executes"}


def sed(text: str) -> Triples:
    at = 0
    while at < len(text):
        if text[at] in "; \n}":
            at += 1
            continue
        place = _SED_ADDRESS.match(text, at)
        at = place.end() if place else at
        letter = text[at : at + 1]
        if letter in _SED_ACTS:
            return [(_SED_ACTS[letter], text[at + 1 :].strip(), f"sed's command {letter!r} {_SED_ACTS[letter]}")]
        step, trouble = _sed_command(text, at)
        if trouble:
            return trouble
        at = step
    return []


def _sed_command(text: str, at: int) -> tuple[int, Triples]:
    """The place after a command that only edits the stream, or the objection to it."""
    letter = text[at : at + 1]
    if letter and letter in "{pPdDgGhHxnN=lzF":
        return at + 1, []
    if letter and letter in "qQ":
        return at + len(re.match(r".\s*\d*", text[at:])[0]), []  # type: ignore[index]  # the pattern always fits
    if letter and letter in "aic:btT#":
        end = text.find("\n" if letter in "aic#" else ";", at)
        return (len(text) if end < 0 else end), []
    if letter and letter in "sy":
        whole = re.compile(r"[sy]([^\\\n])((?:\\.|(?!\1)[^\\])*)\1((?:\\.|(?!\1)[^\\])*)\1([A-Za-z0-9]*)", re.DOTALL)
        if found := whole.match(text, at):
            for flag, effect in (("e", "executes"), ("w", "writes"), ("m", ""), ("M", "")):
                if flag in found[4] and effect:
                    return at, [(effect, text[found.end() :].strip(), f"sed's flag {flag!r} {effect}")]
            if re.fullmatch(r"[gpiImM0-9]*", found[4]):
                return found.end(), []
    return at, [("unknown", text, "this sed text is not understood")]


_AWK_TOKEN = re.compile(  # read from the left: a quote in a regex opens no string, a slash in a string no regex
    r'"(?:\\.|[^"\\])*"|#[^\n]*'
    r"|(?P<before>(?:^|[(,{};!~&|=]|(?<!\\)(?<!\\\r)\n|\b(?:return|print)\b)\s*)/(?:\\.|[^/\\\n])*/"
)
_AWK_ACTS = (
    (r"\bsystem\b", "executes", "runs a program"),
    (r"(?<!\|)\|(?!\|)", "executes", "pipes to or from a program"),
    (r"\bgetline\b", "reads", "reads further files"),
    (r"\bprintf?\b[^;}\n]*>", "writes", "writes a file"),
    (r"@", "unknown", "loads or calls what is not written here"),
    (r"\b(ENVIRON|PROCINFO)\b", "secret", "reads the environment"),
    (r"\bARG[VC]\b", "unknown", "chooses its own files"),
)


def awk(text: str) -> Triples:
    bare = _AWK_TOKEN.sub(lambda token: f"{token['before'] or ''} 0 ", text)
    if "/" in bare:  # a division, or a regex after all: what looks like a string may be none
        bare = text
    return [(effect, "", f"the awk program {why}") for shape, effect, why in _AWK_ACTS if re.search(shape, bare)]


def jq(text: str) -> Triples:
    """Strings may interpolate programs, so only strings without `\\(` are left out."""
    bare = re.sub(r'"(?:\\[^(]|[^"\\])*"', " 0 ", text)
    found: Triples = []
    if re.search(r"(?<![.\w$])env\b|\$ENV\b", bare):
        found.append(("secret", "", "the jq program reads the environment"))
    if re.search(r"(?<![.\w$])(import|include|modulemeta|get_search_list|input_line_number|\$__\w+)\b", bare):
        found.append(("unknown", "", "the jq program loads another"))
    return found
