"""Embeddings from a server: OpenAI's `POST /v1/embeddings` and everything that speaks like it.

Reference: platform.openai.com/docs/api-reference/embeddings; llama.cpp and others also answer with a bare `embedding`
or a list. The dimension is what the server sends.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ralph.errors import ProviderError, ProviderErrorKind
from ralph.memory.windows import embed_whole
from ralph.net import Http, HttpError, NetworkError, Retrial, Retry, WrongAnswer

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

BATCH = 64
REST_S = 60.0
"""After a failure the server is left alone so long: a prompt must not wait for it again and again."""
OPENAI_MODEL = "text-embedding-3-small"
LOCAL_MODEL = "Qwen3-Embedding-0.6B-Q8_0.gguf"
_OPENAI_HOSTS = ("api.openai.com", "openai.azure.com", "api.groq.com")
_LONGEST, SHORTEST = 24_000, 200
"""Characters of a text that a server is sent at first, and whatever it refuses: its real limit is found by asking."""
_TOO_LONG = re.compile(r"too (large|long)|context (length|size|window)|exceeds? the (maximum|limit)", re.IGNORECASE)
_KINDS: dict[int, ProviderErrorKind] = {401: "auth", 403: "auth", 404: "not_found", 413: "too_long", 429: "limit",
                                     501: "bad_request"}  # fmt: skip


class Remote:
    """A `TextEmbedder` over HTTP, with an event loop in a thread of its own: it may be asked from anywhere.

    A text the server calls too long is sent in parts, and so are all of its length from then on.
    """

    def __init__(
        self, url: str, *, model: str = "", key: str = "", http: Http | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.url = endpoint(url)
        self._model = model or (OPENAI_MODEL if any(host in url for host in _OPENAI_HOSTS) else LOCAL_MODEL)
        self._headers = {"authorization": f"Bearer {key}"} if key else {}
        self._http = http or Http(connect_s=5.0, silence_s=60.0, retrial=Retrial(most=2, base_s=0.5))
        self._clock, self._resting_until = clock, 0.0
        self._loop: AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._dimension = 0
        self._longest = _LONGEST

    @property
    def name(self) -> str:
        return f"{self._model} at {self.url}"

    @property
    def dimension(self) -> int:
        """What the server sends; asked for once."""
        if not self._dimension:
            self.embed(["dimension"])
        return self._dimension

    def available(self) -> bool:
        return self._clock() >= self._resting_until

    def common(self, word: str) -> float:
        return 0.0  # a server does not tell

    def warm(self) -> None:
        import asyncio

        if self.available():
            asyncio.run_coroutine_threadsafe(self._http.warm(self.url), self._running())

    def embed(self, texts: Sequence[str]) -> Floats:
        """float32 [texts, dimension], rows of length one. Raises ProviderError."""
        longest = self._longest
        try:
            made = embed_whole(self._embed, texts, len, self._longest)
        except ProviderError as error:
            if error.kind == "too_long" and self._longest < longest:
                return self.embed(texts)  # in shorter parts
            self._resting_until = self._clock() + REST_S
            raise
        if texts:
            self._dimension = made.shape[1]
        return made

    def _embed(self, texts: Sequence[str]) -> Floats:
        import asyncio

        import numpy as np

        rows: list[Any] = []
        for first in range(0, len(texts), BATCH):
            batch = list(texts[first : first + BATCH])
            try:
                rows += asyncio.run_coroutine_threadsafe(self._ask(batch), self._running()).result()
            except ProviderError as error:
                if error.kind == "too_long":
                    self._longest = max(SHORTEST, min(self._longest, max(map(len, batch))) // 2)
                raise
        matrix = np.asarray(rows, np.float32).reshape(len(texts), -1)
        lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
        if not np.isfinite(lengths).all() or not lengths.all():
            raise ProviderError("the embedding server sent a vector without direction", kind="broken", hint="try again")
        return np.asarray(matrix / lengths, np.float32)

    def close(self) -> None:
        import asyncio

        loop, self._loop = self._loop, None
        if loop is not None:
            asyncio.run_coroutine_threadsafe(self._http.close(), loop).result(5)
            loop.call_soon_threadsafe(loop.stop)

    def _running(self) -> AbstractEventLoop:
        import asyncio

        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=_run, args=(self._loop,), name="embeddings", daemon=True).start()
            return self._loop

    async def _ask(self, texts: list[str]) -> list[list[float]]:
        body = json.dumps({"model": self._model, "input": texts}).encode()
        answer = ""
        try:
            async for batch in self._http.events(self.url, self._headers, body):
                if not isinstance(batch, Retry):
                    answer += "".join(event.data for event in batch)
        except HttpError as error:
            said = error.body.decode("utf-8", "replace").strip()[:200]
            kind = _KINDS.get(error.status, "bad_request" if error.status < 500 else "overloaded")
            kind = "too_long" if _TOO_LONG.search(said) else kind
            raise ProviderError(
                f"the embedding server answered {error.status}: {said or 'nothing more'}", kind=kind,
                hint="check embedding_api_url, embedding_model and the key", status=error.status,
            ) from error  # fmt: skip
        except NetworkError as error:
            message, hint = f"the embedding server cannot be reached ({error})", f"is {self.url} running?"
            raise ProviderError(message, kind="network", hint=hint) from error
        except WrongAnswer as error:
            raise ProviderError(f"this is no embedding server: {error}", kind="bad_request") from error
        return vectors_in(answer, len(texts))


def endpoint(url: str) -> str:
    """The full address, from what people write: the whole of it, a base that ends in /v1, or only the host."""
    url = url.rstrip("/")
    if url.endswith(("/embeddings", "/embedding")):
        return url
    path = url.partition("://")[2].partition("/")[2]
    return f"{url}/embeddings" if path else f"{url}/v1/embeddings"


def vectors_in(answer: str, count: int) -> list[list[float]]:
    """The vectors of an answer, in the order of the texts. ProviderError when they are not `count` of one length."""
    try:
        found = json.loads(answer)
        data = found.get("data", [found]) if isinstance(found, dict) else found
        if data and not isinstance(data[0], dict):
            data = [{"embedding": data}] if isinstance(data[0], int | float) else [{"embedding": row} for row in data]
        rows = [row["embedding"] for row in sorted(data, key=lambda row: row.get("index", 0))]
        rows = [row[0] if row and isinstance(row[0], list) else row for row in rows]
        rows = [[float(number) for number in row] for row in rows]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ProviderError(
            f"the embedding server answered something else: {answer[:120]!r}", kind="bad_request",
            hint="embedding_api_url must speak OpenAI's /v1/embeddings",
        ) from error  # fmt: skip
    if len(rows) != count or len({len(row) for row in rows}) != 1 or not rows[0]:
        raise ProviderError(
            f"the embedding server sent {len(rows)} vectors for {count} texts, or of unlike lengths", kind="broken"
        )
    return rows


def _run(loop: AbstractEventLoop) -> None:
    loop.run_forever()
    loop.close()
