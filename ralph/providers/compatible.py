"""The servers that speak OpenAI's formats, and how they differ: addresses, names of fields, and fields they refuse."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any, NamedTuple, Protocol

from ralph.core.events import Delta, Retrying
from ralph.core.messages import Usage
from ralph.core.provider import Request
from ralph.errors import ConfigError, ProviderError
from ralph.net import Http
from ralph.providers.wire import Decoder, Explain, ProviderSettings, Wire, explain, to_json


class Dialect(NamedTuple):
    """What is known about one host.

    root: the path before `/chat/completions` when the address has none. limit: name of the field that caps the answer;
    it is sent when the person set a cap (rate limits and credit are reckoned by it), and always where the host is
    frugal: its own default is far below what the model can do.
    schemas: takes an output schema beside tools. native: never writes calls into the text as markup.
    echo: the field in which the reasoning before a call has to be sent back.
    """

    name: str = ""
    root: str = "/v1"
    limit: str = "max_tokens"
    schemas: bool = False
    native: bool = False
    echo: str = ""
    frugal: bool = False
    key_header: str = "authorization"


_AZURE = Dialect("Azure OpenAI", "/openai/v1", "max_completion_tokens", True, True, key_header="api-key")
DIALECTS: Mapping[str, Dialect] = {  # by the end of the host's name
    "api.openai.com": Dialect("OpenAI", limit="max_completion_tokens", schemas=True, native=True),
    "openai.azure.com": _AZURE,
    "cognitiveservices.azure.com": _AZURE,
    "api.groq.com": Dialect("Groq", "/openai/v1", "max_completion_tokens", native=True),
    "openrouter.ai": Dialect("OpenRouter", "/api/v1", schemas=True, native=True, echo="reasoning"),
    "api.deepseek.com": Dialect("DeepSeek", native=True, echo="reasoning_content", frugal=True),
    "api.moonshot.ai": Dialect("Moonshot", native=True, echo="reasoning_content"),
    "api.moonshot.cn": Dialect("Moonshot", native=True, echo="reasoning_content"),
    "api.mistral.ai": Dialect("Mistral", schemas=True, native=True),
}

OPTIONAL: Mapping[str, str] = {
    "stream_options": "", "max_completion_tokens": "max_tokens", "max_tokens": "max_completion_tokens",
    "max_output_tokens": "", "reasoning_effort": "", "reasoning": "", "include": "", "store": "", "response_format": "",
    "text": "",
}  # fmt: skip
"""Fields a server may refuse, and the older or newer name for the same thing, which is tried instead."""
_REFUSED = (
    r"(?i)unsupported|not support|unknown|unrecogni[sz]ed|unexpected|extra|not (permitted|allowed|valid)"
    r"|invalid (param|arg|field)"
)


def dialect_of(api_url: str) -> Dialect:
    host = split_url(api_url)[0].rpartition("/")[2].rpartition("@")[2].partition(":")[0].lower()
    return next((row for end, row in DIALECTS.items() if host == end or host.endswith(f".{end}")), Dialect())


def split_url(api_url: str) -> tuple[str, str, str]:
    """Origin, path without a slash at its end, and query with its question mark."""
    address, mark, query = api_url.strip().partition("?")
    scheme, separator, rest = address.rpartition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host}", f"{slash}{path}".rstrip("/"), f"{mark}{query}"


def endpoint(api_url: str, resource: str) -> str:
    """The whole address of `/chat/completions` or `/responses`, from a base address or from either of the two."""
    origin, path, query = split_url(api_url)
    for known in ("/chat/completions", "/responses"):
        path = path.removesuffix(known)
    return f"{origin}{path or dialect_of(api_url).root}{resource}{query}"


class Format(Protocol):
    """One of OpenAI's two formats. `fields`: the small part of the body. `content`: the rest, as JSON members."""

    resource: str

    def fields(self, request: Request) -> dict[str, Any]: ...

    def content(self, request: Request) -> bytes: ...

    def decoder(self, request: Request, explain: Explain) -> Decoder: ...


class _FieldRefused(ProviderError):
    """A status that names a field which was sent and can be done without."""

    field = ""


class Compatible:
    """A Provider for one server. A field it refuses is left out or renamed, at once and for the rest of the session."""

    def __init__(
        self, settings: ProviderSettings, http: Http, form: Format, price: Callable[[Usage], float | None]
    ) -> None:
        dialect = dialect_of(settings.api_url)
        self.model = settings.model
        self.name = dialect.name or split_url(settings.api_url)[0].rpartition("/")[2]
        self.url = endpoint(settings.api_url, form.resource)
        self._settings, self._http, self._form, self._price = settings, http, form, price
        key = settings.api_key.strip()
        if not (key.isascii() and key.isprintable()):
            raise ConfigError(f"the key for {self.name} holds characters that no key has", hint="copy it once more")
        self._headers = {dialect.key_header: key if dialect.key_header == "api-key" else f"Bearer {key}"} if key else {}
        self._refused: list[str] = []

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        while True:
            fields = self._fields(request)
            try:
                async with aclosing(self._wire(request, fields).stream(request)) as deltas:
                    async for delta in deltas:
                        yield delta
                return
            except _FieldRefused as error:
                self._refused.append(error.field)
                yield Retrying(len(self._refused), 0.0, f"{self.name} does not take {error.field}")

    async def close(self) -> None:
        """The connection belongs to the session, which closes it."""

    def _wire(self, request: Request, fields: Mapping[str, Any]) -> Wire:
        body = b"{" + self._form.content(request) + b"," + to_json(fields)[1:]
        decoder = self._form.decoder(request, self._explain)
        return Wire(
            name=self.name, model=self.model, url=self.url, headers=self._headers, http=self._http,
            encode=lambda _: body, decoder=lambda: decoder, price=self._price,
            explain=lambda status, text: self._refusal(status, text, fields),
        )  # fmt: skip

    def _fields(self, request: Request) -> dict[str, Any]:
        fields = {**self._form.fields(request), **self._settings.extra}
        for name in self._refused:
            if name in fields:
                value, other = fields.pop(name), OPTIONAL[name]
                if other and other not in self._refused:
                    fields[other] = value
        return fields

    def _refusal(self, status: int, body: str, fields: Mapping[str, Any]) -> ProviderError:
        problem = self._explain(status, body)
        if problem.kind == "bad_request" and re.search(_REFUSED, body):
            for name in OPTIONAL:
                quote = "" if "_" in name else "['\"`]"  # `text` is a word of any sentence
                if name in fields and re.search(rf"{quote}\b{name}\b", body):
                    refused = _FieldRefused(problem.message, kind=problem.kind, hint=problem.hint)
                    refused.field = name
                    return refused
        return problem

    def _explain(self, status: int, body: str) -> ProviderError:
        return explain(status, body, name=self.name, model=self.model, key_name="OPENAI_API_KEY")


def stream_error(body: Mapping[str, Any], text: str, explain: Explain) -> ProviderError:
    """The error in an event or in an answer with status 200: what the status would have been is guessed from it.

    `body` holds it, under `error` or itself; `text` is the same as the server sent it.
    """
    error = body.get("error") or body
    fields = error if isinstance(error, Mapping) else {}
    code, words = fields.get("code"), f"{fields.get('code')} {fields.get('type')}".lower()
    if isinstance(code, str) and code.isdigit():
        code = int(code)
    if isinstance(code, int) and 400 <= code < 600:
        return explain(code, text)
    return explain(next((status for word, status in _STATUSES.items() if word in words), 500), text)


_STATUSES = {
    "rate_limit": 429, "quota": 429, "overloaded": 529, "auth": 401, "api_key": 401, "permission": 403,
    "not_found": 404, "too_large": 413, "timeout": 408, "context": 400, "invalid": 400, "bad_request": 400,
}  # fmt: skip
