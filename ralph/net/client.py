"""The one HTTP client of a session: streamed answers, retries before the first byte, one connection kept."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ralph.net.errors import HttpError, NetworkError, WrongAnswer
from ralph.net.sse import MAX_EVENT, EventReader, ServerEvent

if TYPE_CHECKING:
    import httpx

LOOPBACK = ("localhost", "127.0.0.1", "::1")
MAX_PATIENCE_S = 300.0
ERROR_BODY = 64 * 1024
RETRIED = frozenset({408, 409, 429})


@dataclass(frozen=True, slots=True)
class Retrial:
    """How often and how long: wait `base_s * factor ** n`, plus up to `jitter` of it, never more than `cap_s`."""

    most: int = 3
    base_s: float = 1.0
    factor: float = 2.0
    jitter: float = 0.25
    cap_s: float = 60.0

    def wait(self, attempt: int, chance: float) -> float:
        return min(self.cap_s, self.base_s * self.factor**attempt * (1 + self.jitter * chance))


@dataclass(frozen=True, slots=True)
class Retry:
    """The request failed before its answer began and will be sent again after `wait_s` seconds."""

    attempt: int
    wait_s: float
    reason: str


class Http:
    """Built without cost; httpx and TLS are loaded by the first request, or early by `warm`.

    connect_s: hard limit for name, connection and TLS together. silence_s: limit between two pieces of an answer.
    settle_s: how long the rest of an answer is waited for once its reader says it is complete.
    """

    def __init__(
        self, *, connect_s: float = 10.0, silence_s: float = 300.0, settle_s: float = 1.0,
        retrial: Retrial | None = None, transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] | None = None, chance: Callable[[], float] = random.random,
    ) -> None:  # fmt: skip
        self._connect_s, self._silence_s, self._settle_s = connect_s, silence_s, settle_s
        self._retrial, self._sleep, self._chance = retrial or Retrial(), sleep, chance
        self._transport = transport
        self._clients: dict[bool, httpx.AsyncClient] = {}  # by "through the environment's proxy"

    async def warm(self, url: str) -> None:
        """Load what the first request needs and connect, sending nothing. A failure is left for the request to meet."""
        lib = load_transport()
        self._client(url)
        if isinstance(self._transport, lib.Transport) and not _proxied(url):
            try:
                await self._transport.warm(url)
            except (lib.httpx.TransportError, WrongAnswer):
                return

    async def events(
        self, url: str, headers: Mapping[str, str], body: bytes, *, complete: Callable[[], bool] = lambda: False
    ) -> AsyncGenerator[list[ServerEvent] | Retry, None]:
        """POST and yield, for each read of the network, the events it completed; a Retry before each wait.

        A JSON answer comes whole as one event named `json`. `complete` says that the answer needs no more events; what
        the server still sends is then read so that the connection can be kept, but not waited for long.
        Raises HttpError, NetworkError, WrongAnswer.
        """
        for attempt in range(self._retrial.most + 1):
            started = False
            try:
                async with aclosing(self._attempt(url, headers, body, complete)) as batches:
                    async for batch in batches:
                        started = True
                        yield batch
                return
            except (HttpError, NetworkError) as error:
                wait_s = None if started or attempt == self._retrial.most else self._wait(error, attempt)
                if wait_s is None:
                    raise
                reason = str(error)
            yield Retry(attempt + 1, wait_s, reason)
            await self._pause(wait_s)

    async def close(self) -> None:
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()

    async def _attempt(
        self, url: str, headers: Mapping[str, str], body: bytes, complete: Callable[[], bool]
    ) -> AsyncGenerator[list[ServerEvent], None]:
        """One try. The first item is yielded only after the first byte of a 2xx body has come."""
        import asyncio

        lib = load_transport()
        response: httpx.Response | None = None
        try:
            client = self._client(url)
            request = client.build_request("POST", url, headers={**STREAM_HEADERS, **headers}, content=body)
            async with asyncio.timeout(self._silence_s):
                response = await client.send(request, stream=True)
            async with aclosing(self._pieces(response, complete)) as pieces:
                if not response.is_success:
                    raise await _refusal(response, pieces)
                async with aclosing(_batches(response, pieces)) as batches:
                    async for batch in batches:
                        yield batch
        except TimeoutError as error:
            raise NetworkError(f"the server sent nothing for {self._silence_s:g} s") from error
        except (lib.httpx.UnsupportedProtocol, lib.httpx.InvalidURL) as error:
            raise WrongAnswer(str(error)) from error
        except lib.httpx.TransportError as error:
            raise NetworkError(str(error) or type(error).__name__) from error
        finally:
            if response is not None:
                await response.aclose()

    async def _pieces(self, response: httpx.Response, complete: Callable[[], bool]) -> AsyncGenerator[bytes, None]:
        import asyncio

        async with aclosing(response.aiter_bytes()) as body:  # type: ignore[type-var]  # an async generator in fact
            while True:
                settling = complete()
                try:
                    async with asyncio.timeout(self._settle_s if settling else self._silence_s):
                        piece = await anext(body, None)
                except TimeoutError:
                    if settling:
                        return
                    raise
                if piece is None:
                    return
                yield piece

    def _client(self, url: str) -> httpx.AsyncClient:
        """Ours, or httpx's own with its proxies where the environment names one for a host that is not this machine."""
        lib = load_transport()
        proxied = self._transport is None and _proxied(url)
        if proxied not in self._clients:
            if not proxied:
                self._transport = self._transport or lib.Transport(self._connect_s)
            options: dict[str, Any] = {} if proxied else {"transport": self._transport}
            timeout = lib.httpx.Timeout(None, connect=self._connect_s)
            try:
                self._clients[proxied] = lib.httpx.AsyncClient(trust_env=proxied, timeout=timeout, **options)
            except (ImportError, ValueError) as error:
                raise WrongAnswer(f"the proxy that the environment names cannot be used ({error})") from error
        return self._clients[proxied]

    def _wait(self, error: HttpError | NetworkError, attempt: int) -> float | None:
        """Seconds until the next try, None when there should be none."""
        own = self._retrial.wait(attempt, self._chance())
        if isinstance(error, NetworkError):
            return own
        verdict = error.headers.get("x-should-retry")
        if verdict == "false" or (verdict != "true" and error.status not in RETRIED and error.status < 500):
            return None
        asked = retry_after(error.headers)
        if asked is not None and asked > MAX_PATIENCE_S:
            error.wait_s = asked
            return None
        return own if asked is None else asked

    async def _pause(self, seconds: float) -> None:
        if self._sleep is None:
            import asyncio

            await asyncio.sleep(seconds)
        else:
            await self._sleep(seconds)


STREAM_HEADERS = {"accept": "text/event-stream, application/json", "accept-encoding": "identity",
                  "content-type": "application/json", "user-agent": "ralph"}  # fmt: skip


def load_transport() -> ModuleType:
    """Import httpx with click hidden from it: it would load a command-line tool of its own, for twice the time."""
    loaded = sys.modules.get("ralph.net.transport")
    if loaded is not None:
        return loaded
    missing = object()
    click = sys.modules.get("click", missing)
    sys.modules["click"] = None  # type: ignore[assignment]  # the documented way to make an import fail
    try:
        from ralph.net import transport  # noqa: PLC0415  # the heavy one
    finally:
        if click is missing:
            del sys.modules["click"]
        else:
            sys.modules["click"] = click  # type: ignore[assignment]  # what was there before
    return transport


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds the server asks to wait (RFC 9110, 10.2.3, in seconds or as a date), None when it does not say."""
    try:
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]) / 1000)
        if "retry-after" in headers:
            return max(0.0, float(headers["retry-after"]))
    except ValueError:
        import time  # noqa: PLC0415  # the rare form
        from email.utils import parsedate_to_datetime  # noqa: PLC0415  # 6 ms

        try:
            return max(0.0, parsedate_to_datetime(headers["retry-after"]).timestamp() - time.time())
        except (ValueError, KeyError):
            return None
    return None


def _proxied(url: str, environ: Mapping[str, str] = os.environ) -> bool:
    """A proxy of the environment applies. This machine is never reached through one."""
    scheme, _, rest = url.partition("://")
    authority = rest.partition("/")[0].rpartition("@")[2]
    host = authority.partition("]")[0].removeprefix("[") if authority[:1] == "[" else authority.partition(":")[0]
    if host in LOOPBACK or host.startswith("127."):
        return False
    names = (f"{scheme}_proxy", "all_proxy")
    return any(environ.get(name) or environ.get(name.upper()) for name in names)


async def _refusal(response: httpx.Response, pieces: AsyncGenerator[bytes, None]) -> HttpError:
    body = b""
    async for piece in pieces:
        body += piece
        if len(body) > ERROR_BODY:
            break
    return HttpError(response.status_code, body[:ERROR_BODY], dict(response.headers))


async def _batches(
    response: httpx.Response, pieces: AsyncGenerator[bytes, None]
) -> AsyncGenerator[list[ServerEvent], None]:
    """The events of a 2xx answer. Its first byte tells what it is: servers are careless about the content type."""
    reader = EventReader()
    head: bytes | None = b""
    async for piece in pieces:
        fresh = piece
        if head is not None:
            head += piece
            first = head.lstrip()[:1]
            if first == b"<":
                kind = response.headers.get("content-type", "no content type")
                raise WrongAnswer(f"{response.url.host} answered with a web page ({kind})")
            if len(head) > MAX_EVENT:
                raise WrongAnswer(f"{response.url.host} answered with more than {MAX_EVENT} bytes")
            if first in (b"", b"{", b"["):
                yield []  # it has begun: too late to try again
                continue
            fresh, head = head, None
        yield reader.feed(fresh)
    if head is None:
        if last := reader.finish():
            yield last
    elif head.strip():
        yield [ServerEvent("json", head.decode("utf-8", "replace"))]
