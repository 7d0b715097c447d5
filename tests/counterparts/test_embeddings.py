"""Memory on the embeddings of a real llama.cpp server that goes away and comes back."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import time
from contextlib import contextmanager

import pytest

from ralph.memory.memory import Memory
from ralph.memory.remote import Remote
from ralph.memory.rows import DOCUMENTS, LONG_TERM, Draft
from ralph.net import Http, Retrial
from ralph.tools.documents import ingest
from tests.counterparts.fixtures import HERE, cache, make_model, or_skip

pytestmark = pytest.mark.timeout(600)  # the first one on a machine installs the counterparts


class Server:
    """One address; `up` while the server runs there."""

    def __init__(self, python, model):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._command = [python, HERE / "serve_model.py", model, str(self.port)]
        self.url = f"http://127.0.0.1:{self.port}"

    @contextmanager
    def up(self):
        pipe = subprocess.PIPE
        server = subprocess.Popen(self._command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)
        try:
            with or_skip():
                if not server.stdout.readline().startswith("http://"):
                    raise OSError("the embedding server did not start")
            yield
        finally:
            server.kill()
            server.communicate()


@pytest.fixture(scope="module")
def server(counterpart_python):
    with or_skip():
        model = make_model(cache(), counterpart_python)
    return Server(counterpart_python, model)


@pytest.fixture
def memory(server, tmp_path):
    made = Memory(tmp_path, embedder=Remote(server.url, http=Http(connect_s=1.0, retrial=Retrial(most=0))))
    yield made
    made.close()


def counts(memory, index):
    [row] = [row for row in memory.store.stats() if row.spec.name == index]
    return row.documents, row.vectors, row.pending


@pytest.mark.parametrize("path", ["", "/v1", "/v1/embeddings", "/embedding"])
def test_every_way_to_write_the_address(server, path):
    with server.up():
        made = Remote(server.url + path)
        try:
            rows = made.embed(["the quick fox", "the quick dog", "a word of its own"])
            assert rows.shape == (3, made.dimension)
            assert rows[0] @ rows[1] > rows[0] @ rows[2]
        finally:
            made.close()


def test_text_is_searchable_at_once_and_vectors_follow_when_the_server_is_back(server, memory):
    with server.up():
        memory.remember("herons wait in shallow water")
        assert memory.settled(20)
        assert counts(memory, LONG_TERM) == (1, 1, 0)
        found = memory.recall("shallow water herons")
        assert (found.mode, len(found.hits)) == ("hybrid", 1)

    pages = "\n\n".join(f"Gulls follow plough number {n}. " * 20 for n in range(6))
    asyncio.run(ingest(memory, pages.encode(), "/docs/birds.md"))  # the server is gone
    began = time.monotonic()
    found = memory.recall("gulls plough", index=DOCUMENTS)
    assert found.hits
    assert found.mode.startswith("keyword only: the embedding server cannot be reached")
    assert memory.settled(20)
    assert time.monotonic() - began < 10
    assert "cannot be reached" in memory.trouble
    documents, vectors, pending = counts(memory, DOCUMENTS)
    assert (vectors, pending) == (0, documents)

    with server.up():
        memory.wake()
        assert memory.settled(30)
        assert (memory.trouble, counts(memory, DOCUMENTS)) == ("", (documents, documents, 0))
        again = memory.recall("which plough do gulls follow?", index=DOCUMENTS)
        assert (again.mode, again.hits[0].document.index) == ("hybrid", DOCUMENTS)


def test_one_text_that_is_too_long_for_the_server_keeps_no_other_from_its_vector(server, memory):
    with server.up():
        memory.store.add(LONG_TERM, [Draft("word " * 3000), Draft("herons wait")])
        memory.wake()
        assert memory.settled(60)
        assert (memory.trouble, counts(memory, LONG_TERM)) == ("", (2, 2, 0))
