"""Secrets that only their surroundings give away: after `password=`, in a header, in a URL, inside PEM armour.

Each context is a trigger word and a row of parts, read greedily and never given back, so that reading is linear and
"might this go on in the next chunk?" has an exact answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import NamedTuple

from ralph.policy.secret_forms import ordinary, random_looking

Span = tuple[int, int, str]
"""(start, end, kind) of a secret."""

Read = Callable[[str, re.Match[str]], Span | None]

LOOK_BACK = 64
"""Characters before a trigger that are looked at."""


class Part(NamedTuple):
    """One character (a class, or an expression for exactly one), least and most of it."""

    one: str
    least: int
    most: int


class Context:
    """`trigger` is in lower case and found in any case. `read` gives the secret's span from the parts that matched."""

    def __init__(self, trigger: str, parts: tuple[Part, ...], read: Read) -> None:
        self.trigger, self._parts, self._read = trigger, parts, read

    @cached_property
    def _whole(self) -> re.Pattern[str]:
        return re.compile("".join(f"({part.one}{{{part.least},{part.most}}}+)" for part in self._parts))

    @cached_property
    def _begun(self) -> re.Pattern[str]:
        text = ""
        for part in reversed(self._parts):
            text = f"(?:{part.one}{{{part.least},{part.most}}}+{text}|{part.one}{{0,{part.most}}}+)"
        return re.compile(text)

    def find(self, text: str, at: int) -> Span | None:
        """The secret after the trigger that stands at `at`."""
        found = self._whole.match(text, at + len(self.trigger))
        return self._read(text, found) if found else None

    def undecided(self, text: str, at: int) -> bool:
        """True while more text could change what `find` answers."""
        begun = self._begun.match(text, at + len(self.trigger))
        return begun is not None and begun.end() == len(text)


def contexts() -> tuple[Context, ...]:
    return _CONTEXTS


def _before(text: str, found: re.Match[str], trigger: str) -> str:
    at = found.start() - len(trigger)
    return text[max(0, at - LOOK_BACK) : at]


def _url_password(text: str, found: re.Match[str]) -> Span | None:
    password, at_sign, _ = found[3].rpartition("@")
    user = found[1].lower()
    if not at_sign or not password or password.lower() in ("password", "passwd", "pass", "pwd", "pw", "x", "token"):
        return None
    if re.fullmatch(r"\$\w+|%\w|[*.x]+|%\(\w+\)s", password) or (password == user and len(password) < 8):
        return None
    return found.start(3), found.start(3) + len(password), "url_password"


_ARMOUR = r"-----BEGIN [A-Z0-9 ]{0,24}$"
_GAP = r"(?:\s|\\[nr]|[\"'+,])*+"
_LINES = re.compile(rf"{_GAP}[A-Za-z0-9+/=]{{40,}}+(?:{_GAP}[A-Za-z0-9+/=]{{16,}}+)*")
_RUN = re.compile(r"[A-Za-z0-9+/=]{20}")


def _private_key(text: str, found: re.Match[str]) -> Span | None:
    if not re.search(_ARMOUR, _before(text, found, "private key")):
        return None
    start, end = found.span(3)
    if not text.startswith("--", end):  # cut short: take what looks like its lines
        lines = _LINES.match(text, start, end)
        return (start, lines.end(), "private_key") if lines else None
    return (start, end, "private_key") if _RUN.search(text, start, end) else None


_SCHEMES = frozenset({"bearer", "basic", "token", "apikey", "api-key", "key", "bot", "negotiate", "splunk", "jwt"})


def _authorization(text: str, found: re.Match[str]) -> Span | None:
    first, second = found[5], found[7]
    if first.lower() in _SCHEMES:
        known = len(second) >= 8 and not ordinary(second)
        return (*found.span(7), "authorization") if known else None
    return (*found.span(5), "authorization") if random_looking(first) else None


def _bearer(text: str, found: re.Match[str]) -> Span | None:
    return (*found.span(2), "authorization") if random_looking(found[2].rstrip("=")) else None


def _aws_secret(text: str, found: re.Match[str]) -> Span | None:
    alone = not re.match(r"[A-Za-z0-9/+=]", text[found.end() : found.end() + 1])
    return (*found.span(3), "aws_secret_key") if alone and re.search(r"\d", found[3]) else None


_KEY_NAME = (
    r"(?i:api|access|secret|private|encryption|signing|master|account|auth|client|service|shared|storage|app|subscription)"
    r"[_ -]?$"
)
_NAME_END = r"(?i:ord|d)?[_-]?\d{0,3}"


def _assigned(trigger: str) -> Callable[[str, re.Match[str]], Span | None]:
    """`NAME = value` where the name ends in the trigger or something close to it."""

    def read(text: str, found: re.Match[str]) -> Span | None:
        before = _before(text, found, trigger)
        if trigger == "key" and not re.search(_KEY_NAME, before):
            return None
        opening, value, after = found[7], found[8].rstrip(".:"), text[found.end() : found.end() + 1]
        if after in ("(", "[", "{", "<"):
            return None  # a call or an index: a program, not a value
        span = (found.start(8), found.start(8) + len(value), "password" if trigger == "passw" else "assigned_secret")
        if random_looking(value):
            return span
        if len(value) < 8 or ordinary(value) or not re.fullmatch(_NAME_END, found[1]):
            return None
        own = re.search(r"[A-Z0-9_]*$", before)
        name = text[found.start() - len(trigger) : found.start()]
        shell_like = name.isupper() and own is not None and not found[3] and not found[6] and "=" in found[4]
        in_data = trigger == "passw" and opening[-1:] in ("'", '"') and after == opening[-1:]
        return span if _dense(value) and (shell_like or in_data) else None

    return read


def _dense(value: str) -> bool:
    """Letters with digits or signs among them, and nothing of a program's syntax."""
    return bool(re.search(r"[A-Za-z]", value) and re.search(r"[\d!@#%^&*+?~]", value)) and "." not in value


_USER = r"[^\s:@/\"'<>\\?#,;()\[\]{}|`]"
_PASSWORD = r"[^\s/\"'<>\\?#()\[\]{}|`]"
_WORD = r"[A-Za-z0-9._~+/=|-]"
_VALUE = r"[^\s\"'`\\<>(){}\[\],;$|=:]"


def _assignment(trigger: str) -> Context:
    parts = (
        Part(r"[A-Za-z0-9_-]", 0, 24), Part(r"[\"'\\\]]", 0, 4), Part(r"[ \t]", 0, 4), Part(r"[=:]", 1, 2),
        Part(">", 0, 1), Part(r"[ \t]", 0, 4), Part(r"[\"'`\\]", 0, 3), Part(_VALUE, 1, 4096), Part("=", 0, 2),
    )  # fmt: skip
    return Context(trigger, parts, _assigned(trigger))


_CONTEXTS = (
    Context("://", (Part(_USER, 0, 128), Part(":", 1, 1), Part(_PASSWORD, 1, 512)), _url_password),
    Context("private key", (
        Part("[A-Z ]", 0, 6), Part("-", 5, 5), Part(r"(?:[A-Za-z0-9+/=\s\\:,.()\"'|>]|-(?!-))", 1, 60_000),
    ), _private_key),
    Context("uthorization", (
        Part(r"[\"'\\\]]", 0, 4), Part(r"\s", 0, 2), Part("[:=,]", 1, 2), Part(r"[\s\"'\\]", 0, 6),
        Part(_WORD, 1, 8192), Part(r"[ \t]", 0, 2), Part(_WORD, 0, 8192),
    ), _authorization),
    Context("bearer", (Part(r"[ \t]", 1, 2), Part(_WORD, 20, 8192)), _bearer),
    Context("akia", (
        Part("[A-Z0-9]", 16, 16), Part(r"[\s,;:|\"'\\]", 1, 8), Part("[A-Za-z0-9/+]", 40, 40),
    ), _aws_secret),
    *map(_assignment, ("token", "secret", "passw", "key")),
)  # fmt: skip


def triggered(text: str, lowered: str, start: int) -> Iterator[tuple[Context, int]]:
    """Every place at or after `start` where a context's trigger stands. `lowered` is `text` in lower case."""
    for context in _CONTEXTS:
        at = lowered.find(context.trigger, start)
        while at >= 0:
            yield context, at
            at = lowered.find(context.trigger, at + 1)
