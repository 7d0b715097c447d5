"""Model services that are down, slow, wrong or lying: one clear line, the right exit code, nothing lost."""

import json
import socket
import threading
import time

import pytest

KEYS = {"OPENAI_API_KEY": "sk-test-0123456789abcdef", "ANTHROPIC_API_KEY": "sk-ant-test-0123456789"}
SSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


def answer(status, body, kind="application/json", extra=""):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n{extra}"
    return f"{head}Connection: close\r\n\r\n".encode() + data


@pytest.fixture
def server():
    """`server(*answers)` gives each connection the next of its answers, the last one for ever; its URL and requests."""
    listeners = []

    def start(*answers, wait=0.0):
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        requests = []

        def serve(connection):
            with connection:
                data = b""
                while b"\r\n\r\n" not in data:
                    piece = connection.recv(65536)
                    if not piece:
                        return  # opened early and not needed
                    data += piece
                head, _, body = data.partition(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                while len(body) < length:
                    body += connection.recv(65536)
                requests.append(head)
                time.sleep(wait)
                connection.sendall(answers[min(len(requests), len(answers)) - 1])

        def accept():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/v1", requests

    yield start
    for listener in listeners:
        listener.close()


def quick(program):
    """Retries without the wait."""
    home = program.home / ".local/ralph"
    home.mkdir(parents=True, exist_ok=True)
    (home / "ralph.config.json").write_text('{"api_max_retries": 2, "api_retry_delay_ms": 1}')


CASES = [
    ("key refused", answer("401 Unauthorized", {"error": {"message": "bad key"}}), 5, "provider_auth", 1),
    ("unknown model", answer("404 Not Found", {"error": {"message": "no model x"}}), 5, "provider_not_found", 1),
    ("bad request", answer("400 Bad Request", {"error": {"message": "no"}}), 5, "provider_bad_request", 1),
    ("a web page", answer("200 OK", b"<html>login</html>", "text/html"), 5, None, 1),
    ("200 with an error", answer("200 OK", {"error": {"message": "quota", "type": "x"}}), None, None, 1),
    ("overloaded", answer("529 Overloaded", {"error": {"message": "busy"}}), 75, "provider_overloaded", 3),
    ("rate limit", answer("429 No", {"error": {"message": "x"}}, extra="Retry-After: 0\r\n"), 75, "provider_limit", 3),
    ("server error", answer("500 Oops", b"<h1>oops</h1>", "text/html"), 75, "provider_overloaded", 3),
    ("drop before an answer", b"", 75, "provider_network", 3),
    ("drop in the stream", SSE + b'data: {"choices":[{"delta":{"content":"half"}}]}\n\n', 75, "provider_broken", 1),
    ("garbage in the stream", SSE + b"data: {not json\n\n", 75, "provider_broken", 1),
]  # fmt: skip


@pytest.mark.parametrize("kind", ["openai", "responses", "anthropic"])
@pytest.mark.parametrize(("name", "reply", "code", "error", "tries"), CASES, ids=[case[0] for case in CASES])
def test_bad_answers(program, server, kind, name, reply, code, error, tries):
    quick(program)
    url, requests = server(reply)
    lines, done = program.lines("--api-url", url, "-m", f"{kind}:some-model", "hi", env=KEYS)
    last = lines[-1]
    assert (last["type"], last["ok"], last["exit_code"]) == ("result", False, done.returncode)
    assert done.returncode == code if code else done.returncode in (5, 75)
    assert error in (None, last["error"]["code"]), last["error"]
    assert last["error"]["message"]
    assert last["error"]["hint"]
    assert "\n" not in last["error"]["message"]
    assert tries <= len(requests) <= tries + (reply == b"")  # a connection that died idle is no try
    assert sum(line.get("subtype") == "retry" for line in lines) == tries - 1
    assert not any(key in done.stdout + done.stderr for key in KEYS.values())


def test_a_server_that_is_not_there(program):
    quick(program)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    done = program.run("--api-url", f"http://127.0.0.1:{port}/v1", "-m", "m", "hi", env=KEYS)
    assert done.returncode == 75
    assert f"127.0.0.1:{port}" in done.stderr
    assert "retry 1" in done.stderr


def test_a_slow_server_is_bounded_by_the_timeout(program, server):
    url, _ = server(answer("200 OK", {}), wait=20)
    started = time.monotonic()
    done = program.run("--timeout", "1", "--api-url", url, "-m", "m", "hi", env=KEYS)
    assert done.returncode == 3
    assert time.monotonic() - started < 6


def test_recovery_after_a_retry_keeps_the_session(program, server):
    quick(program)
    good = SSE + b'data: {"choices":[{"delta":{"content":"fine"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    url, requests = server(answer("503 Busy", {}), good)
    done = program.run("--api-url", url, "-m", "m", "hi", env=KEYS)
    assert (done.returncode, done.stdout, len(requests)) == (0, "fine\n", 2)


def test_keys_go_only_where_they_belong(program, server):
    url, requests = server(answer("401 No", {}))
    program.run("--api-url", url, "-m", "openai:m", "hi", env=KEYS)
    program.run("--api-url", url, "-m", "anthropic:m", "hi", env=KEYS)
    assert KEYS["OPENAI_API_KEY"].encode() in requests[0]
    assert KEYS["ANTHROPIC_API_KEY"].encode() not in requests[0]
    assert KEYS["ANTHROPIC_API_KEY"].encode() in requests[1]
    assert KEYS["OPENAI_API_KEY"].encode() not in requests[1]
