"""Clipping that holds whatever the operands are: what one row adds to a sum is bounded for certain.

Differential privacy needs a bound on every row, also on one that is far out of range. So nothing
here is a promise of the caller: bounds are enforced by exact comparisons, on any ring element.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mpyc_core.errors import ShapeMismatch, ShareError
from mpyc_core.field import PrimeField
from mpyc_core.meta import Meta
from mpyc_core.protocols.protocol import Protocol
from mpyc_core.protocols.registry import Case, operation
from mpyc_core.protocols.value import Share
from mpyc_core.transport.lockstep import together
from mpyc_core.transport.mesh import Array, Steps

from .infer import numbers, same_ring
from .shape import broadcast_to, reshape
from .sums import sum_

FAR = np.array([0, 1, -1, 500, -500, 501, -777, 2**29, -(2**29)])
FACTOR_BITS = 12
"""Fraction bits of the factors that scale a row down."""
STEPS = 48
"""Factors 1, 2^(-1/4), 2^(-1/2), ... and 0 for what is larger still."""


def _wrapping(x: Meta) -> None:
    """Refuse fields: a number that is larger than promised escapes a comparison there."""
    if isinstance(x.ring, PrimeField):
        raise ShareError(
            f"clipping keeps its bounds whatever the data only in rings Z/2^k, got {x.ring.name}; "
            "use a protocol over Z/2^64"
        )


# -- numbers -----------------------------------------------------------------------------------
def _units_infer(x: Meta, *, lower: int, upper: int) -> Meta:
    numbers(x)
    _wrapping(x)
    limit = 1 << (x.ring.width - 3)
    if not -limit < lower <= upper < limit:
        raise ShareError(
            f"expected bounds in order and below 2^{x.ring.width - 3} units, got {lower}, {upper}"
        )
    return x


@operation(
    "clip_units",
    infer=_units_infer,
    oracle=lambda x, lower, upper: np.clip(x, lower, upper),
    cases=[Case((FAR,), {"lower": -500, "upper": 500}), Case((FAR,), {"lower": 1, "upper": 7})],
)
def clip_units(p: Protocol, x: Share, *, lower: int, upper: int) -> Steps[Share]:
    """x between two bounds in units of the last place, for any ring element x.

    Protocol    u = max(x - lower, 0), upper - max((upper - lower) - u, 0); 0 <= u < 2^(k-1) even
                if x - lower wraps, so nothing after it can, and the result is within the bounds
    Cost        two comparisons and selections
    Error       exact while x - lower does not wrap; inside the bounds always
    """
    k = x.meta.ring.width
    above, _ = yield from p.relu(p.sub(x, p.constant(x.meta, lower)), k)
    below, _ = yield from p.relu(p.sub(p.constant(x.meta, upper - lower), above), k)
    result: Share = p.sub(p.constant(x.meta, upper), below)
    return result


# -- gradients ---------------------------------------------------------------------------------
@dataclass(frozen=True)
class Clipping:
    """Bounds of a training step, in whole units.

    Parameters
    ----------
    reach : bounds of the elements of every operand, in units of 2^-f.
    bound : largest norm of a row's gradient, in units of 2^-f.
    f : fraction bits of the operands.
    """

    reach: tuple[int, ...]
    bound: int
    f: int

    @property
    def scale(self) -> int:
        """Fraction bits of the result: nothing is rounded."""
        return 2 * self.f + FACTOR_BITS

    def thresholds(self) -> Iterator[tuple[int, int]]:
        """(t, drop): a squared norm above t lowers the factor by drop, both in units.

        Factors are s_0 = 1 > s_1 > ... > 0. The squared norm N of a row has the factor s_j for the
        first j with N s_j^2 <= bound^2, so the scaled norm is at most the bound.
        """
        one = 1 << FACTOR_BITS
        factors = [one] + [math.floor(one * 2 ** (-j / 4)) for j in range(1, STEPS)]
        factors = sorted({s for s in factors if s >= 1}, reverse=True)
        square = (self.bound << FACTOR_BITS) ** 2  # N counts in 2^-2f, bound^2 too
        for s, lower in zip(factors, [*factors[1:], 0], strict=True):
            yield square // (s * s), s - lower


def clipping_of(metas: Sequence[Meta], bound: int, reach: Sequence[int]) -> Clipping:
    """The bounds of a step, checked.

    Raises
    ------
    ShareError, ShapeMismatch : operands that do not fit, or norms that do not fit the ring.
    """
    same_ring(*metas)
    _wrapping(metas[0])
    k, f = metas[0].ring.width, metas[0].f
    if len(metas) % 2 or len(reach) != len(metas) or bound < 1 or min(reach, default=0) < 1:
        raise ShareError("expected inputs and gradients of layers in pairs, with a bound for each")
    rows = metas[0].shape[:1]
    if any(m.ndim != 2 or m.shape[:1] != rows or (m.kind, m.f) != ("fixed", f) for m in metas):
        raise ShapeMismatch("expected fixed point of shape (rows, columns), one row per example")
    found = Clipping(tuple(reach), bound, f)
    norms = 0
    for (a, d), (ra, rd) in zip(_pairs(metas), _pairs(reach), strict=True):
        if a.shape[1] * ra * ra >= 1 << (k - 2) or d.shape[1] * rd * rd >= 1 << (k - 2):
            raise ShareError("a row's norm may leave the ring; use smaller bounds of elements")
        left, right = _norm(a.shape[1], ra, f) + (1 << f), _norm(d.shape[1], rd, f)
        norms += left * right
    largest = rows[0] * (bound << (f + FACTOR_BITS))
    if norms >= 1 << (k - 2) or largest >= 1 << (k - 3) or max(reach) >= 1 << (k - 3):
        raise ShareError(
            "norms or sums of gradients may leave the ring; use smaller bounds of elements, fewer "
            "rows or a smaller norm"
        )
    return found


def _norm(columns: int, reach: int, f: int) -> int:
    """A bound on a squared norm in units of 2^-f, rounded up twice."""
    return (columns * reach * reach >> f) + 2


def _pairs(x: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    return zip(x[::2], x[1::2], strict=True)


def _examples_infer(*metas: Meta, bound: int, reach: Sequence[int]) -> tuple[Meta, ...]:
    found = clipping_of(metas, bound, reach)
    out: list[Meta] = []
    for a, d in _pairs(metas):
        wide = a.with_(f=found.scale)
        out += [wide.with_(shape=(a.shape[1], d.shape[1])), wide.with_(shape=(d.shape[1],))]
    return tuple(out)


def _examples_oracle(*xs: Array, bound: int, reach: Sequence[int], f: int = 16) -> Any:
    unit = 1 << f
    clipped = [np.clip(x, -r / unit, r / unit) for x, r in zip(xs, reach, strict=True)]
    square = sum(((a * a).sum(1) + 1) * (d * d).sum(1) for a, d in _pairs(clipped))
    rule = list(Clipping(tuple(reach), bound, f).thresholds())
    over = [np.asarray(square) * unit * unit > t for t, _ in rule]
    factor = 1 - sum(o * drop for o, (_, drop) in zip(over, rule, strict=True)) / 2**FACTOR_BITS
    out: list[Array] = []
    for a, d in _pairs(clipped):
        scaled = d * np.asarray(factor)[:, None]
        out += [a.T @ scaled, scaled.sum(0)]
    return tuple(out)


A = np.array([[0.5, -0.25, 2.0], [3.0, 4.0, -1.0], [0.0, 0.5, 0.125], [9.0, -9.0, 1.0]])
D = np.array([[0.5, -0.5], [2.0, 1.0], [0.0, 0.0], [-1.0, 0.25]])


@operation(
    "clip_examples",
    infer=_examples_infer,
    oracle=_examples_oracle,
    cases=[
        Case(
            (A, D),
            {"bound": 1 << 16, "reach": [4 << 16, 2 << 16]},
            ulps=0,
            atol=1e-9,
            rings=(64,),
        ),
        Case(
            (A, D[:, :1], D, A),
            {"bound": 2 << 16, "reach": [4 << 16, 1 << 16, 2 << 16, 4 << 16]},
            ulps=0,
            atol=1e-9,
            rings=(64,),
        ),
    ],
)
def clip_examples(
    p: Protocol, *xs: Share, bound: int, reach: Sequence[int]
) -> Steps[tuple[Share, ...]]:
    """Sums of per-example gradients of linear layers, each clipped to a norm, without rounding.

    A layer with input a and output gradient d has for one example the gradient a d^T of its weights
    and d of its bias, of squared norm (|a|^2 + 1) |d|^2: no gradient has to be made for it [Goo15].

    Protocol    1. clip the elements of all operands, so that nothing below can wrap
                2. N = sum over layers of (|a|^2 + 1) |d|^2, rounded up
                3. compare N with public thresholds: a factor s per row with N s^2 <= bound^2
                4. a^T (s d) and sum of s d, with 2f + 12 fraction bits
    Parameters  xs : a and d of every layer, (rows, columns), fixed point of one scale
                bound : of the norm, in units of the last place of the operands
                reach : bounds of the elements of every operand, in the same units
    Returns     gradients of weights and bias of every layer, with 2f + 12 fraction bits
    Error       exact; factors are 2^(-1/4) apart, so a clipped row keeps 84 % of the norm or more
    Security    one row changes the result by at most 2 * bound in Euclidean norm, for certain
    Reference   [ACGMMTZ16, algorithm 1]
    """
    facts = clipping_of([x.meta for x in xs], bound, reach)
    clipped: list[Share] = yield from together(
        *[clip_units(p, x, lower=-r, upper=r) for x, r in zip(xs, reach, strict=True)]
    )
    whole = [p.scale(x, 1, x.meta.with_(kind="int", f=0)) for x in clipped]
    factor = yield from _factor(p, whole, facts)
    scaled: list[Share] = yield from together(*[_times(p, d, factor) for d in whole[1::2]])
    weights: list[Share] = yield from together(
        *[_outer(p, a, d) for a, d in zip(whole[::2], scaled, strict=True)]
    )
    out: list[Share] = []
    for w, d in zip(weights, scaled, strict=True):
        bias = p.scale(sum_(p, d, axis=0, keepdims=False), 1 << facts.f)
        out += [_as_fixed(p, w, facts.scale), _as_fixed(p, bias, facts.scale)]
    return tuple(out)


def _as_fixed(p: Protocol, x: Share, f: int) -> Share:
    result: Share = p.scale(x, 1, x.meta.with_(kind="fixed", f=f))
    return result


def _norms(p: Protocol, x: Share, f: int) -> Steps[Share]:
    """Squared norms of rows in units of 2^-f, never below the exact ones."""
    squares = yield from p.product("mul", x, x, x.meta, 0, {})
    total: Share = sum_(p, squares, axis=1, keepdims=True)
    down = yield from p.truncate(total, f)  # floor or floor + 1
    result: Share = p.add(down, p.constant(down.meta, 1))
    return result


def _factor(p: Protocol, whole: Sequence[Share], facts: Clipping) -> Steps[Share]:
    """The factor of every row, (rows, 1), with FACTOR_BITS fraction bits."""
    norms: list[Share] = yield from together(*[_norms(p, x, facts.f) for x in whole])
    one = 1 << facts.f
    products: list[Share] = yield from together(
        *[
            p.product("mul", p.add(a, p.constant(a.meta, one)), d, a.meta, 0, {})
            for a, d in _pairs(norms)
        ]
    )
    total = products[0]
    for other in products[1:]:
        total = p.add(total, other)
    rule = list(facts.thresholds())
    k, n = total.meta.ring.width, total.meta.shape[0]
    top = (1 << (k - 2)) - 1
    limits = np.array([min(t, top) for t, _ in rule], object)[:, None] * np.ones((1, n), object)
    wide = broadcast_to(p, reshape(p, total, shape=(1, n)), shape=limits.shape)
    ring = total.meta.ring
    public = p.constant(wide.meta, 0)
    over = yield from p.msb(
        p.sub(type(public)(public.meta, ring.from_int(limits)), wide), k
    )  # limit < norm
    bits = [
        p.reshape_like(lambda a, i=i: a[i][:, None], over.meta.with_(shape=(n, 1)), over)
        for i in range(len(rule))
    ]
    weights = ring.from_int([-drop for _, drop in rule])
    drop = yield from p.compose(p.stack_planes(*bits), weights, total.meta)
    result: Share = p.add(drop, p.constant(total.meta, 1 << FACTOR_BITS))
    return result


def _times(p: Protocol, d: Share, factor: Share) -> Steps[Share]:
    spread = broadcast_to(p, factor, shape=d.meta.shape)
    return (yield from p.product("mul", d, spread, d.meta, 0, {}))


def _outer(p: Protocol, a: Share, d: Share) -> Steps[Share]:
    shape = (a.meta.shape[1], a.meta.shape[0])
    flipped: Share = p.reshape_like(lambda x: x.T, a.meta.with_(shape=shape), a)
    meta = a.meta.with_(shape=(shape[0], d.meta.shape[1]))
    return (yield from p.product("matmul", flipped, d, meta, 0, {}))


__all__ = ["Clipping", "clip_examples", "clip_units", "clipping_of"]
