from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from ralph.core.assemble import Assembler
from ralph.core.events import Reply, Retrying, TextDelta
from ralph.core.messages import Message, Text, Usage
from ralph.core.provider import Request
from ralph.errors import ProviderError
from ralph.net import Http, Retrial
from ralph.providers.wire import Encoded, Wire, clean, error_text, explain, from_json, to_json
from tests.net.server import chunked, serve

KEY = "sk-very-secret-key-0123456789"


class Plain:
    """A wire of one's own: each event's data is text, `END` ends it, `BAD` is an error."""

    def __init__(self) -> None:
        self.assembler = Assembler("plain")

    def feed(self, event: str, data: str) -> None:
        if data == "BAD":
            raise ProviderError("bad event", kind="overloaded")
        if data == "END":
            self.assembler.finished = True
            self.assembler.usage = Usage(10, 5)
        else:
            self.assembler.text(data)


def wire(http: Http, url: str = "http://model.test/v1", **options) -> Wire:
    return Wire(**{
        "name": "Plain", "model": "m-1", "url": url, "headers": {"Authorization": f"Bearer {KEY}"}, "http": http,
        "encode": lambda request: {"n": len(request.messages)}, "decoder": Plain, "price": lambda usage: 0.25,
        "explain": lambda status, body: explain(status, body, name="Plain", model="m-1", key_name="PLAIN_API_KEY"),
        **options,
    })  # fmt: skip


async def listen(provider: Wire, into: list) -> list:
    async for item in provider.stream(Request((), (Message("user", (Text("q"),)),))):
        into.append(item)
    return into


def answered(*answers: httpx.Response | Exception, **options) -> tuple[list, ProviderError | None]:
    """What comes of these answers, one per request, and the error in the end."""
    left, items = list(answers), []

    def answer(request: httpx.Request) -> httpx.Response:
        now = left.pop(0)
        if isinstance(now, Exception):
            raise now
        return now

    async def no_wait(seconds: float) -> None:
        return None

    http = Http(transport=httpx.MockTransport(answer), sleep=no_wait, chance=lambda: 0.0)
    try:
        asyncio.run(listen(wire(http, **options), items))
    except ProviderError as error:
        return items, error
    return items, None


def sse(*data: str) -> httpx.Response:
    body = "".join(f"data: {item}\n\n" for item in data)
    return httpx.Response(200, content=body.encode(), headers={"content-type": "text/event-stream"})


def test_deltas_then_one_reply_with_its_price():
    items, error = answered(sse("a", "b", "END"))
    reply = Reply(Message("assistant", (Text("ab"),)), Usage(10, 5), "", "end", 0.25)
    assert (items, error) == ([TextDelta("ab"), reply], None)


def test_bodies_may_be_bytes_already():
    assert answered(sse("END"), encode=lambda request: b"[1]")[1] is None


def test_a_retry_is_an_event():
    items, error = answered(httpx.Response(503), httpx.ConnectError("down"), sse("a", "END"))
    assert items[:2] == [Retrying(1, 1.0, "HTTP 503"), Retrying(2, 2.0, "down")]
    assert isinstance(items[-1], Reply)
    assert error is None


def test_what_came_before_an_error_is_shown_and_no_reply_follows():
    items, error = answered(sse("a", "BAD", "END"))
    assert items == [TextDelta("a")]
    assert error is not None
    assert error.kind == "overloaded"


def test_an_answer_without_its_end_is_cut_off():
    items, error = answered(sse("a"))
    assert items == [TextDelta("a")]
    assert error is not None
    assert (error.kind, error.exit_code) == ("broken", 75)
    assert "cut off" in str(error)


def test_a_connection_that_drops_in_the_middle():
    async def answer(writer, head):
        writer.write(chunked(b"data: a\n\n", end=False))
        return True

    async def main():
        items: list = []
        async with serve(answer) as peer:
            http = Http()
            with pytest.raises(ProviderError) as caught:
                await listen(wire(http, peer.url), items)
            await http.close()
            return items, caught.value

    items, error = asyncio.run(main())
    assert items == [TextDelta("a")]
    assert error.kind == "network"


@pytest.mark.parametrize(
    ("status", "body", "kind", "exit_code", "says"),
    [
        (400, '{"error":{"message":"bad field"}}', "bad_request", 5, "bad field"),
        (400, '{"error":{"message":"prompt is too long: 210000 tokens > 200000 maximum"}}', "too_long", 5, "compact"),
        (400, '{"error":{"message":"This model\'s maximum context length is 8192 tokens"}}', "too_long", 5, "m-1"),
        (400, '{"error":{"message":"the request exceeds the available context size"}}', "too_long", 5, ""),
        (401, '{"error":{"message":"invalid x-api-key"}}', "auth", 5, "set PLAIN_API_KEY"),
        (402, "", "auth", 5, "payment"), (403, '{"message":"no access"}', "auth", 5, "no access"),
        (404, '{"error":{"message":"model: m-1"}}', "not_found", 5, "choose another with -m"),
        (413, "", "too_long", 5, "too large"),
        (422, '{"detail":[{"msg":"field required"}]}', "bad_request", 5, "required"),
        (302, "", "not_found", 5, "check the api_url"), (418, "teapot", "bad_request", 5, "teapot"),
    ],
)  # fmt: skip
def test_a_refusal_says_what_to_do(status, body, kind, exit_code, says):
    _, error = answered(httpx.Response(status, content=body.encode()))
    assert error is not None
    assert (error.kind, error.exit_code, error.status) == (kind, exit_code, status)
    assert says in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("status", "kind"), [(429, "limit"), (529, "overloaded"), (500, "overloaded"), (503, "overloaded")]
)
def test_trouble_that_passes_is_worth_trying_later(status, kind):
    items, error = answered(*[httpx.Response(status)] * 4)
    assert len(items) == 3
    assert error is not None
    assert (error.kind, error.exit_code) == (kind, 75)


def test_a_wait_too_long_is_told():
    items, error = answered(httpx.Response(429, headers={"retry-after": "720"}))
    assert items == []
    assert "the server asks to wait 12 min" in str(error)


def test_a_web_page_and_a_dead_address_point_to_the_url():
    for answer in (httpx.Response(200, content=b"<html>"), httpx.Response(404, content=b"<title>nginx\n404</title>")):
        _, error = answered(answer)
        assert "api_url" in str(error)
        assert error is not None
        assert error.exit_code == 5
    assert "nginx 404" in str(error)


def test_no_answer_is_network_trouble():
    items, error = answered(*[httpx.ConnectError("no route")] * 4)
    assert len(items) == 3
    assert "no route" in str(error)
    assert error is not None
    assert (error.kind, error.exit_code) == ("network", 75)


def test_the_key_is_never_shown():
    for body in (f"bad key {KEY}", f"authorization was 'Bearer {KEY}'", json.dumps({"error": f"{KEY}!"})):
        _, error = answered(httpx.Response(401, content=body.encode()))
        assert "secret" not in str(error)


@pytest.mark.parametrize("key", ["sk-\u2014dash", "two\nlines", "tab\t"])
def test_a_key_no_header_could_carry(key):
    _, error = answered(sse("END"), headers={"x-api-key": key})
    assert error is not None
    assert error.kind == "auth"


def test_a_servers_words_are_one_short_clean_line():
    assert clean("a\x1b[31m\nb\r\u202ec\0") == "a [31m b c"
    assert len(clean("x" * 10_000)) == 300
    assert clean("Incorrect API key provided: sk-abc*****wxyz.") == "Incorrect API key provided: [key]"
    assert clean("AIzaSyA1234567890 and Bearer abc.def") == "[key] and [key]"
    assert clean("key-value stores and keyboards") == "key-value stores and keyboards"


@pytest.mark.parametrize(
    ("body", "expected"),
    [('{"error":{"message":"m"}}', "m"), ('{"error":"m"}', "m"), ('{"detail":"m"}', "m"),
     ('[{"error":{"message":"m"}}]', "m"), ("plain", "plain"), ("", ""), ('{"odd":1}', '{"odd":1}'),
     ("[" * 100_000, "[" * 299 + "…"), ("<p>x", "a web page"),
     ("{}", "{}"), ('{"error":{"code":500}}', '{"error":{"code":500}}'), ("null", "null")],
)  # fmt: skip
def test_the_sentence_is_found_in_any_shape(body, expected):
    assert error_text(body) == expected


def test_json_objects_only():
    assert from_json('{"a":1}', "x") == {"a": 1}
    for data in ("[1]", "1", "{", ""):
        with pytest.raises(ProviderError, match="x sent an event"):
            from_json(data, "x")


def test_json_is_compact_utf_8_and_takes_lone_surrogates():
    assert to_json({"a": ["ü", 1]}) == '{"a":["ü",1]}'.encode()
    assert json.loads(to_json("\ud800")) == "\ud800"


def test_what_was_encoded_stays_so_as_long_as_it_is_in_the_list():
    seen = []

    def encode(item: list[int]) -> bytes:
        seen.append(list(item))
        return to_json(item)

    encoded = Encoded(encode)
    first, second = [1], [2]
    assert encoded([first]) == [b"[1]"]
    assert encoded([first, second, first]) == [b"[1]", b"[2]", b"[1]"]
    assert seen == [[1], [2]]
    assert encoded([second]) == [b"[2]"]
    assert encoded([first]) == [b"[1]"]
    assert seen == [[1], [2], [1]]


def test_equal_things_that_are_not_the_same_are_told_apart():
    encoded = Encoded(to_json)
    for number in range(200):  # freed identities come back; each must be encoded anew
        assert encoded([[number]]) == [b"[%d]" % number]


def test_retries_can_be_switched_off():
    async def main():
        http = Http(transport=httpx.MockTransport(lambda request: httpx.Response(500)), retrial=Retrial(most=0))
        await listen(wire(http), [])

    with pytest.raises(ProviderError):
        asyncio.run(main())
