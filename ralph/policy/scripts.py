"""Little programs in arguments: what a sed, awk or jq text does beside transforming its input.

Each reader returns (effect, target, objection) triples; none means the text only reads and prints. They know the safe
part of each language and object to the rest, the unreadable included. Sources: POSIX sed and awk, the GNU manuals for
`e`, `w`, `R`, `W` and gawk's extensions, the jq 1.7 manual.
"""

from __future__ import annotations

import re

Triples = list[tuple[str, str, str]]

_BRACKETS = re.compile(r"\[\^?+\]?+(?:\[:\w+:\]|[^][])*\]")
_SED_ADDRESS = re.compile(
    r"\s*(?:(?:\d+(?:~\d+)?|\$|/(?P<one>(?:\\.|[^\\/\n])*)/[IM]*|\\(?P<sign>.)(?P<own>(?:\\.|(?!(?P=sign))[^\\\n])*)"
    r"(?P=sign)[IM]*)(?:\s*,\s*(?:[+~]?\d+|\$|/(?P<two>(?:\\.|[^\\/\n])*)/[IM]*))?)?\s*!?\s*"
)
_SED_LABEL = re.compile(r"[:btT] *[\w.-]*(?=\s*(?:[;\n}]|$))")  # GNU's end at a blank, after which a command may come
_SED_ACTS = {"w": "writes", "W": "writes", "r": "reads", "R": "reads", "e": "executes"}


def sed(text: str) -> Triples:
    at = 0
    while at < len(text):
        if text[at] in "; \n}":
            at += 1
            continue
        place = _SED_ADDRESS.match(text, at)
        if place and any(_brackets_unclear(regex or "") for regex in place.group("one", "own", "two")):
            return [("unknown", text, "this sed text is not understood")]
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
    if letter and letter in "aic#":
        end = text.find("\n", at)
        return (len(text) if end < 0 else end), []
    if label := _SED_LABEL.match(text, at):
        return label.end(), []
    if letter and letter in "sy":
        whole = re.compile(r"[sy]([^\\\n])((?:\\.|(?!\1)[^\\])*)\1((?:\\.|(?!\1)[^\\])*)\1([A-Za-z0-9]*)", re.DOTALL)
        found = whole.match(text, at)
        if found and not (letter == "s" and _brackets_unclear(found[2])):
            for flag, effect in (("e", "executes"), ("w", "writes"), ("m", ""), ("M", "")):
                if flag in found[4] and effect:
                    return at, [(effect, text[found.end() :].strip(), f"sed's flag {flag!r} {effect}")]
            if re.fullmatch(r"[gpiImM0-9]*", found[4]):
                return found.end(), []
    return at, [("unknown", text, "this sed text is not understood")]


def _brackets_unclear(regex: str) -> bool:
    """Whether a reader that knows `[/]` as one character would go on past the delimiter where this one ends."""
    regex = regex.replace(r"\\", "ee")
    if re.search(r"(?<!\\)\[[^]]*\\\]", regex):  # a backslash in brackets: itself to one, an escape to another
        return True
    return "[" in _BRACKETS.sub("", re.sub(r"\\.", "e", regex))


_AWK_TOKEN = re.compile(
    r"""(?P<blank>[ \t]+|\#[^\n]*)|(?P<string>"(?:\\.|[^"\\\n])*")|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)
    |(?P<name>[A-Za-z_]\w*)|(?P<sign>\|\||&&|>>|\+\+|--|[-+*%^<>=!]=|[][{}();,~<>=!?:$*+%^|@\n-])""",
    re.VERBOSE,
)
_AWK_REGEX = re.compile(r"/((?:\\.|[^/\\\n])*)/")
_AWK_UNCERTAIN = {
    "++", "--", "regex", "condition)", "BEGIN", "END", "BEGINFILE", "ENDFILE", "if", "while", "for", "switch", "case",
    "default", "function", "func", "length", "getline", "delete", "next", "nextfile", "break", "continue",
}  # fmt: skip
"""After these a slash divides for one awk and opens a regular expression for another, or neither makes sense."""
_AWK_LEADS = frozenset({"print", "printf", "return", "in", "else", "do", "exit"})
_AWK_ACTS = {
    "system": ("executes", "runs a program"), "|": ("executes", "pipes to or from a program"),
    "getline": ("reads", "reads further files"), ">>": ("writes", "writes a file"),
    "@": ("unknown", "loads or calls what is not written here"),
    "extension": ("executes", "loads a library"),  # gawk before 4.1
    **dict.fromkeys(("ENVIRON", "PROCINFO", "SYMTAB", "FUNCTAB"), ("secret", "reads the environment")),
    **dict.fromkeys(("ARGV", "ARGC"), ("unknown", "chooses its own files")),
}  # fmt: skip


def awk(text: str) -> Triples:
    """Every awk must read the text alike: where a slash may divide or open a regular expression, it is not read."""
    tokens, trouble = _awk_tokens(text)
    if trouble:
        return [("unknown", "", f"the awk program {trouble}")]
    found = [_AWK_ACTS[token] for token in tokens if token in _AWK_ACTS]
    printing, depth = False, 0
    for token in tokens:
        depth += (token == "(") - (token in (")", "condition)"))
        printing = token in ("print", "printf") or (printing and token not in (";", "}"))
        if token == ">" and printing and depth <= 0:  # in brackets it compares
            found.append(("writes", "writes a file"))
    return [(effect, "", f"the awk program {why}") for effect, why in dict.fromkeys(found)]


def _awk_tokens(text: str) -> tuple[list[str], str]:
    """Names and signs as they are; `string`, `number` and `regex` for what need not be looked into."""
    tokens: list[str] = []
    brackets: list[tuple[str, bool]] = []  # what would close it, and whether it holds a statement's condition
    at = 0
    while at < len(text):
        last = tokens[-1] if tokens else "\n"
        if text[at] == "/":
            end = _awk_slash(text, at, last)
            if not end:
                return [], f"has a slash that may divide or not ({text[at : at + 20]!r})"
            tokens.append("regex" if end > at + 1 else "/")
            at = end
            continue
        token = _AWK_TOKEN.match(text, at)
        if token is None:
            return [], f"is not understood at {text[at : at + 20]!r}"
        at, sign = token.end(), token[0]
        if token.lastgroup in ("string", "number"):
            sign = token.lastgroup
        elif sign in ("(", "[", "{"):
            brackets.append((")]}"["([{".index(sign)], last in ("if", "while", "for", "switch")))
        elif sign in (")", "]", "}"):
            closer, condition = brackets.pop() if brackets else ("", False)
            if closer != sign:
                return [], f"has a {sign} too many"
            sign = "condition)" if condition and sign == ")" else sign
        tokens += [] if token.lastgroup == "blank" else [sign]
    return tokens, f"lacks a {brackets[-1][0]}" if brackets else ""


def _awk_slash(text: str, at: int, last: str) -> int:
    """The place after the division sign or the regular expression that begins here; 0 when it may be either."""
    operand = last in ("string", "number", ")", "]") or (last[0].isalpha() or last[0] == "_")
    if last in _AWK_UNCERTAIN:
        return 0
    if operand and last not in _AWK_LEADS and last != "regex":
        return at + 1
    found = _AWK_REGEX.match(text, at)
    return found.end() if found and not _brackets_unclear(found[1]) else 0



def jq(text: str) -> Triples:
    """Strings may interpolate programs, so only strings without `\\(` are left out."""
    bare = re.sub(r'"(?:\\[^(]|[^"\\])*"', " 0 ", text)
    found: Triples = []
    if re.search(r"(?<![.\w$])env\b|\$ENV\b", bare):
        found.append(("secret", "", "the jq program reads the environment"))
    if re.search(r"(?<![.\w$])(import|include|modulemeta|get_search_list|input_line_number|\$__\w+)\b", bare):
        found.append(("unknown", "", "the jq program loads another"))
    return found


def yq(text: str) -> Triples:
    """jq's language, and operators that read files, variables and more programs (yq 4's manual)."""
    if re.search(r"\b(load\w*|strenv|envsubst|system|eval|filename|file_?index)\b", text):
        return [("unknown", "", "the yq program reads more than its input")]
    return jq(text)
