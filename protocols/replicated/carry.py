"""The sign of a shared number: a carry tree that computes one carry and nothing else.

x = a + B (mod 2^b), where a = s01 + s02 is private to role 0 and B = s12 is known to roles 1 and 2.
Role 0 shares the low b-1 bits of a; those of B need no message. The sign bit is

    msb = carry ^ a_{b-1} ^ B_{b-1}

with the carry into bit b-1 of the sum. As a multiplexer, bit i passes the carry that comes in when
p_i = a_i ^ B_i is 1, and puts out d_i = B_i when it is 0. Two neighbours combine as

    (p1, d1) o (p0, d0)  =  (p1 & p0,  d1 ^ p1 & (d0 ^ d1))

so the leaves need no AND, and below a constant leaf (0, 0) as carry-in the lowest p is never
needed: 120 ANDs in 6 levels for 64 bits, 57 in 5 for 32.

Security (semi-honest): role 0's bits reach role 2 under a block of R_01, which role 2 lacks; every
AND is that of `multiply.py`. The carry as a multiplexer is [GSV07]; the local split into a number
of one party and a number of the other two is in [MR18, section 5.3].
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mpyc_core.bits import to_planes, words
from mpyc_core.meta import Meta
from mpyc_core.protocols.cost import Cost, plane_bytes
from mpyc_core.protocols.value import Share
from mpyc_core.transport.mesh import Array, Round, Spec, Steps

from .multiply import and_terms, reshare_bits
from .turn import Parts, Turn

SHARE = 0
"""Buffer of the bit sharing; level i of the tree uses buffer 1 + i."""


def low_planes(x: Array, bits: int) -> Array:
    """The low `bits` bits of a ring array as packed planes."""
    return to_planes(np.ascontiguousarray(x).reshape(-1), bits)


def share_own_bits(turn: Turn, x: Share, bits: int) -> Steps[tuple[Parts, Array]]:
    """Role 0 shares the low `bits` bits of a = s01 + s02; roles 1 and 2 take B = s12.

    Returns
    -------
    ((a ^ B) as components, the planes of a at role 0 or of B at roles 1 and 2), with one more
    plane, the top one, in the second.

    Cost        1 round, `bits` planes from role 0
    """
    ring = x.meta.ring
    shape = (bits, words(x.meta.size))
    if turn.role == 0:
        a = low_planes(ring.add(*x.parts), bits + 1)
        a01 = turn.pad_bits(1, "bits", SHARE, shape)
        a02 = a[:bits] ^ a01
        yield Round(send=turn.to(r2=[a02]))  # hidden by R_01, unknown to role 2
        return (a01, a02), a
    b = low_planes(x.parts[0] if turn.role == 1 else x.parts[1], bits + 1)
    if turn.role == 1:
        a01 = turn.pad_bits(0, "bits", SHARE, shape)
        yield Round()
        return (b[:bits], a01), b
    received = yield Round(recv=turn.due(r0=[Spec(b.dtype, shape)]))
    return (turn.came(received, 0)[0], b[:bits]), b


def known_to_12(turn: Turn, b: Array) -> Parts:
    """Components of planes that roles 1 and 2 know: s12 = b, the others 0. Role 0 passes any b."""
    zero = np.zeros_like(b)
    return ((zero, zero), (b, zero), (zero, b))[turn.role]


def levels(leaves: int) -> Iterator[tuple[int, bool]]:
    """(pairs, whether a top leaf is left over) of each level, from the leaves to the root."""
    while leaves > 1:
        yield leaves // 2, bool(leaves % 2)
        leaves = leaves // 2 + leaves % 2


def sign_terms(turn: Turn, x: Share, bits: int) -> Steps[Array]:
    """Additive terms over XOR of the sign bit: z_0 ^ z_1 ^ z_2 = msb, not yet masked or reshared.

    The caller decides what the last round makes of them: a shared bit, a number, a selection.
    """
    own = bits - 1
    p, edge = yield from share_own_bits(turn, x, own)
    leaf = np.zeros((1, words(x.meta.size)), np.uint64)
    d = known_to_12(turn, edge[:own])
    p_next, p_prev = (np.concatenate([leaf, part]) for part in p)
    d_next, d_prev = (np.concatenate([leaf, part]) for part in d)
    for level, (pairs, odd) in enumerate(levels(bits)):
        hi, lo = slice(1, 2 * pairs, 2), slice(0, 2 * pairs, 2)
        hi_p, lo_p = (p_next[hi], p_prev[hi]), (p_next[lo], p_prev[lo])
        flip = (d_next[lo] ^ d_next[hi], d_prev[lo] ^ d_prev[hi])
        terms = np.concatenate(
            [
                d_next[hi] ^ and_terms(hi_p, flip),
                and_terms((hi_p[0][1:], hi_p[1][1:]), (lo_p[0][1:], lo_p[1][1:])),
            ]
        )
        if 2 * pairs == 2 and not odd:
            break
        mine, theirs = yield from reshare_bits(turn, terms, 1 + level)
        d_next, p_next = _next_level(mine, pairs, leaf, d_next, p_next, odd)
        d_prev, p_prev = _next_level(theirs, pairs, leaf, d_prev, p_prev, odd)
    if turn.role == 2:
        return terms
    return terms ^ edge[own:]


def _next_level(
    new: Array, pairs: int, leaf: Array, d: Array, p: Array, odd: bool
) -> tuple[Array, Array]:
    """(d, p) planes of the next level; the lowest p is never used and stays 0."""
    d_parts, p_parts = [new[:pairs]], [leaf, new[pairs:]]
    if odd:
        d_parts.append(d[-1:])
        p_parts.append(p[-1:])
    return np.concatenate(d_parts), np.concatenate(p_parts)


def msb(turn: Turn, x: Share, bits: int) -> Steps[Share]:
    """[x < 0] as a shared bit, for x in [-2^(bits-1), 2^(bits-1)).

    Cost        1 + ceil(log2 bits) rounds; bits-1 bits from role 0 and one bit per AND and party:
                52.9 bytes in 7 rounds at 64 bits, 25.3 in 6 at 32
    Error       exact inside the range, which is a promise: outside, the bit is that of x mod 2^bits
    """
    terms = yield from sign_terms(turn, x, bits)
    parts = yield from reshare_bits(turn, terms, 1 + 64)
    return Share(x.meta.with_(kind="bit", f=0), parts)


def tree_cost(meta: Meta, bits: int, first: int) -> Cost:
    """Bit sharing and every level but the last, whose one plane the caller sends."""
    cost = Cost.by_role(1, (plane_bytes(bits - 1, meta.size), 0, 0), first)
    for pairs, odd in levels(bits):
        if pairs > 1 or odd:
            cost >>= Cost(1, (plane_bytes(2 * pairs - 1, meta.size),) * 3)
    return cost


def msb_cost(meta: Meta, bits: int, first: int) -> Cost:
    """The tree and one plane from every party."""
    return tree_cost(meta, bits, first) >> Cost(1, (plane_bytes(1, meta.size),) * 3)
