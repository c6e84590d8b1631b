"""Logic on bits, and bit by bit on integers.

An integer is taken apart into its bits, a plane each, and put together again; an exclusive or and
a negation of bits are local, an AND is one bit per party. Integers are two's complement: with
`bits=b` the operands must lie in [-2^(b-1), 2^(b-1)), and cost about b/k of the bytes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mpyc_core.bits import to_planes
from mpyc_core.errors import ShareError
from mpyc_core.meta import Meta
from mpyc_core.protocols.protocol import Protocol
from mpyc_core.protocols.registry import Case, operation
from mpyc_core.protocols.value import Public, Share, Value
from mpyc_core.transport.lockstep import together
from mpyc_core.transport.mesh import Array, Steps

from .arithmetic import drop_bits
from .axis import to_front
from .compare import width
from .infer import axes_of, bits_only, broadcast, numbers, reduced, same, same_ring
from .shape import broadcast_to, reshape

BITS = np.array([[True, False, True, False], [True, True, False, False]])
LONG = np.arange(150).reshape(2, 75) % 7 < 3
INTS = np.array([0, 1, -1, 5, -6, 2**29 - 1, -(2**29), 1234567])
SHIFTED = np.array([0, 1, -1, 7, -8, 2**29 + 3, -(2**29) + 5, 12345])


def local_and(p: Protocol, x: Share, mask: Public) -> Share:
    """x & mask for public planes: linear in x."""
    result: Share = p.linear(lambda part: part & mask.value, x.meta, x)
    return result


def both(p: Protocol, x: Value, y: Value) -> Steps[Any]:
    """x & y on planes of one logical shape; local when one of them is public."""
    if isinstance(y, Public) and isinstance(x, Share):
        return local_and(p, x, y)
    if isinstance(x, Public):
        return local_and(p, p.embed(y) if isinstance(y, Public) else y, x)
    return (yield from p.and_(x, y))  # type: ignore[arg-type]


# -- bits ----------------------------------------------------------------------------------
def _pair_infer(x: Meta, y: Meta) -> Meta:
    bits_only(x, y)
    same_ring(x, y)
    return x.with_(shape=broadcast(x, y))


def _not_infer(x: Meta) -> Meta:
    bits_only(x)
    return x


def _spread(p: Protocol, x: Value, y: Value) -> tuple[Value, Value]:
    shape = broadcast(x.meta, y.meta)
    pair = [v if v.meta.shape == shape else broadcast_to(p, v, shape=shape) for v in (x, y)]
    return pair[0], pair[1]


@operation(
    "bit_and",
    infer=_pair_infer,
    oracle=np.logical_and,
    cases=[
        Case((BITS, BITS[::-1].copy())),
        Case((LONG, LONG[:, :1])),
        Case((BITS, BITS[0]), public=(1,)),
    ],
)
def bit_and(p: Protocol, x: Value, y: Value) -> Steps[Any]:
    """x & y; 1 round, one bit per party; local with a public operand."""
    return (yield from both(p, *_spread(p, x, y)))


@operation(
    "bit_or",
    infer=_pair_infer,
    oracle=np.logical_or,
    cases=[
        Case((BITS, BITS[::-1].copy())),
        Case((LONG, LONG[0])),
        Case((BITS, BITS[0]), public=(0,)),
    ],
)
def bit_or(p: Protocol, x: Value, y: Value) -> Steps[Any]:
    """x | y = x ^ y ^ (x & y); the cost of an AND."""
    x, y = _spread(p, x, y)
    return p.xor(p.xor(x, y), (yield from both(p, x, y)))


@operation(
    "bit_xor",
    infer=_pair_infer,
    oracle=np.logical_xor,
    cases=[Case((BITS, BITS[::-1].copy())), Case((LONG, LONG[0])), Case((BITS, BITS), public=(1,))],
)
def bit_xor(p: Protocol, x: Value, y: Value) -> Value:
    """x ^ y; local."""
    result: Value = p.xor(*_spread(p, x, y))
    return result


@operation("bit_not", infer=_not_infer, oracle=np.logical_not, cases=[Case((BITS,)), Case((LONG,))])
def bit_not(p: Protocol, x: Value) -> Value:
    """~x; local."""
    result: Value = p.not_(x)
    return result


# -- along an axis -------------------------------------------------------------------------
def _tree_infer(x: Meta, *, axis: int | None = None, keepdims: bool = False) -> Meta:
    bits_only(x)
    if not x.size:
        raise ShareError(f"expected at least one bit to combine, got shape {x.shape}")
    return x.with_(shape=reduced(x.shape, axes_of(x, axis), keepdims))


@operation(
    "all",
    infer=_tree_infer,
    oracle=lambda x, axis=None, keepdims=False: np.all(x, axis=axis, keepdims=keepdims),
    cases=[
        Case((LONG | True,)),
        Case((BITS | BITS[::-1],), {"axis": 0}),
        Case((LONG,), {"axis": -1, "keepdims": True}),
    ],
)
def all_(p: Protocol, x: Share, *, axis: int | None = None, keepdims: bool = False) -> Steps[Any]:
    """Whether all bits along an axis are true: a tree of ANDs.

    Cost    ceil(log2 n) rounds for n bits, n - 1 ANDs
    """
    meta = _tree_infer(x.meta, axis=axis, keepdims=keepdims)
    rows = to_front(p, x, axis)
    while (n := rows.meta.shape[0]) > 1:
        half = n // 2
        met = yield from p.and_(_rows(p, rows, 0, half), _rows(p, rows, half, 2 * half))
        rows = _joined(p, met, _rows(p, rows, 2 * half, n))
    return reshape(p, rows, shape=meta.shape)


def _rows(p: Protocol, x: Share, start: int, stop: int) -> Share:
    meta = x.meta.with_(shape=(stop - start, *x.meta.shape[1:]))
    result: Share = p.reshape_like(lambda a: a[start:stop], meta, x)
    return result


def _joined(p: Protocol, x: Share, y: Share) -> Share:
    if not y.meta.shape[0]:
        return x
    meta = x.meta.with_(shape=(x.meta.shape[0] + y.meta.shape[0], *x.meta.shape[1:]))
    result: Share = p.reshape_like(lambda *a: np.concatenate(a), meta, x, y)
    return result


@operation(
    "any",
    infer=_tree_infer,
    oracle=lambda x, axis=None, keepdims=False: np.any(x, axis=axis, keepdims=keepdims),
    cases=[
        Case((LONG & False,)),
        Case((BITS & BITS[::-1],), {"axis": 0}),
        Case((LONG,), {"axis": 1, "keepdims": True}),
    ],
)
def any_(p: Protocol, x: Share, *, axis: int | None = None, keepdims: bool = False) -> Steps[Any]:
    """Whether some bit along an axis is true: not all are false; the cost of `all`."""
    none = yield from all_(p, p.not_(x), axis=axis, keepdims=keepdims)
    return p.not_(none)


# -- integers ------------------------------------------------------------------------------
def _integers(*metas: Meta) -> None:
    for meta in metas:
        if meta.kind != "int":
            raise ShareError(f"expected integers, got {meta}; use .rescale(0, rounding='exact')")


def _int_infer(x: Meta, y: Meta, *, bits: int | None = None) -> Meta:
    _integers(x, y)
    same_ring(x, y)
    width(x, bits)
    return x.with_(shape=broadcast(x, y))


def planes_of(p: Protocol, x: Value, bits: int) -> Steps[Any]:
    """The low `bits` bits of x, a plane each; local when x is public."""
    if isinstance(x, Public):
        planes = to_planes(np.ascontiguousarray(x.meta.ring.twos(x.value)).reshape(-1), bits)
        return Public(x.meta.with_(kind="bit", f=0), planes)
    return (yield from p.decompose(x, bits))


def signed_weights(meta: Meta, bits: int) -> Array:
    """The weights of two's-complement bits: powers of two, the last one negative."""
    signs = [(1 << i) if i < bits - 1 else -(1 << i) for i in range(bits)]
    return meta.ring.reduce(signs)


def _met(p: Protocol, x: Value, y: Value, bits: int | None) -> Steps[tuple[Value, Value, Share]]:
    """x and y in one shape, and x & y."""
    x, y = _spread(p, x, y)
    count = width(x.meta, bits)
    a, b = yield from together(planes_of(p, x, count), planes_of(p, y, count))
    c = yield from both(p, a, b)
    weights = signed_weights(x.meta, count)
    z = yield from p.compose(c, weights, x.meta.with_(public=False))
    return x, y, z


@operation(
    "int_and",
    infer=_int_infer,
    oracle=lambda x, y, bits=None: np.bitwise_and(x, y),
    cases=[
        Case((INTS, INTS[::-1].copy())),
        Case((INTS, INTS[7]), public=(1,)),
        Case((INTS[:5], INTS[3:4]), {"bits": 8}),
    ],
)
def int_and(p: Protocol, x: Value, y: Value, *, bits: int | None = None) -> Steps[Any]:
    """x & y of integers, bit by bit.

    Domain  two's complement of `bits` bits; other operands count modulo 2^bits
    Cost    2 decompositions, an AND and a composition: 10 rounds, 818 bytes at 64 bits
    """
    _, _, z = yield from _met(p, x, y, bits)
    return z


@operation(
    "int_or",
    infer=_int_infer,
    oracle=lambda x, y, bits=None: np.bitwise_or(x, y),
    cases=[
        Case((INTS, INTS[::-1].copy())),
        Case((INTS, INTS[7]), public=(0,)),
        Case((INTS[:5], INTS[3:4]), {"bits": 8}),
    ],
)
def int_or(p: Protocol, x: Value, y: Value, *, bits: int | None = None) -> Steps[Any]:
    """x | y = x + y - (x & y); see `int_and`."""
    x, y, z = yield from _met(p, x, y, bits)
    return p.sub(p.add(x, y), z)


@operation(
    "int_xor",
    infer=_int_infer,
    oracle=lambda x, y, bits=None: np.bitwise_xor(x, y),
    cases=[
        Case((INTS, INTS[::-1].copy())),
        Case((INTS, INTS[7]), public=(1,)),
        Case((INTS[:5], INTS[3:4]), {"bits": 8}),
    ],
)
def int_xor(p: Protocol, x: Value, y: Value, *, bits: int | None = None) -> Steps[Any]:
    """x ^ y = x + y - 2 (x & y); see `int_and`."""
    x, y, z = yield from _met(p, x, y, bits)
    return p.sub(p.add(x, y), p.add(z, z))


def _int_not_infer(x: Meta) -> Meta:
    _integers(x)
    return x


@operation(
    "int_not", infer=_int_not_infer, oracle=np.invert, cases=[Case((INTS,)), Case((SHIFTED[:1],))]
)
def int_not(p: Protocol, x: Value) -> Value:
    """~x = -x - 1; local."""
    result: Value = p.sub(p.neg(x), p.constant(x.meta, 1))
    return result


def _shift_infer(x: Meta, *, s: int) -> Meta:
    numbers(x)
    if not 0 <= s < x.ring.width - 1:
        raise ShareError(f"expected a shift by 0 to {x.ring.width - 2} bits, got {s}")
    return same(x)


@operation(
    "lshift",
    infer=_shift_infer,
    oracle=lambda x, s: x * 2**s,
    grad=lambda ins, outs, grads, s: [grads[0] << s],
    cases=[Case((SHIFTED,), {"s": 1}), Case((SHIFTED / 2**20,), {"s": 3}, atol=2.0**-5)],
)
def lshift(p: Protocol, x: Value, *, s: int) -> Value:
    """x * 2^s for a public s; local, and exact while the result fits the ring."""
    result: Value = p.scale(x, 1 << s)
    return result


@operation(
    "rshift",
    infer=_shift_infer,
    oracle=lambda x, s: np.floor(x / 2**s).astype(np.asarray(x).dtype),
    cases=[Case((SHIFTED,), {"s": 1}), Case((SHIFTED,), {"s": 17}), Case((SHIFTED,), {"s": 0})],
)
def rshift(p: Protocol, x: Value, *, s: int) -> Steps[Any]:
    """The floor of x / 2^s, in units of the last place, for a public s; exact.

    Domain  |x| < 2^(k-2)
    Cost    a truncation, a comparison of s + 1 bits and a bit to a number
    """
    return (yield from drop_bits(p, x, s, "exact"))
