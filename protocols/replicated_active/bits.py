"""From numbers to bits: signs, bits of numbers, tests for zero, by circuits of verified ANDs.

x = x_0 + x_1 + x_2 modulo 2^b, and every component is known to two parties, so its bits are shared
without a message. A carry-save adder makes two addends of the three:

    S = x_0 ^ x_1 ^ x_2,   M = majority of the three bits = (x_0 ^ x_2) & (x_1 ^ x_2) ^ x_2
    x = S + N,             N = 2 M

S costs nothing, M one AND a bit. The rest are circuits on S and N.

Security (malicious, 1 of 3): local steps and `multiply.and_` alone.
References: local split into three addends [MR18, section 5.3]; carries as in `circuits`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from mpyc_core.bits import to_planes
from mpyc_core.meta import Meta
from mpyc_core.protocols import circuits
from mpyc_core.protocols.cost import Cost, plane_bytes
from mpyc_core.protocols.protocol import Protocol
from mpyc_core.protocols.value import Share
from mpyc_core.transport.mesh import Array, Steps

from .multiply import and_
from .place import Parts, Place


def bit_share(meta: Meta, parts: Parts) -> Share:
    """Planes as a share of bits in the shape of `meta`."""
    return Share(meta.with_(kind="bit", f=0), parts)


def gates(p: Protocol, place: Place) -> circuits.Gates:
    """What circuits are made of: verified ANDs."""

    def both(x: Share, y: Share) -> Steps[Share]:
        (xn, xp), (yn, yp) = x.parts, y.parts
        return Share(x.meta, (yield from and_(place, (xn, xp), (yn, yp))))

    return circuits.Gates(p, both)


def planes_of(meta: Meta, parts: tuple[Array, ...], bits: int) -> Parts:
    """The low bits of both components of a number: shares of S, over XOR."""
    low = [np.ascontiguousarray(meta.ring.residue(part)) for part in parts[:2]]
    return to_planes(low[0], bits), to_planes(low[1], bits)


def only(place: Place, planes: Parts, *components: int) -> Parts:
    """The XOR of some components alone: shares whose other components are 0."""
    mine, known = planes
    return (
        mine if place.me in components else np.zeros_like(mine),
        known if place.prev in components else np.zeros_like(known),
    )


def majority(place: Place, planes: Parts) -> Steps[Parts]:
    """M for some planes of the three components; one AND each."""
    left, right = only(place, planes, 0, 2), only(place, planes, 1, 2)
    last = only(place, planes, 2)
    found = yield from and_(place, left, right)
    return found[0] ^ last[0], found[1] ^ last[1]


def msb(p: Protocol, place: Place, x: Share, bits: int) -> Steps[Share]:
    """[x < 0] for x in [-2^(bits-1), 2^(bits-1)): the carry into the top bit of S + N.

    Cost        `msb_cost`: 182 ANDs in 7 rounds at 64 bits
    Error       exact inside the range; outside, the bit is that of x mod 2^bits
    """
    s = planes_of(x.meta, x.parts, bits)
    top = bit_share(x.meta, _pick(s, slice(bits - 1, bits)))
    if bits == 1:
        return top
    m = yield from majority(place, _pick(s, slice(0, bits - 1)))
    top = p.xor(top, bit_share(x.meta, _pick(m, slice(bits - 2, bits - 1))))
    if bits == 2:
        return top
    middle = bit_share(x.meta, _pick(s, slice(1, bits - 1)))
    carried = bit_share(x.meta, _pick(m, slice(0, bits - 2)))
    carry = yield from circuits.root(gates(p, place), circuits.sum_leaves(p, middle, carried))
    result: Share = p.xor(top, carry)
    return result


def msb_cost(meta: Meta, bits: int) -> Cost:
    """The majorities, and a tree over one leaf less than there are bits."""
    if bits == 1:
        return Cost.free(3)
    tree = () if bits == 2 else circuits.root_levels(bits - 1)
    return and_costs(meta, [bits - 1, *(sum(level) for level in tree)])


def decompose(p: Protocol, place: Place, x: Share, bits: int) -> Steps[Share]:
    """The low `bits` bits of x: all bits of S + N.

    Cost        `decompose_cost`
    Error       exact
    """
    s = planes_of(x.meta, x.parts, bits)
    lowest = bit_share(x.meta, _pick(s, slice(0, 1)))
    if bits == 1:
        return lowest
    m = yield from majority(place, _pick(s, slice(0, bits - 1)))
    upper = bit_share(x.meta, _pick(s, slice(1, bits)))
    total = yield from circuits.add(gates(p, place), upper, bit_share(x.meta, m))
    return p.stack_planes(lowest, total)


def decompose_cost(meta: Meta, bits: int) -> Cost:
    """The majorities and a parallel prefix."""
    if bits == 1:
        return Cost.free(3)
    levels = circuits.prefix_levels(bits - 1) if bits > 2 else iter(())
    return and_costs(meta, [bits - 1, *(sum(level) for level in levels)])


def is_zero(p: Protocol, place: Place, x: Share, bits: int) -> Steps[Share]:
    """[x = 0 mod 2^bits]: S + N = 0 exactly if S ^ N = 2 (S | N), bit by bit.

    If S + N = 0, the lowest 1 of S stands where that of N does, and from there on every position
    has a carry in, so S_i ^ N_i = 1, and one of the two is 1: both sides are 1 from the next
    position on, and 0 up to it. If the sides agree, the carries agree with them by induction.

    Cost        `is_zero_cost`: 3 bits - 4 ANDs
    Error       exact
    """
    s = planes_of(x.meta, x.parts, bits)
    same = bit_share(x.meta, s)
    if bits > 1:
        m = yield from majority(place, _pick(s, slice(0, bits - 1)))
        same = p.xor(same, bit_share(x.meta, _shifted(m, 1)))
    if bits > 2:
        left, right = _pick(s, slice(1, bits - 1)), _pick(m, slice(0, bits - 2))
        both = yield from and_(place, left, right)
        either = (left[0] ^ right[0] ^ both[0], left[1] ^ right[1] ^ both[1])
        same = p.xor(same, bit_share(x.meta, _shifted(either, 2)))
    if bits > 1:
        first = _pick(s, slice(0, 1))  # S_0 | N_0
        same = p.xor(same, bit_share(x.meta, _raised(first, bits)))
    return (yield from circuits.every(gates(p, place), p.not_(same)))


def is_zero_cost(meta: Meta, bits: int) -> Cost:
    """The majorities, the ORs, and a tree."""
    first = [bits - 1] if bits > 1 else []
    second = [bits - 2] if bits > 2 else []
    return and_costs(meta, [*first, *second, *circuits.every_levels(bits)])


def and_costs(meta: Meta, levels: Iterable[int]) -> Cost:
    """That many ANDs an element in each round."""
    cost = Cost.free(3)
    for ands in levels:
        cost >>= Cost(1, (plane_bytes(ands, meta.size),) * 3)
    return cost


def root_levels(leaves: int) -> Iterator[int]:
    """ANDs of each level of a carry tree."""
    return (sum(level) for level in circuits.root_levels(leaves))


def _pick(planes: Parts, which: slice) -> Parts:
    return planes[0][which], planes[1][which]


def _shifted(planes: Parts, up: int) -> Parts:
    """Planes moved up, zeros below."""
    zeros = np.zeros((up, planes[0].shape[1]), np.uint64)
    return np.concatenate([zeros, planes[0]]), np.concatenate([zeros, planes[1]])


def _raised(plane: Parts, bits: int) -> Parts:
    """One plane at position 1 of as many as there are bits, zeros elsewhere."""
    out = tuple(np.zeros((bits, part.shape[1]), np.uint64) for part in plane)
    for target, part in zip(out, plane, strict=True):
        target[1] = part[0]
    return out[0], out[1]
