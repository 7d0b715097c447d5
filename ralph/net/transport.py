"""HTTP/1.1 over asyncio streams, under httpx. Loaded by the first request only, through `client.load_transport`.

Why not httpx's own transport: its layers (httpcore, anyio) cost 50 ms before the first byte, drop an idle connection
after 5 s, which is shorter than most tool calls, and cannot be told which address to connect to.
"""

from __future__ import annotations

import asyncio  # noqa: TID253  # this file is itself loaded lazily
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from functools import partial
from ssl import SSLCertVerificationError  # noqa: TID253  # asyncio has loaded it
from typing import TYPE_CHECKING, Any, TypeVar

import h11
import httpx  # noqa: TID253  # this file is itself loaded lazily

from ralph.net.errors import WrongAnswer

if TYPE_CHECKING:
    from ssl import SSLContext

Value = TypeVar("Value")
Origin = tuple[str, str, int]
Resolve = Callable[[str, int], Awaitable[tuple[str, ...]]]

READ = 256 * 1024
HURRY_S = 2.5
"""How long one address of several may take to accept before the next is tried."""
_BROKEN = (OSError, h11.RemoteProtocolError, EOFError)


class Transport(httpx.AsyncBaseTransport):
    """Keeps the connections whose answers were read to the end; there is no limit on how long they may idle.

    `connect_s` is one deadline for name, connection and TLS together. `resolve` gives the addresses to try.
    """

    def __init__(self, connect_s: float, resolve: Resolve | None = None) -> None:
        self._connect_s = connect_s
        self._resolve = resolve or addresses
        self._idle: dict[Origin, list[Link]] = {}
        self._warming: dict[Origin, asyncio.Task[Link]] = {}
        self._tls: SSLContext | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        origin = origin_of(request.url)
        message = await _serialise(request)
        if origin in self._warming:  # half a connection is nearer than none
            await asyncio.wait([self._warming[origin]])
        while link := self._take(origin):  # one that the server closed while it idled is no failure: dial anew
            with suppress(*_BROKEN):
                return self._response(origin, link, await link.ask(message))
        link = await self._dial(origin)
        try:
            return self._response(origin, link, await link.ask(message))
        except _BROKEN as error:
            raise httpx.ReadError(f"{origin[1]} closed the connection without an answer ({error})") from error

    async def warm(self, url: str) -> None:
        """Have a connection ready before there is something to say."""
        origin = origin_of(httpx.URL(url))
        if self._idle.get(origin) or origin in self._warming:
            return
        self._warming[origin] = asyncio.ensure_future(self._dial(origin))
        try:
            self._keep(origin, await self._warming[origin])
        finally:
            del self._warming[origin]

    async def aclose(self) -> None:
        for links in self._idle.values():
            for link in links:
                link.close()
        self._idle.clear()

    def _response(self, origin: Origin, link: Link, head: h11.Response) -> httpx.Response:
        body = _Body(link, partial(self._keep, origin, link))
        return httpx.Response(head.status_code, headers=head.headers.raw_items(), stream=body)

    def _take(self, origin: Origin) -> Link | None:
        links = self._idle.get(origin, [])
        while links:
            link = links.pop()
            if not link.stale:
                return link
            link.close()
        return None

    def _keep(self, origin: Origin, link: Link) -> None:
        self._idle.setdefault(origin, []).append(link)

    async def _dial(self, origin: Origin) -> Link:
        scheme, host, port = origin
        try:
            async with asyncio.timeout(self._connect_s):
                if scheme == "https" and self._tls is None:
                    self._tls = await in_thread(_tls_context)
                tls = self._tls if scheme == "https" else None
                found = await self._resolve(host, port)
                return await _connect(found, port, tls, host)
        except TimeoutError as error:
            raise httpx.ConnectTimeout(f"{host}:{port} did not answer within {self._connect_s:g} s") from error
        except SSLCertVerificationError as error:
            raise WrongAnswer(f"the certificate of {host} is not trusted ({error.verify_message})") from error
        except (OSError, UnicodeError) as error:  # UnicodeError: a label no name server could know
            cause = getattr(error, "strerror", None) or error
            raise httpx.ConnectError(f"cannot connect to {host}:{port} ({cause})") from error


class Link:
    """One connection: the socket's two ends and the state of HTTP on it. A half-sent or half-read one is closed."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._http = h11.Connection(h11.CLIENT)

    @property
    def stale(self) -> bool:
        """The server has closed it, or spoke when nothing was asked."""
        return self._reader.at_eof() or bool(self._reader._buffer)  # type: ignore[attr-defined]  # no public look

    async def ask(self, message: list[Any]) -> h11.Response:
        """Send a whole request and read the head of its answer. Anything but a head closes the connection."""
        try:
            self._writer.write(b"".join(self._http.send(event) or b"" for event in message))
            with suppress(ConnectionError):  # a server may refuse a long request before it has read it
                await self._writer.drain()
            while True:
                event = self._http.next_event()
                if isinstance(event, h11.Response):
                    return event
                if event is h11.NEED_DATA:
                    await self._receive()
                elif not isinstance(event, h11.InformationalResponse):
                    raise EOFError("end of file")
        except BaseException:
            self.close()
            raise

    async def piece(self) -> bytes:
        """What came with one read of the socket, chunk borders removed; empty when the answer is whole."""
        while self._http.their_state is h11.SEND_BODY:
            pieces: list[bytes] = []
            while isinstance(event := self._http.next_event(), h11.Data):
                pieces.append(event.data)
            if pieces:
                return b"".join(pieces)
            if event is h11.NEED_DATA:
                await self._receive()
        return b""

    def reusable(self) -> bool:
        """Whether both sides are done, with nothing left over that could pass for the answer to the next request."""
        done = self._http.our_state is h11.DONE and self._http.their_state is h11.DONE
        if not done or self._http.trailing_data[0]:
            return False
        self._http.start_next_cycle()
        return True

    def close(self) -> None:
        self._writer.transport.abort()

    async def _receive(self) -> None:
        self._http.receive_data(await self._reader.read(READ))


class _Body(httpx.AsyncByteStream):
    """An iterator, not a generator: closing it early leaves nothing behind that would have to be finalised."""

    def __init__(self, link: Link, keep: Callable[[], None]) -> None:
        self._link, self._keep = link, keep
        self._open = True

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = await self._link.piece()
        except _BROKEN as error:
            raise httpx.ReadError(f"the connection broke in the middle of the answer ({error})") from error
        if not piece:
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        if self._open:
            self._open = False
            if self._link.reusable():
                self._keep()
            else:
                self._link.close()


async def in_thread(work: Callable[[], Value]) -> Value:
    """Like asyncio.to_thread, on a daemon thread: a name server that does not answer must not hold up the exit.

    `work` may raise OSError, ValueError or ImportError.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Value] = loop.create_future()

    def settle(how: Callable[[Any], None], what: Any) -> None:
        if not future.done():  # else: given up in the meantime
            how(what)

    def run() -> None:
        try:
            outcome: tuple[Callable[[Any], None], Any] = future.set_result, work()
        except (OSError, ValueError, ImportError) as error:
            outcome = future.set_exception, error
        with suppress(RuntimeError):  # the loop is gone: nobody waits any more
            loop.call_soon_threadsafe(settle, *outcome)

    threading.Thread(target=run, daemon=True).start()
    return await future


async def addresses(host: str, port: int) -> tuple[str, ...]:
    """The numeric addresses of a host, best first; a numeric one needs no thread."""
    look = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    try:
        found = look(flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        found = await in_thread(look)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


async def _connect(found: tuple[str, ...], port: int, tls: SSLContext | None, host: str) -> Link:
    problem: OSError = OSError("no address")
    for number, address in enumerate(found, 1):
        try:
            async with asyncio.timeout(HURRY_S if number < len(found) else None):
                name = host if tls else None
                return Link(*await asyncio.open_connection(address, port, ssl=tls, server_hostname=name, limit=READ))
        except TimeoutError:
            problem = OSError(f"{address} does not answer")
        except OSError as error:
            problem = error
    raise problem


async def _serialise(request: httpx.Request) -> list[Any]:
    target = request.url.raw_path
    head = h11.Request(method=request.method.encode(), target=target, headers=request.headers.raw)
    body = b"".join([piece async for piece in request.stream])  # type: ignore[union-attr]  # only ever opened as async
    return [head, *([h11.Data(data=body)] if body else []), h11.EndOfMessage()]


def origin_of(url: httpx.URL) -> Origin:
    """Scheme, host and port. Raises httpx.UnsupportedProtocol for anything but http and https."""
    if url.scheme not in ("http", "https") or not url.host:
        raise httpx.UnsupportedProtocol(f"not an http or https address: {str(url)!r:.200}")
    return url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80)


def _tls_context() -> SSLContext:
    """The system's certificates (SSL_CERT_FILE and SSL_CERT_DIR count); those of certifi where the system has none."""
    import os  # noqa: PLC0415  # with ssl, only when https is spoken
    import ssl

    context = ssl.create_default_context()
    folder = ssl.get_default_verify_paths().capath
    if not context.cert_store_stats()["x509_ca"] and not (folder and any(os.scandir(folder))):
        import certifi  # noqa: PLC0415  # comes with httpx; reading its 32 ms file is the last resort

        context.load_verify_locations(certifi.where())
    return context
