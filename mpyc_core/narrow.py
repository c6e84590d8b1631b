"""Arithmetic of Z/2^32 and Z/2^64: NumPy's on unsigned words, which wraps and is bound by memory.

`mpyc_core.wide` has the same functions for Z/2^128; a `Ring` checks operands and calls one of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def add(x: Array, y: Array) -> Array:
    """x + y, broadcast."""
    return np.asarray(np.add(x, y))


def sub(x: Array, y: Array) -> Array:
    """x - y, broadcast."""
    return np.asarray(np.subtract(x, y))


def neg(x: Array) -> Array:
    """-x."""
    return np.asarray(np.negative(x))


def mul(x: Array, y: Array) -> Array:
    """x * y, elementwise and broadcast."""
    return np.asarray(np.multiply(x, y))


def lshift(x: Array, s: int) -> Array:
    """x * 2^s; 0 <= s <= bits."""
    return np.zeros_like(x) if s == _bits(x) else np.asarray(x << x.dtype.type(s))


def rshift_logical(x: Array, s: int) -> Array:
    """floor(x / 2^s) of the unsigned word; 0 <= s <= bits."""
    return np.zeros_like(x) if s == _bits(x) else np.asarray(x >> x.dtype.type(s))


def rshift_arithmetic(x: Array, s: int) -> Array:
    """floor(x / 2^s) of the signed word; 0 <= s <= bits."""
    return np.asarray(np.right_shift(_signed(x), min(s, _bits(x) - 1))).view(x.dtype)


def accumulate(x: Array, total: Callable[[Array], Array]) -> Array:
    """What a function gives that adds up words."""
    return np.asarray(total(x))


def scatter_add(out: Array, key: Any, x: Array) -> None:
    """out[key] += x for an `out` of zeros, where places may occur several times."""
    np.add.at(out, key, x)


def bit(x: Array, i: int) -> npt.NDArray[np.bool_]:
    """Bit i of every element."""
    return np.asarray(x >> x.dtype.type(i) & x.dtype.type(1), np.bool_)


def nonzero(x: Array) -> npt.NDArray[np.bool_]:
    """Whether an element is not 0."""
    return np.asarray(x != 0)


def to_signed(x: Array) -> Array:
    """The integers that elements stand for as two's complement."""
    return _signed(x).copy()


def to_floats(x: Array) -> npt.NDArray[np.float64]:
    """The signed integers as float64, correctly rounded."""
    return _signed(x).astype(np.float64)


def _signed(x: Array) -> Array:
    return x.view(f"<i{x.itemsize}")


def _bits(x: Array) -> int:
    return 8 * x.itemsize
