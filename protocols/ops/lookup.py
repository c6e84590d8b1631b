"""Functions of a few secret bits: their products, tables, and the digits of a clamped number.

Any function of g bits is a sum of products of subsets of them, with weights that follow from its
table (Moebius inversion). All products take 2^g - g - 1 ANDs in ceil(log2 g) rounds; a table is
then one composition of 2^g - 1 bits, and several tables share the bits as numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mpyc_core.bits import pack, unpack
from mpyc_core.meta import Meta
from mpyc_core.protocols.protocol import Protocol
from mpyc_core.protocols.value import Public, Share
from mpyc_core.transport.lockstep import together
from mpyc_core.transport.mesh import Array, Steps


def ring_array(meta: Meta, values: Sequence[int]) -> Array:
    """Integers of any sign as ring elements."""
    return meta.ring.reduce(list(values))


def plus(p: Protocol, x: Share, value: int) -> Share:
    """x + value, in units of the last place; local."""
    result: Share = p.add(x, p.constant(x.meta, value))
    return result


def spread(p: Protocol, bit: Share, count: int) -> Share:
    """One plane, `count` times."""
    return p.planes(bit, np.zeros(count, np.int64))


def xor_planes(p: Protocol, b: Share, groups: Sequence[Sequence[int]]) -> Share:
    """For each group of planes their exclusive or; local."""

    def fold(part: Array) -> Array:
        return np.stack([np.bitwise_xor.reduce(part[list(g)], axis=0) for g in groups])

    result: Share = p.linear(fold, b.meta, b)
    return result


def subset_products(p: Protocol, b: Share, count: int) -> Steps[Share]:
    """The product of every non-empty subset of `count` bits; subset s (a mask) is plane s - 1.

    Cost    ceil(log2 count) rounds, 2^count - count - 1 ANDs
    """
    if count == 1:
        return b
    half = count // 2
    low, high = yield from together(
        subset_products(p, p.planes(b, slice(0, half)), half),
        subset_products(p, p.planes(b, slice(half, count)), count - half),
    )
    lows, highs = (1 << half) - 1, (1 << count - half) - 1
    crossed = yield from p.and_(
        p.planes(low, np.tile(np.arange(lows), highs)),
        p.planes(high, np.repeat(np.arange(highs), lows)),
    )
    # low subsets, then high ones, then pairs of both: bring them in the order of their masks
    mask = np.arange(1, 1 << count)
    in_low, in_high = mask & lows, mask >> half
    pair = lows + highs + (in_high - 1) * lows + in_low - 1
    only = np.where(in_high == 0, in_low - 1, lows + in_high - 1)
    order = np.where((in_low > 0) & (in_high > 0), pair, only)
    return p.planes(p.stack_planes(low, high, crossed), order)


def subset_weights(table: Sequence[int]) -> list[int]:
    """w with table[m] = sum of w[s] over the subsets s of m."""
    weights = list(table)
    step = 1
    while step < len(weights):
        for m in range(len(weights)):
            if m & step:
                weights[m] -= weights[m ^ step]
        step *= 2
    return weights


def look_up(p: Protocol, products: Share, table: Sequence[int], meta: Meta) -> Steps[Share]:
    """table[m] as a number, m the value of the bits whose subset products are given.

    Cost    2 rounds; a ring element for each product from one party, one from the others
    """
    constant, *weights = subset_weights(table)
    x = yield from p.compose(products, ring_array(meta, weights), meta)
    return plus(p, x, constant)


def as_numbers(p: Protocol, b: Share, count: int, meta: Meta) -> Steps[Share]:
    """`count` planes as the numbers 0 and 1, along a new first axis."""
    long = meta.with_(shape=(count, *meta.shape))

    def repack(part: Array) -> Array:
        return pack(np.stack([unpack(plane, meta.size) for plane in part]))[None]

    one_plane = p.linear(repack, long.with_(kind="bit", f=0), b)
    return (yield from p.compose(one_plane, ring_array(meta, [1]), long))


def tables_at(p: Protocol, numbers: Share, tables: Sequence[Sequence[int]]) -> Share:
    """Several tables at the value whose subset products are given as numbers; local.

    Returns
    -------
    Share, the tables along the first axis.
    """
    weights = [subset_weights(table) for table in tables]
    meta = numbers.meta.with_(shape=(len(tables), *numbers.meta.shape[1:]))
    ring = p.ring(numbers)
    matrix = ring.extend(np.stack([ring_array(meta, w[1:]) for w in weights]))

    def apply(part: Array) -> Array:
        return ring.matmul(matrix, part.reshape(len(part), -1)).reshape(meta.shape)

    first = ring_array(meta, [w[0] for w in weights]).reshape(-1, *[1] * (meta.ndim - 1))
    constants = Public(
        meta.with_(public=True), np.asarray(np.broadcast_to(first, meta.shape), order="C")
    )
    result: Share = p.add(p.linear(apply, meta, numbers), constants)
    return result


def digits(
    p: Protocol, x: Share, low: int, count: int, bits: int, *, bounded: bool = False
) -> Steps[Share]:
    """The bits of x - low, clamped into [0, 2^count): a value outside takes the nearest end.

    Parameters
    ----------
    bits : x lies in [-2^(bits-1), 2^(bits-1)); ends that it cannot cross are not compared with.
    bounded : x is known to be below low + 2^count.

    Cost        2 + ceil(log2 bits) rounds; a decomposition of `count` bits, up to two comparisons
    """
    bound = 1 << bits - 1
    wide = min(bits + 1, x.meta.ring.width)
    y = plus(p, x, -low)
    jobs: list[Any] = [p.decompose(y, count)]
    if low > -bound:
        jobs.append(p.msb(y, wide))
    if low + (1 << count) < bound and not bounded:
        jobs.append(p.msb(plus(p, y, -(1 << count)), wide))
    planes, *ends = yield from together(*jobs)
    below = ends.pop(0) if low > -bound else None
    above = p.not_(ends.pop(0)) if ends else None
    return (yield from clamped(p, planes, count, below, above))


def clamped(
    p: Protocol, planes: Share, count: int, below: Share | None, above: Share | None
) -> Steps[Share]:
    """All planes 0 where `below`, 1 where `above`, unchanged where neither; 1 round."""
    if below is None and above is None:
        return planes
    ends = [b for b in (below, above) if b is not None]
    inside = p.not_(ends[0] if len(ends) == 1 else p.xor(ends[0], ends[1]))
    kept = yield from p.and_(planes, spread(p, inside, count))
    return kept if above is None else p.xor(kept, spread(p, above, count))
