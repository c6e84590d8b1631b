"""Linear combinations with public coefficients and a single truncation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from mpyc_core.errors import ScaleMismatch, ShareError
from mpyc_core.meta import Meta
from mpyc_core.protocols.protocol import Protocol
from mpyc_core.protocols.registry import Case, operation
from mpyc_core.protocols.value import Value
from mpyc_core.transport.mesh import Array, Steps

from .arithmetic import FLOATS, ULP, drop_bits
from .infer import broadcast, numbers, same_ring

MAGNITUDE = 10
"""Results lie in (-2^10, 2^10)."""
PRECISION = 16
"""Significant bits of the smallest coefficient, where the ring has room for them."""
LEAST_PRECISION = 4


def _fraction_bits(meta: Meta, weights: Sequence[float]) -> int:
    """Fraction bits of the coefficients: enough for the smallest one, if the ring has them."""
    if all(float(w).is_integer() for w in weights):
        return 0
    nonzero = [abs(w) for w in weights if w]
    room = meta.ring.width - 2 - meta.f - MAGNITUDE
    exponent = math.frexp(min(nonzero))[1]
    found = min(max(0, PRECISION - exponent), room)
    if found + exponent < LEAST_PRECISION:
        raise ShareError(
            f"a coefficient of {min(nonzero):.3g} needs more than the {room} bits that "
            f"{meta.ring.name} with {meta.f} fraction bits has for it; use a larger one"
        )
    return found


def _combine_infer(*xs: Meta, weights: Sequence[float]) -> Meta:
    numbers(*xs)
    same_ring(*xs)
    if not xs or len(xs) != len(weights) or not all(math.isfinite(w) for w in weights):
        raise ShareError(f"expected one finite coefficient per tensor, got {len(weights)}")
    if any((x.kind, x.f) != (xs[0].kind, xs[0].f) or x.kind != "fixed" for x in xs):
        raise ScaleMismatch("expected fixed point of one scale; use .rescale(f)")
    _fraction_bits(xs[0], weights)
    return xs[0].with_(shape=broadcast(*xs))


def _combine_oracle(*xs: Array, weights: Sequence[float]) -> Array:
    return np.asarray(sum(w * x for w, x in zip(weights, xs, strict=True)))


@operation(
    "combine",
    infer=_combine_infer,
    oracle=_combine_oracle,
    grad=lambda ins, outs, grads, weights: [
        (grads[0] * w).sum_to(x.shape) for x, w in zip(ins, weights, strict=True)
    ],
    cases=[
        Case((FLOATS, FLOATS[::-1].copy()), {"weights": [0.25, -0.5]}, ulps=1, atol=2 * ULP),
        Case((FLOATS, FLOATS[0]), {"weights": [1.0, -2.0]}, atol=4 * ULP),
        Case((FLOATS,), {"weights": [0.0078125]}, ulps=1, atol=2 * ULP),
        Case((FLOATS, FLOATS), {"weights": [0.9, 1e-4]}, ulps=1, atol=3e-4, rings=(64,)),
    ],
)
def combine(p: Protocol, *xs: Value, weights: Sequence[float]) -> Steps[Any]:
    """sum_i weights[i] * xs[i] in fixed point: what an optimiser's step is.

    Domain      the result lies in (-2^10, 2^10); the operands may be larger
    Error       one unit in the last place, and 2^-16 of each term, or what the ring has room for:
                coefficients are multiples of 2^-(k - 12 - f) at best
    Cost        one truncation; nothing if all coefficients are whole
    """
    out = _combine_infer(*(x.meta for x in xs), weights=weights)
    bits = _fraction_bits(out, weights)
    total: Any = None
    for x, weight in zip(xs, weights, strict=True):
        part = p.scale(x, round(weight * 2**bits))
        total = part if total is None else p.add(total, part)
    if total.meta.shape != out.shape:
        total = p.scale(total, out.ring.full(out.shape, 1))
    return (yield from drop_bits(p, total, bits, "stochastic"))
