"""Secrets out of every text before the model, the session file or the screen gets it.

Known values first (also base64, URL- and JSON-escaped), then token formats, then what its surroundings give away. A
secret becomes `[secret:KIND:DIGEST]`. Equal secrets have equal tags within one installation; the digest is keyed, so
nobody can find a secret by trying.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ralph.errors import StoreError
from ralph.policy.secret_contexts import LOOK_BACK, contexts, triggered
from ralph.policy.secret_forms import anchor, ordinary, prefixes, rest_of, spellings

TAG = re.compile(r"\[secret:[a-z0-9_.-]{1,60}:[0-9a-f]{4}\]")
SHORTEST = 8
"""A known value below this length is redacted only where its name stands before it."""

_RUN = re.compile(r"[A-Za-z0-9_.-]{20,}")
_ESCAPE = re.compile(r"\\(?:[nrtbfv0]|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2})|%[0-9A-Fa-f]{2}|[\[;]\d{0,3}m")
_TOKEN = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-=/+%~"


@dataclass(frozen=True, slots=True)
class Found:
    """`text[start:end]` is a secret."""

    kind: str
    start: int
    end: int


class _Needle(NamedTuple):
    """A text to look for; the secret begins `skip` characters into it."""

    text: str
    skip: int
    kind: str
    digest: str


class _Span(NamedTuple):
    """`origin`: where what gave it away begins, such as the name before a password."""

    start: int
    end: int
    kind: str
    digest: str
    origin: int


class Redactor:
    """Callable text -> text. `values`: (name, value) pairs that must never be seen; `key` as from `load_key`."""

    def __init__(self, values: Iterable[tuple[str, str]], key: bytes) -> None:
        self._key = key
        self._needles = tuple(dict.fromkeys(needle for name, value in values for needle in self._spell(name, value)))
        self._starts = frozenset(proper for prefix in prefixes() for proper in _beginnings(prefix))
        self._triggers = frozenset(proper for context in contexts() for proper in _beginnings(context.trigger))

    def __call__(self, text: str) -> str:
        return self._replaced(text, 0, len(text), self._spans(text))

    def find(self, text: str) -> tuple[Found, ...]:
        return tuple(Found(span.kind, span.start, span.end) for span in self._spans(text))

    def holds_known(self, text: str) -> str:
        """The name of a known value that stands in `text`, or ""."""
        return next((needle.kind for needle in self._needles if needle.text in text), "")

    def data(self, value: Any) -> Any:
        """The same for every string, key or value, of JSON-able data."""
        if isinstance(value, str):
            return self(value)
        if isinstance(value, dict):
            return {self(str(name)): self.data(item) for name, item in value.items()}
        return [self.data(item) for item in value] if isinstance(value, list | tuple) else value

    def stream(self) -> Stream:
        return Stream(self)

    def take(self, text: str, base: int, *, last: bool) -> tuple[str, int]:
        """The redacted text from `base` up to where more text could still change it, and that place."""
        spans = self._spans(text, base)
        cut = len(text) if last else self._settled(text, base)
        for span in reversed(spans):
            cut = span.origin if span.origin < cut < span.end else cut
        return self._replaced(text, base, cut, [span for span in spans if span.end <= cut]), cut

    def _spell(self, name: str, value: str) -> Iterator[_Needle]:
        kind = re.sub(r"[^a-z0-9_.-]+", "_", name.lower())[:60] or "secret"
        digest = self._digest(value)
        if len(value) < SHORTEST or ordinary(value):
            for link in ("=", '="', "='", ": ", ': "', ": '", '": "', '\\": \\"', '":"'):
                yield _Needle(f"{name}{link}{value}", len(name) + len(link), kind, digest)
            return
        for form in spellings(value):
            yield _Needle(form, 0, kind, digest)

    def _digest(self, value: str) -> str:
        return hmac.digest(self._key, value.encode("utf-8", "surrogatepass"), "sha256").hex()[:4]

    def _spans(self, text: str, base: int = 0) -> list[_Span]:
        """What is secret from `base` on, in order, overlaps joined."""
        found = [*self._known(text, base), *_tokens(text, base), *_in_context(text, base)]
        if len(found) < 2:
            return found
        joined: list[_Span] = []
        for span in sorted(found, key=lambda item: (item.start, -item.end, not item.digest)):
            if joined and span.start < joined[-1].end:
                before = joined[-1]
                if span.end > before.end:
                    joined[-1] = _Span(before.start, span.end, before.kind, "", min(before.origin, span.origin))
            else:
                joined.append(span)
        return joined

    def _known(self, text: str, base: int) -> Iterator[_Span]:
        for needle in self._needles:
            at = text.find(needle.text, base)
            while at >= 0:
                yield _Span(at + needle.skip, at + len(needle.text), needle.kind, needle.digest, at)
                at = text.find(needle.text, at + 1)

    def _replaced(self, text: str, base: int, end: int, spans: list[_Span]) -> str:
        if not spans:
            return text[base:end]
        parts, at = [], base
        for span in spans:
            digest = span.digest or self._digest(text[span.start : span.end])
            parts += [text[at : span.start], f"[secret:{span.kind}:{digest}]"]
            at = span.end
        return "".join([*parts, text[at:end]])

    def _settled(self, text: str, base: int) -> int:
        """Everything before this place means the same whatever comes next."""
        lowered = _lower(text)
        waiting = [at for context, at in triggered(text, lowered, base) if context.undecided(text, at)]
        waiting += (at for at in range(max(base, len(text) - 12), len(text)) if lowered[at:] in self._triggers)
        waiting += (at for needle in self._needles if (at := _begun(text, needle.text, base)) is not None)
        waiting += self._begun_tokens(text, base)
        return min(waiting, default=len(text))

    def _begun_tokens(self, text: str, base: int) -> Iterator[int]:
        start = max(base, len(text.rstrip(_TOKEN)))
        yield from (hit.start() for hit in anchor().finditer(text, start))
        escape = _ESCAPE.match(text, start - 1) if start else None
        if escape and escape.end() > start and any(text.startswith(item, escape.end()) for item in prefixes()):
            yield escape.end()
        if start and _ESCAPE.match(text + "0000m", start - 1) and len(text) - start < 8:
            yield start  # an escape that is not whole yet
        for at in range(max(start, len(text) - 24), len(text)):
            if text[at:] in self._starts:
                yield at


class Stream:
    """`feed` the chunks in order, show what it returns, and `finish` at the end: a split secret never gets through."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._before, self._held = "", ""
        self._fresh: list[str] = []
        self._size = 0

    def feed(self, chunk: str) -> str:
        self._fresh.append(chunk)
        self._size += len(chunk)
        if self._size < len(self._held) // 8 - 256:
            return ""  # a long key is not read again for every few characters of it
        return self._take(last=False)

    def finish(self) -> str:
        shown = self._take(last=True)
        self._before = ""
        return shown

    def _take(self, *, last: bool) -> str:
        text = self._before + self._held + "".join(self._fresh)
        self._fresh.clear()
        self._size = 0
        shown, cut = self._redactor.take(text, len(self._before), last=last)
        self._before, self._held = text[max(0, cut - 2 * LOOK_BACK) : cut], text[cut:]
        return shown


def _tokens(text: str, base: int) -> Iterator[_Span]:
    """Tokens of a known format."""
    for run in _RUN.finditer(text, base):
        start, end = run.span()
        escape = _ESCAPE.match(text, start - 1) if start else None
        if escape and escape.end() > start and (hit := anchor(within=True).match(text, escape.end())):
            yield from _token_at(text, hit.start(), hit[0])
        while hit := anchor().search(text, start, end):
            start = hit.end()
            for span in _token_at(text, hit.start(), hit[0]):
                yield span
                start = max(start, span.end)


def _token_at(text: str, at: int, prefix: str) -> Iterator[_Span]:
    for kind, rest in rest_of(prefix):
        if found := rest.match(text, at + len(prefix)):
            yield _Span(at, at + len(text[at : found.end()].rstrip(".")), kind, "", at)
            return


def _in_context(text: str, base: int) -> Iterator[_Span]:
    for context, at in triggered(text, _lower(text), base):
        if span := context.find(text, at):
            yield _Span(*span, "", at)


def _lower(text: str) -> str:
    return text.lower() if text.isascii() else text.replace("\u0130", "I").lower()  # the one that grows by it


def _beginnings(text: str) -> Iterator[str]:
    return (text[:size] for size in range(1, len(text)))


def _begun(text: str, needle: str, base: int) -> int | None:
    """Where the longest end of `text` stands with which the needle begins."""
    at = text.find(needle[0], max(base, len(text) - len(needle) + 1))
    while at >= 0:
        if needle.startswith(text[at:]):
            return at
        at = text.find(needle[0], at + 1)
    return None


def load_key(home: Path) -> bytes:
    """The installation's own 32 random bytes, in `<home>/secrets.key` (0600), made at the first call."""
    path = home / "secrets.key"
    try:
        with suppress(FileNotFoundError):
            return hashlib.sha256(path.read_bytes()).digest()
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        spare = home / f".secrets.{secrets.token_hex(6)}"
        with os.fdopen(os.open(spare, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
        with suppress(FileExistsError):
            os.link(spare, path)  # whole or not at all, and the first process wins
        spare.unlink()
        return hashlib.sha256(path.read_bytes()).digest()
    except OSError as error:
        raise StoreError(f"cannot keep a key in {path}: {error.strerror}", hint="check the home directory") from error
