"""Sums along axes: linear, local, exact in the ring."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mpyc_core.meta import Meta
from mpyc_core.protocols.protocol import Protocol
from mpyc_core.protocols.registry import Case, operation
from mpyc_core.protocols.value import Value

from .infer import axes_of, axis_of, numbers, reduced
from .shape import FLOATS, INTS


def _sum_infer(x: Meta, *, axis: int | Sequence[int] | None, keepdims: bool) -> Meta:
    numbers(x)
    return x.with_(shape=reduced(x.shape, axes_of(x, axis), keepdims))


@operation(
    "sum",
    infer=_sum_infer,
    oracle=lambda x, axis, keepdims: np.sum(
        x, axis=tuple(axis) if isinstance(axis, list) else axis, keepdims=keepdims
    ),
    grad=lambda ins, outs, grads, axis, keepdims: [
        grads[0]
        .reshape(reduced(ins[0].shape, axes_of(ins[0].meta, axis), True))
        .broadcast_to(ins[0].shape)
    ],
    cases=[
        Case((INTS,), {"axis": None, "keepdims": False}),
        Case((FLOATS,), {"axis": [0], "keepdims": True}, atol=1e-2),
    ],
)
def sum_(p: Protocol, x: Value, *, axis: int | Sequence[int] | None, keepdims: bool) -> Value:
    """Sum over axes; exact in the ring."""
    meta = _sum_infer(x.meta, axis=axis, keepdims=keepdims)
    axes = axes_of(x.meta, axis)
    return p.linear(lambda a: p.ring(x).sum(a, axes, keepdims), meta, x)


def _cumsum_infer(x: Meta, *, axis: int) -> Meta:
    numbers(x)
    axis_of(x, axis)
    return x


@operation(
    "cumsum",
    infer=_cumsum_infer,
    oracle=lambda x, axis: np.cumsum(x, axis=axis),
    grad=lambda ins, outs, grads, axis: [grads[0].flip(axis).cumsum(axis).flip(axis)],
    cases=[Case((INTS,), {"axis": 1})],
)
def cumsum(p: Protocol, x: Value, *, axis: int) -> Value:
    """Running sums along an axis; exact in the ring."""
    return p.linear(lambda a: p.ring(x).cumsum(a, axis), x.meta, x)
