"""What losses share: targets in any form, sums over a batch, and means with one truncation."""

from __future__ import annotations

from typing import Any

import numpy as np

from mpyc_core.errors import ShapeMismatch, ShareError
from mpyc_core.meta import Meta
from mpyc_core.protocols.protocol import Protocol
from mpyc_core.protocols.value import Public, Share, Value
from mpyc_core.transport.mesh import Steps

from .domain import approximable
from .infer import same_ring
from .lookup import ring_array

MEAN = 30
"""Fraction bits of 1 / n where a sum becomes a mean."""


def loss_infer(x: Meta, t: Meta, **params: Any) -> tuple[Meta, Meta]:
    """The metas of a loss and its gradient; operands must have one shape and not be empty."""
    approximable(x, bits=params.get("bits"))
    same_ring(x, t)
    if t.shape != x.shape:
        raise ShapeMismatch(f"predictions have shape {x.shape}, their targets {t.shape}")
    if not x.size:
        raise ShareError("the mean of an empty batch does not exist")
    if t.kind == "bit" and t.public:
        raise ShareError("public targets must be numbers; use .astype(float)")
    return x.with_(shape=()), x


def by_prediction(grads: Any, outs: Any, n: int, summed: bool) -> Any:
    """The gradient by the prediction; what is public about it is multiplied first."""
    return (grads[0] * (1 / n) if summed else grads[0]) * outs[1]


def nothing(p: Protocol, out: Meta) -> Share:
    """A share of 0 that costs nothing, in the place of a value that nobody asked for."""
    return p.embed(p.constant(out, 0))


def whole(p: Protocol, t: Value) -> Steps[tuple[Value, int]]:
    """Targets as ring elements, and their fraction bits."""
    if t.meta.kind == "bit" and isinstance(t, Share):
        meta = t.meta.with_(kind="int", f=0)
        return (yield from p.compose(t, ring_array(meta, [1]), meta)), 0
    return t, t.meta.f


def share_of_batch(p: Protocol, t: Value, n: int, out: Meta) -> Steps[Value]:
    """t / n in the scale of `out`, rounded to nearest for targets that are whole."""
    unit = ((1 << out.f + 1) + n) // (2 * n)  # 2^f / n
    if isinstance(t, Public):
        signed = t.meta.ring.to_int(t.value).astype(np.float64)
        scaled = np.rint(np.ldexp(signed, out.f - t.meta.f) / n).astype(np.int64)
        return Public(out.with_(public=True), out.ring.from_int(scaled))
    value, f = yield from whole(p, t)
    if n == 1 and f == out.f:
        return p.scale(value, 1, out)
    product = p.scale(value, unit, out)
    if f == 0:
        return product
    return (yield from p.truncate(product, f))


def sum_of_products(p: Protocol, x: Share, t: Value, f: int) -> Steps[Share]:
    """sum(x * t), t with f fraction bits, in the units of x; traffic of one element."""
    meta = x.meta.with_(shape=())
    flat = x.meta.with_(shape=(x.meta.size,))
    a = p.linear(lambda v: v.reshape(-1), flat, x)
    b = p.linear(lambda v: v.reshape(-1), t.meta.with_(shape=flat.shape), t)
    if isinstance(b, Share):
        return (yield from p.product("dot", a, b, meta, f, {}))
    z = p.product_public("dot", a, b, meta, {})
    return (yield from p.truncate(z, f)) if f else z


def total_of(p: Protocol, x: Share) -> Share:
    """The sum of all elements; local."""
    meta = x.meta.with_(shape=())
    result: Share = p.linear(p.ring(x).sum, meta, x)
    return result


def mean_of(p: Protocol, total: Share, n: int, drop: int, out: Meta) -> Steps[Share]:
    """total / n, from 16 fraction bits to the scale of `out`."""
    unit = ((1 << MEAN + 1) + n) // (2 * n)
    return (yield from p.truncate(p.scale(total, unit, out), MEAN + drop))
