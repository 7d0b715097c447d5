"""Vectors as they are stored: float32, little-endian, finite; and exact search over many of them (numpy)."""

from __future__ import annotations

import sys
from array import array
from math import isfinite

from ralph.errors import StoreError
from ralph.memory.rows import Metric, Vector

LARGEST = 1e17
"""Squares of the differences of larger numbers do not add up in float32, whatever the dimension."""


def packed(vector: Vector, dimension: int, metric: Metric) -> bytes:
    """The bytes to store. StoreError when the vector has another length, is not finite or, for cosine, is zero."""
    try:
        numbers = array("f", unpacked(vector) if isinstance(vector, bytes) else vector)
    except (TypeError, ValueError, OverflowError) as error:
        raise StoreError(f"a vector is a list of numbers: {error}") from error
    if len(numbers) != dimension:
        raise StoreError(f"the vector has {len(numbers)} numbers, the index takes {dimension}")
    if not isfinite(sum(numbers)) or max(numbers, default=0.0) > LARGEST or min(numbers, default=0.0) < -LARGEST:
        raise StoreError(f"the vector holds a number that is not finite (NaN, infinity, or beyond {LARGEST:g})")
    if metric == "cosine" and not any(numbers):
        raise StoreError("the vector is all zeros, which has no direction", hint="use an index of metric l2 or ip")
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def unpacked(data: bytes) -> list[float]:
    numbers = array("f")
    numbers.frombytes(data)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tolist()
