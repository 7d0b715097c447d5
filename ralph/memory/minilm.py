"""all-MiniLM-L6-v2 in plain numpy: six layers of BERT, mean over the tokens, length one.

Architecture: Devlin et al. 2018; weights and pooling: sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0). The weights
are kept as one int8 per number and one float32 scale per row, 23 MB in a safetensors file that is mapped, not read.
They stay int8: a piece at a time becomes floats that the cache still holds when they are multiplied. That is a quarter
faster than 42 MB of floats, which come from memory each time, and there is nothing to load.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ralph.memory.tensors import read_tensors
from ralph.memory.tokenizer import Tokenizer

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

NAME = "all-MiniLM-L6-v2"
DIMENSION = 384
HEADS = 12
EVEN = 4
"""Tokens are filled up with empty ones to a multiple of it: OpenBLAS takes longer for 15 columns than for 16."""
LAYERS = 6
MOST_TOKENS = 256
WEIGHTS, VOCABULARY = "model.int8.safetensors", "vocab.txt"
PACK = 512
"""Tokens that go through the layers together: wide enough for the multiplications, small enough for the cache."""
CACHED = 147_456
"""Weights that are made floats at once; 0.6 MB, so that they stay in a processor's own cache."""
SMALL = 1_000_000
"""Multiplications in one product up to which OpenBLAS takes its weights as they lie; for more it copies them first."""
FEW = 40
"""Tokens up to which that copy costs more than it brings."""
PIECE = 24_576
"""Numbers that go through a formula of many steps together: they stay in the cache from one step to the next."""


class MiniLM:
    """`embed(texts)` gives float32 rows [n, 384] of length one. English; reads the first 256 word pieces of a text."""

    name = NAME
    dimension = DIMENSION

    def __init__(self, folder: Path) -> None:
        vocabulary = (folder / VOCABULARY).read_text(encoding="utf-8").splitlines()
        self.tokenizer = Tokenizer(vocabulary, most=MOST_TOKENS)
        tensors = read_tensors(folder / WEIGHTS)
        self._words, self._word_scales = tensors["words"], tensors["words.scale"]
        self._start = tensors["positions"][:MOST_TOKENS] + tensors["type"]
        self._start_norm = _norm(tensors, "norm")
        self._layers = [_Layer(tensors, f"{index}.") for index in range(LAYERS)]

    def embed(self, texts: Sequence[str]) -> Floats:
        """Texts of like length go together; the order of the rows is that of `texts`."""
        import numpy as np

        tokens = [self.tokenizer.encode(text) for text in texts]
        rows = np.empty((len(texts), DIMENSION), np.float32)
        pack: list[int] = []
        size = 0
        for index in sorted(range(len(tokens)), key=lambda i: len(tokens[i])):
            if pack and size + len(tokens[index]) > PACK:
                rows[pack] = self._forward([tokens[i] for i in pack])
                pack, size = [], 0
            pack.append(index)
            size += len(tokens[index])
        if pack:
            rows[pack] = self._forward([tokens[i] for i in pack])
        return rows

    def _forward(self, pack: list[list[int]]) -> Floats:
        """[texts, 384]: all tokens of the pack in one matrix, a column each; attention text by text."""
        import numpy as np

        ids = np.concatenate([np.asarray(tokens) for tokens in pack])
        places = np.concatenate([np.arange(len(tokens)) for tokens in pack])
        ends = np.cumsum([len(tokens) for tokens in pack])
        spans = [(int(end) - len(tokens), int(end)) for end, tokens in zip(ends, pack, strict=True)]
        state = np.zeros((DIMENSION, len(ids) + -len(ids) % EVEN), np.float32)
        state[:, : len(ids)] = (self._words[ids] * self._word_scales[ids] + self._start[places]).T
        state = _normalise(state, *self._start_norm)
        for layer in self._layers:
            state = layer.forward(state, spans)
        means = np.stack([state[:, start:end].mean(axis=1) for start, end in spans])
        return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True), np.float32)


class _Layer:
    def __init__(self, tensors: Mapping[str, Any], prefix: str) -> None:
        self.together, self.mixed, self.wide, self.narrow = (
            _Weights(tensors[prefix + name], tensors[f"{prefix}{name}.scale"], tensors[f"{prefix}{name}.bias"][:, None])
            for name in ("qkv", "mixed", "wide", "narrow")
        )
        self.norms = _norm(tensors, f"{prefix}norm1"), _norm(tensors, f"{prefix}norm2")

    def forward(self, state: Floats, spans: list[tuple[int, int]]) -> Floats:
        seen = _attend(_times(self.together, state), spans)
        seen = _times(self.mixed, seen)
        seen += state
        state = _normalise(seen, *self.norms[0])
        made = _times(self.narrow, _gelu(_times(self.wide, state)))
        made += state
        return _normalise(made, *self.norms[1])


class _Weights(NamedTuple):
    """stored: int8 [out, in]; a row is to be multiplied by its scale. scale, bias: float32 [out, 1]."""

    stored: Any
    scale: Floats
    bias: Floats


def _norm(tensors: Mapping[str, Any], name: str) -> tuple[Floats, Floats]:
    return tensors[f"{name}.weight"][:, None], tensors[f"{name}.bias"][:, None]


def _times(weights: _Weights, state: Floats) -> Floats:
    """[in, tokens] -> [out, tokens]."""
    import numpy as np

    (out, size), tokens = weights.stored.shape, state.shape[1]
    rows = _divisor(out, CACHED // size)
    few = _divisor(rows, SMALL // (size * tokens)) if tokens <= FEW else rows
    floats = np.empty((rows // few, few, size), np.float32)
    made = np.empty((out // rows, rows // few, few, tokens), np.float32)
    for piece, product in zip(weights.stored.reshape(-1, *floats.shape), made, strict=True):
        floats[:] = piece
        np.matmul(floats, state, out=product)
    product = made.reshape(out, tokens)
    product *= weights.scale
    product += weights.bias
    return product


@lru_cache(64)
def _divisor(number: int, most: int) -> int:
    """The largest divisor of `number` that is not above `most`."""
    return next(size for size in range(max(1, min(number, most)), 0, -1) if number % size == 0)


def _attend(together: Floats, spans: list[tuple[int, int]]) -> Floats:
    """Each text's tokens look at each other: [1152, tokens] of queries, keys and values -> [384, tokens]."""
    import numpy as np

    seen = np.zeros((DIMENSION, together.shape[1]), np.float32)
    scale = np.float32((DIMENSION // HEADS) ** -0.5)
    for start, end in spans:
        queries, keys, values = together[:, start:end].reshape(3, HEADS, DIMENSION // HEADS, end - start)
        scores = (queries * scale).transpose(0, 2, 1) @ keys
        scores -= scores.max(axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=-1, keepdims=True)
        seen[:, start:end] = (values @ scores.transpose(0, 2, 1)).reshape(DIMENSION, end - start)
    return seen


def _normalise(state: Floats, weight: Floats, bias: Floats) -> Floats:
    """Layer norm (Ba et al. 2016) with the model's epsilon, in place."""
    import numpy as np

    state -= _share() @ state
    spread = _share() @ np.square(state)
    state /= np.sqrt(spread + np.float32(1e-12))
    state *= weight
    state += bias
    return state


@lru_cache(1)
def _share() -> Floats:
    """What a column is multiplied by for its mean: as a product it is twice as fast as numpy's own."""
    import numpy as np

    return np.full(DIMENSION, 1 / DIMENSION, np.float32)


def _gelu(state: Floats) -> Floats:
    """x times the normal distribution up to x, in place, by Abramowitz and Stegun 7.1.26 (error below 2e-7)."""
    import numpy as np

    step = max(1, PIECE // state.shape[1])
    for first in range(0, len(state), step):
        x = state[first : first + step]
        size = np.abs(x)
        t = size * np.float32(0.3275911 * 0.5**0.5)
        t += 1
        np.reciprocal(t, out=t)
        tail = t * np.float32(1.061405429 / 2)
        for factor in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
            tail += np.float32(factor / 2)
            tail *= t
        tail *= size
        np.square(x, out=t)
        t *= np.float32(-0.5)
        tail *= np.exp(t, out=t)
        np.maximum(x, 0, out=x)
        x -= tail
    return state
