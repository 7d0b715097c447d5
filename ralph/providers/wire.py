"""What every provider that is reached over HTTP shares: streaming, ending, retries and errors with what to do."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from ralph.core.assemble import Assembler
from ralph.core.events import Delta, Retrying
from ralph.core.messages import Usage
from ralph.core.provider import Request
from ralph.errors import ProviderError, ProviderErrorKind
from ralph.net import Http, HttpError, NetworkError, Retry, ServerEvent, WrongAnswer

SHOWN = 300
"""Characters of a server's own words in an error message."""

Item = TypeVar("Item")
Explain = Callable[[int, str], ProviderError]


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """What a provider is made from. Each provider's module has `create(settings, http) -> Provider`.

    `rows`: the person's own rows of the model table, by model name. `extra`: fields for the request body as they are.
    `max_tokens`, `thinking` None: as the model's row says. `thinking`: off, low, medium, high or a number of tokens.
    """

    model: str
    api_url: str = ""
    api_key: str = ""
    max_tokens: int | None = None
    thinking: str | None = None
    rows: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)


class Decoder(Protocol):
    """Folds the events of one answer into `assembler` and sets `assembler.finished` when the wire says it is whole."""

    assembler: Assembler

    def feed(self, event: str, data: str) -> None:
        """Takes one server event. A whole answer of a server that does not stream comes as the event `json`.

        Raises ProviderError for an error event and for data that is no JSON.
        """


class Wire:
    """A Provider over HTTP. `encode` and `decoder` are the vendor's half; both are pure.

    encode: the request's body, as bytes or JSON-able. price: USD of a usage, None when unknown.
    explain: the error for a status outside 2xx and the server's body.
    """

    def __init__(  # noqa: PLR0913  # the vendor's half of a provider, each part named where it is made
        self, *, name: str, model: str, url: str, headers: Mapping[str, str], http: Http,
        encode: Callable[[Request], bytes | dict[str, Any]], decoder: Callable[[], Decoder],
        price: Callable[[Usage], float | None], explain: Explain,
    ) -> None:  # fmt: skip
        self.name, self.model, self.url = name, model, url
        self._headers, self._http = headers, http
        self._encode, self._decoder, self._price, self._explain = encode, decoder, price, explain

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        for value in self._headers.values():
            if not (value.isascii() and value.isprintable()):
                raise ProviderError("the key holds characters that no key has", kind="auth", hint="copy it once more")
        body = self._encode(request)
        body = body if isinstance(body, bytes) else to_json(body)
        decoder = self._decoder()
        answer = decoder.assembler
        events = self._http.events(self.url, self._headers, body, complete=lambda: answer.finished)
        try:
            async with aclosing(events):
                async for batch in events:
                    if isinstance(batch, Retry):
                        yield Retrying(batch.attempt, batch.wait_s, batch.reason)
                        continue
                    problem = _feed(decoder, batch)
                    for delta in answer.drain():  # what came before an error event is shown all the same
                        yield delta
                    if problem is not None:
                        raise problem
        except HttpError as error:
            raise self._refused(error) from error
        except NetworkError as error:
            hint = f"check the connection and the api_url ({self.url}), then try again"
            raise ProviderError(f"no answer from {self.name}: {error}", kind="network", hint=hint) from error
        except WrongAnswer as error:
            hint = f"check the api_url ({self.url})"
            raise ProviderError(f"{self.name}: {error}", kind="not_found", hint=hint) from error
        if not answer.finished:
            message = f"the answer of {self.name} was cut off before its end"
            raise ProviderError(message, kind="broken", hint="ask again to go on from here")
        yield answer.reply(cost_usd=self._price(answer.usage))

    async def close(self) -> None:
        """The connection belongs to the session, which closes it."""

    def _refused(self, error: HttpError) -> ProviderError:
        body = error.body.decode("utf-8", "replace")
        for name, value in self._headers.items():
            if name.lower() in ("authorization", "x-api-key", "api-key") and value:
                body = body.replace(value.removeprefix("Bearer "), "[key]")
        problem = self._explain(error.status, body)
        problem.status = error.status
        if error.wait_s is not None:
            problem.hint = f"the server asks to wait {_duration(error.wait_s)}"
        elif 300 <= error.status < 400:
            problem.hint = f"it points to {clean(error.headers.get('location', 'nowhere'))}: check the api_url"
        return problem


def _feed(decoder: Decoder, batch: list[ServerEvent]) -> ProviderError | None:
    try:
        for event, data in batch:
            decoder.feed(event, data)
    except ProviderError as error:
        return error
    return None


class Encoded(Generic[Item]):
    """JSON texts of a list that mostly grows, so that a long history is not encoded again for each request.

    An item is known by identity, and kept as long as it is in the list, so that its identity cannot pass to another.
    """

    def __init__(self, encode: Callable[[Item], bytes]) -> None:
        self._encode = encode
        self._known: dict[int, tuple[Item, bytes]] = {}

    def __call__(self, items: Sequence[Item]) -> list[bytes]:
        known = self._known
        self._known = {id(item): known.get(id(item)) or (item, self._encode(item)) for item in items}
        return [self._known[id(item)][1] for item in items]


def to_json(value: Any) -> bytes:
    """Compact JSON in UTF-8. A lone surrogate, which UTF-8 cannot carry, stays an escape that every server reads."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def from_json(data: str, source: str) -> dict[str, Any]:
    """The object in one server event. Raises ProviderError for anything else."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        message = f"{source} sent an event that is no JSON: {clean(data, 80)!r}"
        raise ProviderError(message, kind="broken", hint="try again") from error
    if not isinstance(value, dict):
        message = f"{source} sent an event that is no JSON object: {clean(data, 80)!r}"
        raise ProviderError(message, kind="broken", hint="try again")
    return value


_LONG = re.compile(
    r"context.{0,12}(length|window|size)|prompt (is )?too long|too many (input )?tokens|input is too long"
    r"|maximum.{0,20}tokens.{0,40}prompt|exceeds? .{0,30}(context|input token)|reduce the length", re.I | re.S
)  # fmt: skip
_KEY = re.compile(r"\b(?:(?:sk|gsk|xai|ghp|hf)[-_]|AIza)[\w\-*.]{8,}|Bearer\s+\S+")
_KINDS: dict[int, tuple[ProviderErrorKind, str]] = {
    401: ("auth", "the key was refused"), 403: ("auth", "access was refused"), 402: ("auth", "payment is due"),
    404: ("not_found", "not found"), 408: ("network", "the server gave up waiting"), 409: ("overloaded", "conflict"),
    413: ("too_long", "the request is too large"), 429: ("limit", "the rate limit is reached"),
    529: ("overloaded", "overloaded"),
}  # fmt: skip
_HINTS: dict[ProviderErrorKind, str] = {
    "limit": "wait a little, or check plan and quota", "overloaded": "try again later",
    "too_long": "start a new session or compact this one", "network": "try again",
    "bad_request": "the model may not support what was sent; --debug shows the request",
    "broken": "try again",
}  # fmt: skip


def explain(status: int, body: str, *, name: str, model: str, key_name: str) -> ProviderError:
    """The error for a refused request, with the server's own words and what to do.

    `name` is the provider as a person calls it, `key_name` the environment variable that holds its key.
    """
    words = error_text(body)
    kind, cause = _KINDS.get(status, ("overloaded", f"server error {status}") if status >= 500
                             else ("bad_request", f"the request was refused ({status})"))  # fmt: skip
    if 300 <= status < 400:
        kind, cause = "not_found", f"the address has moved ({status})"
    if status in (400, 413, 422, 500) and _LONG.search(words):
        kind, cause = "too_long", f"the conversation does not fit into what {model} can read"
    hint = _HINTS.get(kind, "")
    if kind == "auth":
        hint = f"set {key_name} to a valid key" if status == 401 else f"check what the key in {key_name} may do"
    if kind == "not_found" and status == 404:
        cause = f"it does not know the model {model!r}, or the api_url is wrong"
        hint = "choose another with -m, or correct api_url"
    return ProviderError(f"{name}: {cause}" + (f" ({words})" if words else ""), kind=kind, hint=hint, status=status)


def error_text(body: str) -> str:
    """The sentence meant for people in an error body of any shape; of a web page, its title."""
    if body.lstrip()[:1] == "<":
        title = re.search(r"<title[^>]*>(.*?)</title>", body[:20000], re.I | re.S)
        return f"a web page: {clean(title[1])}" if title else "a web page"
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return clean(body)
    while isinstance(value, dict | list) and value:
        if isinstance(value, list):
            value = value[0]
            continue
        value = next((value[key] for key in ("error", "message", "detail", "msg") if value.get(key)), None)
    return clean(str(value)) if value else clean(body)


def clean(text: str, most: int = SHOWN) -> str:
    """A stranger's text as one short line: no control characters, nothing that looks like a key."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text[: most * 4]).split())
    line = _KEY.sub("[key]", line)
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
