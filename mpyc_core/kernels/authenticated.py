"""Replicated shares over Z/2^64 and Z/2^128 that carry MACs: local work in one pass over memory.

Numbers are flat words: one of them an element, or two (lo, hi). `limbs` says which.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mpyc_core.jit import device, kernel

from .simd import high_product

Array = npt.NDArray[Any]

_FOUR = "const u8[::1], const u8[::1], const u8[::1], const u8[::1], "
BUCKETS = 256
"""Sums for each byte of coefficients, one for every value of the byte."""


@device
def wide_add(lo: Any, hi: Any, more: Any, most: Any) -> Any:
    """(lo, hi) + (more, most) mod 2^128."""
    low = lo + more
    return low, hi + most + np.uint64(low < lo)


@device
def wide_times(a: Any, b: Any, c: Any, d: Any) -> Any:
    """(a, b) * (c, d) mod 2^128, low word first."""
    return a * c, high_product(a, c) + a * d + b * c


@kernel(_FOUR + "const u8[::1], const u8[::1], i8, i8, i8, u8[::1]")
def product_terms(
    xn: Array,
    xp: Array,
    yn: Array,
    yp: Array,
    zn: Array,
    zp: Array,
    limbs: int,
    start: int,
    stop: int,
    out: Array,
) -> None:
    """out = xn * (yn + yp) + xp * yn + zn - zp."""
    for i in range(start, stop):
        if limbs == 1:
            z = zn[i] - zp[i]
            out[i] = xn[i] * (yn[i] + yp[i]) + xp[i] * yn[i] + z
            continue
        j, k = 2 * i, 2 * i + 1
        s, t = wide_add(yn[j], yn[k], yp[j], yp[k])
        lo, hi = wide_times(xn[j], xn[k], s, t)
        s, t = wide_times(xp[j], xp[k], yn[j], yn[k])
        lo, hi = wide_add(lo, hi, s, t)
        lo, hi = wide_add(lo, hi, zn[j], zn[k])
        out[j] = lo - zp[j]
        out[k] = hi - zp[k] - np.uint64(lo < zp[j])


@kernel("const u8[::1], const u8[::1], const u8[::1], const u8[::1], i8, i8, i8, u8[::1]")
def chosen(
    bits: Array,
    x: Array,
    y: Array,
    r: Array,
    limbs: int,
    start: int,
    stop: int,
    out: Array,
) -> None:
    """out = b * (x + y) - r for packed bits b; an empty y stands for zeros."""
    one, zero = np.uint64(1), np.uint64(0)
    for i in range(start, stop):
        mask = zero - (bits[i // 64] >> np.uint64(i % 64) & one)
        if limbs == 1:
            s = x[i]
            if y.size > 0:
                s += y[i]
            out[i] = (s & mask) - r[i]
            continue
        j, k = 2 * i, 2 * i + 1
        s, t = x[j], x[k]
        if y.size > 0:
            s, t = wide_add(s, t, y[j], y[k])
        s, t = s & mask, t & mask
        out[j] = s - r[j]
        out[k] = t - r[k] - np.uint64(s < r[j])


@kernel("const u8[::1], const u8[::1], i8, u8[::1]")
def scatter(choices: Array, x: Array, limbs: int, sums: Array) -> None:
    """Add every element to the sum that each byte of its 64 choices names.

    sums : for each of 8 bytes and 256 values of it an element, zero before.
    """
    for i in range(choices.size):
        which = choices[i]
        for g in range(8):
            at = (g * BUCKETS + np.int64(which & np.uint64(255))) * limbs
            which >>= np.uint64(8)
            if limbs == 1:
                sums[at] += x[i]
            else:
                sums[at], sums[at + 1] = wide_add(sums[at], sums[at + 1], x[2 * i], x[2 * i + 1])


@kernel("const u8[::1], i8, u8[::1]")
def gather(sums: Array, limbs: int, out: Array) -> None:
    """out[l] += the sum of the elements whose choice l is 1, from what `scatter` left."""
    for choice in range(out.size // limbs):
        g, bit = choice // 8, choice % 8
        for value in range(BUCKETS):
            if (value >> bit) % 2 == 0:
                continue
            at, to = (g * BUCKETS + value) * limbs, choice * limbs
            if limbs == 1:
                out[to] += sums[at]
            else:
                out[to], out[to + 1] = wide_add(out[to], out[to + 1], sums[at], sums[at + 1])
