"""Order and equality. Results are bits.

A comparison looks at the sign of the difference, which must not wrap: |x - y| < 2^(k-1) in ring
units. With `bits=b` it is computed modulo 2^b and costs about b/k of the bytes; that the difference
lies in [-2^(b-1), 2^(b-1)) is then a promise of the caller, which `debug` in a simulation checks.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mpyc_core.errors import ShareError
from mpyc_core.meta import Meta
from mpyc_core.protocols.protocol import Protocol
from mpyc_core.protocols.registry import Case, operation
from mpyc_core.protocols.value import Public, Share, Value
from mpyc_core.transport.lockstep import together
from mpyc_core.transport.mesh import Array, Steps

from .arithmetic import align
from .infer import joined, numbers

EDGES = np.array([0, 1, -1, 2, 63, -64, 2**28, -(2**28), 2**29 - 1, -(2**29)])
FLOATS = np.array([0.0, 0.5, -0.5, 1.25, -3.75, 100.0, -100.0, 0.25, 7.0, -7.0])


def width(meta: Meta, bits: int | None) -> int:
    """The number of bits to compare, checked."""
    k = meta.ring.width
    if bits is None:
        return k
    if not 2 <= bits <= k:
        raise ShareError(f"expected bits= between 2 and {k}, got {bits}")
    return bits


def as_bit(meta: Meta) -> Meta:
    """The meta of a truth value per element."""
    return meta.with_(kind="bit", f=0)


def _negative_infer(x: Meta, *, bits: int | None = None) -> Meta:
    numbers(x)
    width(x, bits)
    return as_bit(x)


def _compare_infer(x: Meta, y: Meta, *, bits: int | None = None) -> Meta:
    return _negative_infer(joined(x, y), bits=bits)


def difference(p: Protocol, x: Value, y: Value) -> Share:
    """x - y as a share, scales aligned."""
    d = p.sub(*align(p, x, y))
    return p.embed(d) if isinstance(d, Public) else d


@operation(
    "negative",
    infer=_negative_infer,
    oracle=lambda x, bits=None: x < 0,
    cases=[
        Case((EDGES,)),
        Case((FLOATS,)),
        Case((FLOATS,), {"bits": 25}),
        Case((EDGES[:6],), {"bits": 8}),
    ],
)
def negative(p: Protocol, x: Share, *, bits: int | None = None) -> Steps[Share]:
    """x < 0."""
    return (yield from p.msb(x, width(x.meta, bits)))


@operation(
    "lt",
    infer=_compare_infer,
    oracle=lambda x, y, bits=None: x < y,
    cases=[
        Case((EDGES, EDGES[::-1].copy())),
        Case((FLOATS, FLOATS[:1])),
        Case((FLOATS, FLOATS[3]), {"bits": 26}, public=(1,)),
    ],
)
def lt(p: Protocol, x: Value, y: Value, *, bits: int | None = None) -> Steps[Share]:
    """x < y."""
    return (yield from negative(p, difference(p, x, y), bits=bits))


def _lt_number_infer(x: Meta, y: Meta, *, bits: int | None = None) -> Meta:
    return _compare_infer(x, y, bits=bits).with_(kind="int")


@operation(
    "lt_number",
    infer=_lt_number_infer,
    oracle=lambda x, y, bits=None: (x < y).astype(np.int64),
    cases=[
        Case((EDGES, EDGES[::-1].copy())),
        Case((FLOATS, FLOATS[3]), {"bits": 26}, public=(1,)),
    ],
)
def lt_number(p: Protocol, x: Value, y: Value, *, bits: int | None = None) -> Steps[Share]:
    """x < y as the integers 0 and 1: a round less than `lt` and then `to_number`."""
    d = difference(p, x, y)
    return (yield from p.msb_number(d, width(d.meta, bits)))


@operation(
    "ge",
    infer=_compare_infer,
    oracle=lambda x, y, bits=None: x >= y,
    cases=[Case((EDGES, EDGES[::-1].copy())), Case((FLOATS, FLOATS[:1]))],
)
def ge(p: Protocol, x: Value, y: Value, *, bits: int | None = None) -> Steps[Share]:
    """x >= y."""
    less: Share = p.not_((yield from lt(p, x, y, bits=bits)))
    return less


@operation(
    "gt",
    infer=_compare_infer,
    oracle=lambda x, y, bits=None: x > y,
    cases=[Case((EDGES, EDGES[::-1].copy())), Case((FLOATS[:1], FLOATS), public=(0,))],
)
def gt(p: Protocol, x: Value, y: Value, *, bits: int | None = None) -> Steps[Share]:
    """x > y."""
    return (yield from lt(p, y, x, bits=bits))


@operation(
    "le",
    infer=_compare_infer,
    oracle=lambda x, y, bits=None: x <= y,
    cases=[Case((EDGES, EDGES[::-1].copy())), Case((FLOATS, FLOATS))],
)
def le(p: Protocol, x: Value, y: Value, *, bits: int | None = None) -> Steps[Share]:
    """x <= y."""
    return (yield from ge(p, y, x, bits=bits))


@operation(
    "eq",
    infer=_compare_infer,
    oracle=lambda x, y, bits=None: x == y,
    cases=[
        Case((EDGES, np.where(np.arange(10) % 2, EDGES, 1))),
        Case((FLOATS, FLOATS[3])),
        Case((EDGES[:6], EDGES[1]), {"bits": 8}),
    ],
)
def eq(p: Protocol, x: Value, y: Value, *, bits: int | None = None) -> Steps[Share]:
    """x == y (modulo 2^bits)."""
    d = difference(p, x, y)
    return (yield from p.is_zero(d, width(d.meta, bits)))


@operation(
    "ne",
    infer=_compare_infer,
    oracle=lambda x, y, bits=None: x != y,
    cases=[Case((EDGES, np.where(np.arange(10) % 2, EDGES, 1)))],
)
def ne(p: Protocol, x: Value, y: Value, *, bits: int | None = None) -> Steps[Share]:
    """x != y (modulo 2^bits)."""
    same: Share = p.not_((yield from eq(p, x, y, bits=bits)))
    return same


def _sign_oracle(x: Array, bits: int | None = None) -> Array:
    return np.sign(x)


def _sign_infer(x: Meta, *, bits: int | None = None) -> Meta:
    return _negative_infer(x, bits=bits).with_(kind="int")


@operation("sign", infer=_sign_infer, oracle=_sign_oracle, cases=[Case((EDGES,)), Case((FLOATS,))])
def sign(p: Protocol, x: Share, *, bits: int | None = None) -> Steps[Any]:
    """-1, 0 or 1 as integers: [0 < x] - [x < 0]."""
    below, above = yield from together(negative(p, x, bits=bits), negative(p, p.neg(x), bits=bits))
    ring = x.meta.ring
    weights = ring.reduce([1, -1])
    both = p.stack_planes(above, below)
    return (yield from p.compose(both, weights, x.meta.with_(kind="int", f=0)))
