"""GF(2^64) = GF(2)[X] / (X^64 + X^4 + X^3 + X + 1), and the sums of a proof of many ANDs.

A field element is a word; bit i is the coefficient of X^i. Vectors are flat arrays of words. Long
sums of products are reduced once, at their end.
"""

from __future__ import annotations

import platform
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import config

from mpyc_core.jit import cpu_features, device, kernel

Array = npt.NDArray[Any]

REST = 0x1B
"""X^64 as a polynomial of lower degree."""
NIBBLES = 16
"""Chunks of 4 bits in a word."""
BYTE_SUMS = 8 * 256 * 4
BLOCK = 512
"""Words of each operand that stay in the first-level cache while they are used several times."""

_X86 = platform.machine() in ("x86_64", "AMD64")

if _X86 and "pclmul" in cpu_features() and not config.DISABLE_JIT:
    from .clmul_llvm import clmul as clmul
else:

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


@device
def reduced(low: Any, high: Any) -> Any:
    """low + high * X^64 as a field element."""
    once_low, once_high = clmul(high, np.uint64(REST))
    twice_low, _ = clmul(once_high, np.uint64(REST))
    return low ^ once_low ^ twice_low


@device
def times(x: Any, y: Any) -> Any:
    """x * y in the field."""
    low, high = clmul(x, y)
    return reduced(low, high)


@kernel("const u8[::1], const u8[::1], u8[::1]")
def multiply(x: Array, y: Array, out: Array) -> None:
    """out = x * y, element by element."""
    for i in range(out.size):
        out[i] = times(x[i], y[i])


@kernel("const u8[::1], const u8[::1], u8[::1]")
def weigh(weights: Array, x: Array, out: Array) -> None:
    """out[0] = the sum of weights[i] * x[i]."""
    low, high = np.uint64(0), np.uint64(0)
    for i in range(x.size):
        a, b = clmul(weights[i], x[i])
        low ^= a
        high ^= b
    out[0] = reduced(low, high)


@kernel("const u8[::1], const u8[::1], i8, i8, u8[::1]")
def correlate(u: Array, v: Array, chunks: int, width: int, out: Array) -> None:
    """out[d + chunks - 1] = the sum over j - k = d of <u_j, v_k>, for chunks of `width` words."""
    out[:] = np.uint64(0)
    for start in range(0, width, BLOCK):
        stop = min(start + BLOCK, width)
        for j in range(chunks):
            for k in range(chunks):
                d, a, b = j - k + chunks - 1, j * width, k * width
                low, high = np.uint64(0), np.uint64(0)
                for t in range(start, stop):
                    p, q = clmul(u[a + t], v[b + t])
                    low ^= p
                    high ^= q
                out[d] ^= reduced(low, high)


@kernel("const u8[::1], const u8[::1], i8, u8[::1]")
def combine(powers: Array, u: Array, width: int, out: Array) -> None:
    """out = the sum over j of powers[j] * u_j, for chunks of `width` words."""
    for t in range(width):
        low, high = np.uint64(0), np.uint64(0)
        for j in range(powers.size):
            p, q = clmul(powers[j], u[j * width + t])
            low ^= p
            high ^= q
        out[t] = reduced(low, high)


@kernel("const u8[::1], const u8[::1], const u8[::1], u8[::1]")
def correlate_bits(weights: Array, x: Array, y: Array, out: Array) -> None:
    """Correlations by nibbles: out[d + 15] sums weights * (x & (y shifted up 4 d bits))."""
    out[:] = np.uint64(0)
    for start in range(0, x.size, BLOCK):
        stop = min(start + BLOCK, x.size)
        for d in range(1 - NIBBLES, NIBBLES):
            low, high = np.uint64(0), np.uint64(0)
            up, down = np.uint64(4 * max(d, 0)), np.uint64(4 * max(-d, 0))
            for i in range(start, stop):
                p, q = clmul(weights[i], x[i] & (y[i] << up >> down))
                low ^= p
                high ^= q
            out[d + NIBBLES - 1] ^= reduced(low, high)


@kernel("const u8[::1], u8[::1]")
def byte_sums(table: Array, sums: Array) -> None:
    """What each byte of a word adds in `combine_bits`, for every value of it.

    sums : BYTE_SUMS words.
    """
    sums[:] = np.uint64(0)
    for at in range(8 * 256 * 8):
        which, bit = at // 8, at % 8
        if (which % 256 >> bit) % 2 == 1:
            sums[4 * which + bit % 4] ^= table[8 * (which // 256) + bit]


@kernel("const u8[::1], const u8[::1], u8[::1]")
def combine_bits(sums: Array, x: Array, out: Array) -> None:
    """out[t * n + i] = the sum of table[4 j + t] over the ones 4 j + t of word i of n.

    sums : from `byte_sums` of that table.
    """
    n, byte = x.size, np.uint64(255)
    for i in range(n):
        word = x[i]
        k = 4 * np.int64(word & byte)
        a, b, c, d = sums[k], sums[k + 1], sums[k + 2], sums[k + 3]
        for j in range(1, 8):
            k = 4 * (256 * j + np.int64(word >> np.uint64(8 * j) & byte))
            a ^= sums[k]
            b ^= sums[k + 1]
            c ^= sums[k + 2]
            d ^= sums[k + 3]
        out[i], out[n + i], out[2 * n + i], out[3 * n + i] = a, b, c, d


@kernel("const u8[::1], u8[::1]")
def scale(weights: Array, x: Array) -> None:
    """x[i] *= weights[i]."""
    for i in range(x.size):
        x[i] = times(weights[i], x[i])
