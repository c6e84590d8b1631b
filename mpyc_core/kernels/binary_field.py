"""GF(2^64) = GF(2)[X] / (X^64 + X^4 + X^3 + X + 1), and the sums of a proof of many ANDs.

A field element is a word; bit i is the coefficient of X^i. Vectors are flat arrays of words. Long
sums of products are reduced once, at their end. Sums are made eight products at a time, as pairs of
lanes (low, high) that add up to the whole.
"""

from __future__ import annotations

import platform
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import config

from mpyc_core.jit import cpu_features, device, inlined, kernel

from .simd import fill, lane, lanes, load_some, shl, shr, splat, store_some, zip_low

Array = npt.NDArray[Any]

REST = 0x1B
"""X^64 as a polynomial of lower degree."""
BITS = 64
"""Chunks of 1 bit in a word."""
BYTE_SUMS = 8 * 256
BLOCK = 512
"""Words of each operand that stay in the first-level cache while they are used several times."""

_X86 = platform.machine() in ("x86_64", "AMD64")

if _X86 and "pclmul" in cpu_features() and not config.DISABLE_JIT:
    from .clmul_llvm import clmul as clmul
    from .clmul_llvm import clmul_pairs as clmul_pairs
else:
    from .clmul_portable import clmul as clmul
    from .clmul_portable import clmul_pairs as clmul_pairs


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


@inlined
def sum_up(total: Any) -> Any:
    """The field element that pairs of lanes (low, high) add up to."""
    low = lane(total, 0) ^ lane(total, 2) ^ lane(total, 4) ^ lane(total, 6)
    high = lane(total, 1) ^ lane(total, 3) ^ lane(total, 5) ^ lane(total, 7)
    return reduced(low, high)


@inlined
def products(x: Any, y: Any) -> Any:
    """x * y of all lanes, unreduced, in pairs of lanes that add up to the whole."""
    return clmul_pairs(x, y, 0, 0) ^ clmul_pairs(x, y, 1, 1)


@inlined
def settled(even: Any, odd: Any, rest: Any) -> Any:
    """Field elements of pairs of lanes (low, high): of `even` in even lanes, of `odd` in odd ones.

    rest : REST in every lane.
    """
    once = clmul_pairs(even, rest, 1, 0)
    even = even ^ once ^ clmul_pairs(once, rest, 1, 0)
    once = clmul_pairs(odd, rest, 1, 0)
    odd = odd ^ once ^ clmul_pairs(once, rest, 1, 0)
    return zip_low(even, odd, 1)


@kernel("const u8[::1], const u8[::1], u8[::1]")
def multiply(x: Array, y: Array, out: Array) -> None:
    """out = x * y, element by element."""
    rest = fill(out, REST)
    for i in range(0, out.size, lanes(out)):
        m = out.size - i
        a, b = load_some(x, i, m), load_some(y, i, m)
        even, odd = clmul_pairs(a, b, 0, 0), clmul_pairs(a, b, 1, 1)
        store_some(out, i, settled(even, odd, rest), m)


@kernel("const u8[::1], const u8[::1], u8[::1]")
def weigh(weights: Array, x: Array, out: Array) -> None:
    """out[0] ^= the sum of weights[i] * x[i]."""
    total = fill(out, 0)
    for i in range(0, x.size, lanes(out)):
        m = x.size - i
        total = total ^ products(load_some(weights, i, m), load_some(x, i, m))
    out[0] ^= sum_up(total)


@kernel("const u8[::1], u8[::1]")
def powers(point: Array, out: Array) -> None:
    """out = 1, y, y^2, ..."""
    power = np.uint64(1)
    for i in range(out.size):
        out[i] = power
        power = times(power, point[0])


@kernel("const u8[::1], const u8[::1], i8, i8, u8[::1]")
def correlate(u: Array, v: Array, chunks: int, width: int, out: Array) -> None:
    """out[d + chunks - 1] = the sum over j - k = d of <u_j, v_k>, for chunks of `width` words.

    chunks : a multiple of 4.
    """
    out[:] = np.uint64(0)
    for start in range(0, width, BLOCK):
        stop = min(start + BLOCK, width)
        for j in range(chunks):
            for k in range(0, chunks, 4):
                r, s, t, w = fill(out, 0), fill(out, 0), fill(out, 0), fill(out, 0)
                for i in range(start, stop, lanes(out)):
                    m = stop - i
                    x, at = load_some(u, j * width + i, m), k * width + i
                    r = r ^ products(x, load_some(v, at, m))
                    s = s ^ products(x, load_some(v, at + width, m))
                    t = t ^ products(x, load_some(v, at + 2 * width, m))
                    w = w ^ products(x, load_some(v, at + 3 * width, m))
                d = j - k + chunks - 1
                out[d] ^= sum_up(r)
                out[d - 1] ^= sum_up(s)
                out[d - 2] ^= sum_up(t)
                out[d - 3] ^= sum_up(w)


@kernel("const u8[::1], const u8[::1], i8, u8[::1]")
def combine(powers: Array, u: Array, width: int, out: Array) -> None:
    """out = the sum over j of powers[j] * u_j, for chunks of `width` words."""
    rest = fill(out, REST)
    for i in range(0, width, lanes(out)):
        m = width - i
        even, odd = fill(out, 0), fill(out, 0)
        for j in range(powers.size):
            power, x = splat(powers, j), load_some(u, j * width + i, m)
            even = even ^ clmul_pairs(power, x, 0, 0)
            odd = odd ^ clmul_pairs(power, x, 1, 1)
        store_some(out, i, settled(even, odd, rest), m)


@inlined
def moved(v: Any, d: Any) -> Any:
    """v shifted up by d bits, or down by -d; at least by -63."""
    return shr(shl(v, max(d, 0)), min(max(-d, 0), 63))


@kernel("const u8[::1], const u8[::1], const u8[::1], u8[::1]")
def correlate_bits(weights: Array, x: Array, y: Array, out: Array) -> None:
    """Correlations by bits: out[d + 64] ^= the sum of weights * (x & (y shifted up d bits)).

    out : for d from -63 to 63; the first of its 128 words means nothing.
    """
    for start in range(0, x.size, BLOCK):
        stop = min(start + BLOCK, x.size)
        for e in range(0, 2 * BITS, 4):
            d = e - BITS
            r, s, t, w = fill(out, 0), fill(out, 0), fill(out, 0), fill(out, 0)
            for i in range(start, stop, lanes(out)):
                m = stop - i
                a, b, c = load_some(weights, i, m), load_some(x, i, m), load_some(y, i, m)
                r = r ^ products(a, b & moved(c, d))
                s = s ^ products(a, b & moved(c, d + 1))
                t = t ^ products(a, b & moved(c, d + 2))
                w = w ^ products(a, b & moved(c, d + 3))
            out[e] ^= sum_up(r)
            out[e + 1] ^= sum_up(s)
            out[e + 2] ^= sum_up(t)
            out[e + 3] ^= sum_up(w)


@kernel("const u8[::1], u8[::1]")
def byte_sums(table: Array, sums: Array) -> None:
    """What each byte of a word adds in `combine_bits`, for every value of it.

    sums : BYTE_SUMS words.
    """
    sums[:] = np.uint64(0)
    for at in range(BYTE_SUMS * 8):
        which, bit = at // 8, at % 8
        if (which % 256 >> bit) % 2 == 1:
            sums[which] ^= table[8 * (which // 256) + bit]


@kernel("const u8[::1], const u8[::1], u8[::1]")
def combine_bits(sums: Array, x: Array, out: Array) -> None:
    """out[i] = the sum of the entries of a table that the bits of x[i] name.

    sums : from `byte_sums` of that table.
    """
    byte = np.uint64(255)
    for i in range(x.size):
        word = x[i]
        total = sums[np.int64(word & byte)]
        for j in range(1, 8):
            total ^= sums[256 * j + np.int64(word >> np.uint64(8 * j) & byte)]
        out[i] = total


@kernel("const u8[::1], u8[::1]")
def scale(weights: Array, x: Array) -> None:
    """x[i] *= weights[i]."""
    rest = fill(x, REST)
    for i in range(0, x.size, lanes(x)):
        m = x.size - i
        a, b = load_some(weights, i, m), load_some(x, i, m)
        even, odd = clmul_pairs(a, b, 0, 0), clmul_pairs(a, b, 1, 1)
        store_some(x, i, settled(even, odd, rest), m)
