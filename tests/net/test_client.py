from __future__ import annotations

import asyncio
import socket
import sys
import time
from email.utils import formatdate

import httpx
import pytest

from ralph.net import Http, HttpError, NetworkError, Retrial, Retry, ServerEvent, WrongAnswer
from ralph.net.client import _proxied, retry_after
from tests.net.server import chunked, serve, whole

EVENT = b"data: a\n\n"
A = ServerEvent("message", "a")


async def collect(http: Http, url: str = "http://model.test/v1", into: list | None = None, body: bytes = b"{}") -> list:
    found = [] if into is None else into
    try:
        async for item in http.events(url, {"x-key": "k"}, body):
            found.append(item)
        return found
    finally:
        await http.close()


class Script:
    """Answers one after the other, for MockTransport; remembers requests and how long the client slept."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers, self.requests, self.slept = list(answers), [], []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def http(self, **options) -> Http:
        return Http(transport=httpx.MockTransport(self), sleep=self.sleep, chance=lambda: 0.0, **options)


def ok(body: bytes = EVENT, kind: str = "text/event-stream") -> httpx.Response:
    return httpx.Response(200, content=body, headers={"content-type": kind})


def flat(batches: list) -> list[ServerEvent]:
    return [event for batch in batches if not isinstance(batch, Retry) for event in batch]


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
def test_a_passing_failure_is_tried_again_with_growing_waits(status):
    script = Script(httpx.Response(status), httpx.Response(status), ok())
    found = asyncio.run(collect(script.http()))
    assert found[:2] == [Retry(1, 1.0, f"HTTP {status}"), Retry(2, 2.0, f"HTTP {status}")]
    assert flat(found) == [A]
    assert script.slept == [1.0, 2.0]
    assert {bytes(request.content) for request in script.requests} == {b"{}"}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_a_lasting_failure_is_not(status):
    script = Script(httpx.Response(status, content=b"no"))
    with pytest.raises(HttpError) as caught:
        asyncio.run(collect(script.http()))
    assert (caught.value.status, caught.value.body, script.slept) == (status, b"no", [])


def test_errors_of_the_network_are_tried_again_and_in_the_end_reported():
    script = Script(*[httpx.ConnectError("no route")] * 2, httpx.ReadError("reset"), httpx.ConnectError("no route"))
    with pytest.raises(NetworkError, match="no route"):
        asyncio.run(collect(script.http()))
    assert script.slept == [1.0, 2.0, 4.0]


def test_waits_carry_jitter_and_a_cap():
    retrial = Retrial(base_s=1, factor=10, cap_s=60)
    assert [retrial.wait(n, 1.0) for n in range(3)] == [1.25, 12.5, 60]
    assert Retrial(most=0).most == 0
    script = Script(httpx.Response(500))
    with pytest.raises(HttpError):
        asyncio.run(collect(script.http(retrial=Retrial(most=0))))


@pytest.mark.parametrize(
    ("headers", "wait"),
    [({"retry-after": "7"}, 7.0), ({"retry-after-ms": "250"}, 0.25), ({"retry-after": "-1"}, 0.0),
     ({"retry-after": "soon"}, 1.0), ({"retry-after": "300"}, 300.0), ({"retry-after-ms": "x"}, 1.0)],
)  # fmt: skip
def test_the_servers_wish_is_followed(headers, wait):
    script = Script(httpx.Response(429, headers=headers), ok())
    asyncio.run(collect(script.http()))
    assert script.slept == [wait]


def test_a_date_is_a_wish_too():
    assert 25 < (retry_after({"retry-after": formatdate(time.time() + 30, usegmt=True)}) or 0) <= 30
    assert retry_after({"retry-after": formatdate(time.time() - 30, usegmt=True)}) == 0.0
    assert retry_after({}) is None


def test_a_wish_nobody_would_sit_through_ends_it_at_once():
    script = Script(httpx.Response(429, headers={"retry-after": "900"}))
    with pytest.raises(HttpError) as caught:
        asyncio.run(collect(script.http()))
    assert (caught.value.wait_s, script.slept) == (900.0, [])


def test_the_server_may_say_whether_to_try_again():
    script = Script(httpx.Response(500, headers={"x-should-retry": "false"}))
    with pytest.raises(HttpError):
        asyncio.run(collect(script.http()))
    again = Script(httpx.Response(400, headers={"x-should-retry": "true"}), ok())
    assert flat(asyncio.run(collect(again.http()))) == [A]


def test_a_json_answer_comes_whole_whatever_its_type_says():
    body = b'\n {"error": "x"}'
    for kind in ("application/json", "text/event-stream", "text/plain"):
        assert flat(asyncio.run(collect(Script(ok(body, kind)).http()))) == [ServerEvent("json", body.decode())]


def test_events_are_believed_whatever_their_type_says():
    for kind in ("text/plain", "application/json", ""):
        assert flat(asyncio.run(collect(Script(ok(EVENT, kind)).http()))) == [A]


def test_a_web_page_is_named_as_such_and_not_asked_for_again():
    script = Script(ok(b"\n<!doctype html><p>hi", "text/html"))
    with pytest.raises(WrongAnswer, match=r"model\.test answered with a web page"):
        asyncio.run(collect(script.http()))
    assert len(script.requests) == 1


def test_an_empty_answer_gives_nothing():
    assert flat(asyncio.run(collect(Script(ok(b"")).http()))) == []


@pytest.mark.parametrize("url", ["localhost:8080/v1", "ftp://example.test/", "http://", "http://[::1", "http://a b/"])
def test_an_address_nobody_can_ask(url):
    with pytest.raises((WrongAnswer, NetworkError)):
        asyncio.run(collect(Http(retrial=Retrial(most=0)), url))


# Over real sockets.


def test_one_connection_serves_the_session():
    async def answer(writer, head):
        writer.write(chunked(EVENT, EVENT))

    async def main():
        async with serve(answer) as peer:
            http = Http()
            await http.warm(peer.url)
            for _ in range(20):
                assert flat([batch async for batch in http.events(peer.url + "/v1", {}, b"{}")]) == [A, A]
            await http.close()
            return peer

    peer = asyncio.run(main())
    assert (peer.connections, len(peer.requests)) == (1, 20)
    head = peer.requests[0][0].lower()
    assert head.startswith(b"post /v1 http/1.1\r\n")
    assert b"accept-encoding: identity\r\n" in head


def test_events_of_one_read_come_together():
    async def answer(writer, head):
        writer.write(chunked(*[EVENT] * 500))

    async def main():
        async with serve(answer) as peer:
            return await collect(Http(), peer.url)

    found = asyncio.run(main())
    assert len(flat(found)) == 500
    assert len(found) < 20


def test_a_connection_that_the_server_closed_in_between_is_replaced_without_a_word():
    async def answer(writer, head):
        writer.write(whole(EVENT))
        return True

    async def main():
        async with serve(answer) as peer:
            http = Http(retrial=Retrial(most=0))
            for _ in range(3):
                assert flat([batch async for batch in http.events(peer.url, {}, b"{}")]) == [A]
                await asyncio.sleep(0.02)
            await http.close()
            return peer.connections

    assert asyncio.run(main()) == 3


def test_a_kept_connection_that_dies_on_the_next_request_is_replaced_too():
    async def answer(writer, head):
        seen.append(head)
        if len(seen) == 2:
            return True
        writer.write(whole(EVENT))

    seen: list[bytes] = []

    async def main():
        async with serve(answer) as peer:
            http = Http(retrial=Retrial(most=0))
            for _ in range(2):
                assert flat([batch async for batch in http.events(peer.url, {}, b"{}")]) == [A]
            await http.close()

    asyncio.run(main())
    assert len(seen) == 3


def test_an_answer_that_breaks_off_is_an_error_after_what_came_and_is_not_asked_for_again():
    async def answer(writer, head):
        writer.write(chunked(EVENT, end=False))
        return True

    async def main():
        found = []
        async with serve(answer) as peer:
            with pytest.raises(NetworkError, match="broke in the middle"):
                await collect(Http(), peer.url, found)
            return found, peer

    found, peer = asyncio.run(main())
    assert flat(found) == [A]
    assert len(peer.requests) == 1


def test_a_break_before_the_first_byte_of_the_body_is_asked_for_again():
    async def answer(writer, head):
        seen.append(head)
        if len(seen) == 1:
            writer.write(chunked(end=False))
            return True
        writer.write(chunked(EVENT))

    seen: list[bytes] = []

    async def main():
        async with serve(answer) as peer:
            return await collect(Http(sleep=lambda seconds: asyncio.sleep(0)), peer.url)

    found = asyncio.run(main())
    assert isinstance(found[0], Retry)
    assert flat(found) == [A]


def test_bytes_that_are_no_event_yet_count_as_begun():
    async def answer(writer, head):
        writer.write(chunked(b": still thinking\n", end=False))
        return True

    async def main():
        async with serve(answer) as peer:
            with pytest.raises(NetworkError):
                await collect(Http(), peer.url)
            return len(peer.requests)

    assert asyncio.run(main()) == 1


def test_silence_has_a_limit():
    async def answer(writer, head):
        writer.write(chunked(EVENT, end=False))
        await writer.drain()
        await asyncio.sleep(30)

    async def main():
        async with serve(answer) as peer:
            with pytest.raises(NetworkError, match=r"nothing for 0\.05 s"):
                await collect(Http(silence_s=0.05), peer.url)

    asyncio.run(main())


def test_a_complete_answer_whose_end_does_not_come_is_not_waited_for():
    async def answer(writer, head):
        writer.write(chunked(EVENT, end=False))
        await writer.drain()
        await asyncio.sleep(30)

    async def main():
        found: list = []
        async with serve(answer) as peer:
            http = Http(settle_s=0.05)
            async for batch in http.events(peer.url, {}, b"{}", complete=lambda: bool(found)):
                found.append(batch)
            await http.close()
        return found

    started = time.monotonic()
    assert flat(asyncio.run(main())) == [A]
    assert time.monotonic() - started < 5


def test_what_comes_after_a_complete_answer_is_still_read():
    async def answer(writer, head):
        writer.write(chunked(EVENT, end=False))
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.write(b"9\r\ndata: b\n\n\r\n0\r\n\r\n")

    async def main():
        found: list = []
        async with serve(answer) as peer:
            http = Http()
            for _ in range(2):
                async for batch in http.events(peer.url, {}, b"{}", complete=lambda: True):
                    found.append(batch)
            await http.close()
            return flat(found), peer.connections

    assert asyncio.run(main()) == ([A, ServerEvent("message", "b")] * 2, 1)


def test_an_interrupted_stream_leaves_no_connection_behind():
    gone = asyncio.Event()

    async def answer(writer, head):
        writer.write(chunked(EVENT, end=False))
        await writer.drain()
        try:
            for _ in range(500):
                writer.write(b"9\r\ndata: a\n\n\r\n")
                await writer.drain()
                await asyncio.sleep(0.005)
        except ConnectionError:
            gone.set()
            raise

    async def main():
        async with serve(answer) as peer:
            http = Http()
            events = http.events(peer.url, {}, b"{}")
            await anext(events)
            await events.aclose()
            await asyncio.wait_for(gone.wait(), 5)
            await http.close()

    asyncio.run(main())


def test_cancelling_while_waiting_for_the_answer_closes_the_connection():
    gone = asyncio.Event()

    async def main():
        async def handle(reader, writer):
            await reader.readuntil(b"{}")
            assert await reader.read() == b""
            gone.set()
            writer.close()

        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        http = Http()
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        task = asyncio.ensure_future(collect(http, url))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(gone.wait(), 5)
        server.close()

    asyncio.run(main())


@pytest.fixture
def deaf_port():
    """A port whose queue of connections is full, so that another one is never accepted."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    fillers = []
    for _ in range(8):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
        fillers.append(filler)
    yield listener.getsockname()[1]
    for item in (listener, *fillers):
        item.close()


def test_connecting_has_a_hard_deadline(deaf_port):
    http = Http(connect_s=0.1, retrial=Retrial(most=0))
    started = time.monotonic()
    with pytest.raises(NetworkError, match=r"did not answer within 0\.1 s"):
        asyncio.run(collect(http, f"http://127.0.0.1:{deaf_port}/"))
    assert time.monotonic() - started < 5


def test_a_refused_connection_names_the_place():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(NetworkError, match=f"cannot connect to 127.0.0.1:{port}"):
        asyncio.run(collect(Http(retrial=Retrial(most=0)), f"http://127.0.0.1:{port}/"))


def test_a_peer_that_speaks_no_http():
    async def answer(writer, head):
        writer.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")

    async def main():
        async with serve(answer) as peer:
            with pytest.raises(NetworkError):
                await collect(Http(retrial=Retrial(most=0)), peer.url)

    asyncio.run(main())


def test_tls_to_a_server_that_speaks_none():
    async def main():
        def handle(_reader, writer):
            writer.write(b"what?\n")
            writer.close()

        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(NetworkError, match="cannot connect"):
            await collect(Http(retrial=Retrial(most=0), connect_s=5), url)
        server.close()

    asyncio.run(main())


def test_a_refusal_in_the_middle_of_a_long_request_is_read():
    async def refuse(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(whole(b'{"error":"too big"}', "413 Too Large", "application/json"))
        await writer.drain()
        await over.wait()
        writer.close()

    over = asyncio.Event()

    async def main():
        server = await asyncio.start_server(refuse, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(HttpError) as caught:
            await collect(Http(), url, body=b"x" * 200_000)
        over.set()
        server.close()
        await asyncio.sleep(0.01)
        return caught.value

    error = asyncio.run(main())
    assert (error.status, error.body) == (413, b'{"error":"too big"}')


def test_a_long_error_body_is_cut():
    async def answer(writer, head):
        writer.write(whole(b"x" * 1_000_000, "400 Bad Request"))
        return True

    async def main():
        async with serve(answer) as peer:
            with pytest.raises(HttpError) as caught:
                await collect(Http(), peer.url)
            return len(caught.value.body)

    assert asyncio.run(main()) == 65536


@pytest.mark.parametrize(
    ("url", "expected"),
    [("http://127.0.0.1:1/v1", False), ("http://localhost/v1", False), ("http://[::1]:8080/", False),
     ("http://127.9.9.9", False), ("http://model.test/", True), ("https://model.test/", False)],
)  # fmt: skip
def test_this_machine_is_never_reached_through_a_proxy(url, expected):
    assert _proxied(url, {"http_proxy": "http://proxy.test:3128"}) is expected
    assert _proxied("https://model.test/", {"ALL_PROXY": "http://proxy.test"}) is True


def test_the_environments_proxy_is_used_for_others_and_not_for_this_machine(monkeypatch):
    async def answer(writer, head):
        writer.write(chunked(EVENT))

    async def main():
        async with serve(answer) as proxy, serve(answer) as near:
            monkeypatch.setenv("http_proxy", proxy.url)
            monkeypatch.delenv("no_proxy", raising=False)
            monkeypatch.delenv("NO_PROXY", raising=False)
            http = Http()
            for url in ("http://model.test/v1", near.url):
                assert flat([batch async for batch in http.events(url, {}, b"{}")]) == [A]
            await http.close()
            return proxy, near

    proxy, near = asyncio.run(main())
    assert [head.split(b"\r\n")[0] for head, _ in proxy.requests] == [b"POST http://model.test/v1 HTTP/1.1"]
    assert len(near.requests) == 1


def test_a_proxy_that_cannot_be_used_is_named(monkeypatch):
    monkeypatch.setenv("http_proxy", "carrier-pigeon://roof")
    with pytest.raises(WrongAnswer, match="the proxy that the environment names cannot be used"):
        asyncio.run(collect(Http()))


def test_click_is_hidden_from_httpx_only():
    load_fresh = (
        "import sys; sys.modules['click'] = marker = object()\n"
        "from ralph.net.client import load_transport; load_transport()\n"
        "assert sys.modules['click'] is marker and 'httpx' in sys.modules\n"
        "assert not {'anyio', 'httpcore', 'certifi', 'httpx._main'} & set(sys.modules)\n"
    )
    import subprocess

    done = subprocess.run([sys.executable, "-c", load_fresh], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_nothing_heavy_is_loaded_before_the_first_request():
    import subprocess

    code = "import sys, ralph.net; ralph.net.Http(); print({'asyncio', 'httpx', 'ssl', 'h11'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


