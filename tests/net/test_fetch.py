from __future__ import annotations

import asyncio
import gzip
import time
import zlib

import pytest

from ralph.net import NetworkError, WrongAnswer, fetch
from tests.net.server import chunked, serve, whole


def get(body: bytes, **options):
    """Fetch `/` of a server that answers every request with these bytes."""

    async def answer(writer, head):
        writer.write(body)
        return True

    async def main():
        async with serve(answer) as peer:
            return await fetch(peer.url + "/", **options), peer

    return asyncio.run(main())


def test_a_page_comes_with_its_status_headers_and_body():
    answer = whole(b"<p>h\xc3\xa9", "404 Not Found", "text/html; charset=utf-8")
    page, peer = get(answer, headers={"accept": "text/html"})
    assert (page.status, page.body, page.truncated, page.redirects) == (404, b"<p>h\xc3\xa9", False, ())
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    head = peer.requests[0][0].lower()
    assert b"accept: text/html\r\n" in head
    assert f"host: 127.0.0.1:{peer.port}\r\n".encode() in head
    assert b"cookie" not in head
    assert b"authorization" not in head


def test_more_than_the_limit_is_cut_and_said():
    page, _ = get(whole(b"x" * 5000), max_bytes=1000)
    assert (len(page.body), page.truncated) == (1000, True)
    page, _ = get(whole(b"x" * 1000), max_bytes=1000)
    assert (len(page.body), page.truncated) == (1000, False)


def test_an_endless_body_is_cut_too():
    async def answer(writer, head):
        writer.write(chunked(end=False))
        while True:
            writer.write(b"400\r\n" + b"x" * 1024 + b"\r\n")
            await writer.drain()

    async def main():
        async with serve(answer) as peer:
            return await fetch(peer.url, max_bytes=100_000)

    page = asyncio.run(main())
    assert (len(page.body), page.truncated) == (100_000, True)


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "deflate"])
def test_compressed_pages_are_read(coding):
    packed = zlib.compress(b"hello" * 100) if coding == "deflate" else gzip.compress(b"hello" * 100)
    page, _ = get(whole(packed, extra=f"Content-Encoding: {coding}\r\n"))
    assert page.body == b"hello" * 100


def test_a_bomb_swells_no_further_than_the_limit():
    bomb = gzip.compress(b"\0" * 50_000_000)
    assert len(bomb) < 60_000
    page, _ = get(whole(bomb, extra="Content-Encoding: gzip\r\n"), max_bytes=10_000)
    assert (page.body, page.truncated) == (b"\0" * 10_000, True)


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip"])
def test_an_encoding_nobody_asked_for(coding):
    with pytest.raises(NetworkError, match="encoding nobody asked for"):
        get(whole(b"x", extra=f"Content-Encoding: {coding}\r\n"))


def test_a_broken_archive_is_an_error():
    with pytest.raises(NetworkError):
        get(whole(b"no archive", extra="Content-Encoding: gzip\r\n"))


def test_time_is_limited_in_all():
    async def answer(writer, head):
        writer.write(chunked(end=False))
        for _ in range(2000):
            writer.write(b"1\r\nx\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)

    async def main():
        async with serve(answer) as peer:
            with pytest.raises(NetworkError, match=r"not answered within 0\.2 s"):
                await fetch(peer.url, timeout_s=0.2)

    started = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - started < 5


class Hops:
    """Answers `/1` with a redirect to `/2` and so on, `/end` with a page."""

    def __init__(self, *targets: str, status: str = "302 Found") -> None:
        self.targets, self.status = list(targets), status

    async def __call__(self, writer, head) -> None:
        if self.targets:
            writer.write(whole(b"go on", self.status, extra=f"Location: {self.targets.pop(0)}\r\nSet-Cookie: a=b\r\n"))
        else:
            writer.write(whole(b"here"))


def test_redirects_are_followed_and_every_hop_is_checked():
    checked = []

    async def main():
        async with serve(Hops("/2", "three?x=1#part")) as peer:
            page = await fetch(peer.url + "/1", check=lambda url, found: checked.append((url, found)))
            return page, peer

    page, peer = asyncio.run(main())
    assert page.body == b"here"
    assert page.url == peer.url + "/three?x=1"
    assert page.redirects == (peer.url + "/1", peer.url + "/2")
    assert checked == [(url, ("127.0.0.1",)) for url in (*page.redirects, page.url)]
    assert not any(b"cookie" in head.lower() for head, _ in peer.requests)


def test_a_refused_hop_is_never_connected_to():
    class Refused(Exception):
        pass

    def check(url: str, found: tuple[str, ...]) -> None:
        if "secret" in url:
            raise Refused(url)

    async def main():
        async with serve(Hops()) as inner, serve(Hops(f"{inner.url}/secret")) as outer:
            with pytest.raises(Refused):
                await fetch(outer.url, check=check)
            with pytest.raises(Refused):
                await fetch(f"{inner.url}/secret", check=check)
            return inner.connections

    assert asyncio.run(main()) == 0


def test_the_connection_goes_to_a_checked_address_and_the_name_stays():
    checked = []

    async def main():
        async with serve(Hops()) as peer:
            page = await fetch(f"http://localhost:{peer.port}/", check=lambda url, found: checked.append(found))
            return page, peer

    page, peer = asyncio.run(main())
    assert page.body == b"here"
    assert "127.0.0.1" in checked[0]
    assert f"host: localhost:{peer.port}\r\n".encode() in peer.requests[0][0].lower()


def test_too_many_redirects():
    async def main():
        async with serve(Hops(*["/again"] * 9)) as peer:
            with pytest.raises(WrongAnswer, match="more than 5 redirects"):
                await fetch(peer.url)
            return len(peer.requests)

    assert asyncio.run(main()) == 6


@pytest.mark.parametrize("target", ["file:///etc/passwd", "gopher://x/", "data:text/html,x", "javascript:alert(1)"])
def test_a_redirect_to_anything_but_the_web_is_refused(target):
    async def main():
        async with serve(Hops(target)) as peer:
            with pytest.raises((WrongAnswer, NetworkError)):
                await fetch(peer.url)
            return len(peer.requests)

    assert asyncio.run(main()) == 1


def test_private_headers_do_not_leave_their_host():
    async def main():
        async with serve(Hops()) as inner, serve(Hops("/next", inner.url)) as outer:
            await fetch(outer.url, headers={"Authorization": "Bearer t", "accept": "*/*"})
            return outer, inner

    outer, inner = asyncio.run(main())
    assert all(b"bearer t" in head.lower() for head, _ in outer.requests)
    assert b"bearer" not in inner.requests[0][0].lower()
    assert b"accept: */*" in inner.requests[0][0].lower()


def test_user_and_password_in_an_address_are_not_sent():
    async def main():
        async with serve(Hops()) as peer:
            page = await fetch(peer.url.replace("//", "//user:pw@"))
            return page, peer

    page, peer = asyncio.run(main())
    assert "pw" not in page.url
    assert b"authorization" not in peer.requests[0][0].lower()


@pytest.mark.parametrize(
    "url", ["", "no address", "ftp://x.test/", "http://[::1", "http://a b/", "http://\u2028/", "http://" + "a" * 70]
)
def test_what_is_no_address(url):
    with pytest.raises((WrongAnswer, NetworkError)):
        asyncio.run(fetch(url, timeout_s=5))
