"""Dropping fraction bits without opening anything and without a wrap-around error.

Let |z| < 2^(k-2), f >= 1 the bits to drop. The components modulo 2^k, with a constant and a public
dither r that all parties draw alike,

    s_0 = z_0 + 2^(k-2) - 1,    s_1 = z_1 - r,    s_2 = z_2 + r

are integers in [0, 2^k) with s_0 + s_1 + s_2 = z' + q * 2^k, z' = z + 2^(k-2) - 1 in [0, 2^(k-1)).

Wraps. With the carry-save sums of `bits.py`, s_0 + s_1 + s_2 = 2^k * M_{k-1} + S + N as integers,
N = 2 M mod 2^k. The top bit of z' is 0, so S + N wraps exactly if S_{k-1} or N_{k-1} is 1: either
both are and nothing is carried in, or one is, and a carry makes the sum's top bit 0 again. So

    q = M_{k-1} + (S_{k-1} | M_{k-2})

Rounding. Let l_c = s_c mod 2^f, and c the carry of l_0 + l_1 out of f bits, l_0 + l_1 = w + c 2^f.
Then sum_c floor(s_c / 2^f) + c = (z' - w - l_2 + q 2^k) / 2^f, where w + l_2 is z' mod 2^f plus
2^f or nothing. The result

    sum_c floor(s_c / 2^f) + c + 1 - q * 2^(k-f) - 2^(k-2-f)

is floor((z - 1) / 2^f) + 1, or one less if w + l_2 carries. As l_2 = (z_2 + r) mod 2^f is uniform
whatever z is, it carries with probability 1 - ((z - 1) mod 2^f + 1) / 2^f: floor or floor + 1 of
z / 2^f, with expectation z / 2^f, and exact on multiples of 2^f.

All terms are known numbers of two parties each, or bits: c, M_{k-1} and the OR are made by verified
ANDs from bits that two parties know, then become numbers (`convert.py`), modulo 2^K; the sum of the
shifted components gets its MAC by a product. So the result is right modulo 2^K, not only modulo
2^k: the bits above z are dropped with it.

Only the result is noted for the check of MACs, not its summands: these are used nowhere else, so an
error in one of them, which is known to who makes it, is the same error in the result.

Security (malicious, 1 of 3): there are no other messages than those of ANDs, conversions and one
product. Which of the two neighbours comes out depends on r and on z_2, which two parties know.

The construction is this library's own; the wrap from top bits is in the spirit of [DEK20, section
3.2.2], the carry-save adder on components is that of [MR18, section 5.3].
"""

from __future__ import annotations

import numpy as np

from mpyc_core.bits import to_planes
from mpyc_core.meta import Meta
from mpyc_core.protocols import circuits
from mpyc_core.protocols.cost import Cost
from mpyc_core.protocols.protocol import Protocol
from mpyc_core.protocols.value import Share
from mpyc_core.ring import Ring
from mpyc_core.transport.lockstep import together
from mpyc_core.transport.mesh import Array, Steps

from .bits import and_costs, bit_share, gates, majority, only, root_levels
from .convert import number, number_cost
from .multiply import and_, authenticate_cost, products
from .place import Parts, Place


def truncate(
    p: Protocol,
    place: Place,
    x: Share,
    shift: int,
    key: Parts,
    one: tuple[Array, ...],
    dither: Array,
) -> Steps[Share]:
    """x / 2^shift, floor or floor + 1, unbiased.

    Parameters
    ----------
    dither : public ring elements of the shape of x, uniform and used nowhere else.

    Cost        `truncate_cost`
    Error       floor or floor + 1 with certainty while |x| < 2^(k-2)
    """
    meta, small, ring = x.meta, x.meta.ring, p.share_ring(x.meta.ring)
    s = _components(place, meta, x.parts, dither)
    shifted = tuple(ring.extend(small.rshift_logical(part, shift)) for part in s)
    lowered = 1 - (1 << (small.bits - 2 - shift))
    shifted = _plus(place, ring, (shifted[0], shifted[1]), 0, ring.full((), lowered))
    bits, (mac,) = yield from together(
        _bits(p, place, meta, s, shift),
        products(place, ring, "mul", [(key, (shifted[0], shifted[1]))], meta.shape, {}),
    )
    numbers = yield from number(place, ring, bits, one, (3, meta.size), noted=False)
    parts = []
    for total, found in zip((*shifted, *mac), numbers, strict=True):
        carry, *wraps = (row.reshape(meta.shape) for row in found)
        wrapped = ring.lshift(ring.add(*wraps), small.bits - shift)
        parts.append(ring.sub(ring.add(total, carry), wrapped))
    place.ledger.product(ring.bits, (parts[0], parts[1]), (parts[2], parts[3]))
    return Share(meta, tuple(parts))


def truncate_cost(meta: Meta, shift: int, ring: Ring) -> Cost:
    """The ANDs and the MAC of the shifted components; then three bits become numbers."""
    tree = and_costs(meta, root_levels(shift + 1))
    wraps = and_costs(meta, [2, 1])
    mac = authenticate_cost(meta.size, ring)
    return (tree | wraps | mac) >> number_cost(3 * meta.size, ring)


def _components(place: Place, meta: Meta, parts: tuple[Array, ...], dither: Array) -> Parts:
    """s_i and s_{i-1} modulo 2^k."""
    ring = meta.ring
    low = (ring.residue(parts[0]), ring.residue(parts[1]))
    low = _plus(place, ring, low, 0, ring.full((), (1 << (ring.bits - 2)) - 1))
    low = _plus(place, ring, low, 1, ring.neg(dither))
    return _plus(place, ring, low, 2, dither)


def _plus(place: Place, ring: Ring, parts: Parts, component: int, x: Array) -> Parts:
    """Add a public value to one component, at its two holders."""
    mine, known = parts
    return (
        ring.add(mine, x) if place.me == component else mine,
        ring.add(known, x) if place.prev == component else known,
    )


def _bits(p: Protocol, place: Place, meta: Meta, s: Parts, shift: int) -> Steps[Parts]:
    """Planes of c, of M_{k-1}, and of S_{k-1} | M_{k-2}."""
    whole = [np.ascontiguousarray(part).reshape(-1) for part in s]
    low = to_planes(whole[0], shift), to_planes(whole[1], shift)
    first, second = (bit_share(meta, only(place, low, c)) for c in (0, 1))
    leaves = circuits.sum_leaves(p, first, second)
    carry, wraps = yield from together(
        circuits.root(gates(p, place), leaves), _wraps(place, meta, whole)
    )
    mine, known = (np.concatenate(rows) for rows in zip(carry.parts, wraps, strict=True))
    return mine, known


def _wraps(place: Place, meta: Meta, s: list[Array]) -> Steps[Parts]:
    """Planes of M_{k-1} and of S_{k-1} | M_{k-2}."""
    above = [meta.ring.rshift_logical(part, meta.ring.bits - 2) for part in s]
    planes = to_planes(above[0], 2), to_planes(above[1], 2)
    m = yield from majority(place, planes)
    sign, next_ = (planes[0][1:], planes[1][1:]), (m[0][:1], m[1][:1])
    both = yield from and_(place, sign, next_)
    either = tuple(a ^ b ^ c for a, b, c in zip(sign, next_, both, strict=True))
    return np.concatenate([m[0][1:], either[0]]), np.concatenate([m[1][1:], either[1]])
