"""Integers of 128 bits as pairs of 64-bit words: views, conversions, and arithmetic in NumPy.

An element is the structure (lo, hi) for lo + 2^64 * hi. NumPy's rules for shapes hold for arrays of
them: reshape, index, concatenate, broadcast. Arithmetic modulo 2^128 is here, in a few passes over
memory; the kernels of `mpyc_core.kernels.wide` do the same in one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

DTYPE: np.dtype[Any] = np.dtype([("lo", "<u8"), ("hi", "<u8")])
"""Data type of an element."""

_wrapping = np.errstate(over="ignore")  # NumPy warns of it for single words
_WORD = 1 << 64
_ALL = _WORD - 1
_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)


def pack(lo: npt.ArrayLike, hi: npt.ArrayLike) -> Array:
    """Elements lo + 2^64 * hi, from broadcast unsigned words."""
    a, b = np.asarray(lo, np.uint64), np.asarray(hi, np.uint64)
    out = np.empty(np.broadcast_shapes(a.shape, b.shape), DTYPE)
    out["lo"], out["hi"] = a, b
    return out


def flat_words(x: Array) -> Array:
    """The words lo, hi, lo, hi, ... of `x` in C order, shape (2 * x.size,); a view if possible."""
    return np.require(x, requirements=["C", "A"]).reshape(-1).view(np.uint64)


def from_integers(values: npt.ArrayLike) -> Array:
    """Integers of any size modulo 2^128: NumPy's, or Python's in an array of objects."""
    a = np.asarray(values)
    if a.dtype.kind == "O":
        lo = np.array([int(v) & _ALL for v in a.flat], np.uint64)
        hi = np.array([int(v) >> 64 & _ALL for v in a.flat], np.uint64)
        return pack(lo, hi).reshape(a.shape)
    if a.dtype.kind in "bu":
        return pack(a, 0)
    wide = a.astype(np.int64)
    return pack(wide.view(np.uint64), (wide >> 63).view(np.uint64))


def to_integers(x: Array, signed: bool = False) -> Array:
    """Python integers in an array of objects: in [0, 2^128), or read as two's complement."""
    hi = x["hi"].view(np.int64) if signed else x["hi"]
    return np.asarray(hi.astype(object) * _WORD + x["lo"].astype(object), object)


def from_floats(x: Array) -> Array:
    """Whole numbers in [-2^127, 2^127), given as float64 or wider, exactly."""
    size = np.abs(x)
    hi = np.floor(np.ldexp(size, -64))
    lo = size - np.ldexp(hi, 64)
    found = pack(lo.astype(np.uint64), hi.astype(np.uint64))
    return where(x < 0, neg(found), found)


def to_floats(x: Array) -> npt.NDArray[np.float64]:
    """The signed integers as float64, correctly rounded: to nearest, ties to even."""
    negative = x["hi"] >> np.uint64(63) != 0
    size = where(negative, neg(x), x)
    lo, hi = size["lo"], size["hi"]
    # 64 leading bits, of which the last also stands for all that were shifted out
    shift = np.minimum(np.frexp(hi.astype(np.float64))[1], 64)
    s = shift.astype(np.uint64)
    lead = np.left_shift(hi, np.uint64(64) - s) | np.right_shift(lo, s)
    lead |= np.left_shift(lo, np.uint64(64) - s) * (s > 0) != 0
    found = np.ldexp(lead.astype(np.float64), shift)
    return np.asarray(np.where(negative, -found, found))


def where(condition: Array, x: Array, y: Array) -> Array:
    """x where the condition holds, y elsewhere; broadcast."""
    return pack(np.where(condition, x["lo"], y["lo"]), np.where(condition, x["hi"], y["hi"]))


@_wrapping
def add(x: Array, y: Array) -> Array:
    """x + y, broadcast."""
    lo = np.add(x["lo"], y["lo"])
    return pack(lo, x["hi"] + y["hi"] + (lo < x["lo"]))


@_wrapping
def sub(x: Array, y: Array) -> Array:
    """x - y, broadcast."""
    lo, hi = np.subtract(x["lo"], y["lo"]), np.subtract(x["hi"], y["hi"])
    return pack(lo, hi - (x["lo"] < y["lo"]).astype(np.uint64))


def neg(x: Array) -> Array:
    """-x."""
    return sub(np.zeros((), DTYPE), x)


@_wrapping
def mul(x: Array, y: Array) -> Array:
    """x * y, elementwise and broadcast."""
    hi = high_product(x["lo"], y["lo"])
    return pack(np.multiply(x["lo"], y["lo"]), hi + x["lo"] * y["hi"] + x["hi"] * y["lo"])


@_wrapping
def high_product(x: Array, y: Array) -> Array:
    """floor(x * y / 2^64) of unsigned words."""
    x0, x1, y0, y1 = x & _LOW, x >> _HALF, y & _LOW, y >> _HALF
    middle = x1 * y0 + (x0 * y0 >> _HALF)
    other = x0 * y1 + (middle & _LOW)
    return np.asarray(x1 * y1 + (middle >> _HALF) + (other >> _HALF))


def lshift(x: Array, s: int) -> Array:
    """x * 2^s; 0 <= s <= 128."""
    if s >= 64:
        return pack(0, _left(x["lo"], s - 64))
    return pack(_left(x["lo"], s), _left(x["hi"], s) | _right(x["lo"], 64 - s))


def rshift_logical(x: Array, s: int) -> Array:
    """floor(x / 2^s) of the unsigned integer; 0 <= s <= 128."""
    if s >= 64:
        return pack(_right(x["hi"], s - 64), 0)
    return pack(_right(x["lo"], s) | _left(x["hi"], 64 - s), _right(x["hi"], s))


def rshift_arithmetic(x: Array, s: int) -> Array:
    """floor(x / 2^s) of the signed integer; 0 <= s <= 128."""
    hi = x["hi"].view(np.int64)
    sign = (hi >> 63).view(np.uint64)
    if s >= 64:
        return pack((hi >> min(s - 64, 63)).view(np.uint64), sign)
    return pack(
        _right(x["lo"], s) | _left(x["hi"], 64 - s),
        (hi >> s).view(np.uint64),
    )


@_wrapping
def accumulate(x: Array, total: Callable[[Array], Array]) -> Array:
    """What a function gives that adds elements up, fewer than 2^32 of them for each result.

    Parameters
    ----------
    total : makes sums of some elements of an array of words: `np.sum` or `np.cumsum` along an axis.
    """
    low, high = total(x["lo"] & _LOW), total(x["lo"] >> _HALF)
    carry = high + (low >> _HALF)
    return pack(low + (high << _HALF), total(x["hi"]) + (carry >> _HALF))


def _left(x: Array, s: int) -> Array:
    return np.asarray(x << np.uint64(s)) if s < 64 else np.zeros_like(x)


def _right(x: Array, s: int) -> Array:
    return np.asarray(x >> np.uint64(s)) if s < 64 else np.zeros_like(x)
