"""What can go wrong on the wire, below any notion of a provider or a tool."""

from __future__ import annotations

from collections.abc import Mapping


class NetworkError(Exception):
    """No connection, no answer in time, or the connection broke. The text names the host and the cause."""


class WrongAnswer(Exception):
    """An answer that cannot be what was asked for, such as a web page; asking again would not help."""


class HttpError(Exception):
    """A status outside 2xx. `body`: its first bytes; `headers`: names in lower case.

    `wait_s`: how long the server asked to wait, when that is longer than anyone would sit through.
    """

    def __init__(self, status: int, body: bytes, headers: Mapping[str, str], wait_s: float | None = None) -> None:
        super().__init__(f"HTTP {status}")
        self.status, self.body, self.headers, self.wait_s = status, body, headers, wait_s
