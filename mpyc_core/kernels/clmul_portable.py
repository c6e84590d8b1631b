"""Carry-less products by shifts, for processors without an instruction and for runs uncompiled."""

from __future__ import annotations

from typing import Any

import numpy as np

from mpyc_core.jit import device, inlined

from .simd import shl, shr, zip_high, zip_low


@device
def clmul(x: Any, y: Any) -> Any:
    """(low, high) words of the product of x and y as polynomials over GF(2)."""
    one, low, high = np.uint64(1), np.uint64(0), np.uint64(0)
    for i in range(64):
        bit = np.uint64(0) - (y >> np.uint64(i) & one)
        low ^= x << np.uint64(i) & bit
        if i > 0:
            high ^= x >> np.uint64(64 - i) & bit
    return low, high


@inlined
def clmul_pairs(x: Any, y: Any, odd_x: Any, odd_y: Any) -> Any:
    """For each pair of lanes the product of one lane of x and one of y, its low word first.

    `odd_x` and `odd_y`: 0 takes the first lane of a pair, 1 the second.
    """
    a = zip_high(x, x, 1) if odd_x > 0 else zip_low(x, x, 1)
    b = zip_high(y, y, 1) if odd_y > 0 else zip_low(y, y, 1)
    zero = x ^ x
    low, high = a & (zero - shr(shl(b, 63), 63)), zero
    for i in range(1, 64):
        bit = zero - shr(shl(b, 63 - i), 63)
        low = low ^ shl(a, i) & bit
        high = high ^ shr(a, 64 - i) & bit
    return zip_low(low, high, 1)
