"""Arithmetic of Z/2^128, by kernels where Numba is loaded; see `mpyc_core.narrow`.

A driver adds and shifts shares without it: loading Numba would take longer than most of its work.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from mpyc_core import limbs

Array = npt.NDArray[Any]

to_floats = limbs.to_floats


def add(x: Array, y: Array) -> Array:
    """x + y, broadcast."""
    return _both("add", x, y) if _compiled() else limbs.add(x, y)


def sub(x: Array, y: Array) -> Array:
    """x - y, broadcast."""
    return _both("sub", x, y) if _compiled() else limbs.sub(x, y)


def neg(x: Array) -> Array:
    """-x."""
    return sub(np.zeros((), limbs.DTYPE), x)


def mul(x: Array, y: Array) -> Array:
    """x * y, elementwise and broadcast."""
    return _both("mul", x, y)


def lshift(x: Array, s: int) -> Array:
    """x * 2^s; 0 <= s <= 128."""
    return _shifted("lshift", x, s)


def rshift_logical(x: Array, s: int) -> Array:
    """floor(x / 2^s) of the unsigned word; 0 <= s <= 128."""
    return _shifted("rshift_logical", x, s)


def rshift_arithmetic(x: Array, s: int) -> Array:
    """floor(x / 2^s) of the signed word; 0 <= s <= 128."""
    return _shifted("rshift_arithmetic", x, s)


def accumulate(x: Array, total: Callable[[Array], Array]) -> Array:
    """What a function gives that adds up words, on elements."""
    return limbs.accumulate(x, total)


def scatter_add(out: Array, key: Any, x: Array) -> None:
    """out[key] += x for an `out` of zeros, where places may occur several times."""

    def total(words: Array) -> Array:
        sums = np.zeros(out.shape, np.uint64)
        np.add.at(sums, key, words)
        return sums

    out[...] = limbs.accumulate(x, total)


def bit(x: Array, i: int) -> npt.NDArray[np.bool_]:
    """Bit i of every element."""
    word = x["lo"] if i < 64 else x["hi"]
    return np.asarray(word >> np.uint64(i % 64) & np.uint64(1), np.bool_)


def nonzero(x: Array) -> npt.NDArray[np.bool_]:
    """Whether an element is not 0."""
    return np.asarray(x["lo"] | x["hi"], np.bool_)


def to_signed(x: Array) -> Array:
    """The integers that elements stand for as two's complement: Python's."""
    return limbs.to_integers(x, signed=True)


def _compiled() -> bool:
    return "numba" in sys.modules


def _both(name: str, x: Array, y: Array) -> Array:
    from .kernels import wide
    from .kernels.flat import split

    out = np.empty(np.broadcast_shapes(x.shape, y.shape), limbs.DTYPE)
    (a, s), (b, t) = _operand(x, out.shape), _operand(y, out.shape)
    z, kernel = out.reshape(-1).view(np.uint64), getattr(wide, name)
    split(out.size, lambda i, j: kernel(a, s, b, t, i, j, z), 2)
    return out


def _operand(x: Array, shape: tuple[int, ...]) -> tuple[Array, int]:
    """Words of an operand, and how far its elements are apart for those of the result."""
    if x.size == 1 and math.prod(shape) != 0:
        return limbs.flat_words(x), 0
    return limbs.flat_words(x if x.shape == shape else np.broadcast_to(x, shape)), 2


def _shifted(name: str, x: Array, s: int) -> Array:
    if s in (0, 128) or not _compiled():
        return np.asarray(getattr(limbs, name)(x, s))
    from .kernels import wide
    from .kernels.flat import split

    out = np.empty(x.shape, limbs.DTYPE)
    a, z, kernel = limbs.flat_words(x), out.reshape(-1).view(np.uint64), getattr(wide, name)
    split(out.size, lambda i, j: kernel(a, s, i, j, z), 2)
    return out
