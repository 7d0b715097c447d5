from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time

import pytest

from ralph.providers.detect import PLACES, Found, Place, find_local, ollama_models, openai_models
from tests.net.server import serve, whole

LIST = {"object": "list", "data": [{"id": "tiny", "object": "model", "owned_by": "llamacpp"}]}
TAGS = {"models": [{"name": "nomic-embed-text:latest"}, {"name": "qwen3:8b", "size": 1}]}


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def found_at(body: bytes, *, read=openai_models, deadline_s: float = 5.0) -> Found | None:
    async def answer(writer, head):
        writer.write(body)

    async def main():
        async with serve(answer) as peer:
            place = Place("It", peer.port, "/v1/models", read)
            found = await find_local((Place("None", free_port(), "/", openai_models), place), deadline_s)
            return found and Found(found.name, found.base_url.replace(str(peer.port), "PORT"), found.models)

    return asyncio.run(main())


def as_json(value: object) -> bytes:
    return whole(json.dumps(value).encode(), kind="application/json")


def test_servers_are_known_by_their_lists():
    assert found_at(as_json(LIST)) == Found("It", "http://127.0.0.1:PORT/v1", ("tiny",))
    assert found_at(as_json(TAGS), read=ollama_models) == Found("It", "http://127.0.0.1:PORT/v1", ("qwen3:8b",))


@pytest.mark.parametrize(
    "answer",
    [
        whole(b"<html>Jenkins", kind="text/html"), whole(b"{}"), whole(b"[]"), whole(b"null"), whole(b"no json"),
        as_json({"object": "list"}), as_json({"object": "list", "data": {}}), as_json({"object": "list", "data": [1]}),
        as_json({"object": "list", "data": [{"id": 1}]}), as_json({"object": "list", "data": [{"id": "a\x1b[31m"}]}),
        as_json({"object": "list", "data": []}), as_json({"data": [{"id": "a"}]}), as_json(TAGS),
        as_json({"object": "list", "data": [{"id": "text-embedding-nomic"}]}),
        whole(json.dumps(LIST).encode(), "401 Unauthorized"), whole(b"", "302 Found", extra="Location: /other\r\n"),
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n", whole(b"[" * 100_000),
    ],
)  # fmt: skip
def test_nothing_else_is_taken_for_one(answer):
    assert found_at(answer) is None


def test_a_server_that_says_nothing_costs_no_more_than_the_deadline():
    async def main():
        async with serve(lambda writer, head: asyncio.sleep(30)) as peer:
            await find_local((Place("Warm", peer.port, "/", openai_models),), 0.01)  # httpx is loaded now
            started = time.monotonic()
            assert await find_local((Place("It", peer.port, "/", openai_models),), 0.15) is None
            return time.monotonic() - started

    assert asyncio.run(main()) < 2


def test_the_first_place_with_a_model_is_taken():
    async def main():
        async def empty(writer, head):
            writer.write(as_json({"object": "list", "data": []}))

        async def full(writer, head):
            writer.write(as_json(LIST))

        async with serve(empty) as a, serve(full) as b, serve(full) as c:
            places = [Place(name, peer.port, "/", openai_models) for name, peer in (("a", a), ("b", b), ("c", c))]
            return await find_local(places, 5)

    found = asyncio.run(main())
    assert found is not None
    assert found.name == "b"


def test_a_machine_without_servers_loads_nothing_for_it():
    ports = [free_port() for _ in range(4)]
    code = (
        "import asyncio, sys\nfrom ralph.providers.detect import Place, find_local, openai_models\n"
        f"places = [Place('x', port, '/', openai_models) for port in {ports}]\n"
        "assert asyncio.run(find_local(places)) is None\n"
        "print(sorted({'httpx', 'h11', 'anyio'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_usual_places():
    assert [(place.name, place.port) for place in PLACES] == [
        ("Ollama", 11434), ("LM Studio", 1234), ("llama.cpp", 8080), ("vLLM", 8000),
    ]  # fmt: skip
