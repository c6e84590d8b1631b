"""Local work of bits that become numbers, on the elements from `start` to `stop`.

Bits are packed. A vector of them has all ones in the lanes of those that are set, so that x & v is
v * x, and (x ^ v) - v is (1 - 2v) * x.
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from mpyc_core.jit import inlined, kernel

from .pads import pad
from .simd import fill, lanes, load_some, splat, store_some, where

Array = npt.NDArray[Any]

_OFFER = "const {0}[::1], const {0}[::1]" + ", const u8[::1]" * 3 + ", i8, i8, {0}[::1], {0}[::1]"
_ANSWER = (
    ", ".join(["const {0}[::1]"] * 4 + ["const u8[::1]"] * 4) + ", i8, i8, i8, {0}[::1], {0}[::1]"
)
_HIDE = "const {0}[:,::1], const u8[:,::1], i8, i8, {0}[:,::1]"
_WEIGH = "const {0}[:,::1], const u8[:,::1], const {0}[::1], i8, i8, i8, {0}[::1]"


@inlined
def signed(v: Any, x: Any) -> Any:
    """(1 - 2v) * x."""
    return (x ^ v) - v


@kernel(_OFFER.format("u8"), _OFFER.format("u4"))
def offer(
    xn: Array,
    xp: Array,
    bits: Array,
    pa: Array,
    pu: Array,
    start: int,
    stop: int,
    al: Array,
    u: Array,
) -> None:
    """al = b * (xn + xp) - pa and u = b - pu, for pads pa and pu."""
    nothing = fill(u, 0)
    for i in range(start, stop, lanes(u)):
        m, b = stop - i, where(bits, i, u)
        x = load_some(xn, i, m) + load_some(xp, i, m)
        store_some(al, i, (x & b) - pad(pa, i, u), m)
        store_some(u, i, nothing - b - pad(pu, i, u), m)


@kernel(_ANSWER.format("u8"), _ANSWER.format("u4"))
def answer(
    s12: Array,
    other: Array,
    al: Array,
    u: Array,
    pa: Array,
    pu: Array,
    bits: Array,
    py: Array,
    role: int,
    start: int,
    stop: int,
    mask: Array,
    out: Array,
) -> None:
    """mask = the pad py; out = (1 - 2v) * (al + u * s12) + v * rest - mask.

    rest is the other component, at role 1 with s12 added; where `al` and `u` are empty, they are
    the pads pa and pu.
    """
    for i in range(start, stop, lanes(out)):
        m, v = stop - i, where(bits, i, out)
        s, rest = load_some(s12, i, m), load_some(other, i, m)
        if role == 1:
            rest = rest + s
        if u.size > 0:
            t = load_some(al, i, m) + load_some(u, i, m) * s
        else:
            t = pad(pa, i, out) + pad(pu, i, out) * s
        hidden = pad(py, i, out)
        store_some(mask, i, hidden, m)
        store_some(out, i, signed(v, t) + (rest & v) - hidden, m)


@kernel(_HIDE.format("u8"), _HIDE.format("u4"))
def hide_bits(mask: Array, bits: Array, start: int, stop: int, out: Array) -> None:
    """out = b - mask, for planes of bits."""
    nothing, n, width = fill(out, 0), out.shape[1], 64 * bits.shape[1]
    for plane in range(out.shape[0]):
        for k in range(start, stop, lanes(out)):
            m, i = stop - k, plane * n + k
            b = where(bits, plane * width + k, out)
            store_some(out, i, nothing - b - load_some(mask, i, m), m)


@kernel(_WEIGH.format("u8"), _WEIGH.format("u4"))
def weigh_bits(
    u: Array, bits: Array, weights: Array, role: int, start: int, stop: int, out: Array
) -> None:
    """out = the sum over planes of weight * ((1 - 2v) * u + v), at role 1, or without v."""
    n, width = u.shape[1], 64 * bits.shape[1]
    for k in range(start, stop, lanes(out)):
        m, total = stop - k, fill(out, 0)
        for plane in range(u.shape[0]):
            v = where(bits, plane * width + k, out)
            t = signed(v, load_some(u, plane * n + k, m))
            if role == 1:
                t = t - v
            total = total + t * splat(weights, plane)
        store_some(out, k, total, m)
