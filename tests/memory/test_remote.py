from __future__ import annotations

import asyncio
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from ralph.errors import ProviderError
from ralph.memory.remote import LOCAL_MODEL, OPENAI_MODEL, REST_S, Remote, endpoint, vectors_in
from ralph.net import Http, Retrial


@contextmanager
def server(answer):
    """A real one on loopback. `answer(body) -> (status, JSON value or text)`; yields its address and what it got."""
    seen = []

    class Answering(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            seen.append((self.path, self.headers.get("authorization"), body))
            status, value = answer(body)
            sent = (value if isinstance(value, str) else json.dumps(value)).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *_args):
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=running.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{running.server_port}", seen
    finally:
        running.shutdown()
        running.server_close()
        thread.join()


@contextmanager
def remote(url, **options):
    async def at_once(_seconds):
        pass

    made = Remote(url, http=Http(retrial=Retrial(most=2), sleep=at_once), **options)
    try:
        yield made
    finally:
        made.close()


def vectors(body, dimension=8):
    """OpenAI's form, with the rows in a muddled order."""
    lengths = [float(len(text)) for text in body["input"]]
    rows = [{"index": n, "embedding": [length, *[1.0] * (dimension - 1)]} for n, length in enumerate(lengths)]
    return 200, {"object": "list", "data": rows[::-1], "model": body["model"]}


def test_texts_become_rows_of_length_one_in_their_order():
    with server(vectors) as (url, seen), remote(url, model="m", key="secret") as embedder:
        rows = embedder.embed(["a", "bbbb", "cc"])
        assert (rows.shape, rows.dtype, embedder.dimension) == ((3, 8), np.float32, 8)
        assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
        assert rows[0][0] < rows[2][0] < rows[1][0]
        assert seen == [("/v1/embeddings", "Bearer secret", {"model": "m", "input": ["a", "bbbb", "cc"]})]


def test_many_texts_go_in_batches():
    with server(vectors) as (url, seen), remote(url) as embedder:
        assert embedder.embed(["x"] * 150).shape == (150, 8)
        assert [len(body["input"]) for _, _, body in seen] == [64, 64, 22]


def test_the_dimension_is_what_the_server_sends():
    with server(lambda body: vectors(body, 1024)) as (url, seen), remote(url) as embedder:
        assert embedder.dimension == embedder.dimension == 1024
        assert len(seen) == 1


def test_it_may_be_asked_inside_an_event_loop():
    async def inside(embedder):
        return embedder.embed(["x"]).shape

    with server(vectors) as (url, _), remote(url) as embedder:
        assert asyncio.run(inside(embedder)) == (1, 8)


def test_trouble_that_passes_is_tried_again():
    answers = iter([(500, "oops"), (429, "slow down")])
    with server(lambda body: next(answers, None) or vectors(body)) as (url, seen), remote(url) as embedder:
        assert embedder.embed(["x"]).shape == (1, 8)
        assert len(seen) == 3


@pytest.mark.parametrize(("answer", "kind"), [
    ((401, {"error": "no such key"}), "auth"), ((404, "nothing here"), "not_found"), ((400, "bad"), "bad_request"),
    ((503, "down"), "overloaded"), ((200, {"data": []}), "broken"), ((200, {"choices": []}), "bad_request"),
    ((200, "<html>hello"), "bad_request"), ((200, {"data": [{"embedding": [0.0, 0.0]}]}), "broken"),
    ((200, {"data": [{"embedding": ["x"]}]}), "bad_request"), ((200, '{"data":[{"embedding":[1e999,1]}]}'), "broken"),
])  # fmt: skip
def test_a_server_that_does_not_serve_is_said(answer, kind):
    with server(lambda _body: answer) as (url, _), remote(url) as embedder:
        with pytest.raises(ProviderError) as failure:
            embedder.embed(["x"])
        assert failure.value.kind == kind


def test_a_server_that_failed_is_left_alone_for_a_while():
    now = [0.0]
    with remote("http://127.0.0.1:1", clock=lambda: now[0]) as embedder:
        assert embedder.available()
        with pytest.raises(ProviderError, match="cannot be reached"):
            embedder.embed(["x"])
        assert not embedder.available()
        now[0] = REST_S
        assert embedder.available()


@pytest.mark.parametrize(("written", "asked"), [
    ("http://localhost:8080", "http://localhost:8080/v1/embeddings"),
    ("http://localhost:8080/", "http://localhost:8080/v1/embeddings"),
    ("https://api.openai.com/v1", "https://api.openai.com/v1/embeddings"),
    ("https://api.openai.com/v1/embeddings", "https://api.openai.com/v1/embeddings"),
    ("http://localhost:8080/embedding", "http://localhost:8080/embedding"),
])  # fmt: skip
def test_addresses_as_people_write_them(written, asked):
    assert endpoint(written) == asked


def test_the_usual_model_of_each_kind_of_server():
    assert Remote("https://api.openai.com/v1").name.startswith(OPENAI_MODEL)
    assert Remote("http://localhost:8080").name.startswith(LOCAL_MODEL)


@pytest.mark.parametrize("answer", [
    '{"data": [{"embedding": [1, 2]}]}', '{"embedding": [1, 2]}', "[1, 2]", "[[1, 2]]",
    '[{"index": 0, "embedding": [[1, 2]]}]',
])  # fmt: skip
def test_forms_that_local_servers_answer_in(answer):
    assert vectors_in(answer, 1) == [[1.0, 2.0]]


def test_what_is_too_long_for_the_server_is_sent_in_parts():
    def answer(body):
        if max(map(len, body["input"])) > 900:
            return 500, {"error": {"message": "input (400 tokens) is too large to process"}}
        return 200, {"data": [{"index": n, "embedding": [text.count("a"), text.count("b")]}
                              for n, text in enumerate(body["input"])]}  # fmt: skip

    text = "a" * 2000 + " " + "b" * 2000
    with server(answer) as (url, seen), remote(url) as made:
        rows = made.embed(["ab", text])
        assert rows[1] == pytest.approx([2**-0.5] * 2, abs=0.15)
        assert made.available()
        asked = len(seen)
        made.embed([text])
        assert len(seen) == asked + 1  # the limit is known by now


def test_a_server_that_takes_nothing_at_all_ends_it():
    with server(lambda _body: (413, {"error": "too large"})) as (url, _), remote(url) as made:
        with pytest.raises(ProviderError, match="too large") as caught:
            made.embed(["word " * 1000])
        assert caught.value.kind == "too_long"
        assert not made.available()
