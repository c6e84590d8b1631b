"""Local terms of products of replicated shares, on the elements from `start` to `stop`."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from mpyc_core.jit import inlined, kernel

from .pads import pad
from .simd import fill, lanes, load_some, store_some

Array = npt.NDArray[Any]

_PADS = "const u8[::1], const u8[::1], "
_RANGE = "i8, i8, "
_OPERANDS = "const {0}[::1], " * 4
_TERMS = _OPERANDS + "i8, " + _RANGE + "{0}[::1]"
_MASKED = _OPERANDS + _PADS + "i8, " + _RANGE + "{0}[::1]"
_ZERO = "const {0}[::1], " + _PADS + _RANGE + "{0}[::1]"
_WEIGHED = "const {0}[::1], const {0}[::1], i8, i8, " + _RANGE + "{0}[::1]"


@inlined
def cross(role: int, xn: Any, xp: Any, yn: Any, yp: Any) -> Any:
    """The products that are this role's: one for role 0, two for the others."""
    if role == 0:
        return (xn + xp) * (yn + yp)
    if role == 1:
        return xn * (yn + yp) + xp * yn
    return xp * yn + xn * yp


@inlined
def both(xn: Any, xp: Any, yn: Any, yp: Any) -> Any:
    """A party's term of x & y, over XOR."""
    return (xn & (yn ^ yp)) ^ (xp & yn)


@kernel(_TERMS.format("u8"), _TERMS.format("u4"))
def multiply(
    xn: Array, xp: Array, yn: Array, yp: Array, role: int, start: int, stop: int, out: Array
) -> None:
    """out = this role's terms of x * y."""
    for i in range(start, stop, lanes(out)):
        m = stop - i
        a, b = load_some(xn, i, m), load_some(xp, i, m)
        c, d = load_some(yn, i, m), load_some(yp, i, m)
        store_some(out, i, cross(role, a, b, c, d), m)


@kernel(_WEIGHED.format("u8"), _WEIGHED.format("u4"))
def weigh(x: Array, y: Array, a: int, b: int, start: int, stop: int, out: Array) -> None:
    """out = a * x + b * y."""
    va, vb = fill(out, a), fill(out, b)
    for i in range(start, stop, lanes(out)):
        m = stop - i
        store_some(out, i, va * load_some(x, i, m) + vb * load_some(y, i, m), m)


@kernel(_MASKED.format("u8"), _MASKED.format("u4"))
def multiply_masked(
    xn: Array,
    xp: Array,
    yn: Array,
    yp: Array,
    zn: Array,
    zp: Array,
    role: int,
    start: int,
    stop: int,
    out: Array,
) -> None:
    """out = this role's terms of x * y, plus zn - zp."""
    for i in range(start, stop, lanes(out)):
        m = stop - i
        a, b = load_some(xn, i, m), load_some(xp, i, m)
        c, d = load_some(yn, i, m), load_some(yp, i, m)
        zero = pad(zn, i, out) - pad(zp, i, out)
        store_some(out, i, cross(role, a, b, c, d) + zero, m)


@kernel(_OPERANDS.format("u8") + _PADS + _RANGE + "u8[::1]")
def and_masked(
    xn: Array,
    xp: Array,
    yn: Array,
    yp: Array,
    zn: Array,
    zp: Array,
    start: int,
    stop: int,
    out: Array,
) -> None:
    """out = a party's term of x & y, and zn ^ zp."""
    for i in range(start, stop, 8):
        m = stop - i
        a, b = load_some(xn, i, m), load_some(xp, i, m)
        c, d = load_some(yn, i, m), load_some(yp, i, m)
        zero = pad(zn, i, out) ^ pad(zp, i, out)
        store_some(out, i, both(a, b, c, d) ^ zero, m)


@kernel(_ZERO.format("u8"), _ZERO.format("u4"))
def add_zero(x: Array, zn: Array, zp: Array, start: int, stop: int, out: Array) -> None:
    """out = x + zn - zp."""
    for i in range(start, stop, lanes(out)):
        m = stop - i
        store_some(out, i, load_some(x, i, m) + pad(zn, i, out) - pad(zp, i, out), m)


@kernel(_ZERO.format("u8"))
def xor_zero(x: Array, zn: Array, zp: Array, start: int, stop: int, out: Array) -> None:
    """out = x ^ zn ^ zp."""
    for i in range(start, stop, 8):
        m = stop - i
        store_some(out, i, load_some(x, i, m) ^ pad(zn, i, out) ^ pad(zp, i, out), m)
