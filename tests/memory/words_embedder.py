"""An embedder for tests: words are directions, so texts that share words are near. No model, no network."""

from __future__ import annotations

import re
from zlib import crc32

import numpy as np


class Words:
    """`made`: every text it was ever asked for. Fails with `error` when one is set."""

    def __init__(self, dimension=64, name="words"):
        self.name, self.dimension = name, dimension
        self.made = []
        self.error = None

    def available(self):
        return True

    def warm(self):
        pass

    def common(self, word):
        return 0.0

    def embed(self, texts):
        if self.error:
            raise self.error
        self.made += texts
        rows = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in re.findall(r"\w+", text.lower()) or ["nothing"]:
                row[crc32(word.encode()) % self.dimension] += 1
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def close(self):
        pass
