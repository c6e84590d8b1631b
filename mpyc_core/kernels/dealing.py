"""A dealer's corrections of elementwise products over Z/2^64, each in one pass over memory.

Every value is the sum of two pads, the first party's and all others'. What is not sent stays in
registers.
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from mpyc_core.jit import inlined, kernel

from .pads import pad
from .simd import shl, shr, store_some
from .truncation import short_words, store_short

Array = npt.NDArray[Any]

_PAD = "const u8[::1], "


@inlined
def _sum(p: Array, q: Array, i: int, like: Array) -> Any:
    return pad(p, i, like) + pad(q, i, like)


@kernel(_PAD * 5 + "i8, i8, u8[::1]")
def multiply(
    a: Array, a2: Array, b: Array, b2: Array, c: Array, start: int, stop: int, out: Array
) -> None:
    """out = (a + a2) * (b + b2) - c, for pads."""
    for i in range(start, stop, 8):
        z = _sum(a, a2, i, out) * _sum(b, b2, i, out) - pad(c, i, out)
        store_some(out, i, z, stop - i)


@kernel(_PAD * 7 + "i8, i8, i8, i8, u1[::1], u8[::1]")
def multiply_rounded(
    a: Array,
    a2: Array,
    b: Array,
    b2: Array,
    c: Array,
    c2: Array,
    u: Array,
    shift: int,
    size: int,
    start: int,
    stop: int,
    short: Array,
    out: Array,
) -> None:
    """out = (m << (63 - shift)) - (r' >> shift) - u and short = m - short, words of `size` bytes.

    r = m * 2^63 + r' is (c + c2) - (a + a2) * (b + b2), for pads.
    """
    for i in range(start, stop, 8):
        m = stop - i
        r = _sum(c, c2, i, out) - _sum(a, a2, i, out) * _sum(b, b2, i, out)
        top = shr(r, 63)
        first = shl(top, 63 - shift) - shr(shl(r, 1), shift + 1)
        store_some(out, i, first - pad(u, i, out), m)
        store_short(short, i, size, m, top - short_words(short, i, size, m, out))
