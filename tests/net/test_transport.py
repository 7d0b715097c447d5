from __future__ import annotations

import asyncio
import contextlib
import shutil
import ssl
import subprocess

import pytest

from ralph.net import Http, NetworkError, Retrial, WrongAnswer, fetch
from ralph.net.client import load_transport
from tests.net.server import serve, whole


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for `localhost` that nobody has signed, with its key in the same file."""
    if shutil.which("openssl") is None:
        pytest.skip("making a certificate needs the openssl program")
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", folder / "key.pem",
         "-out", folder / "cert.pem"], check=True, capture_output=True,
    )  # fmt: skip
    return folder


async def talk(folder, work):
    """Run `work(port)` against a server that speaks TLS; returns its result and the server names clients asked for."""
    asked = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    context.sni_callback = lambda _socket, name, _context: asked.append(name)

    async def handle(reader, writer):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if b"content-length: 2" in head.lower():
                    await reader.readexactly(2)
                writer.write(whole(b"data: hello\n\n"))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.transport.abort()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
    try:
        return await work(server.sockets[0].getsockname()[1]), asked
    finally:
        server.close()
        await asyncio.sleep(0.02)


def test_an_unknown_certificate_is_refused_at_once(certificate):
    async def work(port):
        http = Http(retrial=Retrial(most=3, base_s=60))
        with pytest.raises(WrongAnswer, match="the certificate of localhost is not trusted"):
            async for _ in http.events(f"https://localhost:{port}/", {}, b"{}"):
                pass
        await http.close()
        with pytest.raises(WrongAnswer, match="not trusted"):
            await fetch(f"https://localhost:{port}/")

    asyncio.run(talk(certificate, work))


def test_a_certificate_the_environment_trusts_is_taken_for_its_name_only(certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(certificate / "none"))

    async def work(port):
        http = Http()
        await http.warm(f"https://localhost:{port}/v1")
        for _ in range(3):
            found = [batch async for batch in http.events(f"https://localhost:{port}/v1", {}, b"{}")]
            assert found[0][0].data == "hello"
        await http.close()
        page = await fetch(f"https://localhost:{port}/", check=lambda url, found: None)
        assert page.body == b"data: hello\n\n"
        with pytest.raises(WrongAnswer, match="not trusted"):
            await fetch(f"https://127.0.0.1:{port}/")

    _, asked = asyncio.run(talk(certificate, work))
    assert asked == ["localhost", "localhost", None]  # one connection for the session, one for each fetch


def test_the_next_address_is_tried_when_one_refuses():
    async def main():
        lib = load_transport()
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)

        async def resolve(host, port):
            return ("::1", "127.0.0.1")

        transport = lib.Transport(5, resolve)
        await transport.warm(f"http://both.test:{server.sockets[0].getsockname()[1]}/")
        await transport.aclose()
        server.close()
        await asyncio.sleep(0.01)

    asyncio.run(main())


def test_a_name_without_any_address():
    async def main():
        async def resolve(host, port):
            return ()

        lib = load_transport()
        with pytest.raises(lib.httpx.ConnectError, match="no address"):
            await lib.Transport(5, resolve).warm("http://empty.test/")

    asyncio.run(main())


def test_a_slow_name_server_is_given_up_and_does_not_hold_up_the_exit():
    async def main():
        async def resolve(host, port):
            return await lib.in_thread(lambda: __import__("time").sleep(30))

        lib = load_transport()
        with pytest.raises(lib.httpx.ConnectTimeout):
            await lib.Transport(0.05, resolve).warm("http://slow.test/")

    asyncio.run(asyncio.wait_for(main(), 5))


def test_an_error_in_the_thread_reaches_the_one_who_waits():
    lib = load_transport()
    with pytest.raises(ValueError, match="invalid literal"):
        asyncio.run(lib.in_thread(lambda: int("x")))


def test_numbers_need_no_name_server():
    lib = load_transport()
    assert asyncio.run(lib.addresses("127.0.0.1", 80)) == ("127.0.0.1",)
    assert asyncio.run(lib.addresses("::1", 80)) == ("::1",)


def test_a_server_that_speaks_unasked_is_not_trusted_with_the_next_request():
    async def handle(reader, writer):
        await reader.readuntil(b"{}")
        writer.write(whole(b"data: a\n\n") + whole(b"data: smuggled\n\n"))
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()

    async def main():
        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        http = Http()
        for _ in range(2):
            found = [batch async for batch in http.events(url, {}, b"{}")]
            assert [event.data for batch in found for event in batch] == ["a"]
        await http.close()
        server.close()
        await asyncio.sleep(0.02)

    asyncio.run(main())


def test_a_request_waits_for_the_connection_that_is_being_made():
    async def answer(writer, head):
        writer.write(whole(b"data: a\n\n"))

    async def main():
        resolved = []
        async with serve(answer) as peer:

            async def resolve(host, port):
                resolved.append(host)
                await asyncio.sleep(0.05)
                return ("127.0.0.1",)

            http = Http(transport=load_transport().Transport(5, resolve))
            url = f"http://slow.test:{peer.port}/"
            warming = [asyncio.ensure_future(http.warm(url)) for _ in range(2)]
            await asyncio.sleep(0.01)
            found = [batch async for batch in http.events(url, {}, b"{}")]
            await asyncio.gather(*warming)
            await http.close()
            return found[0][0].data, resolved, peer.connections

    assert asyncio.run(main()) == ("a", ["slow.test"], 1)


def test_a_warm_up_that_fails_leaves_the_request_to_say_so():
    async def main():
        async def resolve(host, port):
            raise OSError("no such name")

        http = Http(transport=load_transport().Transport(5, resolve), retrial=Retrial(most=0))
        await http.warm("http://gone.test/")
        await http.warm("no address")
        with pytest.raises(NetworkError, match="no such name"):
            async for _ in http.events("http://gone.test/", {}, b"{}"):
                pass

    asyncio.run(main())
