"""Logarithm, square root and its inverse: normalise, then a polynomial of degree 6.

x = c 2^e with c in [1/2, 1): f(c) is a polynomial in u = c - 3/4, and what 2^e contributes follows
from the position of the leading one: a number for the logarithm, a factor 2^(e/2) or 2^(-e/2) for
the roots, whose odd exponents need no care because the table of factors holds halves of e as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal, localcontext
from functools import cache
from typing import Any

import numpy as np

from mpyc_core.protocols.protocol import Protocol
from mpyc_core.protocols.registry import Case, operation
from mpyc_core.protocols.value import Share, Value
from mpyc_core.transport.lockstep import together
from mpyc_core.transport.mesh import Array, Steps

from . import fit
from .domain import FRACTION, RINGS, approximable, lifted
from .lookup import plus, ring_array
from .normalise import COLUMNS, by_position, down_from, leading_one, position_bits

TOP = 62
"""Arguments have at most this many bits; larger ones, and negative ones, count as 0."""
OFFSET = -TOP % COLUMNS
U, V, HIGH, POLYNOMIAL = 20, 18, 6, 60
"""Fraction bits of u, of u^2, of the two highest coefficients, and of the polynomial."""

POINTS = np.array([2.0**-15, 2.0**-12, 0.015625, 0.3125, 0.5, 1.0, 1.5, 3.0, 100.0, 500.0, 3e4])
LARGE = np.array([2.0**20, 2.0**20 + 1, 123456789.0, 2.0**30, 2.0**44 + 12345])


@cache
def _coefficients(fn: Callable[[Decimal], Decimal]) -> list[int]:
    """Integer coefficients of fn on [1/2, 1), in the units in which `_evaluate` uses them.

    The two highest have few bits; the others are fitted to what these leave.
    """
    middle, half = Decimal("0.75"), Decimal("0.25")
    with localcontext(fit.context()):
        *_, a5, a6 = fit.polynomial(fn, middle, half, 6)
        high = fit.integer(a5, V + HIGH - U), fit.integer(a6, HIGH)
        b5, b6 = Decimal(high[0]) / 2 ** (V + HIGH - U), Decimal(high[1]) / 2**HIGH

        def rest(t: Decimal) -> Decimal:
            return fn(t) - (t - middle) ** 5 * (b5 + b6 * (t - middle))

        low = fit.polynomial(rest, middle, half, 4)
    scales = [POLYNOMIAL, POLYNOMIAL - U, POLYNOMIAL - V, 2 * V + HIGH - U, V + HIGH]
    return [fit.integer(c, bits) for c, bits in zip(low, scales, strict=True)] + list(high)


def _rsqrt(t: Decimal) -> Decimal:
    return 1 / fit.sqrt(t)


def leading_marks(p: Protocol, x: Share, bits: int) -> Steps[tuple[Share, int]]:
    """Marks of the leading one of a positive x below 2^62, none otherwise, and their number."""
    planes = yield from p.decompose(x, bits)
    keep = min(TOP, bits - 1)
    marks = yield from leading_one(p, planes, bits, keep)
    return p.planes(marks, slice(0, keep)), keep


def _mantissa(p: Protocol, x: Share, marks: Share, keep: int) -> Steps[Share]:
    """u = c - 3/4; -3/4 where there is no mark. 6 rounds."""
    power = yield from by_position(p, marks, keep, TOP, *down_from(TOP), x.meta)
    c = yield from p.product("mul", x, power, x.meta, TOP - U, {})
    return plus(p, c, -(3 << U - 2))


def _evaluate(p: Protocol, u: Share, coefficients: Sequence[int]) -> Steps[Share]:
    """a0 + a1 u + a2 v + v (a3 u + a4 v + v (a5 u + a6 v)) for v = u^2, 60 fraction bits.

    Cost    5 rounds; only v is rounded
    """
    a0, a1, a2, a3, a4, a5, a6 = coefficients
    meta = u.meta
    v = yield from p.product("mul", u, u, meta, 2 * U - V, {})
    inner = yield from p.product("mul", v, p.add(p.scale(u, a5), p.scale(v, a6)), meta, 0, {})
    middle = p.add(p.add(p.scale(u, a3), p.scale(v, a4)), inner)
    outer = yield from p.product("mul", v, middle, meta, 0, {})
    return plus(p, p.add(p.add(p.scale(u, a1), p.scale(v, a2)), outer), a0)


# -- logarithm -----------------------------------------------------------------------------
def logarithm(
    p: Protocol, x: Share, bits: int, fraction: int, to: int, offset: Decimal = Decimal(0)
) -> Steps[Share]:
    """ln(x / 2^fraction) + offset with `to` fraction bits; 20 rounds after the leading one's."""
    marks, keep = yield from leading_marks(p, x, bits)
    place_bits = position_bits(p, marks, keep, TOP)
    weights = ring_array(x.meta, [1 << b for b in range((TOP + OFFSET - 1).bit_length())])
    u, place = yield from together(
        _mantissa(p, x, marks, keep), p.compose(place_bits, weights, x.meta)
    )
    value = yield from _evaluate(p, u, _coefficients(fit.ln))
    # ln 2 for each place, and a constant: whole units after the truncation, the rest before it
    ln2, low = fit.ln(Decimal(2)), POLYNOMIAL - to
    with localcontext(fit.context()):
        constant = fit.integer((1 - OFFSET - fraction) * ln2 + offset, POLYNOMIAL)
    each = fit.integer(ln2, POLYNOMIAL)
    rest = (1 << low) - 1
    value = plus(p, p.add(value, p.scale(place, each & rest)), constant & rest)
    short = yield from p.truncate(value, low)
    return plus(p, p.add(short, p.scale(place, each >> low)), constant >> low)


def _log_oracle(x: Array, bits: int | None = None) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(np.asarray(x) > 0, np.log(x), NOTHING))


NOTHING = -14.582
"""About what the logarithm of 0 and of negative numbers is."""


@operation(
    "log",
    infer=approximable,
    oracle=_log_oracle,
    grad=lambda ins, outs, grads, bits=None: [grads[0].div(ins[0])],
    cases=[
        Case((POINTS,), ulps=3, atol=2 * 2.0**-16, rings=RINGS),
        Case((POINTS,), {"bits": 32}, ulps=3, atol=2 * 2.0**-16, rings=RINGS),
        Case((LARGE,), ulps=3, atol=2 * 2.0**-16, rings=RINGS),
        Case((np.array([0.0, -1.0, -(2.0**40)]),), ulps=3, atol=0.01, rings=RINGS),
    ],
)
def log(p: Protocol, x: Value, *, bits: int | None = None) -> Steps[Any]:
    """The natural logarithm.

    Domain      0 < x < 2^46; for x <= 0 the result is a constant near -14.582, below every other
    Error       |error| < 2 * 2^-16
    Cost        27 rounds, 621 bytes per element at 64 bits
    """
    number, wide, drop = lifted(p, x, bits)
    value = yield from logarithm(p, number, wide, FRACTION, FRACTION - drop)
    return p.scale(value, 1, x.meta.with_(public=False))


# -- roots ---------------------------------------------------------------------------------
def _halves(sign: int, bits: int) -> tuple[list[int], list[int]]:
    """Row and column factors of 2^(sign * e / 2), x = c 2^e, and `bits` fraction bits in all.

    e = 8 * row + column - offset - 15, in units of 2^-16.
    """
    if sign > 0:
        rows = [1 << 4 * row for row in range(COLUMNS)]
        first = 0
    else:
        rows = [1 << 4 * (COLUMNS - 1 - row) for row in range(COLUMNS)]
        first = 8 * (COLUMNS - 1)
    root = fit.sqrt(Decimal(2))
    with localcontext(fit.context()):
        exponents = [sign * (first + c - OFFSET - FRACTION + 1) for c in range(COLUMNS)]
        return rows, [fit.integer(root**e, bits) for e in exponents]


def _root(
    p: Protocol, x: Value, bits: int | None, fn: Callable[[Decimal], Decimal], sign: int
) -> Steps[Share]:
    """c^(1/2) or c^(-1/2) times 2^(e/2) or 2^(-e/2); `sign` is that of the exponent."""
    number, wide, drop = lifted(p, x, bits)
    # fraction bits of the factor, of those dropped from it, and of the polynomial
    factor_bits, extra, value_bits = (17, 12, 21) if sign > 0 else (20, 24, 28)

    def value() -> Steps[Share]:
        u = yield from _mantissa(p, number, marks, keep)
        full = yield from _evaluate(p, u, _coefficients(fn))
        return (yield from p.truncate(full, POLYNOMIAL - value_bits))

    marks, keep = yield from leading_marks(p, number, wide)
    table = _halves(sign, factor_bits + extra)
    c, factor = yield from together(
        value(), by_position(p, marks, keep, TOP, *table, number.meta, shift=extra)
    )
    shift = factor_bits + value_bits - FRACTION + drop
    return (yield from p.product("mul", factor, c, x.meta.with_(public=False), shift, {}))


@operation(
    "sqrt",
    infer=approximable,
    oracle=lambda x, bits=None: np.sqrt(np.maximum(x, 0.0)),
    grad=lambda ins, outs, grads, bits=None: [grads[0].div(outs[0]) * 0.5],
    cases=[
        Case((POINTS,), ulps=32, atol=3 * 2.0**-16, rtol=2.0**-18, rings=RINGS),
        Case((POINTS,), {"bits": 32}, ulps=32, atol=3 * 2.0**-16, rtol=2.0**-18, rings=RINGS),
        Case((LARGE,), ulps=2**20, atol=3 * 2.0**-16, rtol=2.0**-18, rings=RINGS),
        Case((np.array([0.0, -1.0]),), ulps=1, atol=2.0**-16, rings=RINGS),
    ],
)
def sqrt(p: Protocol, x: Value, *, bits: int | None = None) -> Steps[Any]:
    """The square root.

    Domain      x < 2^46; 0 for x <= 0
    Error       |error| < 3 * 2^-16 + 2^-18 sqrt(x)
    Cost        30 rounds, 783 bytes per element at 64 bits
    """
    return (yield from _root(p, x, bits, fit.sqrt, 1))


def _rsqrt_oracle(x: Array, bits: int | None = None) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(np.asarray(x) > 0, np.asarray(x) ** -0.5, 0.0))


@operation(
    "rsqrt",
    infer=approximable,
    oracle=_rsqrt_oracle,
    grad=lambda ins, outs, grads, bits=None: [grads[0] * (outs[0] ** 3) * -0.5],
    cases=[
        Case((POINTS,), ulps=128, atol=2 * 2.0**-16, rtol=2.0**-17.5, rings=RINGS),
        Case((POINTS[4:],), {"bits": 32}, ulps=4, atol=2 * 2.0**-16, rtol=2.0**-17.5, rings=RINGS),
        Case((LARGE,), ulps=4, atol=2 * 2.0**-16, rings=RINGS),
        Case((np.array([0.0, -1.0]),), ulps=1, atol=2.0**-16, rings=RINGS),
    ],
)
def rsqrt(p: Protocol, x: Value, *, bits: int | None = None) -> Steps[Any]:
    """1 / sqrt(x).

    Domain      x < 2^46; 0 for x <= 0
    Error       |error| < 2 * 2^-16 + 2^-17.5 / sqrt(x)
    Cost        30 rounds, 777 bytes per element at 64 bits
    """
    return (yield from _root(p, x, bits, _rsqrt, -1))
