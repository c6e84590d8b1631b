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
from mpyc_core.kernels.dealt import plane_of
from mpyc_core.kernels.replicated import (
    combine_leaves,
    combine_nodes,
    leaves_of_words,
    split_planes,
    xor_zero_share,
)
from mpyc_core.meta import Meta
from mpyc_core.protocols.cost import Cost, plane_bytes
from mpyc_core.protocols.value import Share
from mpyc_core.transport.mesh import Array, Round, Spec, Steps

from .multiply import to_next
from .turn import Parts, Turn

SHARE, FIRST, LAST = 0, 1, 1 + 64
"""Buffers of the bit sharing and of the sign; level i of the tree uses FIRST + i."""


def share_leaves(turn: Turn, x: Share, bits: int) -> Steps[tuple[Array, Parts, Array]]:
    """Role 0 shares the low bits - 1 bits of a; every role combines the leaves in one pass.

    The components of p = a ^ B are s01 = R_01, s02 = a ^ R_01, s12 = B. R_01 stays a pad, and role
    1 has its planes of B in cache only.

    Returns
    -------
    This role's message of the first level, the components of p at the highest leaf, and the top
    plane, of a at role 0 and of B at roles 1 and 2.

    Cost        1 round, bits - 1 planes from role 0
    """
    width, pairs = words(x.meta.size), bits // 2
    shape, below = (2 * pairs - 1, width), bits - 2
    zero = turn.zero(FIRST, shape)
    if turn.role == 2:
        b = to_planes(x.parts[1], bits)
        received = yield Round(recv=turn.due(r0=[Spec(b.dtype, (bits - 1, width))]))
        a02 = turn.came(received, 0)[0]
        mine = combine_leaves(2, (a02, b), shape, zero)
        return mine, (a02[below:], b[below : bits - 1]), b[bits - 1 :]
    r01 = turn.pad(1 - turn.role, "bits", SHARE, (bits - 1, width))
    if turn.role == 0:
        _, a02, above = split_planes(x.parts, r01, bits - 1, 1, keep=False)  # a02 = a ^ R_01
        yield Round(send=turn.to(r2=[a02]))  # hidden by R_01, unknown to role 2
        mine = combine_leaves(0, (r01, a02), shape, zero)
        return mine, (plane_of(r01, below, width), a02[below:]), above
    mine, above = leaves_of_words(x.parts[0], r01, bits, shape, zero)
    yield Round()
    return mine, (above[:1], plane_of(r01, below, width)), above[1:]


def known_to_12(turn: Turn, p: Parts) -> Parts:
    """Components of B, which roles 1 and 2 know, from those of a ^ B: s12 = B, the others 0."""
    zero = np.zeros_like(p[0])
    return ((zero, zero), (p[0], zero), (zero, p[1]))[turn.role]


def levels(leaves: int) -> Iterator[tuple[int, bool]]:
    """(pairs, whether a top leaf is left over) of each level, from the leaves to the root."""
    while leaves > 1:
        yield leaves // 2, bool(leaves % 2)
        leaves = leaves // 2 + leaves % 2


def sign_terms(turn: Turn, x: Share, bits: int) -> Steps[Array]:
    """Additive terms over XOR of the sign bit: z_0 ^ z_1 ^ z_2 = msb, not yet masked or reshared.

    The caller decides what the last round makes of them: a shared bit, a number, a selection. The
    n nodes of a level are the planes d_0 ... d_{n-1}, p_1 ... p_{n-1}, in both components.
    """
    mine, p_top, signs = yield from share_leaves(turn, x, bits)
    d_top = known_to_12(turn, p_top)
    nothing = np.zeros_like(d_top[0])
    nodes = stack((nothing, nothing), d_top, p_top)
    for level, (pairs, odd) in enumerate(levels(bits)):
        if pairs == 1 and not odd:
            break
        if level > 0:
            shape = (2 * pairs - 1, words(x.meta.size))
            mine = combine_nodes(nodes, shape, turn.zero(FIRST + level, shape))
        nodes = yield from to_next(turn, mine)
        if odd:
            lower, upper = planes_of(nodes, 0, pairs), planes_of(nodes, pairs, 2 * pairs - 1)
            nodes = stack(lower, d_top, upper, p_top)
        else:
            d_top = planes_of(nodes, pairs - 1, pairs)
            p_top = planes_of(nodes, 2 * pairs - 2, 2 * pairs - 1)
    terms = _root_terms(nodes)
    return terms if turn.role == 2 else terms ^ signs


def _root_terms(nodes: Parts) -> Array:
    """This party's term of d_1 ^ p_1 & (d_0 ^ d_1), one plane."""
    (d0_next, d1_next, p1_next), (d0_prev, d1_prev, p1_prev) = nodes
    flip_next, flip_prev = d0_next ^ d1_next, d0_prev ^ d1_prev
    chosen = (p1_next & (flip_next ^ flip_prev)) ^ (p1_prev & flip_next)
    return np.asarray(d1_next ^ chosen)[None]


def planes_of(x: Parts, start: int, stop: int) -> Parts:
    """Some planes of both components."""
    return x[0][start:stop], x[1][start:stop]


def stack(*rows: Parts) -> Parts:
    """Planes of both components one after the other."""
    return np.concatenate([r[0] for r in rows]), np.concatenate([r[1] for r in rows])


def msb(turn: Turn, x: Share, bits: int) -> Steps[Share]:
    """[x < 0] as a shared bit, for x in [-2^(bits-1), 2^(bits-1)).

    Cost        1 + ceil(log2 bits) rounds; bits-1 bits from role 0 and one bit per AND and party:
                52.9 bytes in 7 rounds at 64 bits, 25.3 in 6 at 32
    Error       exact inside the range, which is a promise: outside, the bit is that of x mod 2^bits
    """
    terms = yield from sign_terms(turn, x, bits)
    mine = xor_zero_share(terms, turn.zero(LAST, terms.shape))
    parts = yield from to_next(turn, mine)
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
