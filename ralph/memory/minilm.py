"""all-MiniLM-L6-v2 in plain numpy: six layers of BERT, mean over the tokens, length one.

Architecture: Devlin et al. 2018; weights and pooling: sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0). The weights
are kept as one int8 per number and one float32 scale per row, 23 MB in a safetensors file that is mapped, not read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ralph.memory.tensors import read_tensors
from ralph.memory.tokenizer import Tokenizer

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

NAME = "all-MiniLM-L6-v2"
DIMENSION = 384
HEADS = 12
EVEN = 8
"""Tokens are filled up with empty ones to a multiple of it: OpenBLAS takes twice as long for 15 rows as for 16."""
LAYERS = 6
MOST_TOKENS = 256
WEIGHTS, VOCABULARY = "model.int8.safetensors", "vocab.txt"
PACK = 512
"""Tokens that go through the layers together: wide enough for the multiplications, small enough for the cache."""


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
        self._start_norm = (tensors["norm.weight"], tensors["norm.bias"])
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
        """[texts, 384]: all tokens of the pack in one matrix, attention text by text."""
        import numpy as np

        ids = np.concatenate([np.asarray(tokens) for tokens in pack])
        places = np.concatenate([np.arange(len(tokens)) for tokens in pack])
        ends = np.cumsum([len(tokens) for tokens in pack])
        spans = [(int(end) - len(tokens), int(end)) for end, tokens in zip(ends, pack, strict=True)]
        state = np.zeros((len(ids) + -len(ids) % EVEN, DIMENSION), np.float32, order="F")  # as products come out
        state[: len(ids)] = self._words[ids] * self._word_scales[ids] + self._start[places]
        state = _normalise(state, *self._start_norm)
        for layer in self._layers:
            state = layer.forward(state, spans)
        means = np.stack([state[start:end].mean(axis=0) for start, end in spans])
        return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True), np.float32)


class _Layer:
    def __init__(self, tensors: Mapping[str, Any], prefix: str) -> None:
        def weights(name: str) -> tuple[Any, Any]:
            stored, scale = tensors[f"{prefix}{name}"], tensors[f"{prefix}{name}.scale"]
            return stored * scale, tensors[f"{prefix}{name}.bias"]

        self.together, self.mixed, self.wide, self.narrow = map(weights, ("qkv", "mixed", "wide", "narrow"))
        self.norms = [(tensors[f"{prefix}{n}.weight"], tensors[f"{prefix}{n}.bias"]) for n in ("norm1", "norm2")]

    def forward(self, state: Floats, spans: list[tuple[int, int]]) -> Floats:
        seen = _attend(_times(state, *self.together), spans)
        state = _normalise(state + _times(seen, *self.mixed), *self.norms[0])
        wide = _gelu(_times(state, *self.wide))
        return _normalise(state + _times(wide, *self.narrow), *self.norms[1])


def _times(state: Floats, weights: Floats, bias: Floats) -> Floats:
    """Weights on the left, and a state whose columns lie together: the fastest way for the few rows of a question."""
    made = (weights @ state.T).T
    made += bias
    return made


def _attend(together: Floats, spans: list[tuple[int, int]]) -> Floats:
    """Each text's tokens look at each other: [tokens, 1152] of queries, keys and values -> [tokens, 384]."""
    import numpy as np

    seen = np.zeros((len(together), DIMENSION), np.float32, order="F")
    scale = np.float32((DIMENSION // HEADS) ** -0.5)
    for start, end in spans:
        parts = together[start:end].reshape(end - start, 3, HEADS, DIMENSION // HEADS).transpose(1, 2, 0, 3)
        scores = (parts[0] * scale) @ parts[1].transpose(0, 2, 1)
        scores -= scores.max(axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=-1, keepdims=True)
        seen[start:end] = (scores @ parts[2]).transpose(1, 0, 2).reshape(end - start, DIMENSION)
    return seen


def _normalise(state: Floats, weight: Floats, bias: Floats) -> Floats:
    """Layer norm (Ba et al. 2016) with the model's epsilon."""
    import numpy as np

    state = state - state.mean(axis=-1, keepdims=True)
    spread = np.sqrt((state * state).mean(axis=-1, keepdims=True) + np.float32(1e-12))
    return np.asarray(state / spread * weight + bias)


def _gelu(x: Floats) -> Floats:
    """x times the normal distribution up to x, by Abramowitz and Stegun 7.1.26 (error below 2e-7)."""
    import numpy as np

    scaled = np.abs(x) * np.float32(0.5**0.5)
    t = 1 / (1 + np.float32(0.3275911) * scaled)
    tail = t * np.float32(1.061405429) + np.float32(-1.453152027)
    for factor in (1.421413741, -0.284496736, 0.254829592):
        tail *= t
        tail += np.float32(factor)
    tail *= t
    scaled *= -scaled
    np.exp(scaled, out=scaled)
    tail *= scaled
    tail *= np.float32(0.5)
    np.abs(x, out=scaled)
    tail *= scaled
    return np.asarray(np.maximum(x, 0) - tail)
