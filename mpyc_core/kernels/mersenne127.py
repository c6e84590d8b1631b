"""GF(p), p = 2^127 - 1: elementwise operations, linear combinations and products of matrices.

Arrays are the words lo, hi, lo, hi, ... of elements lo + 2^64 * hi below p. Where an argument says
`raw`, any two words stand for their number modulo p. Sums of products are kept unreduced: with
x = x0 + 2^64 * x1 and 2^128 = 2, a product is (x0*y0 + 2*x1*y1) + 2^64 * (x0*y1 + x1*y0), and each
of the two parts is summed in three words; 2*x1 fits a word where x is an element. No step depends
on values.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mpyc_core.jit import device, kernel

from .simd import add_product

Array = npt.NDArray[Any]

_LOW = np.uint64((1 << 63) - 1)
_TOP = np.uint64(63)
_SIGN = np.uint64(62)
_ONE = np.uint64(1)
_ZERO = np.uint64(0)

_TWO = "const u8[::1], i8, const u8[::1], i8, i8, i8, u8[::1]"


@device
def canonical(lo: Any, hi: Any) -> Any:
    """A number of two words modulo p."""
    top = hi >> _TOP
    r0 = lo + top
    r1 = (hi & _LOW) + np.uint64(r0 < top)
    again = (r1 + np.uint64(r0 + _ONE == _ZERO)) >> _TOP
    s0 = r0 + again
    return s0, (r1 + np.uint64(s0 < again)) & _LOW


@device
def folded(s0: Any, s1: Any, s2: Any) -> Any:
    """A number of three words, the third below 2^62, modulo p."""
    more = (s2 << _ONE) | (s1 >> _TOP)
    lo = s0 + more
    return canonical(lo, (s1 & _LOW) + np.uint64(lo < more))


@device
def plus(x0: Any, x1: Any, y0: Any, y1: Any) -> Any:
    """x + y for elements."""
    lo = x0 + y0
    return canonical(lo, x1 + y1 + np.uint64(lo < y0))


@device
def closed(l0: Any, l1: Any, l2: Any, m0: Any, m1: Any, m2: Any) -> Any:
    """l + 2^64 * m modulo p, for sums of three words; the third of each below 2^60."""
    s1 = l1 + m0
    s2 = l2 + np.uint64(s1 < m0)
    t2 = s2 + m1
    t3 = m2 + np.uint64(t2 < m1)
    d0 = t2 << _ONE  # 2^128 = 2
    d1 = (t3 << _ONE) | (t2 >> _TOP)
    r0 = l0 + d0
    carry = np.uint64(r0 < d0)
    r1 = s1 + d1
    r2 = np.uint64(r1 < d1)
    q1 = r1 + carry
    return folded(r0, q1, r2 + np.uint64(q1 < carry))


@device
def times(x0: Any, x1: Any, y0: Any, y1: Any) -> Any:
    """x * y for elements."""
    zero = x0 ^ x0
    l0, l1, l2 = add_product(zero, zero, zero, x0, y0)
    l0, l1, l2 = add_product(l0, l1, l2, x1 + x1, y1)  # 2^128 = 2
    m0, m1, m2 = add_product(zero, zero, zero, x0, y1)
    m0, m1, m2 = add_product(m0, m1, m2, x1, y0)
    return closed(l0, l1, l2, m0, m1, m2)


@kernel(_TWO)
def add(x: Array, x_step: int, y: Array, y_step: int, start: int, stop: int, out: Array) -> None:
    """out = x + y, for elements `start` to `stop`; steps are counted in words."""
    for i in range(start, stop):
        a, b = i * x_step, i * y_step
        out[2 * i], out[2 * i + 1] = plus(x[a], x[a + 1], y[b], y[b + 1])


@kernel(_TWO)
def sub(x: Array, x_step: int, y: Array, y_step: int, start: int, stop: int, out: Array) -> None:
    """out = x - y, for elements `start` to `stop`."""
    for i in range(start, stop):
        a, b = i * x_step, i * y_step
        lo = x[a] - y[b]
        hi = x[a + 1] - y[b + 1] - np.uint64(x[a] < y[b])
        below = hi >> _TOP  # below 0: add 2^127 - 1
        out[2 * i] = lo - below
        out[2 * i + 1] = (hi - np.uint64(lo < below)) & _LOW


@kernel(_TWO)
def mul(x: Array, x_step: int, y: Array, y_step: int, start: int, stop: int, out: Array) -> None:
    """out = x * y, for elements `start` to `stop`."""
    for i in range(start, stop):
        a, b = i * x_step, i * y_step
        out[2 * i], out[2 * i + 1] = times(x[a], x[a + 1], y[b], y[b + 1])


@kernel("const u8[::1], u8[::1]")
def signed(x: Array, out: Array) -> None:
    """out = the integers in (-p/2, p/2) that elements stand for, as two's complement."""
    for i in range(x.size // 2):
        upper = x[2 * i + 1] >> _SIGN
        lo = x[2 * i] + upper  # -p = 1 - 2^127
        out[2 * i] = lo
        out[2 * i + 1] = x[2 * i + 1] + np.uint64(lo < upper) - (upper << _TOP)


@kernel("const u8[::1], i8, i8, i8, u8[::1]")
def total(rows: Array, count: int, start: int, stop: int, out: Array) -> None:
    """out = the sum of `count` raw rows of out's length, one after the other."""
    for i in range(start, stop):
        s0 = s1 = _ZERO
        for c in range(count):
            at = c * out.size + 2 * i
            r0, r1 = canonical(rows[at], rows[at + 1])
            s0, s1 = plus(s0, s1, r0, r1)
        out[2 * i], out[2 * i + 1] = s0, s1


@kernel("const u8[::1], const u8[::1], i8, i8, i8, i8, u8[::1]")
def combine(
    matrix: Array, rows: Array, count: int, length: int, start: int, stop: int, out: Array
) -> None:
    """out = matrix @ rows, from column `start` to `stop`; `count` raw rows of a length."""
    for r in range(matrix.size // (2 * count)):
        for i in range(start, stop):
            l0 = l1 = l2 = m0 = m1 = m2 = _ZERO
            for c in range(count):
                x0, x1 = matrix[2 * (r * count + c)], matrix[2 * (r * count + c) + 1]
                y0, y1 = rows[2 * (c * length + i)], rows[2 * (c * length + i) + 1]
                l0, l1, l2 = add_product(l0, l1, l2, x0, y0)
                l0, l1, l2 = add_product(l0, l1, l2, x1 + x1, y1)  # 2^128 = 2
                m0, m1, m2 = add_product(m0, m1, m2, x0, y1)
                m0, m1, m2 = add_product(m0, m1, m2, x1, y0)
            at = 2 * (r * length + i)
            out[at], out[at + 1] = closed(l0, l1, l2, m0, m1, m2)


@kernel("const u8[::1], const u8[::1], i8, i8, i8, u8[::1]")
def dots(a: Array, bt: Array, depth: int, first: int, last: int, out: Array) -> None:
    """Rows of a times rows of bt: columns `first` to `last` of a product of matrices."""
    width = bt.size // (2 * depth)
    for i in range(a.size // (2 * depth)):
        for j in range(first, last):
            l0 = l1 = l2 = m0 = m1 = m2 = _ZERO
            for k in range(depth):
                x0, x1 = a[2 * (i * depth + k)], a[2 * (i * depth + k) + 1]
                y0, y1 = bt[2 * (j * depth + k)], bt[2 * (j * depth + k) + 1]
                l0, l1, l2 = add_product(l0, l1, l2, x0, y0)
                l0, l1, l2 = add_product(l0, l1, l2, x1 + x1, y1)  # 2^128 = 2
                m0, m1, m2 = add_product(m0, m1, m2, x0, y1)
                m0, m1, m2 = add_product(m0, m1, m2, x1, y0)
            at = 2 * (i * width + j)
            out[at], out[at + 1] = closed(l0, l1, l2, m0, m1, m2)
