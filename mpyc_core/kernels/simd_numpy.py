"""512-bit vectors as NumPy arrays: what `simd_llvm` does, for runs without compilation."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def lanes(array: Array) -> int:
    """Words of the array's dtype in one vector: 8 or 16."""
    return 64 // array.itemsize


def load(array: Array, index: int) -> Array:
    """The vector of consecutive words from `index` of the array taken flat."""
    return array.reshape(-1)[index : index + lanes(array)].copy()


def store(array: Array, index: int, value: Array) -> None:
    """Write a vector to consecutive words from `index` of the array taken flat."""
    array.reshape(-1)[index : index + lanes(array)] = value


def splat(array: Array, index: int) -> Array:
    """The word at `index` of the array taken flat, in every lane."""
    return np.full(lanes(array), array.reshape(-1)[index])


def fill(array: Array, word: int) -> Array:
    """`word`, taken modulo the array's word size, in every lane."""
    return np.full(lanes(array), int(word) % (1 << 8 * array.itemsize), array.dtype)


def gather(array: Array, index: int, offsets: Array, at: int) -> Array:
    """The words at `index` + offsets[at], index + offsets[at + 1], ... of the array taken flat."""
    return np.asarray(array.reshape(-1)[index + offsets[at : at + lanes(array)]])


def prefetch(array: Array, index: int) -> None:
    """Nothing: a hint for compiled code only."""


def shl(v: Array, n: int) -> Array:
    """v << n in every lane."""
    return np.asarray(v << v.dtype.type(n))


def shr(v: Array, n: int) -> Array:
    """v >> n in every lane, logical."""
    return np.asarray(v >> v.dtype.type(n))


def zip_low(x: Array, y: Array, run: int) -> Array:
    """Even runs of `run` lanes, of x and y in turn."""
    return np.concatenate([x, y])[zip_order(x.size, run, 0)]


def zip_high(x: Array, y: Array, run: int) -> Array:
    """Odd runs of `run` lanes, of x and y in turn."""
    return np.concatenate([x, y])[zip_order(x.size, run, 1)]


def zip_order(count: int, run: int, half: int) -> list[int]:
    """Indices into x then y: every second run of lanes of x, each followed by that of y."""
    starts = range(half * run, count, 2 * run)
    return [side + s + i for s in starts for side in (0, count) for i in range(run)]
