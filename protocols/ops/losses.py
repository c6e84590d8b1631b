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
from .batch import (
    MEAN,
    by_prediction,
    loss_infer,
    mean_of,
    nothing,
    share_of_batch,
    sum_of_products,
    total_of,
    whole,
)
from .domain import FRACTION, RINGS, lifted
from .infer import numbers
from .lookup import plus
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
from .spline import (
    SIGMOID,
    SUM,
    Located,
    cubics,
    evaluated,
    locate,
    sigmoid_half,
    softplus_tail,
)

ULP = 2.0**-16

HOT = np.eye(10)[[3, 0, 9, 9]]
LOGITS = np.array([[0.0, 1.5, -2.25], [20.0, -20.0, 0.25]])
TRUTH = np.array([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]])


def _grads(ins: Any, outs: Any, grads: Any, *, summed: bool = False, **params: Any) -> list[Any]:
    return [by_prediction(grads, outs, ins[0].size, summed), None]


def _mse_grads(
    ins: Any, outs: Any, grads: Any, *, summed: bool = False, value: bool = True
) -> list[Any]:
    gradient = by_prediction(grads, outs, ins[0].size, summed)
    return [gradient, -gradient]


def _cross_entropy_grads(
    ins: Any, outs: Any, grads: Any, *, summed: bool = False, **params: Any
) -> list[Any]:
    n = ins[0].size // ins[0].shape[-1]
    return [by_prediction(grads, outs, n, summed), None]


# -- cross-entropy -------------------------------------------------------------------------
def _cross_entropy_infer(
    x: Meta, t: Meta, *, value: bool = True, summed: bool = False, bits: int | None = None
) -> tuple[Meta, Meta]:
    numbers(x)
    if not x.ndim:
        raise ShapeMismatch("expected logits (n, classes), got a scalar")
    axis_infer(x, bits=bits)
    return loss_infer(x, t, bits=bits)


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
    Cost        49 rounds for 10 classes at 64 bits, 12 more with the value; 901 bytes per
                logit, 949 with it; 19 rounds more and 196 bytes fewer where many are compared
    """
    out = x.meta.with_(public=False)
    number, wide, drop = lifted(p, x, bits)
    rows = to_front(p, number, -1)
    classes, n = rows.meta.shape[0], x.meta.size // x.meta.shape[-1]
    divisor = 1 if summed else n
    halved = (divisor - 1).bit_length()
    with localcontext(fit.context()):
        how = normaliser(classes, Decimal(1 << halved) / divisor)
    z, share_of_t = yield from together(
        below_largest(p, rows, wide), share_of_batch(p, t, divisor, out)
    )
    e = yield from exponentials(p, z, wide, how.factor)
    total = row_sums(p, e)
    goal = out.with_(shape=rows.meta.shape)
    gradient = normalised(p, e, total, how, halved, goal)
    if value:
        loss, y = yield from together(
            _cross_entropy_value(p, z, t, total, how.factor, drop, out), gradient
        )
    else:
        loss, y = nothing(p, out.with_(shape=())), (yield from gradient)
    return loss, p.sub(from_front(p, y, out, -1), share_of_t)


def _cross_entropy_value(
    p: Protocol, z: Share, t: Value, total: Share, factor: Decimal, drop: int, out: Meta
) -> Steps[Share]:
    """mean(ln S - z.t) from z = x - max(x) by classes and factor * S."""
    n = total.meta.size

    def picked() -> Steps[Share]:
        targets, f = yield from whole(p, t)
        return (yield from sum_of_products(p, z, to_front(p, targets, -1), f))

    with localcontext(fit.context()):
        offset = -fit.ln(factor)
    bits = sum_bits(z.meta.shape[0])
    logs, chosen = yield from together(logarithm(p, total, bits, SCALE, FRACTION, offset), picked())
    total_loss = p.sub(total_of(p, logs), chosen)
    return (yield from mean_of(p, total_loss, n, drop, out.with_(shape=())))


# -- logistic loss -------------------------------------------------------------------------
def _bce_infer(
    x: Meta, t: Meta, *, value: bool = True, summed: bool = False, bits: int | None = None
) -> tuple[Meta, Meta]:
    return loss_infer(x, t, bits=bits)


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
        locate(p, number, SIGMOID, wide, even=value), share_of_batch(p, t, divisor, out)
    )
    with localcontext(fit.context()):
        table = cubics(sigmoid_half, SIGMOID, Decimal(1) / divisor)
    gradient = evaluated(p, at.interval, at.odd, table, SUM - FRACTION + drop, out)
    half = ((1 << out.f) + divisor) // (2 * divisor)  # 2^f / 2n

    if value:
        worth = _bce_value(p, number, t, at, drop, out.with_(shape=()))
        loss, y = yield from together(worth, gradient)
    else:
        loss, y = nothing(p, out.with_(shape=())), (yield from gradient)
    return loss, p.sub(plus(p, y, half), share_of_t)


def _bce_value(p: Protocol, x: Share, t: Value, at: Located, drop: int, out: Meta) -> Steps[Share]:
    """mean(max(x, 0) - x t + ln(1 + e^-|x|)), x with 16 fraction bits."""
    if at.even is None:
        raise ShareError("the value of the loss needs the even powers")
    tables = cubics(softplus_tail, SIGMOID, Decimal(1))

    def linear() -> Steps[Share]:
        # max(x, 0) - x t = x ((1 + sign) / 2 - t)
        targets, f = yield from whole(p, t)
        doubled = p.sub(p.scale(plus(p, at.sign, 1), 1 << f), _as_integer(p, targets, 2))
        return (yield from sum_of_products(p, x, doubled, f + 1))

    tails, sums = yield from together(
        evaluated(p, at.interval, at.even, tables, SUM - FRACTION, x.meta), linear()
    )
    return (yield from mean_of(p, p.add(total_of(p, tails), sums), x.meta.size, drop, out))


def _as_integer(p: Protocol, x: Value, factor: int) -> Value:
    """factor * x with its scale forgotten; local."""
    result: Value = p.scale(x, factor, x.meta.with_(kind="int", f=0))
    return result


# -- squared error -------------------------------------------------------------------------
def _mse_infer(x: Meta, t: Meta, *, value: bool = True, summed: bool = False) -> tuple[Meta, Meta]:
    found = loss_infer(x, t)
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
        return nothing(p, out.with_(shape=())), (yield from gradient)

    def mean() -> Steps[Share]:
        total = yield from sum_of_products(p, d, d, out.f)
        return (yield from mean_of(p, total, n, 0, out.with_(shape=())))

    loss, y = yield from together(mean(), gradient)
    return loss, y
