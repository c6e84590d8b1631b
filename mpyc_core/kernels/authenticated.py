"""Replicated shares over Z/2^64 and Z/2^128 that carry MACs: local work in one pass over memory.

Numbers are flat words: one of them an element, or two (lo, hi). `limbs` says which.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mpyc_core.jit import device, kernel

from .simd import add_where, fill, high_product, load, shr, splat, store

Array = npt.NDArray[Any]

_FOUR = "const u8[::1], const u8[::1], const u8[::1], const u8[::1], "
CHOICES = 64
"""Sums that are made at once: one for each bit of a word of choices."""
BLOCK = 512
"""Elements that stay in the first-level cache while they are used several times."""


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


@kernel("const u8[::1], const u8[::1], u8[::1]")
def choose_words(choices: Array, x: Array, sums: Array) -> None:
    """sums[l] += the sum of the words x[i] for which bit l of choices[i] is 1, for 64 sums."""
    for g in range(0, CHOICES, 32):
        a, b, c, d = load(sums, g), load(sums, g + 8), load(sums, g + 16), load(sums, g + 24)
        for i in range(choices.size):
            word, at = splat(x, i), CHOICES * i + g
            a = add_where(a, word, choices, at)
            b = add_where(b, word, choices, at + 8)
            c = add_where(c, word, choices, at + 16)
            d = add_where(d, word, choices, at + 24)
        store(sums, g, a)
        store(sums, g + 8, b)
        store(sums, g + 16, c)
        store(sums, g + 24, d)


@kernel("const u8[::1], const u8[::1], u8[::1]")
def choose_pairs(choices: Array, x: Array, sums: Array) -> None:
    """The same for elements (lo, hi), whose sums are put together by `carry_sums`.

    sums : 64 each of the low halves of lo, of their high halves, and of hi; zero at first, of at
        most 2^32 elements.
    """
    half, n = fill(sums, 0xFFFFFFFF), choices.size
    for start in range(0, n, BLOCK):
        stop = min(start + BLOCK, n)
        for g in range(0, CHOICES, 16):
            p, q = g + CHOICES, g + 2 * CHOICES
            a, b, c = load(sums, g), load(sums, p), load(sums, q)
            d, e, f = load(sums, g + 8), load(sums, p + 8), load(sums, q + 8)
            for i in range(start, stop):
                lo, hi, at = splat(x, 2 * i), splat(x, 2 * i + 1), CHOICES * i + g
                low, high = lo & half, shr(lo, 32)
                a, d = add_where(a, low, choices, at), add_where(d, low, choices, at + 8)
                b, e = add_where(b, high, choices, at), add_where(e, high, choices, at + 8)
                c, f = add_where(c, hi, choices, at), add_where(f, hi, choices, at + 8)
            store(sums, g, a)
            store(sums, p, b)
            store(sums, q, c)
            store(sums, g + 8, d)
            store(sums, p + 8, e)
            store(sums, q + 8, f)


@kernel("const u8[::1], u8[::1]")
def carry_sums(sums: Array, out: Array) -> None:
    """out = elements (lo, hi) from the sums of `choose_pairs`."""
    half = np.uint64(32)
    for i in range(CHOICES):
        low, high, top = sums[i], sums[CHOICES + i], sums[2 * CHOICES + i]
        lo = low + (high << half)
        out[2 * i] = lo
        out[2 * i + 1] = top + (high >> half) + np.uint64(lo < low)
