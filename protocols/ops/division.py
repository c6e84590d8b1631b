"""Reciprocal and quotient: normalise, then Goldschmidt's iteration with Chebyshev steps.

The divisor is brought to c in K [1/2, 1]. From Y = 2 (3K/2 - c), G = c Y = m + d with small d, a
step multiplies both by m - d:

    Y' = Y (m - d),    G' = m^2 - d^2 = m' + d',    d' = D^2 / 2 - d^2 for |d| <= D

so |d'| <= D^2 / 2 = D' with m' = m^2 - D^2 / 2: d is squared, and halved because the interval is
centred again (the nested Chebyshev polynomials T_2, T_4, T_8, ...). K is the number that makes the
last m equal to 1. It is part of the table of powers of two, where it costs nothing, and it need not
be precise: the same K is in both sides of every fraction.
"""

from __future__ import annotations

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
from mpyc_core.transport.mesh import Array, Steps

from . import fit
from .domain import FRACTION, RINGS, approximable, lifted
from .infer import broadcast, common_scale, same_ring
from .lookup import plus
from .normalise import by_position, down_from, leading_one
from .shape import broadcast_to

POINTS = np.array(
    [2.0**-12, -(2.0**-9), 0.015625, -0.3125, 0.5, 1.0, -1.5, 3.0, 100.0, -500.0, 2.0**14]
)
TOPS = np.array([1.0, 2.5, -0.75, 100.0, 1000.0, 0.0, -1.5, 9.0, 3e4, -500.0, 2.0**20])


@dataclass(frozen=True)
class Centred:
    """The constants of an iteration: for each step, m and the bound D of |d|."""

    factor: Decimal
    steps: tuple[tuple[Decimal, Decimal], ...]

    def middle(self, step: int, bits: int) -> int:
        """m of a step, in units of 2^-bits."""
        return fit.integer(self.steps[step][0], bits)

    def shifted(self, step: int, bits: int) -> int:
        """D^2 / 2 of a step, in units of 2^-bits."""
        with localcontext(fit.context()):
            return fit.integer(self.steps[step][1] ** 2 / 2, bits)


def centred(middle: Decimal, half: Decimal, steps: int, last: Decimal) -> Centred:
    """Scale [middle - half, middle + half] by a factor so that m is `last` after `steps` steps."""
    with localcontext(fit.context()):
        m, d = middle, half
        for _ in range(steps):
            m, d = m * m - d * d / 2, d * d / 2
        factor = last / m
        for _ in range(steps):
            factor = factor.sqrt()
        found = [(middle * factor, half * factor)]
        for _ in range(steps):
            m, d = found[-1]
            found.append((m * m - d * d / 2, d * d / 2))
        return Centred(factor, tuple(found))


@cache
def _chain(steps: int) -> tuple[Centred, Decimal]:
    """Constants from G = 2 c (3K/2 - c), c in K [1/2, 1], on; and K."""
    chain = centred(Decimal(17) / 16, Decimal(1) / 16, steps, Decimal(1))
    return chain, fit.sqrt(chain.factor)


@dataclass(frozen=True)
class _Scale:
    """Scales of one kind of division.

    Parameters
    ----------
    top : divisors have at most this many bits.
    extra : fraction bits of K in the powers of two.
    c : fraction bits of c.
    steps : steps of the iteration.
    """

    top: int
    extra: int
    c: int
    steps: int

    def powers(self) -> tuple[list[int], list[int]]:
        """Row and column values of K 2^(top - 1 - i + extra)."""
        rows, columns = down_from(self.top)
        _, k = _chain(self.steps)
        return rows, [fit.integer(k * column, self.extra) for column in columns]

    def first(self) -> int:
        """3K/2 in the units of c."""
        return fit.integer(_chain(self.steps)[1] * 3 / 2, self.c)


_RECIPROCAL = _Scale(top=32, extra=8, c=22, steps=2)
_QUOTIENT = _Scale(top=40, extra=6, c=31, steps=3)


def _power_of(p: Protocol, planes: Share, bits: int, scale: _Scale, meta: Meta) -> Steps[Share]:
    """K 2^(top - 1 - i) for the leading one i of |x|, with `extra` fraction bits; 9 rounds.

    The bits of x, each xored with the sign, are those of |x| or |x| - 1. A power of two may so be
    normalised to K instead of K/2, which belongs to the interval too. Below the lowest bit stands
    the sign itself, for x = -1, where |x| - 1 has no bit.
    """
    size = p.linear(lambda a: np.concatenate([a[-1:], a[:-1] ^ a[-1:]]), planes.meta, planes)
    keep = min(scale.top, bits - 1)
    marks = yield from leading_one(p, size, bits, keep + 1)
    marks = p.linear(lambda a: np.concatenate([a[:1] ^ a[1:2], a[2:-1]]), marks.meta, marks)
    return (yield from by_position(p, marks, keep, scale.top, *scale.powers(), meta))


def _flipped(p: Protocol, x: Share, chosen: Share) -> Share:
    """x - 2 chosen: x with its sign changed where `chosen` is x."""
    result: Share = p.sub(x, p.add(chosen, chosen))
    return result


def _square(p: Protocol, d: Share, chain: Centred, step: int, bits: int, to: int) -> Steps[Share]:
    """D^2 / 2 - d^2, from `bits` to `to` fraction bits."""
    square = yield from p.product("mul", d, d, d.meta, 2 * bits - to, {})
    return plus(p, p.neg(square), chain.shifted(step, to))


def _reciprocal_oracle(x: Array, bits: int | None = None) -> Array:
    with np.errstate(divide="ignore"):
        return np.asarray(np.where(x == 0, 0.0, 1.0 / np.asarray(x)))


@operation(
    "reciprocal",
    infer=approximable,
    oracle=_reciprocal_oracle,
    grad=lambda ins, outs, grads, bits=None: [-(grads[0] * outs[0] * outs[0])],
    cases=[
        Case((POINTS,), ulps=256, atol=2 * 2.0**-16, rtol=2.0**-18, rings=RINGS),
        Case((POINTS[3:],), {"bits": 32}, ulps=4, atol=2 * 2.0**-16, rtol=2.0**-18, rings=RINGS),
        Case((np.array([0.0, 70000.0, -70000.0, 2.0**40]),), ulps=2, atol=2.0**-15, rings=RINGS),
    ],
)
def reciprocal(p: Protocol, x: Value, *, bits: int | None = None) -> Steps[Any]:
    """1 / x.

    Domain      |x| < 2^46; 1 / 0 is 0, and so is 1 / x for |x| >= 2^16 (below one unit then)
    Error       |error| < 2 * 2^-16 + 2^-18 |1 / x|
    Cost        28 rounds, 616 bytes per element at 64 bits
    Method      Goldschmidt [Gol64], Chebyshev-centred: three factors from a linear start
    """
    number, wide, drop = lifted(p, x, bits)
    scale, meta = _RECIPROCAL, number.meta
    chain, _ = _chain(scale.steps)
    planes = yield from p.decompose(number, wide)
    sign = p.planes(planes, wide - 1)
    power, negative = yield from together(
        _power_of(p, planes, wide, scale, meta), p.select(sign, number)
    )
    size = _flipped(p, number, negative)
    shift = scale.top + scale.extra - scale.c
    c, chosen = yield from together(
        p.product("mul", size, power, meta, shift, {}), p.select(sign, power)
    )
    power = _flipped(p, power, chosen)
    # Y / 2 has the units of c; results get 4 bits more than their 16, d has 24 fraction bits
    half = plus(p, p.neg(c), scale.first())
    start = scale.c - 1 + scale.extra - 4
    g, y = yield from together(
        p.product("mul", c, half, meta, 2 * scale.c - 1 - 24, {}),
        p.product("mul", power, half, meta, start, {}),
    )
    d = plus(p, g, -chain.middle(0, 24))
    d_next, y = yield from together(
        _square(p, d, chain, 0, 24, 24),
        p.product("mul", y, plus(p, p.neg(d), chain.middle(0, 24)), meta, 24, {}),
    )
    last = plus(p, p.neg(d_next), chain.middle(1, 24))
    out = x.meta.with_(public=False)
    return (yield from p.product("mul", y, last, out, 24 + 4 + drop, {}))


def _div_infer(x: Meta, y: Meta, *, bits: int | None = None) -> Meta:
    same_ring(x, y)
    approximable(x)
    approximable(y, bits=bits)
    common_scale(x, y)
    return x.with_(shape=broadcast(x, y))


def _div_oracle(x: Array, y: Array, bits: int | None = None) -> Array:
    return np.asarray(x * _reciprocal_oracle(y))


def _div_grad(ins: Any, outs: Any, grads: Any, bits: int | None = None) -> list[Any]:
    g = grads[0].div(ins[1])
    return [g.sum_to(ins[0].shape), -(g * outs[0]).sum_to(ins[1].shape)]


def _corrected(p: Protocol, q: Share, factor: Share, bits: int) -> Steps[Share]:
    """q * (1 + factor): the product of the small factor alone is rounded."""
    part = yield from p.product("mul", q, factor, q.meta, bits, {})
    result: Share = p.add(q, part)
    return result


@operation(
    "div",
    infer=_div_infer,
    oracle=_div_oracle,
    grad=_div_grad,
    cases=[
        Case((TOPS, POINTS), ulps=8, atol=4 * 2.0**-16, rtol=2.0**-27, rings=RINGS),
        Case((TOPS[:4], POINTS[8]), {"bits": 30}, ulps=6, atol=4 * 2.0**-16, rings=RINGS),
        Case((TOPS[0], POINTS), public=(0,), ulps=6, atol=4 * 2.0**-16, rings=RINGS),
    ],
)
def div(p: Protocol, x: Value, y: Value, *, bits: int | None = None) -> Steps[Any]:
    """x / y; `bits` bounds the divisor.

    Domain      |x| < 2^46, |x / y| < 2^15; x / 0 is 0, and so is x / y for |y| >= 2^24
    Error       |error| < 4 * 2^-16 + 2^-27 |x / y|
    Cost        31 rounds, 745 bytes per element at 64 bits
    Method      as `reciprocal` with one factor more; the dividend rides along with 17 fraction
                bits, so that the error of the reciprocal is not multiplied by x
    """
    out = _div_infer(x.meta, y.meta).with_(public=False)
    x, y = (v if v.meta.shape == out.shape else broadcast_to(p, v, shape=out.shape) for v in (x, y))
    top, _, _ = lifted(p, x, None)
    number, wide, drop = lifted(p, y, bits)
    scale, meta = _QUOTIENT, number.meta
    chain, _ = _chain(scale.steps)
    planes = yield from p.decompose(number, wide)
    sign = p.planes(planes, wide - 1)
    power, negative, negative_top = yield from together(
        _power_of(p, planes, wide, scale, meta), p.select(sign, number), p.select(sign, top)
    )
    length = scale.top + scale.extra
    # q has 17 fraction bits until the end, everything else 31
    c, q = yield from together(
        p.product("mul", _flipped(p, number, negative), power, meta, length - scale.c, {}),
        p.product("mul", _flipped(p, top, negative_top), power, meta, length - FRACTION - 1, {}),
    )
    half = plus(p, p.neg(c), scale.first())
    g, q = yield from together(
        p.product("mul", c, half, meta, scale.c - 1, {}),
        _corrected(p, q, plus(p, half, -(1 << scale.c - 1)), scale.c - 1),
    )
    d = plus(p, g, -chain.middle(0, scale.c))
    for step in range(scale.steps - 1):
        factor = plus(p, p.neg(d), chain.middle(step, scale.c) - (1 << scale.c))
        to = scale.c if step < scale.steps - 2 else scale.c - 2
        d, q = yield from together(
            _square(p, d, chain, step, scale.c, to), _corrected(p, q, factor, scale.c)
        )
    last = plus(p, p.neg(d), chain.middle(scale.steps - 1, scale.c - 2))
    return (yield from p.product("mul", q, last, out, scale.c - 2 + 1 + drop, {}))
