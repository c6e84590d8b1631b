"""Choosing between values by a secret bit: where, ReLU, absolute value, maximum."""

from __future__ import annotations

from typing import Any

import numpy as np

from mpyc_core.meta import Meta
from mpyc_core.protocols.protocol import Protocol
from mpyc_core.protocols.registry import Case, operation
from mpyc_core.protocols.value import Public, Share, Value
from mpyc_core.transport.mesh import Array, Steps

from .arithmetic import align
from .compare import EDGES, FLOATS, as_bit, difference, width
from .infer import bits_only, broadcast, joined, numbers
from .shape import broadcast_to

MASK = np.arange(10) % 3 == 1


def _secret(p: Protocol, x: Value) -> Share:
    return p.embed(x) if isinstance(x, Public) else x


def _spread(p: Protocol, x: Value, shape: tuple[int, ...]) -> Share:
    """x as a share of the given shape."""
    value = x if x.meta.shape == shape else broadcast_to(p, x, shape=shape)
    return _secret(p, value)


def _to_number_infer(b: Meta) -> Meta:
    bits_only(b)
    return b.with_(kind="int", f=0)


@operation(
    "to_number",
    infer=_to_number_infer,
    oracle=lambda b: b.astype(np.int64),
    cases=[Case((MASK,)), Case((np.tile(MASK, 13),))],
)
def to_number(p: Protocol, b: Value) -> Steps[Any]:
    """Bits as the integers 0 and 1."""
    return (
        yield from p.compose(_secret(p, b), b.meta.ring.full(1, 1), b.meta.with_(kind="int", f=0))
    )


def _select_infer(b: Meta, x: Meta) -> Meta:
    bits_only(b)
    numbers(x)
    return x.with_(shape=broadcast(b, x))


@operation(
    "select",
    infer=_select_infer,
    oracle=lambda b, x: b * x,
    grad=lambda ins, outs, grads: [None, ins[0].select(grads[0]).sum_to(ins[1].shape)],
    cases=[Case((MASK, EDGES)), Case((MASK, FLOATS[:1]))],
)
def select(p: Protocol, b: Value, x: Value) -> Steps[Share]:
    """x where b is true, 0 elsewhere; exact."""
    shape = broadcast(b.meta, x.meta)
    return (yield from p.select(_spread(p, b, shape), _spread(p, x, shape)))


def _where_infer(b: Meta, x: Meta, y: Meta) -> Meta:
    bits_only(b)
    both = joined(x, y)
    return both.with_(shape=broadcast(b, both))


@operation(
    "where",
    infer=_where_infer,
    oracle=np.where,
    grad=lambda ins, outs, grads: [
        None,
        ins[0].select(grads[0]).sum_to(ins[1].shape),
        (~ins[0]).select(grads[0]).sum_to(ins[2].shape),
    ],
    cases=[
        Case((MASK, EDGES, -EDGES)),
        Case((MASK, FLOATS, FLOATS[3]), public=(2,)),
    ],
)
def where(p: Protocol, b: Value, x: Value, y: Value) -> Steps[Any]:
    """x where b is true, y elsewhere: y + b * (x - y); exact while x - y does not wrap."""
    x, y = align(p, x, y)
    chosen = yield from select(p, b, p.sub(x, y))
    return p.add(chosen, y)


def _relu_infer(x: Meta, *, bits: int | None = None) -> tuple[Meta, Meta]:
    numbers(x)
    width(x, bits)
    return x, as_bit(x)


def _relu_oracle(x: Array, bits: int | None = None) -> tuple[Array, Array]:
    return np.maximum(x, 0), x >= 0


@operation(
    "relu",
    infer=_relu_infer,
    oracle=_relu_oracle,
    grad=lambda ins, outs, grads, bits=None: [outs[1].select(grads[0])],
    cases=[Case((EDGES,)), Case((FLOATS,)), Case((FLOATS,), {"bits": 25})],
)
def relu(p: Protocol, x: Share, *, bits: int | None = None) -> Steps[tuple[Share, Share]]:
    """max(x, 0), and the bit x >= 0 that the backward pass selects by."""
    return (yield from p.relu(x, width(x.meta, bits)))


def _same_infer(x: Meta, *, bits: int | None = None) -> Meta:
    return _relu_infer(x, bits=bits)[0]


@operation(
    "abs",
    infer=_same_infer,
    oracle=lambda x, bits=None: np.abs(x),
    grad=lambda ins, outs, grads, bits=None: [grads[0] * ins[0].sign()],
    cases=[Case((EDGES,)), Case((FLOATS,), {"bits": 25})],
)
def abs_(p: Protocol, x: Share, *, bits: int | None = None) -> Steps[Share]:
    """|x| = 2 * max(x, 0) - x; exact."""
    positive, _ = yield from relu(p, x, bits=bits)
    result: Share = p.sub(p.add(positive, positive), x)
    return result


def _pair_infer(x: Meta, y: Meta, *, bits: int | None = None) -> Meta:
    return _same_infer(joined(x, y), bits=bits)


def _pair_grad(sign: int) -> Any:
    def grad(ins: Any, outs: Any, grads: Any, bits: int | None = None) -> list[Any]:
        first = ins[0] >= ins[1] if sign > 0 else ins[0] <= ins[1]
        g = first.select(grads[0])
        return [g.sum_to(ins[0].shape), (grads[0] - g).sum_to(ins[1].shape)]

    return grad


@operation(
    "maximum",
    infer=_pair_infer,
    oracle=lambda x, y, bits=None: np.maximum(x, y),
    grad=_pair_grad(1),
    cases=[
        Case((EDGES, EDGES[::-1].copy())),
        Case((FLOATS, FLOATS[3]), {"bits": 25}, public=(1,)),
    ],
)
def maximum(p: Protocol, x: Value, y: Value, *, bits: int | None = None) -> Steps[Any]:
    """The larger of x and y: max(x - y, 0) + y; exact."""
    above, _ = yield from relu(p, difference(p, x, y), bits=bits)
    return p.add(above, align(p, x, y)[1])


@operation(
    "minimum",
    infer=_pair_infer,
    oracle=lambda x, y, bits=None: np.minimum(x, y),
    grad=_pair_grad(-1),
    cases=[Case((EDGES, EDGES[::-1].copy()))],
)
def minimum(p: Protocol, x: Value, y: Value, *, bits: int | None = None) -> Steps[Any]:
    """The smaller of x and y: x - max(x - y, 0); exact."""
    above, _ = yield from relu(p, difference(p, x, y), bits=bits)
    return p.sub(align(p, x, y)[0], above)
