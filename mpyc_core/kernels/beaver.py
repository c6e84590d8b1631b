"""Local work of additive shares with dealt randomness, on the elements from `start` to `stop`.

What the parts mean is said in `mpyc_core.protocols.additive`. `first` is 1 at the party that adds
what is public, 0 elsewhere; `mine` and `others` are the two parts of an opened value.
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from mpyc_core.jit import inlined, kernel

from .pads import pad
from .simd import fill, lanes, load_some, shl, shr, store_some, where
from .truncation import short_words, store_short

Array = npt.NDArray[Any]

_PAD = "const u8[::1], "
_RANGE = "i8, i8, {0}[::1]"
_ADD = "const {0}[::1], " + _PAD + "i8, i8, " + _RANGE
_RECOMBINE = "const {0}[::1], " * 6 + _PAD + "i8, i8, " + _RANGE
_DOUBLED = "const {0}[::1], " * 3 + _RANGE
_SQUARE = "const {0}[::1], " * 3 + _PAD + "i8, i8, " + _RANGE
_ROUND = "const {0}[::1], const {0}[::1], " + _PAD + "const u1[::1], i8, i8, i8, i8, " + _RANGE
_PAIR = "const {0}[::1], i8, i8, i8, i8, u1[::1], {0}[::1]"
_CHOOSE = "const {0}[::1], " * 3 + _PAD * 3 + _RANGE


@kernel(_ADD.format("u8"), _ADD.format("u4"))
def add_pad(x: Array, p: Array, sign: int, c: int, start: int, stop: int, out: Array) -> None:
    """out = x + sign * pad + c."""
    constant = fill(out, c)
    for i in range(start, stop, lanes(out)):
        m, v = stop - i, pad(p, i, out)
        x_c = load_some(x, i, m) + constant
        if sign > 0:
            store_some(out, i, x_c + v, m)
        else:
            store_some(out, i, x_c - v, m)


@kernel(_DOUBLED.format("u8"), _DOUBLED.format("u4"))
def doubled(x: Array, mine: Array, came: Array, start: int, stop: int, out: Array) -> None:
    """out = 2 x - mine + came."""
    for i in range(start, stop, lanes(out)):
        m, v = stop - i, load_some(x, i, stop - i)
        store_some(out, i, v + v - load_some(mine, i, m) + load_some(came, i, m), m)


@kernel(_RECOMBINE.format("u8"), _RECOMBINE.format("u4"))
def recombine(
    x: Array,
    y: Array,
    d: Array,
    e: Array,
    ds: Array,
    es: Array,
    pc: Array,
    first: int,
    c: int,
    start: int,
    stop: int,
    out: Array,
) -> None:
    """out = pad + D * b + a * E + c, at the first party + D * E, for a = x - d, b = y - e.

    D = d + ds and E = e + es are the opened values.
    """
    constant = fill(out, c)
    for i in range(start, stop, lanes(out)):
        m = stop - i
        di, ei = load_some(d, i, m), load_some(e, i, m)
        opened_d, opened_e = di + load_some(ds, i, m), ei + load_some(es, i, m)
        a, b = load_some(x, i, m) - di, load_some(y, i, m) - ei
        if first > 0:
            b = b + opened_e
        store_some(out, i, pad(pc, i, out) + opened_d * b + a * opened_e + constant, m)


@kernel(_SQUARE.format("u8"), _SQUARE.format("u4"))
def square_up(
    x: Array,
    d: Array,
    ds: Array,
    pc: Array,
    first: int,
    c: int,
    start: int,
    stop: int,
    out: Array,
) -> None:
    """out = pad + D * 2a + c, at the first party + D * D, for a = x - d and D = d + ds."""
    constant = fill(out, c)
    for i in range(start, stop, lanes(out)):
        m, di = stop - i, load_some(d, i, stop - i)
        opened, a = di + load_some(ds, i, m), load_some(x, i, m) - di
        factor = a + a
        if first > 0:
            factor = factor + opened
        store_some(out, i, pad(pc, i, out) + opened * factor + constant, m)


@kernel(_ROUND.format("u8"), _ROUND.format("u4"))
def round_down(
    mine: Array,
    others: Array,
    pu: Array,
    v: Array,
    size: int,
    shift: int,
    first: int,
    c: int,
    start: int,
    stop: int,
    out: Array,
) -> None:
    """out = u - C_top * (v << (k - shift)), at the first party + (C >> shift) + c.

    C = mine + others; v are short words of `size` bytes.
    """
    constant, nothing = fill(out, c), fill(out, 0)
    highest = 512 // lanes(out) - 1
    lift = highest + 1 - shift
    for i in range(start, stop, lanes(out)):
        m = stop - i
        opened = load_some(mine, i, m) + load_some(others, i, m)
        lost = shl(short_words(v, i, size, m, out), lift) & (nothing - shr(opened, highest))
        part = pad(pu, i, out) - lost
        if first > 0:
            part = part + shr(opened, shift) + constant
        store_some(out, i, part, m)


@kernel("const u8[::1], const u8[::1], i8, i8, u8[::1]")
def xor_pad(x: Array, p: Array, start: int, stop: int, out: Array) -> None:
    """out = x ^ pad."""
    for i in range(start, stop, 8):
        m = stop - i
        store_some(out, i, load_some(x, i, m) ^ pad(p, i, out), m)


@kernel(_PAIR.format("u8"), _PAIR.format("u4"))
def rounding_pair(
    r: Array, shift: int, size: int, start: int, stop: int, top: Array, out: Array
) -> None:
    """top = m and out = (m << (k - 1 - shift)) - (r' >> shift) for r = m * 2^(k-1) + r'.

    m is stored as short words of `size` bytes.
    """
    highest = 512 // lanes(out) - 1
    for i in range(start, stop, lanes(out)):
        m, v = stop - i, load_some(r, i, stop - i)
        sign = shr(v, highest)
        store_some(out, i, shl(sign, highest - shift) - shr(shl(v, 1), shift + 1), m)
        store_short(top, i, size, m, sign)


@inlined
def signed(v: Any, x: Any) -> Any:
    """(1 - 2v) * x, for a vector of all ones where v is 1."""
    return (x ^ v) - v


@kernel(_CHOOSE.format("u8"), _CHOOSE.format("u4"))
def choose(
    x: Array,
    mine: Array,
    others: Array,
    bits: Array,
    pb: Array,
    pc: Array,
    start: int,
    stop: int,
    out: Array,
) -> None:
    """out = v * x + (1 - 2v) * (E * b + c) for packed bits v, pads b and c, E = mine + others."""
    for i in range(start, stop, lanes(out)):
        m, v = stop - i, where(bits, i, out)
        opened = load_some(mine, i, m) + load_some(others, i, m)
        product = opened * pad(pb, i, out) + pad(pc, i, out)
        store_some(out, i, (load_some(x, i, m) & v) + signed(v, product), m)
