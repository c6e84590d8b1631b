"""GF(p), p = 2^61 - 1: elementwise operations, linear combinations and products of matrices.

Elements are words below p. Where an argument says `raw`, any word stands for itself modulo p, so
that streams and received frames need no pass of their own. No step depends on values: a reduction
is a mask and an addition, since 2^61 = 1 [Knuth, TAOCP 2, section 3.2.1.1, exercise 8].
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mpyc_core.jit import device, kernel

from .simd import high_product

Array = npt.NDArray[Any]

P = np.uint64((1 << 61) - 1)
_TOP = np.uint64(61)
_THREE = np.uint64(3)
_REST = np.uint64(58)
_ONE = np.uint64(1)
_ZERO = np.uint64(0)
LAZY = 32
"""Products below 2^122 that a sum of 128 bits holds with room for one reduced sum."""

_TWO = "const u8[::1], i8, const u8[::1], i8, i8, i8, u8[::1]"


@device
def canonical(x: Any) -> Any:
    """A word modulo p."""
    r = (x & P) + (x >> _TOP)
    return (r + ((r + _ONE) >> _TOP)) & P


@device
def folded(hi: Any, lo: Any) -> Any:
    """hi * 2^64 + lo modulo p, below 2^63."""
    return (lo & P) + (((hi << _THREE) | (lo >> _TOP)) & P) + (hi >> _REST)


@device
def times(x: Any, y: Any) -> Any:
    """x * y for elements."""
    return canonical(folded(high_product(x, y), x * y))


@kernel(_TWO)
def add(x: Array, x_step: int, y: Array, y_step: int, start: int, stop: int, out: Array) -> None:
    """out = x + y, for elements `start` to `stop`."""
    for i in range(start, stop):
        out[i] = canonical(x[i * x_step] + y[i * y_step])


@kernel(_TWO)
def sub(x: Array, x_step: int, y: Array, y_step: int, start: int, stop: int, out: Array) -> None:
    """out = x - y, for elements `start` to `stop`."""
    for i in range(start, stop):
        out[i] = canonical(x[i * x_step] + (P - y[i * y_step]))


@kernel(_TWO)
def mul(x: Array, x_step: int, y: Array, y_step: int, start: int, stop: int, out: Array) -> None:
    """out = x * y, for elements `start` to `stop`."""
    for i in range(start, stop):
        out[i] = times(x[i * x_step], y[i * y_step])


@kernel("const u8[::1], i8, i8, i8, u8[::1]")
def total(rows: Array, count: int, start: int, stop: int, out: Array) -> None:
    """out = the sum of `count` raw rows of out's length, one after the other."""
    for i in range(start, stop):
        s = _ZERO
        for c in range(count):
            s = canonical(s + canonical(rows[c * out.size + i]))
        out[i] = s


@kernel("const u8[::1], const u8[::1], i8, i8, i8, i8, u8[::1]")
def combine(
    matrix: Array, rows: Array, count: int, length: int, start: int, stop: int, out: Array
) -> None:
    """out = matrix @ rows, from column `start` to `stop`; `count` raw rows of a length."""
    for r in range(matrix.size // count):
        for i in range(start, stop):
            s = h = _ZERO
            for c in range(count):
                v, w = matrix[r * count + c], rows[c * length + i]
                s += v * w
                h += high_product(v, w) + np.uint64(s < v * w)
                s, h = folded(h, s), _ZERO
            out[r * length + i] = canonical(s)


@kernel("const u8[::1], const u8[::1], i8, i8, i8, u8[::1]")
def dots(a: Array, bt: Array, depth: int, first: int, last: int, out: Array) -> None:
    """Rows of a times rows of bt: columns `first` to `last` of a product of matrices."""
    width = bt.size // depth
    for j in range(first, last, 4):
        j1, j2, j3 = min(j + 1, last - 1), min(j + 2, last - 1), min(j + 3, last - 1)
        for i in range(a.size // depth):
            s0 = s1 = s2 = s3 = _ZERO
            h0 = h1 = h2 = h3 = _ZERO
            for begin in range(0, depth, LAZY):
                s0, s1, s2, s3 = folded(h0, s0), folded(h1, s1), folded(h2, s2), folded(h3, s3)
                h0 = h1 = h2 = h3 = _ZERO
                for k in range(begin, min(begin + LAZY, depth)):
                    v = a[i * depth + k]
                    w = bt[j * depth + k]
                    s0 += v * w
                    h0 += high_product(v, w) + np.uint64(s0 < v * w)
                    w = bt[j1 * depth + k]
                    s1 += v * w
                    h1 += high_product(v, w) + np.uint64(s1 < v * w)
                    w = bt[j2 * depth + k]
                    s2 += v * w
                    h2 += high_product(v, w) + np.uint64(s2 < v * w)
                    w = bt[j3 * depth + k]
                    s3 += v * w
                    h3 += high_product(v, w) + np.uint64(s3 < v * w)
            out[i * width + j] = canonical(folded(h0, s0))
            out[i * width + j1] = canonical(folded(h1, s1))
            out[i * width + j2] = canonical(folded(h2, s2))
            out[i * width + j3] = canonical(folded(h3, s3))
