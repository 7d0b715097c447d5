"""Fetch one page under somebody's eyes: every address is shown to `check` first, and nothing grows without bound."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

from ralph.net.client import load_transport
from ralph.net.errors import NetworkError, WrongAnswer

if TYPE_CHECKING:
    import httpx

    from ralph.net.transport import Transport

Check = Callable[[str, tuple[str, ...]], None]

REDIRECTS = frozenset({301, 302, 303, 307, 308})
PRIVATE_HEADERS = ("authorization", "cookie", "proxy-authorization", "x-api-key")


@dataclass(frozen=True, slots=True)
class Fetched:
    """`url` is where it ended, `redirects` the addresses before it. `headers`: names in lower case. `body`: decoded.

    `truncated`: there was more than `max_bytes`.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    truncated: bool
    redirects: tuple[str, ...]


async def fetch(
    url: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, timeout_s: float = 30.0,
    max_bytes: int = 5 * 1024 * 1024, max_redirects: int = 5, check: Check | None = None,
) -> Fetched:  # fmt: skip
    """Ask for `url`; follow redirects; stop after `timeout_s` in all or `max_bytes` of decoded body.

    `check(url, addresses)` is called before each hop and raises to refuse it; the connection then goes to one of these
    very addresses. No cookies, no proxy, no .netrc, no user and password out of the URL.
    Raises NetworkError, WrongAnswer, and whatever `check` raises.
    """
    import asyncio

    lib = load_transport()
    walk = _Walk(lib, timeout_s, check)
    try:
        async with asyncio.timeout(timeout_s) as deadline:
            return await walk.go(url, method, dict(headers or {}), max_bytes, max_redirects)
    except TimeoutError as error:
        if not deadline.expired():  # raised by `check`: not ours to explain
            raise
        raise NetworkError(f"{url:.200} was not answered within {timeout_s:g} s") from error
    except (lib.httpx.InvalidURL, lib.httpx.UnsupportedProtocol) as error:
        raise WrongAnswer(str(error)) from error
    except (lib.httpx.TransportError, zlib.error) as error:
        raise NetworkError(str(error) or type(error).__name__) from error
    finally:
        await walk.transport.aclose()


class _Walk:
    """From address to address, each one admitted before it is connected to."""

    def __init__(self, lib: ModuleType, timeout_s: float, check: Check | None) -> None:
        self._lib, self._check = lib, check
        self._admitted: dict[tuple[str, int], tuple[str, ...]] = {}
        self.transport: Transport = lib.Transport(timeout_s, self._resolve)

    async def _resolve(self, host: str, port: int) -> tuple[str, ...]:
        return self._admitted[host, port]

    async def _admit(self, url: httpx.URL) -> None:
        _, host, port = self._lib.origin_of(url)
        found: tuple[str, ...] = ()
        try:
            found = await self._lib.addresses(host, port)
        except (OSError, UnicodeError) as error:  # UnicodeError: a label that no name server could know
            raise NetworkError(f"cannot find {host} ({error})") from error
        if self._check is not None:
            self._check(str(url), found)
        self._admitted[host, port] = found

    async def go(
        self, url: str, method: str, headers: dict[str, str], max_bytes: int, max_redirects: int
    ) -> Fetched:
        lib = self._lib
        target: httpx.URL = lib.httpx.URL(url).copy_with(username=None, password=None, fragment=None)
        visited: list[str] = []
        while True:
            await self._admit(target)
            request = lib.httpx.Request(method, target, headers={"accept-encoding": "gzip", **headers})
            response: httpx.Response = await self.transport.handle_async_request(request)
            try:
                onward = response.headers.get("location") if response.status_code in REDIRECTS else None
                if onward is None:
                    body, truncated = await _read(response, max_bytes)
                    found = dict(response.headers)
                    return Fetched(str(target), response.status_code, found, body, truncated, tuple(visited))
            finally:
                await response.aclose()
            if len(visited) == max_redirects:
                raise WrongAnswer(f"more than {max_redirects} redirects, the last to {onward:.200}")
            visited.append(str(target))
            before, target = target, target.join(onward).copy_with(username=None, password=None, fragment=None)
            if lib.origin_of(before) != lib.origin_of(target):
                headers = {name: value for name, value in headers.items() if name.lower() not in PRIVATE_HEADERS}
            if response.status_code == 303 and method != "HEAD":
                method = "GET"


async def _read(response: httpx.Response, max_bytes: int) -> tuple[bytes, bool]:
    """The body, decoded piece by piece so that a small one cannot swell beyond the limit, and whether it was cut."""
    coding = response.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("identity", "gzip", "x-gzip", "deflate"):
        raise NetworkError(f"the server answered in an encoding nobody asked for ({coding:.40})")
    inflate = None if coding == "identity" else zlib.decompressobj(zlib.MAX_WBITS | 32)
    body, received = bytearray(), 0
    async for piece in response.stream:  # type: ignore[union-attr]  # our transport's streams are asynchronous
        received += len(piece)
        body += piece if inflate is None else inflate.decompress(piece, max_bytes + 1 - len(body))
        if len(body) > max_bytes or received > max_bytes + 65536:
            return bytes(body[:max_bytes]), True
    return bytes(body), False
