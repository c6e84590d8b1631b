"""MACs of bits in GF(2^128) = GF(2)[X] / (X^128 + X^7 + X^2 + X + 1), and sums of weighed MACs.

MACs of packed bits are sliced as the bits are: for every plane 128 planes, of which number l holds
coefficient l of the MAC of every bit. A field element on its own is two words (lo, hi).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mpyc_core.jit import device, kernel

from .authenticated import wide_add, wide_times
from .binary_field import clmul

Array = npt.NDArray[Any]


@device
def reduced(a: Any, b: Any, c: Any, d: Any) -> Any:
    """a + b X^64 + c X^128 + d X^192 as a field element (lo, hi)."""
    for _ in range(2):  # what the first pass carries over X^128 is below X^7
        over = c >> np.uint64(63) ^ c >> np.uint64(62) ^ c >> np.uint64(57)
        more = d >> np.uint64(63) ^ d >> np.uint64(62) ^ d >> np.uint64(57)
        a ^= c ^ c << np.uint64(1) ^ c << np.uint64(2) ^ c << np.uint64(7)
        b ^= d ^ d << np.uint64(1) ^ d << np.uint64(2) ^ d << np.uint64(7) ^ over
        c, d = more, np.uint64(0)
    return a, b


@kernel("const u8[:,::1], const u8[:,:,::1], const u8[::1], u8[:,:,::1]")
def fold(bits: Array, macs: Array, key: Array, out: Array) -> None:
    """For every word of bits: the sum over its bits j of X^j * (MAC of bit j + bit j * key).

    Parameters
    ----------
    bits : planes, shape (p, w).
    macs : shape (p, 128, w).
    key : for every coefficient of the key a word of ones or zeros, shape (128,).
    out : field elements, shape (p, w, 2).
    """
    one, rest = np.uint64(1), np.uint64(63)
    for p in range(bits.shape[0]):
        for w in range(bits.shape[1]):
            word = bits[p, w]
            a, b, c = np.uint64(0), np.uint64(0), np.uint64(0)
            for i in range(128):
                coefficient = 127 - i
                c = c << one | b >> rest
                b = b << one | a >> rest
                a = a << one ^ macs[p, coefficient, w] ^ word & key[coefficient]
            out[p, w, 0], out[p, w, 1] = reduced(a, b, c, np.uint64(0))


@kernel("const u8[:,::1], const u8[:,::1], u8[::1]")
def weigh(weights: Array, x: Array, out: Array) -> None:
    """out += the sum of weights[i] * x[i]; field elements, shape (n, 2)."""
    a, b, c, d = np.uint64(0), np.uint64(0), np.uint64(0), np.uint64(0)
    for i in range(x.shape[0]):
        s, t, u, v = weights[i, 0], weights[i, 1], x[i, 0], x[i, 1]
        low, high = clmul(s, u)
        top_low, top_high = clmul(t, v)
        middle_low, middle_high = clmul(s ^ t, u ^ v)
        middle_low ^= low ^ top_low
        middle_high ^= high ^ top_high
        a ^= low
        b ^= high ^ middle_low
        c ^= top_low ^ middle_high
        d ^= top_high
    lo, hi = reduced(a, b, c, d)
    out[0] ^= lo
    out[1] ^= hi


@kernel("const u8[:,::1], const u8[::1], u8[:,::1]")
def scale(x: Array, factor: Array, out: Array) -> None:
    """out = x * factor, for field elements of shape (n, 2) and a single one."""
    for i in range(x.shape[0]):
        a, b = clmul(x[i, 0], factor[0])
        c, d = clmul(x[i, 1], factor[1])
        s, t = clmul(x[i, 0] ^ x[i, 1], factor[0] ^ factor[1])
        out[i, 0], out[i, 1] = reduced(a, b ^ s ^ a ^ c, c ^ t ^ b ^ d, d)


@kernel("const u8[::1], const u8[::1], u8[::1]")
def weigh_wide(weights: Array, x: Array, out: Array) -> None:
    """out += the sum of weights[i] * x[i] modulo 2^128; elements (lo, hi), weights are words."""
    lo, hi = out[0], out[1]
    for i in range(weights.size):
        s, t = wide_times(x[2 * i], x[2 * i + 1], weights[i], np.uint64(0))
        lo, hi = wide_add(lo, hi, s, t)
    out[0], out[1] = lo, hi


@kernel("const u8[::1], const u8[::1], const u8[::1], i8, i8, i8, u8[::1]")
def evidence(
    mac: Array, x: Array, key: Array, limbs: int, start: int, stop: int, out: Array
) -> None:
    """out = mac - key * x; elements of one word or two."""
    for i in range(start, stop):
        if limbs == 1:
            out[i] = mac[i] - key[0] * x[i]
            continue
        j, k = 2 * i, 2 * i + 1
        lo, hi = wide_times(x[j], x[k], key[0], key[1])
        out[j] = mac[j] - lo
        out[k] = mac[k] - hi - np.uint64(mac[j] < lo)


@kernel("const u8[::1], " * 6 + "i8, i8, i8, u8[::1]")
def recombine(
    c: Array,
    a: Array,
    b: Array,
    d: Array,
    e: Array,
    key: Array,
    limbs: int,
    start: int,
    stop: int,
    out: Array,
) -> None:
    """out = c + d * (b + key * e) + a * e; elements of one word or two."""
    for i in range(start, stop):
        if limbs == 1:
            out[i] = c[i] + d[i] * (b[i] + key[0] * e[i]) + a[i] * e[i]
            continue
        j, k = 2 * i, 2 * i + 1
        lo, hi = wide_times(key[0], key[1], e[j], e[k])
        lo, hi = wide_add(lo, hi, b[j], b[k])
        lo, hi = wide_times(lo, hi, d[j], d[k])
        more, most = wide_times(a[j], a[k], e[j], e[k])
        lo, hi = wide_add(lo, hi, more, most)
        lo, hi = wide_add(lo, hi, c[j], c[k])
        out[j], out[k] = lo, hi


@kernel("const u8[::1], const u8[::1], const u8[::1], const u8[::1], i8, i8, i8, i8, u8[::1]")
def round_down(
    opened: Array,
    u: Array,
    m: Array,
    key: Array,
    shift: int,
    limbs: int,
    start: int,
    stop: int,
    out: Array,
) -> None:
    """out = u - c_(k-1) * m * 2^(k-shift) + key * ((c >> shift) - 2^(k-2-shift)).

    c = opened mod 2^k; elements of one word (k = 32) or two (k = 64).
    """
    one, zero = np.uint64(1), np.uint64(0)
    k = np.uint64(32 * limbs)
    f = np.uint64(shift)
    middle = one << k - np.uint64(2) - f
    for i in range(start, stop):
        if limbs == 1:
            c = opened[i] & np.uint64(0xFFFFFFFF)
            lost = (zero - (c >> k - one)) & m[i] << k - f
            out[i] = u[i] - lost + key[0] * ((c >> f) - middle)
            continue
        lo, hi = 2 * i, 2 * i + 1
        c = opened[lo]
        top = zero - (c >> k - one)
        # m * 2^(64-shift), of two words; 0 < shift < 64
        a = m[lo] << k - f & top
        b = (m[hi] << k - f | m[lo] >> f) & top
        lowered = (c >> f) - middle
        s, t = wide_times(lowered, zero - np.uint64(lowered >> k - one), key[0], key[1])
        s, t = wide_add(s, t, u[lo], u[hi])
        out[lo] = s - a
        out[hi] = t - b - np.uint64(s < a)
