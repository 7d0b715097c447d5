"""A scripted model server on loopback, OpenAI chat format, with the times at which things happened.

It speaks just enough HTTP/1.1 to keep a connection; plans say what each request is answered with.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


@dataclass
class Seen:
    """One request: when its last byte came, when its answer's last byte went, and its body."""

    arrived: float
    body: bytes
    connection: int
    answered: float = 0.0


@dataclass
class Server:
    """`plan(n, body)` gives the pieces of the n-th answer: bytes to send, or seconds to wait."""

    plan: Callable[[int, bytes], Iterator[bytes | float]]
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0

    def __enter__(self) -> Server:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1/chat/completions"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection, self.connections), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reader = connection.makefile("rb")
        with connection, reader:
            while line := reader.readline():
                headers = {}
                while (row := reader.readline()) not in (b"\r\n", b""):
                    name, _, value = row.decode().partition(":")
                    headers[name.lower()] = value.strip()
                body = reader.read(int(headers.get("content-length", 0)))
                if not line.startswith(b"POST"):
                    connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                    continue
                seen = Seen(time.perf_counter(), body, number)
                self.seen.append(seen)
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
                )
                for piece in self.plan(len(self.seen) - 1, body):
                    if isinstance(piece, float):
                        time.sleep(piece)
                    else:
                        connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
                connection.sendall(b"0\r\n\r\n")
                seen.answered = time.perf_counter()


def text(*words: str) -> bytes:
    """Server events for pieces of text."""
    return b"".join(_event({"choices": [{"index": 0, "delta": {"content": word}}]}) for word in words)


def call(name: str, args: dict, number: int) -> bytes:
    """Server events for one tool call and the end of its answer."""
    function = {"name": name, "arguments": json.dumps(args)}
    delta = {"tool_calls": [{"index": 0, "id": f"call_{number}", "type": "function", "function": function}]}
    return _event({"choices": [{"index": 0, "delta": delta}]}) + end("tool_calls")


def end(reason: str = "stop") -> bytes:
    usage = {"prompt_tokens": 1, "completion_tokens": 1}
    last = _event({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    return last + _event({"choices": [], "usage": usage}) + b"data: [DONE]\n\n"


def _event(body: dict) -> bytes:
    return b"data: " + json.dumps({"id": "x", "object": "chat.completion.chunk", **body}).encode() + b"\n\n"
