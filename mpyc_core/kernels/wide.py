"""Integers modulo 2^128: elementwise operations, each in one pass over memory.

Arrays are the words lo, hi, lo, hi, ... of flat operands. A step is 2 where an operand has an
element for each of the result, and 0 where it has one for all.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mpyc_core.jit import device, kernel

from .simd import high_product

Array = npt.NDArray[Any]

_TWO = "const u8[::1], i8, const u8[::1], i8, i8, i8, u8[::1]"
_SHIFT = "const u8[::1], i8, i8, i8, u8[::1]"


@kernel(_TWO)
def add(x: Array, x_step: int, y: Array, y_step: int, start: int, stop: int, out: Array) -> None:
    """out = x + y, for elements `start` to `stop`."""
    for i in range(start, stop):
        a, b = i * x_step, i * y_step
        lo = x[a] + y[b]
        out[2 * i] = lo
        out[2 * i + 1] = x[a + 1] + y[b + 1] + np.uint64(lo < y[b])


@kernel(_TWO)
def sub(x: Array, x_step: int, y: Array, y_step: int, start: int, stop: int, out: Array) -> None:
    """out = x - y, for elements `start` to `stop`."""
    for i in range(start, stop):
        a, b = i * x_step, i * y_step
        borrow = np.uint64(x[a] < y[b])
        out[2 * i] = x[a] - y[b]
        out[2 * i + 1] = x[a + 1] - y[b + 1] - borrow


@kernel(_TWO)
def mul(x: Array, x_step: int, y: Array, y_step: int, start: int, stop: int, out: Array) -> None:
    """out = x * y, for elements `start` to `stop`."""
    for i in range(start, stop):
        a, b = i * x_step, i * y_step
        put_product(x, a, y, b, out, 2 * i)


@device
def put_product(x: Array, a: int, y: Array, b: int, out: Array, at: int) -> None:
    """The element of `out` at word `at` = x at a times y at b."""
    hi = high_product(x[a], y[b])
    out[at] = x[a] * y[b]
    out[at + 1] = hi + x[a] * y[b + 1] + x[a + 1] * y[b]


@kernel(_SHIFT)
def lshift(x: Array, s: int, start: int, stop: int, out: Array) -> None:
    """out = x * 2^s for 0 < s < 128, for elements `start` to `stop`."""
    n = np.uint64(s % 64)
    for i in range(start, stop):
        lo, hi = x[2 * i], x[2 * i + 1]
        if s >= 64:
            lo, hi = lo ^ lo, lo
        out[2 * i] = lo << n
        out[2 * i + 1] = hi << n | spill(lo, n)


@kernel(_SHIFT)
def rshift_logical(x: Array, s: int, start: int, stop: int, out: Array) -> None:
    """out = floor(x / 2^s) of unsigned integers for 0 < s < 128, for elements `start` to `stop`."""
    n = np.uint64(s % 64)
    for i in range(start, stop):
        lo, hi = x[2 * i], x[2 * i + 1]
        if s >= 64:
            lo, hi = hi, hi ^ hi
        out[2 * i] = lo >> n | spill_down(hi, n)
        out[2 * i + 1] = hi >> n


@kernel(_SHIFT)
def rshift_arithmetic(x: Array, s: int, start: int, stop: int, out: Array) -> None:
    """out = floor(x / 2^s) of signed integers for 0 < s < 128, for elements `start` to `stop`."""
    n, top = np.uint64(s % 64), np.uint64(63)
    for i in range(start, stop):
        lo, hi = x[2 * i], x[2 * i + 1]
        sign = np.uint64(0) - (hi >> top)
        if s >= 64:
            lo, hi = hi, sign
        out[2 * i] = lo >> n | spill_down(hi, n)
        out[2 * i + 1] = hi >> n | spill_down(sign, n)


@device
def spill(word: Any, n: Any) -> Any:
    """What a word shifted up by n < 64 leaves for the next one."""
    one = np.uint64(1)
    return word >> one >> (np.uint64(63) - n)


@device
def spill_down(word: Any, n: Any) -> Any:
    """What a word shifted down by n < 64 leaves for the one below."""
    one = np.uint64(1)
    return word << one << (np.uint64(63) - n)
