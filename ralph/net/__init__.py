"""HTTP for the rest of the house: one shared client, server-sent events over bytes, and a guarded fetch.

Only this room knows httpx, and only `transport.py` imports it; nothing heavy is loaded before the first request.
"""

from __future__ import annotations

from ralph.net.client import Http, Retrial, Retry
from ralph.net.errors import HttpError, NetworkError, WrongAnswer
from ralph.net.fetch import Fetched, fetch
from ralph.net.sse import EventReader, ServerEvent

__all__ = [
    "EventReader", "Fetched", "Http", "HttpError", "NetworkError", "Retrial", "Retry", "ServerEvent", "WrongAnswer",
    "fetch",
]  # fmt: skip
