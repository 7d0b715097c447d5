"""Read any shell text for the simple commands in it, whatever else it holds. Never fails, never decides to allow.

Where the strict scan asks "is this one plain command?", this asks "what could run here?": through lists, pipes,
groups, substitutions inside quotes, `${x:-$(..)}` and here-documents, with `$IFS`, `$'..'`, known variables and
`$(echo ..)` written out. It errs on the side of finding a command too many. Grammar: the Bash manual, chapters 3.1 to
3.5, as far as it decides where a command begins.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from ralph.policy.scan import Word
from ralph.policy.spelling import SPLIT, Variables, decode_ansi, expand_braces, printed

MOST_COMMANDS = 2_000  # found in one text; beyond that nobody can check them
_DEEPEST = 24

_REDIRECT = re.compile(r"(?:\d+|\{\w+\})?(<<<|<<-|<<|<>|<&|>>|>\||>&|&>>|&>|<(?!\()|>(?!\())")
_OPERATOR = re.compile(r"\|\||&&|;;&|;;|;&|\|&|[;&|()\n]")
_LEADERS = frozenset(
    {
        "!", "{", "}", "if", "then", "else", "elif", "fi", "while", "until", "do", "done", "coproc", "esac",
    }
)
_HEADS = frozenset({"for", "select", "case", "function"})  # what follows on the same line is not a command
_ASSIGNED = re.compile(r"([A-Za-z_]\w*)(?:\[[^]]*\])?\+?=")
_PARAMETER = re.compile(r"\$(?:(\w+)|([@*#?$!-]))")


@dataclass(frozen=True, slots=True)
class Redirect:
    op: str
    target: Word | None


@dataclass(frozen=True, slots=True)
class Simple:
    """One simple command found anywhere in a text.

    `stdin`: the text of its here-document or here-string. `upstream`: the commands whose output is piped into it.
    """

    words: tuple[Word, ...]
    assignments: tuple[tuple[str, str], ...] = ()
    redirects: tuple[Redirect, ...] = ()
    stdin: str = ""
    upstream: tuple[tuple[str, ...], ...] = ()

    @property
    def argv(self) -> tuple[str, ...]:
        return tuple(word.text for word in self.words)


def read(text: str) -> list[Simple]:
    """Every simple command in the text, those inside substitutions before the command that uses them."""
    return _Reader(text, 0, Variables()).read()


class _Reader:
    def __init__(self, text: str, depth: int, variables: Variables) -> None:
        self.text, self.at, self.depth, self.variables = text, 0, depth, variables
        self.found: list[Simple] = []
        self.words: list[Word] = []
        self.assignments: list[tuple[str, str]] = []
        self.redirects: list[Redirect] = []
        self.upstream: tuple[tuple[str, ...], ...] = ()
        self.documents: list[tuple[int, str, bool]] = []  # here-documents to come: command, delimiter, expanded
        self.literal = True

    def read(self) -> list[Simple]:
        while self.at < len(self.text) and len(self.found) <= MOST_COMMANDS:
            self._step()
        self._finish()
        return self.found

    def _step(self) -> None:
        text, at = self.text, self.at
        if text[at] in " \t\r\v\f":
            self.at += 1
        elif text.startswith("\\\n", at):
            self.at += 2
        elif text[at] == "#":
            end = text.find("\n", at)
            self.at = len(text) if end < 0 else end
        elif text.startswith("((", at) and not self.words:
            self._swallow("((", "))")
        elif self.words and self.words[0].text == "[[" and self.words[-1].text != "]]":
            self._place(self._word() or [Word(self._take(text[at]), True)])
        elif redirect := _REDIRECT.match(text, at):
            self._redirect(redirect)
        elif operator := _OPERATOR.match(text, at):
            self._operator(operator[0])
        else:
            self._place(self._word())

    def _take(self, taken: str) -> str:
        self.at += len(taken)
        return taken

    def _operator(self, sign: str) -> None:
        self.at += len(sign)
        last = tuple(word.text for word in self.words)
        self._finish()
        if sign in ("|", "|&"):
            left = (last,) if last else tuple(simple.argv for simple in self.found)  # a whole group
            self.upstream = (*self.upstream, *left)
        elif sign != "(":
            self.upstream = ()
        if sign == "\n":
            self._documents()

    def _finish(self) -> None:
        """The command read so far is complete."""
        head = self.words[0].text if self.words else ""
        if head == "for" and len(self.words) > 3:
            self.variables[self.words[1].text] = " ".join(word.text for word in self.words[3:])
        if head not in _HEADS and (self.words or self.redirects or self.assignments):
            if not self.words:
                self.variables.update(self.assignments)
            here = [r.target.text for r in self.redirects if r.op == "<<<" and r.target]
            self.found.append(
                Simple(tuple(self.words), tuple(self.assignments), tuple(self.redirects), " ".join(here), self.upstream)
            )
            for redirect in self.redirects:
                if redirect.op in ("<<", "<<-") and redirect.target:
                    self.documents.append((len(self.found) - 1, redirect.target.text, redirect.target.literal))
        self.words, self.assignments, self.redirects = [], [], []

    def _documents(self) -> None:
        """The bodies of the here-documents announced on the line before."""
        for index, delimiter, expanded in self.documents:
            body: list[str] = []
            while self.at < len(self.text):
                end = self.text.find("\n", self.at)
                end = len(self.text) if end < 0 else end
                line, self.at = self.text[self.at : end], end + 1
                if line.lstrip("\t") == delimiter:
                    break
                body.append(line)
            whole = "\n".join(body)
            self.found[index] = replace(self.found[index], stdin=whole)
            if expanded:
                self._inside(whole)
        self.documents = []

    def _redirect(self, sign: re.Match[str]) -> None:
        self.at = sign.end()
        while self.text[self.at : self.at + 1] in (" ", "\t"):
            self.at += 1
        raw = self.at
        words = self._word()
        target = words[0] if words else None
        if target and sign[1].startswith("<<") and sign[1] != "<<<":  # a quoted delimiter turns expansion off
            target = Word(target.text, not re.search(r"['\"\\]", self.text[raw : self.at]))
        self.redirects.append(Redirect(sign[1], target))

    def _place(self, words: list[Word]) -> None:
        for word in words:
            assigned = _ASSIGNED.match(word.text)
            if word.text in _LEADERS and all(before.text in ("time", "-p") for before in self.words):
                continue
            if not self.words and assigned:
                self.assignments.append((assigned[1], word.text[assigned.end() :]))
            else:
                self.words.append(word)

    def _word(self) -> list[Word]:
        """The word at this place; several when an unquoted expansion brings blanks, none when there is no word."""
        parts: list[str] = []
        start, self.literal = self.at, True
        while self.at < len(self.text):
            char = self.text[self.at]
            if char in " \t\n\r;&|()" or (char in "<>" and self.text[self.at + 1 : self.at + 2] != "("):
                break
            parts.append(self._piece(char, quoted=False))
        whole = "".join(parts)
        if self.at == start:
            return []
        if any("," in found for found in re.findall(r"\{[^{}]*\}", whole)):
            whole = expand_braces(whole)
        literal = self.literal and not re.search(r"[*?\[]|^~", whole)
        pieces = [piece for piece in whole.split(SPLIT) if piece] if SPLIT in whole else [whole]
        return [Word(piece, literal) for piece in pieces]

    def _piece(self, char: str, *, quoted: bool) -> str:
        """One character or one quoted, escaped or expanded stretch."""
        rest = self.text[self.at : self.at + 3]
        if char == "\\":
            self.at += 2
            return "" if rest[1:2] == "\n" else (rest[1:2] if not quoted or rest[1:2] in '$`"\\' else rest[:2])
        if char == "`":
            return self._substitution(self._until("`"), quoted=quoted)
        if char == "$":
            return self._dollar(rest, quoted=quoted)
        if quoted:
            return self._take(char)
        if char == "'":
            return self._until("'")
        if char == '"':
            return self._double()
        if rest[:2] in ("<(", ">("):
            return self._substitution(self._swallow("(", ")", skip=1), quoted=True, mark=char)
        return self._take(char)

    def _double(self) -> str:
        self.at += 1
        parts: list[str] = []
        while self.at < len(self.text) and self.text[self.at] != '"':
            parts.append(self._piece(self.text[self.at], quoted=True))
        self.at += 1
        return "".join(parts)

    def _dollar(self, rest: str, *, quoted: bool) -> str:
        if rest.startswith("$'") and not quoted:
            self.at += 1
            return decode_ansi(self._until("'", escapes=True))
        if rest.startswith('$"') and not quoted:
            self.at += 1
            return self._double()
        if rest.startswith("$("):
            return self._substitution(self._swallow("(", ")", skip=1), quoted=quoted)
        if rest.startswith("${"):
            return self._braced(self._swallow("{", "}", skip=1), quoted=quoted)
        if name := _PARAMETER.match(self.text, self.at):
            self.at = name.end()
            return self._value(name[1] or name[2], name[0], quoted=quoted)
        return self._take("$")

    def _braced(self, inner: str, *, quoted: bool) -> str:
        self._inside(inner)
        parameter = re.match(r"!?(\w+)", inner)
        default = re.match(r"\w+:?[-=+](.*)", inner, re.DOTALL)
        if default and not (parameter and parameter[1] in self.variables):
            self.literal = False
            return default[1] if "$" not in default[1] else "${" + inner + "}"
        return self._value(parameter[1] if parameter else "", "${" + inner + "}", quoted=quoted)

    def _value(self, name: str, written: str, *, quoted: bool) -> str:
        self.literal = False
        if name == "IFS":
            return " " if quoted else SPLIT
        value = self.variables.get(name)
        if value is None or len(value) > self.variables.left:
            return "" if name in ("@", "*", "1", "9") and not quoted else written
        self.variables.left -= len(value)
        return value if quoted else value.replace(" ", SPLIT)

    def _substitution(self, inner: str, *, quoted: bool, mark: str = "$") -> str:
        """Commands inside are found; what an `echo` of fixed words would print is known."""
        self.literal = False
        ran = self._inside(inner, script=True)
        said = ran[0].argv if len(ran) == 1 else ()
        if said[:1] in (("echo",), ("printf",)) and "$" not in " ".join(said):
            words = printed(said)
            return words if quoted else re.sub(r"[ \t\n]", SPLIT, words)
        return f"{mark}({inner})"

    def _inside(self, text: str, *, script: bool = False) -> list[Simple]:
        """Read commands (script) or only the substitutions (other text) inside a stretch of this text."""
        if self.depth >= _DEEPEST:
            self.found += [Simple((Word("$(", False),))] * MOST_COMMANDS
            return []
        reader = _Reader(text, self.depth + 1, self.variables)
        if script:
            found = reader.read()
        else:
            while reader.at < len(text):
                reader._piece(text[reader.at], quoted=True)
            found = reader.found
        self.found += found
        return found

    def _until(self, quote: str, *, escapes: bool = False) -> str:
        """From the quote at this place to its partner (or the end of the text)."""
        pattern = r"(?:\\.|[^\\Q])*".replace("Q", quote) if escapes or quote == "`" else f"[^{quote}]*"
        inner = re.compile(pattern, re.DOTALL).match(self.text, self.at + 1)
        body = inner[0] if inner else ""
        self.at += len(body) + 2
        return re.sub(r"\\([$`\\])", r"\1", body) if quote == "`" else body

    def _swallow(self, opener: str, closer: str, *, skip: int = 0) -> str:
        """The text between balanced brackets, quotes respected; to the end of the text when one is missing."""
        self.at += skip + len(opener)
        start, deep = self.at, 1
        while self.at < len(self.text):
            deep -= self.text.startswith(closer, self.at)
            if not deep:
                break
            deep += self.text.startswith(opener, self.at)
            char = self.text[self.at]
            skipped = re.compile(r"'[^']*'|\"(?:\\.|[^\"\\])*\"|\\.", re.DOTALL).match(self.text, self.at)
            self.at = skipped.end() if skipped and char in "'\"\\" else self.at + 1
        inner = self.text[start : self.at]
        self.at += len(closer)
        if opener == "((":
            self._inside(inner)
        return inner

