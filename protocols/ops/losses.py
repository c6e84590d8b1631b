"""Losses, each with its gradient: the mean over a batch, and what a backward pass starts from.

A loss has two results. The second is the gradient of the mean by the first operand; it is computed
with the loss because both need the same softmax or sigmoid, and it does not depend on the value.
With `value=False` the first result is a share of 0 that costs nothing: training needs the gradient,
and the value only if someone is going to see it. With `summed=True` the second result is the
gradient of the sum over the batch: it keeps the log2(n) bits that a division by n would round away.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import Any

import numpy as np

from mpyc_core.errors import ShapeMismatch, ShareError
from mpyc_core.meta import Meta
from mpyc_core.protocols.protocol import Protocol
from mpyc_core.protocols.registry import Case, operation
from mpyc_core.protocols.value import Public, Share, Value
from mpyc_core.transport.lockstep import together
from mpyc_core.transport.mesh import Array, Steps

from . import fit
from .axis import from_front, to_front
from .domain import FRACTION, RINGS, approximable, lifted
from .infer import numbers, same_ring
from .lookup import plus, ring_array
from .roots import logarithm
from .softmax import (
    SCALE,
    TEN,
    axis_infer,
    below_largest,
    exponentials,
    normalised,
    normaliser,
    row_sums,
    softmax_oracle,
    sum_bits,
)
from .spline import SIGMOID, SUM, cubics, evaluated, locate, sigmoid_half, softplus_tail

MEAN = 30
"""Fraction bits of 1 / n where a sum becomes a mean."""
ULP = 2.0**-16

HOT = np.eye(10)[[3, 0, 9, 9]]
LOGITS = np.array([[0.0, 1.5, -2.25], [20.0, -20.0, 0.25]])
TRUTH = np.array([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]])


def _loss_infer(x: Meta, t: Meta, **params: Any) -> tuple[Meta, Meta]:
    approximable(x, bits=params.get("bits"))
    same_ring(x, t)
    if t.shape != x.shape:
        raise ShapeMismatch(f"predictions have shape {x.shape}, their targets {t.shape}")
    if not x.size:
        raise ShareError("the mean of an empty batch does not exist")
    if t.kind == "bit" and t.public:
        raise ShareError("public targets must be numbers; use .astype(float)")
    return x.with_(shape=()), x


def _by_prediction(grads: Any, outs: Any, n: int, summed: bool) -> Any:
    """The gradient by the prediction; what is public about it is multiplied first."""
    return (grads[0] * (1 / n) if summed else grads[0]) * outs[1]


def _grads(ins: Any, outs: Any, grads: Any, *, summed: bool = False, **params: Any) -> list[Any]:
    return [_by_prediction(grads, outs, ins[0].size, summed), None]


def _mse_grads(
    ins: Any, outs: Any, grads: Any, *, summed: bool = False, value: bool = True
) -> list[Any]:
    by_prediction = _by_prediction(grads, outs, ins[0].size, summed)
    return [by_prediction, -by_prediction]


def _cross_entropy_grads(
    ins: Any, outs: Any, grads: Any, *, summed: bool = False, **params: Any
) -> list[Any]:
    n = ins[0].size // ins[0].shape[-1]
    return [_by_prediction(grads, outs, n, summed), None]


def _nothing(p: Protocol, out: Meta) -> Share:
    return p.embed(p.constant(out, 0))


def _whole(p: Protocol, t: Value) -> Steps[tuple[Value, int]]:
    """Targets as ring elements, and their fraction bits."""
    if t.meta.kind == "bit" and isinstance(t, Share):
        meta = t.meta.with_(kind="int", f=0)
        return (yield from p.compose(t, ring_array(meta, [1]), meta)), 0
    return t, t.meta.f


def _share_of(p: Protocol, t: Value, n: int, out: Meta) -> Steps[Value]:
    """t / n in the scale of `out`, rounded to nearest for targets that are whole."""
    unit = ((1 << out.f + 1) + n) // (2 * n)  # 2^f / n
    if isinstance(t, Public):
        signed = t.meta.ring.to_int(t.value).astype(np.float64)
        scaled = np.rint(np.ldexp(signed, out.f - t.meta.f) / n).astype(np.int64)
        return Public(out.with_(public=True), out.ring.from_int(scaled))
    value, f = yield from _whole(p, t)
    if n == 1 and f == out.f:
        return p.scale(value, 1, out)
    product = p.scale(value, unit, out)
    if f == 0:
        return product
    return (yield from p.truncate(product, f))


def _sum_of_products(p: Protocol, x: Share, t: Value, f: int) -> Steps[Share]:
    """sum(x * t), t with f fraction bits, in the units of x; traffic of one element."""
    meta = x.meta.with_(shape=())
    flat = x.meta.with_(shape=(x.meta.size,))
    a = p.linear(lambda v: v.reshape(-1), flat, x)
    b = p.linear(lambda v: v.reshape(-1), t.meta.with_(shape=flat.shape), t)
    if isinstance(b, Share):
        return (yield from p.product("dot", a, b, meta, f, {}))
    z = p.product_public("dot", a, b, meta, {})
    return (yield from p.truncate(z, f)) if f else z


def _total(p: Protocol, x: Share) -> Share:
    """The sum of all elements; local."""
    meta = x.meta.with_(shape=())
    dtype = meta.ring.dtype
    result: Share = p.linear(lambda a: np.asarray(np.sum(a, dtype=dtype)), meta, x)
    return result


def _mean(p: Protocol, total: Share, n: int, drop: int, out: Meta) -> Steps[Share]:
    """total / n, from 16 fraction bits to the scale of `out`."""
    unit = ((1 << MEAN + 1) + n) // (2 * n)
    return (yield from p.truncate(p.scale(total, unit, out), MEAN + drop))


# -- cross-entropy -------------------------------------------------------------------------
def _cross_entropy_infer(
    x: Meta, t: Meta, *, value: bool = True, summed: bool = False, bits: int | None = None
) -> tuple[Meta, Meta]:
    numbers(x)
    if not x.ndim:
        raise ShapeMismatch("expected logits (n, classes), got a scalar")
    axis_infer(x, bits=bits)
    return _loss_infer(x, t, bits=bits)


def _cross_entropy_oracle(
    x: Array, t: Array, value: bool = True, summed: bool = False, bits: int | None = None
) -> tuple[Array, Array]:
    n = x.size // x.shape[-1]
    probabilities = softmax_oracle(x)
    top = np.max(x, axis=-1, keepdims=True)
    logs = x - top - np.log(np.exp(x - top).sum(axis=-1, keepdims=True))
    loss = -(t * logs).sum() / n if value else 0.0
    return np.asarray(loss), (probabilities - t) / (1 if summed else n)


@operation(
    "cross_entropy",
    infer=_cross_entropy_infer,
    oracle=_cross_entropy_oracle,
    grad=_cross_entropy_grads,
    cases=[
        Case((TEN, HOT), ulps=4, atol=4 * ULP, rings=RINGS),
        Case((TEN, HOT), {"value": False, "bits": 32}, ulps=4, atol=4 * ULP, rings=RINGS),
        Case((TEN, HOT), {"summed": True}, ulps=4, atol=4 * ULP, rings=RINGS),
        Case((TEN, HOT), public=(1,), ulps=4, atol=4 * ULP, rings=RINGS),
        Case((TEN, HOT.astype(np.int64)), {"bits": 24}, ulps=4, atol=4 * ULP, rings=RINGS),
        Case((TEN[:3], HOT[:3] > 0), ulps=4, atol=4 * ULP, rings=RINGS),
    ],
)
def cross_entropy(
    p: Protocol,
    x: Value,
    t: Value,
    *,
    value: bool = True,
    summed: bool = False,
    bits: int | None = None,
) -> Steps[tuple[Share, Share]]:
    """Softmax cross-entropy: mean of ln(sum(e^x)) - x.t over the batch, gradient (softmax - t) / n.

    Parameters
    ----------
    x : logits (n, classes); the last axis is that of the classes.
    t : one-hot targets or probabilities that sum to 1, of the same shape; secret or public.
    value : False gives 0 as the loss, free of cost.
    summed : the gradient is that of the sum, without the division by n.
    bits : a promise that differences of logits lie in [-2^(bits-1), 2^(bits-1)).

    Domain      |x| < 2^45, average loss below 2^15
    Error       4 * 2^-16 in the loss and in each element of the gradient
    Cost        68 rounds for 10 classes at 64 bits, 12 more with the value; 704 bytes per
                logit, 752 with it
    """
    out = x.meta.with_(public=False)
    number, wide, drop = lifted(p, x, bits)
    rows = to_front(p, number, -1)
    classes, n = rows.meta.shape[0], x.meta.size // x.meta.shape[-1]
    divisor = 1 if summed else n
    halved = (divisor - 1).bit_length()
    with localcontext(fit.context()):
        how = normaliser(classes, Decimal(1 << halved) / divisor)
    z, share_of_t = yield from together(below_largest(p, rows, wide), _share_of(p, t, divisor, out))
    e = yield from exponentials(p, z, wide, how.factor)
    total = row_sums(p, e)
    goal = out.with_(shape=rows.meta.shape)
    gradient = normalised(p, e, total, how, halved, goal)
    if value:
        loss, y = yield from together(
            _cross_entropy_value(p, z, t, total, how.factor, drop, out), gradient
        )
    else:
        loss, y = _nothing(p, out.with_(shape=())), (yield from gradient)
    return loss, p.sub(from_front(p, y, out, -1), share_of_t)


def _cross_entropy_value(
    p: Protocol, z: Share, t: Value, total: Share, factor: Decimal, drop: int, out: Meta
) -> Steps[Share]:
    """mean(ln S - z.t) from z = x - max(x) by classes and factor * S."""
    n = total.meta.size

    def picked() -> Steps[Share]:
        targets, f = yield from _whole(p, t)
        return (yield from _sum_of_products(p, z, to_front(p, targets, -1), f))

    with localcontext(fit.context()):
        offset = -fit.ln(factor)
    bits = sum_bits(z.meta.shape[0])
    logs, chosen = yield from together(logarithm(p, total, bits, SCALE, FRACTION, offset), picked())
    total_loss = p.sub(_total(p, logs), chosen)
    return (yield from _mean(p, total_loss, n, drop, out.with_(shape=())))


# -- logistic loss -------------------------------------------------------------------------
def _bce_infer(
    x: Meta, t: Meta, *, value: bool = True, summed: bool = False, bits: int | None = None
) -> tuple[Meta, Meta]:
    return _loss_infer(x, t, bits=bits)


def _bce_oracle(
    x: Array, t: Array, value: bool = True, summed: bool = False, bits: int | None = None
) -> tuple[Array, Array]:
    each = np.maximum(x, 0) - x * t + np.log1p(np.exp(-np.abs(x)))
    loss = each.mean() if value else 0.0
    return np.asarray(loss), ((1 + np.tanh(x / 2)) / 2 - t) / (1 if summed else x.size)


@operation(
    "bce_with_logits",
    infer=_bce_infer,
    oracle=_bce_oracle,
    grad=_grads,
    cases=[
        Case((LOGITS, TRUTH), ulps=4, atol=4 * ULP, rings=RINGS),
        Case((LOGITS, TRUTH), {"value": False, "bits": 24}, ulps=4, atol=4 * ULP, rings=RINGS),
        Case((LOGITS, TRUTH), {"summed": True}, ulps=4, atol=4 * ULP, rings=RINGS),
        Case((LOGITS, TRUTH), public=(1,), ulps=4, atol=4 * ULP, rings=RINGS),
        Case((LOGITS, TRUTH.astype(np.int64)), {"bits": 32}, ulps=4, atol=4 * ULP, rings=RINGS),
        Case((LOGITS[0], TRUTH[0] > 0), ulps=4, atol=4 * ULP, rings=RINGS),
    ],
)
def bce_with_logits(
    p: Protocol,
    x: Value,
    t: Value,
    *,
    value: bool = True,
    summed: bool = False,
    bits: int | None = None,
) -> Steps[tuple[Share, Share]]:
    """Binary cross-entropy of logits: mean of max(x, 0) - x t + ln(1 + e^-|x|), gradient
    (sigmoid(x) - t) / n over all n elements.

    Parameters
    ----------
    t : targets in [0, 1], of the same shape; secret or public.
    value : False gives 0 as the loss, free of cost.
    summed : the gradient is that of the sum, without the division by n.
    bits : a promise that logits lie in [-2^(bits-1), 2^(bits-1)).

    Domain      |x| < 2^46, sum(|x|) < 2^28
    Error       4 * 2^-16 in the loss and in each element of the gradient
    Cost        15 rounds at 64 bits, 3 more with the value; 839 bytes per element, 911 with
                it
    """
    out = x.meta.with_(public=False)
    number, wide, drop = lifted(p, x, bits)
    n = x.meta.size
    divisor = 1 if summed else n
    at, share_of_t = yield from together(
        locate(p, number, SIGMOID, wide, even=value), _share_of(p, t, divisor, out)
    )
    with localcontext(fit.context()):
        table = cubics(sigmoid_half, SIGMOID, Decimal(1) / divisor)
    gradient = evaluated(p, at.interval, at.odd, table, SUM - FRACTION + drop, out)
    half = ((1 << out.f) + divisor) // (2 * divisor)  # 2^f / 2n

    def tail() -> Steps[Share]:
        if at.even is None:
            raise ShareError("the value needs the even powers")
        values = cubics(softplus_tail, SIGMOID, Decimal(1))
        shift = SUM - FRACTION
        return (yield from evaluated(p, at.interval, at.even, values, shift, number.meta))

    def linear() -> Steps[Share]:
        # max(x, 0) - x t = x ((1 + sign) / 2 - t)
        targets, f = yield from _whole(p, t)
        doubled = p.sub(p.scale(plus(p, at.sign, 1), 1 << f), _as_integer(p, targets, 2))
        return (yield from _sum_of_products(p, number, doubled, f + 1))

    if not value:
        loss, y = _nothing(p, out.with_(shape=())), (yield from gradient)
    else:
        y, tails, sums = yield from together(gradient, tail(), linear())
        total = p.add(_total(p, tails), sums)
        loss = yield from _mean(p, total, n, drop, out.with_(shape=()))
    return loss, p.sub(plus(p, y, half), share_of_t)


def _as_integer(p: Protocol, x: Value, factor: int) -> Value:
    """factor * x with its scale forgotten; local."""
    result: Value = p.scale(x, factor, x.meta.with_(kind="int", f=0))
    return result


# -- squared error -------------------------------------------------------------------------
def _mse_infer(x: Meta, t: Meta, *, value: bool = True, summed: bool = False) -> tuple[Meta, Meta]:
    found = _loss_infer(x, t)
    if t.kind != "fixed" or t.f != x.f:
        raise ShareError(f"expected predictions and targets in one scale, got {x} and {t}")
    return found


def _mse_oracle(
    x: Array, t: Array, value: bool = True, summed: bool = False
) -> tuple[Array, Array]:
    loss = np.mean((x - t) ** 2) if value else 0.0
    return np.asarray(loss), 2 * (x - t) / (1 if summed else x.size)


@operation(
    "mse",
    infer=_mse_infer,
    oracle=_mse_oracle,
    grad=_mse_grads,
    cases=[
        Case((LOGITS, TRUTH), ulps=3, atol=3 * ULP, rings=RINGS),
        Case((LOGITS, TRUTH), {"value": False}, ulps=3, atol=3 * ULP, rings=RINGS),
        Case((LOGITS, TRUTH), {"summed": True}, ulps=3, atol=3 * ULP, rings=RINGS),
        Case((LOGITS, TRUTH), public=(1,), ulps=3, atol=3 * ULP, rings=RINGS),
    ],
)
def mse(
    p: Protocol, x: Value, t: Value, *, value: bool = True, summed: bool = False
) -> Steps[tuple[Share, Share]]:
    """Mean squared error over all n elements, gradient 2 (x - t) / n.

    Parameters
    ----------
    t : targets of the same shape and scale; secret or public.
    value : False gives 0 as the loss, free of cost.
    summed : the gradient is that of the sum, without the division by n.

    Domain      sum((x - t)^2) < 2^30, |x - t| < 2^15
    Error       3 * 2^-16 in the loss and in each element of the gradient
    Cost        3 rounds, 28 bytes per element; 6 rounds with the value, which is one element's
    """
    out = x.meta.with_(public=False)
    n = x.meta.size
    d = p.sub(x, t)
    d = p.embed(d) if isinstance(d, Public) else d
    unit = ((2 << MEAN + 1) + n) // (2 * n)  # 2 / n

    def scaled() -> Steps[Share]:
        if summed:
            return p.scale(d, 2, out)
        return (yield from p.truncate(p.scale(d, unit, out), MEAN))

    gradient = scaled()
    if not value:
        return _nothing(p, out.with_(shape=())), (yield from gradient)

    def mean() -> Steps[Share]:
        total = yield from _sum_of_products(p, d, d, out.f)
        return (yield from _mean(p, total, n, 0, out.with_(shape=())))

    loss, y = yield from together(mean(), gradient)
    return loss, y
