"""Odd and even functions by a cubic on each of 16 intervals: sigmoid, tanh, and what losses need.

The intervals divide [0, R); beyond R a function keeps its value there. Which interval |x| is in,
and where in it, are bits of |x| after a public scaling; coefficients are looked up, powers of the
place multiply them, and the sum is rounded once. The sign joins the powers.

Scaled so that an interval has 2^19 units, x is the integer y = `scale` * x; the place has 15 bits,
of which the middle is subtracted: r in [-2^14, 2^14), r^3 below 2^42. With 60 fraction bits in the
sum every coefficient is rounded to less than 2^-18 of the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from functools import cache
from typing import Any

import numpy as np

from mpyc_core.meta import Meta
from mpyc_core.protocols.protocol import Protocol
from mpyc_core.protocols.registry import Case, operation
from mpyc_core.protocols.value import Share, Value
from mpyc_core.transport.lockstep import together
from mpyc_core.transport.mesh import Steps

from . import fit
from .domain import FRACTION, RINGS, approximable, lifted
from .lookup import as_numbers, plus, ring_array, spread, subset_products, tables_at

INTERVAL = 19
"""Bits of an interval."""
SELECT = 4
"""Bits that choose the interval."""
PLACE = 15
"""Bits of the place in it; lower ones are dropped."""
SUM = 60
"""Fraction bits of the sum."""
SIGMOID, TANH = 11, 21
"""Scales: R = 2^7 / scale is 11.64 for the sigmoid and 6.10 for tanh."""

POINTS = np.array([-50.0, -11.0, -6.5, -3.0, -1.25, -0.25, 0.0, 2.0**-16, 0.5, 1.0, 4.0, 9.0, 12.0])


@cache
def cubics(fn: fit.Function, scale: int, factor: Decimal) -> list[list[int]]:
    """Integer coefficients of factor * fn on each interval: one table for each power of r."""
    with localcontext(fit.context()):
        width = Decimal(1 << INTERVAL - FRACTION) / scale
        half = width / 2
        cubics = [fit.polynomial(fn, (2 * i + 1) * half, half, 3) for i in range(1 << SELECT)]
        return [
            [fit.integer(factor * c[j] * width**j, SUM - PLACE * j) for c in cubics]
            for j in range(4)
        ]


def sigmoid_half(t: Decimal) -> Decimal:
    """1 / (1 + e^-t) - 1/2, an odd function."""
    return 1 / (1 + fit.exp(-t)) - Decimal("0.5")


def softplus_tail(t: Decimal) -> Decimal:
    """ln(1 + e^-t) = softplus(-t), which is even in x for t = |x|."""
    return fit.ln(1 + fit.exp(-t))


def _tanh(t: Decimal) -> Decimal:
    decay = fit.exp(-2 * t)
    return (1 - decay) / (1 + decay)


@dataclass(frozen=True)
class Located:
    """Where x is.

    Parameters
    ----------
    interval : products of the bits that choose the interval, as numbers.
    sign : -1 or 1.
    odd : sign * (1, r, r^2, r^3), along the first axis.
    even : (1, r, r^2, r^3), if asked for.
    """

    interval: Share
    sign: Share
    odd: Share
    even: Share | None


def _bits(p: Protocol, x: Share, scale: int, bits: int) -> Steps[tuple[Share, Share]]:
    """Bits of |scale * x| clamped to 23, and the sign; 8 rounds at 64 bits."""
    count = INTERVAL + SELECT
    limit = (1 << count) // scale
    wide = min(bits + 1, x.meta.ring.width)
    if 1 << bits - 1 <= limit:
        planes = yield from p.decompose(p.scale(x, scale), count + 1)
        size = p.linear(lambda a: a[:-1] ^ a[-1:], planes.meta, planes)
        return size, p.planes(planes, count)
    planes, below, inside = yield from together(
        p.decompose(p.scale(x, scale), count + 1),
        p.msb(plus(p, x, limit), wide),
        p.msb(plus(p, x, -limit - 1), wide),
    )
    # outside all bits of |x| are set, and the sign is that of the end
    outside = p.not_(p.xor(inside, below))
    size = p.linear(lambda a: np.concatenate([a[:-1] ^ a[-1:], a[-1:]]), planes.meta, planes)
    kept = yield from p.and_(size, spread(p, p.not_(outside), count + 1))
    ends = p.stack_planes(spread(p, outside, count), below)
    final = p.xor(kept, ends)
    return p.planes(final, slice(0, count)), p.planes(final, count)


def stacked(p: Protocol, values: Sequence[Value]) -> Share:
    """Values of one shape along a new first axis; local."""
    meta = next(v.meta for v in values if isinstance(v, Share))
    long = meta.with_(shape=(len(values), *meta.shape))
    result: Share = p.linear(lambda *parts: np.stack(parts), long, *values)
    return result


def _powers(
    p: Protocol, place: Share, negative: Share, meta: Meta, want_even: bool
) -> Steps[tuple[Share, Share, Share | None]]:
    """The sign, and the odd and even powers of `Located`; 4 rounds."""

    def product(x: Share, y: Share) -> Steps[Share]:
        return p.product("mul", x, y, meta, 0, {})

    r, one = yield from together(
        p.compose(place, ring_array(meta, [1 << i for i in range(PLACE)]), meta),
        p.compose(negative, ring_array(meta, [-2]), meta),
    )
    r, sign = plus(p, r, -(1 << PLACE - 1)), plus(p, one, 1)
    square, signed = yield from together(product(r, r), product(sign, r))
    second, third, *cube = yield from together(
        product(signed, r), product(signed, square), *([product(square, r)] if want_even else [])
    )
    even = stacked(p, [p.constant(meta, 1), r, square, *cube]) if want_even else None
    return sign, stacked(p, [sign, signed, second, third]), even


def locate(p: Protocol, x: Share, scale: int, bits: int, *, even: bool = False) -> Steps[Located]:
    """Interval, place and sign of x; 12 rounds at 64 bits."""
    size, negative = yield from _bits(p, x, scale, bits)

    def interval() -> Steps[Share]:
        chosen = p.planes(size, slice(INTERVAL, INTERVAL + SELECT))
        products = yield from subset_products(p, chosen, SELECT)
        return (yield from as_numbers(p, products, (1 << SELECT) - 1, x.meta))

    place = p.planes(size, slice(INTERVAL - PLACE, INTERVAL))
    numbers, (sign, odd_powers, even_powers) = yield from together(
        interval(), _powers(p, place, negative, x.meta, even)
    )
    return Located(numbers, sign, odd_powers, even_powers)


def evaluated(
    p: Protocol, interval: Share, powers: Share, table: list[list[int]], shift: int, out: Meta
) -> Steps[Share]:
    """A spline at a place: the coefficients of the interval by the powers; 3 rounds."""
    coefficients = tables_at(p, interval, table)
    return (yield from p.product("dot", coefficients, powers, out, shift, {}))


@operation(
    "sigmoid",
    infer=approximable,
    oracle=lambda x, bits=None: (1 + np.tanh(np.asarray(x) / 2)) / 2,
    grad=lambda ins, outs, grads, bits=None: [grads[0] * (outs[0] - outs[0] * outs[0])],
    cases=[
        Case((POINTS,), ulps=2, atol=2.5 * 2.0**-16, rings=RINGS),
        Case((POINTS[1:],), {"bits": 21}, ulps=2, atol=2.5 * 2.0**-16, rings=RINGS),
        Case((POINTS[2:11],), {"bits": 20}, ulps=2, atol=2.5 * 2.0**-16, rings=RINGS),
        Case((np.array([2.0**45, -(2.0**45)]),), ulps=2, atol=2.5 * 2.0**-16, rings=RINGS),
    ],
)
def sigmoid(p: Protocol, x: Value, *, bits: int | None = None) -> Steps[Any]:
    """1 / (1 + e^-x).

    Domain      |x| < 2^46
    Error       |error| < 2.5 * 2^-16: measured at every argument
    Cost        15 rounds, 816 bytes per element at 64 bits
    """
    number, wide, drop = lifted(p, x, bits)
    out = x.meta.with_(public=False)
    at = yield from locate(p, number, SIGMOID, wide)
    shift = SUM - FRACTION + drop
    table = cubics(sigmoid_half, SIGMOID, Decimal(1))
    y = yield from evaluated(p, at.interval, at.odd, table, shift, out)
    return plus(p, y, (1 << out.f) >> 1)


@operation(
    "tanh",
    infer=approximable,
    oracle=lambda x, bits=None: np.tanh(x),
    grad=lambda ins, outs, grads, bits=None: [grads[0] - grads[0] * outs[0] * outs[0]],
    cases=[
        Case((POINTS,), ulps=2, atol=4 * 2.0**-16, rings=RINGS),
        Case((POINTS[1:],), {"bits": 21}, ulps=2, atol=4 * 2.0**-16, rings=RINGS),
        Case((np.array([2.0**45, -(2.0**45)]),), ulps=2, atol=4 * 2.0**-16, rings=RINGS),
    ],
)
def tanh(p: Protocol, x: Value, *, bits: int | None = None) -> Steps[Any]:
    """The hyperbolic tangent.

    Domain      |x| < 2^46
    Error       |error| < 4 * 2^-16: measured at every argument
    Cost        15 rounds, 816 bytes per element at 64 bits
    """
    number, wide, drop = lifted(p, x, bits)
    at = yield from locate(p, number, TANH, wide)
    out = x.meta.with_(public=False)
    table = cubics(_tanh, TANH, Decimal(1))
    return (yield from evaluated(p, at.interval, at.odd, table, SUM - FRACTION + drop, out))
