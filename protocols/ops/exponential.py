"""The exponential function, by tables of the argument's leading bits.

x = n + r + s: n whole, r a multiple of 1/8, s in [0, 1/8). e^n and e^r are looked up, e^s is a
polynomial of degree 2 in the number s, whose bits are composed; no digit is approximated twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from typing import Any

import numpy as np

from mpyc_core.meta import Meta
from mpyc_core.protocols.protocol import Protocol
from mpyc_core.protocols.registry import Case, operation
from mpyc_core.protocols.value import Share, Value
from mpyc_core.transport.lockstep import together
from mpyc_core.transport.mesh import Array, Steps

from . import fit
from .domain import FRACTION, RINGS, approximable, lifted, plain_integer
from .lookup import digits, look_up, plus, ring_array, subset_products

SMALL = FRACTION - 3
"""Bits of s in units of 2^-16."""
SCALE = 42
"""Fraction bits of the polynomial, before it is multiplied."""
TABLE = 18
"""Fraction bits of the table of e^r."""
LOWEST = -12
HIGHEST = 20
"""exp works on [-12, 20), clamped."""

POINTS = np.array([-15.0, -11.5, -8.25, -3.0, -1.0, -0.125, 0.0, 0.0625, 0.5, 1.0])
LARGE = np.array([2.5, 7.75, 12.0, 19.5])


@cache
def _polynomial() -> list[int]:
    """Integer coefficients of e^s in powers of s - 1/16, in units of 2^-16."""
    half = Decimal(1) / 16
    found = fit.polynomial(fit.exp, half, half, 2)
    return [fit.integer(c, SCALE - FRACTION * i) for i, c in enumerate(found)]


@cache
def _eighths() -> list[int]:
    return [fit.integer(fit.exp(Decimal(i) / 8), TABLE) for i in range(8)]


def whole_powers(first: Decimal, count: int, bits: int, factor: Decimal) -> list[int]:
    """factor * e^(first + i) for i below `count`; the lowest entry is 0, for what lies below."""
    powers = [fit.integer(factor * fit.exp(first + i), bits) for i in range(count)]
    return [0, *powers[1:]]


def _small(p: Protocol, planes: Share, meta: Meta) -> Steps[Share]:
    """e^s with SCALE fraction bits; 3 rounds."""
    weights = ring_array(meta, [1 << i for i in range(SMALL)])
    s = yield from p.compose(planes, weights, meta)
    s = plus(p, s, -(1 << SMALL - 1))
    square = yield from p.product("mul", s, s, meta, 0, {})
    a0, a1, a2 = _polynomial()
    return plus(p, p.add(p.scale(s, a1), p.scale(square, a2)), a0)


def _table(
    p: Protocol, planes: Share, count: int, table: Sequence[int], meta: Meta
) -> Steps[Share]:
    products = yield from subset_products(p, planes, count)
    return (yield from look_up(p, products, table, meta))


def _fraction(p: Protocol, planes: Share, meta: Meta, bits: int) -> Steps[Share]:
    """e^(r + s), in [1, e), with `bits` fraction bits; 7 rounds."""
    small, eighths = yield from together(
        _small(p, p.planes(planes, slice(0, SMALL)), meta),
        _table(p, p.planes(planes, slice(SMALL, FRACTION)), 3, _eighths(), meta),
    )
    return (yield from p.product("mul", eighths, small, meta, SCALE + TABLE - bits, {}))


def power_of_digits(
    p: Protocol, planes: Share, whole: Sequence[int], bits: int, shift: int, out: Meta
) -> Steps[Share]:
    """whole[n] * e^(r + s) from the bits of n + r + s, shifted right.

    Parameters
    ----------
    planes : 16 bits of r + s, then those of n.
    whole : the table at n, a power of two of entries.
    bits : fraction bits of e^(r + s); with those of `whole`, less `shift`, they make the result's.

    Cost    10 rounds
    """
    meta = plain_integer(out)
    count = len(whole).bit_length() - 1
    top = p.planes(planes, slice(FRACTION, FRACTION + count))
    fraction, power = yield from together(
        _fraction(p, planes, meta, bits), _table(p, top, count, whole, meta)
    )
    return (yield from p.product("mul", power, fraction, out, shift, {}))


def _exp_oracle(x: Array, bits: int | None = None) -> Array:
    clamped = np.exp(np.clip(x, LOWEST, HIGHEST - 2.0**-FRACTION))
    return np.asarray(np.where(x < LOWEST + 1, 0.0, clamped))


@operation(
    "exp",
    infer=approximable,
    oracle=_exp_oracle,
    grad=lambda ins, outs, grads, bits=None: [grads[0] * outs[0]],
    cases=[
        Case((POINTS,), ulps=5, atol=2 * 2.0**-16, rtol=2.0**-15, rings=RINGS),
        Case((POINTS,), {"bits": 21}, ulps=5, atol=2 * 2.0**-16, rtol=2.0**-15, rings=RINGS),
        Case((np.array(0.5),), ulps=4, atol=2 * 2.0**-16, rtol=2.0**-15, rings=RINGS),
        Case((LARGE,), ulps=2 * np.exp(19.5), rtol=2.0**-15, rings=RINGS),
    ],
)
def exp(p: Protocol, x: Value, *, bits: int | None = None) -> Steps[Any]:
    """e^x.

    Domain      |x| < 2^46; below -11 the result is 0, from 20 on it is e^20 (1 - 2^-16)
    Error       |error| < 2 * 2^-16 + 2^-15 e^x: measured at every argument
    Cost        18 rounds, 716 bytes per element at 64 bits (17 and 660 with bits=31)
    Method      digits clamped by two comparisons; tables of e^n, e^(i/8), a polynomial of degree 2
    """
    number, wide, drop = lifted(p, x, bits)
    planes = yield from digits(p, number, LOWEST << FRACTION, FRACTION + 5, wide)
    whole = whole_powers(Decimal(LOWEST), 32, FRACTION + 1, Decimal(1))
    out = x.meta.with_(public=False)
    return (yield from power_of_digits(p, planes, whole, FRACTION, FRACTION + 1 + drop, out))
