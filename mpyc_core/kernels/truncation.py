"""Local work of the truncation of replicated shares, on the elements from `start` to `stop`.

`size` is the bytes of the short words that wrap bits are counted in: 1, 2, 4 or 8.
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from mpyc_core.jit import inlined, kernel

from .pads import pad
from .simd import fill, lanes, load_some, narrow_some, shl, shr, store_some, widen_some

Array = npt.NDArray[Any]

_HALF = "const {0}[::1], const {0}[::1], const u8[::1], i8, i8, i8, i8, i8, u1[::1], {0}[::1]"
_UNWRAP = "const {0}[::1], const u1[::1], i8, i8, i8, const u8[::1], i8, i8, {0}[::1], {0}[::1]"


@inlined
def short_words(octets: Array, i: int, size: int, count: int, like: Array) -> Any:
    """Short words from word `i` on, one a lane."""
    if size == 1:
        return widen_some(octets, i, 1, count, like)
    if size == 2:
        return widen_some(octets, i, 2, count, like)
    if size == 4:
        return widen_some(octets, i, 4, count, like)
    return widen_some(octets, i, 8, count, like)


@inlined
def store_short(octets: Array, i: int, size: int, count: int, v: Any) -> None:
    """Write short words from word `i` on."""
    if size == 1:
        narrow_some(octets, i, 1, count, v)
    elif size == 2:
        narrow_some(octets, i, 2, count, v)
    elif size == 4:
        narrow_some(octets, i, 4, count, v)
    else:
        narrow_some(octets, i, 8, count, v)


@kernel(_HALF.format("u8"), _HALF.format("u4"))
def top_bit(
    x: Array,
    y: Array,
    p: Array,
    sign: int,
    c: int,
    size: int,
    start: int,
    stop: int,
    top: Array,
    out: Array,
) -> None:
    """out = x + y + sign * pad + c, and top = its highest bit as a short word.

    An empty `y` counts as 0; `sign` is 1, -1, or 0 for no pad.
    """
    constant, highest = fill(out, c), 512 // lanes(out) - 1
    for i in range(start, stop, lanes(out)):
        m = stop - i
        v = load_some(x, i, m) + constant
        if y.size > 0:
            v = v + load_some(y, i, m)
        if sign > 0:
            v = v + pad(p, i, out)
        elif sign < 0:
            v = v - pad(p, i, out)
        store_some(out, i, v, m)
        store_short(top, i, size, m, shr(v, highest))


@kernel(_UNWRAP.format("u8"), _UNWRAP.format("u4"))
def unwrap(
    x: Array,
    wrap: Array,
    size: int,
    shift: int,
    c: int,
    p: Array,
    start: int,
    stop: int,
    mask: Array,
    out: Array,
) -> None:
    """mask = the pad; out = (x >> shift) - (wrap << (k - shift)) + c - mask, mod 2^k."""
    constant, lift = fill(out, c), 512 // lanes(out) - shift
    for i in range(start, stop, lanes(out)):
        m = stop - i
        hidden = pad(p, i, out)
        lost = shl(short_words(wrap, i, size, m, out), lift)
        store_some(mask, i, hidden, m)
        store_some(out, i, shr(load_some(x, i, m), shift) - lost + constant - hidden, m)
