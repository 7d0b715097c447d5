"""Is a model server running on this machine? Costs a millisecond when there is none, 150 at the very most."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any

from ralph.net import NetworkError, WrongAnswer, fetch

MOST_MODELS = 1000


@dataclass(frozen=True, slots=True)
class Found:
    """A server that speaks OpenAI's chat format at `base_url`. `models` can chat, the server's first choice first."""

    name: str
    base_url: str
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server usually listens, and how its list of models is read: None when the answer is something else."""

    name: str
    port: int
    path: str
    read: Callable[[Any], list[str] | None]


def ollama_models(answer: Any) -> list[str] | None:
    return _names(answer.get("models"), "name") if isinstance(answer, dict) else None


def openai_models(answer: Any) -> list[str] | None:
    if not isinstance(answer, dict) or answer.get("object") != "list":
        return None
    return _names(answer.get("data"), "id")


PLACES = (
    Place("Ollama", 11434, "/api/tags", ollama_models), Place("LM Studio", 1234, "/v1/models", openai_models),
    Place("llama.cpp", 8080, "/v1/models", openai_models), Place("vLLM", 8000, "/v1/models", openai_models),
)  # fmt: skip


async def find_local(places: Sequence[Place] = PLACES, deadline_s: float = 0.15) -> Found | None:
    """The first of `places` that answers with at least one model. A server without any is as good as none."""
    import asyncio

    end = monotonic() + deadline_s
    listening = await asyncio.gather(*(_listens(place.port, deadline_s) for place in places))
    open_places = [place for place, is_open in zip(places, listening, strict=True) if is_open]
    if not open_places:
        return None
    left = max(end - monotonic(), deadline_s / 2)
    answers = await asyncio.gather(*(_ask(place, left) for place in open_places))
    return next((found for found in answers if found is not None), None)


async def _listens(port: int, deadline_s: float) -> bool:
    """Whether a connection is taken, without any library that would have to be loaded for it."""
    import asyncio

    with suppress(OSError):  # refused, or nobody answered in time
        async with asyncio.timeout(deadline_s):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.transport.abort()
        return True
    return False


async def _ask(place: Place, deadline_s: float) -> Found | None:
    base = f"http://127.0.0.1:{place.port}"
    try:
        answer = await fetch(base + place.path, timeout_s=deadline_s, max_bytes=1024 * 1024, max_redirects=0)
        names = place.read(json.loads(answer.body)) if answer.status == 200 else None
    except (NetworkError, WrongAnswer, ValueError, RecursionError):
        return None
    return Found(place.name, f"{base}/v1", tuple(names)) if names else None


def _names(rows: Any, key: str) -> list[str] | None:
    """The names in a list of models, without those that only embed or rank. None: this is no such list."""
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        return None
    names = [row.get(key) for row in rows[:MOST_MODELS]]
    if not all(isinstance(name, str) and name.isprintable() and 0 < len(name) <= 300 for name in names):
        return None
    return [str(name) for name in names if not any(word in str(name).lower() for word in ("embed", "rerank"))]
