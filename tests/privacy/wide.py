"""Differences of words, also of those of 128 bits."""

from __future__ import annotations

import numpy as np

from mpyc_core import limbs
from mpyc_core.transport.mesh import Array


def minus(x: Array, y: Array) -> Array:
    """x - y modulo the word."""
    with np.errstate(over="ignore"):
        return limbs.sub(x, y) if x.dtype == limbs.DTYPE else x - y


def xor(x: Array, y: Array) -> Array:
    """x ^ y, bit by bit."""
    return x ^ y if x.dtype != limbs.DTYPE else flat(x) ^ flat(y)


def flat(x: Array) -> Array:
    """The 64-bit words of elements."""
    return np.ascontiguousarray(x).reshape(-1).view(np.uint64)


def single(arrays: list[Array]) -> list[Array]:
    """Arrays of words of at most 64 bits: the two halves of wider ones."""
    found = []
    for array in arrays:
        wide = array.dtype == limbs.DTYPE
        found += [np.ascontiguousarray(array[half]) for half in ("lo", "hi")] if wide else [array]
    return found
