"""From bits to numbers: a bit as a number, and a bit times a number.

A bit b = u ^ v, u known to role 0 and v to roles 1 and 2, needs no AND to become a number:
b = u + v - 2uv = u * (1 - 2v) + v is linear in u, and roles 1 and 2 know v. Every replicated bit is
of this form with u = b01 ^ b02 and v = b12. At the end of a carry tree, the last level is brought
into this form directly (`split_terms`), in the round in which it would have been reshared.

    number   role 0 splits u = u1 + u2:  u1 = R_01,  u2 to role 2
             t1 = u1 * (1 - 2v) + v,     t2 = u2 * (1 - 2v)
    b * x    X0 = s01 + s02; role 0 splits u * X0 = al1 + al2 and u = u1 + u2 likewise
             t1 = al1 * be + u1 * ga + v * (s01 + s12),  t2 = al2 * be + u2 * ga + v * s02
             with be = 1 - 2v, ga = be * s12
    both     y01 = R_01, y02 = R_02; roles 1 and 2 swap t1 - y01 and t2 - y02; y12 = their sum

Security (semi-honest): what role 0 sends to role 2 is hidden by R_01; what role 1 sends to role 2
is hidden by R_01, and what role 2 sends to role 1 by R_02. Every block is used once, so each view
is uniform. Role 0 receives nothing.

This is this library's own composition of the well-known input of u and v [MR18, section 5.4].
"""

from __future__ import annotations

import numpy as np

from mpyc_core.bits import words
from mpyc_core.kernels.shares import answer_product, minus_mask, offer_product, weigh_bits
from mpyc_core.meta import Meta
from mpyc_core.protocols.cost import Cost, plane_bytes
from mpyc_core.protocols.value import Share
from mpyc_core.transport.mesh import Array, Round, Spec, Steps

from .carry import sign_terms, tree_cost
from .turn import Turn

U1, AL1, OUT = range(3)
SWAP, KEEP = 200, 201
"""Buffers; SWAP and KEEP are of packed bits."""


def _own_bit(turn: Turn, b: Share) -> Array:
    """u = b01 ^ b02 at role 0, v = b12 at roles 1 and 2."""
    mine, known = b.parts
    if turn.role == 0:
        return mine ^ known
    return mine if turn.role == 1 else known


def _role0_result(turn: Turn, meta: Meta) -> Share:
    y01 = turn.block(1, "convert", OUT, meta.ring, meta.shape)
    y02 = turn.block(2, "convert", OUT, meta.ring, meta.shape)
    return Share(meta, (y01, y02))


def _swap(turn: Turn, mine: Array, mask: Array, meta: Meta) -> Steps[Share]:
    """Roles 1 and 2 swap t - y, of which `mask` is y: y01 at role 1, y02 at role 2."""
    other = turn.party(3 - turn.role)
    received = yield Round(
        send={other: [mine]},  # t1 - y01 is hidden from role 2 by R_01, t2 - y02 from 1 by R_02
        recv={other: [Spec(meta.ring.dtype, meta.shape)]},
    )
    y12 = meta.ring.add(mine, received[other][0])
    return Share(meta, (y12, mask) if turn.role == 1 else (mask, y12))


def compose(turn: Turn, b: Share, weights: Array, meta: Meta) -> Steps[Share]:
    """sum_i weights[i] * b_i as a number, from the planes of b.

    Cost        2 rounds; one ring element per bit from role 0, one per number from roles 1 and 2
    """
    ring, own = meta.ring, _own_bit(turn, b)
    shape = (len(own), meta.size)
    if turn.role == 0:
        u2 = minus_mask(own, turn.block(1, "convert", U1, ring, shape))
        yield Round(send=turn.to(r2=[u2]))  # u - R_01: hidden by R_01, unknown to role 2
        yield Round()
        return _role0_result(turn, meta)
    if turn.role == 1:
        u = turn.block(0, "convert", U1, ring, shape)
        yield Round()
    else:
        received = yield Round(recv=turn.due(r0=[Spec(ring.dtype, shape)]))
        u = turn.came(received, 0)[0]
    t = weigh_bits(turn.role, own, u, np.asarray(weights, ring.dtype)).reshape(meta.shape)
    y = turn.block(0, "convert", OUT, ring, meta.shape)
    return (yield from _swap(turn, ring.sub(t, y), y, meta))


def compose_cost(meta: Meta, planes: int, first: int) -> Cost:
    """By role: `planes` elements from role 0, one from roles 1 and 2."""
    full = meta.size * meta.ring.bytes
    return Cost.by_role(2, (planes * full, full, full), first)


def msb_number(turn: Turn, x: Share, bits: int) -> Steps[Share]:
    """[x < 0] as the number 0 or 1, for x in [-2^(bits-1), 2^(bits-1)).

    Protocol    as in `relu`, the last level of the tree gives u to role 0 and v to roles 1 and 2;
                role 0's u - R_01 goes in the same round
    Cost        2 + ceil(log2 bits) rounds; 76.8 bytes at 64 bits, 49.1 at 32
    Security    z1 ^ r01 is hidden from role 2 by R_01, z2 ^ r02 from role 1 by R_02
    Error       exact inside the range
    """
    terms = yield from sign_terms(turn, x, bits)
    meta, ring = x.meta.with_(kind="int", f=0), x.meta.ring
    packed, numbers = (1, words(meta.size)), (1, meta.size)
    if turn.role == 0:
        r01 = turn.block_bits(1, "bits", SWAP, packed)
        r02 = turn.block_bits(2, "bits", SWAP, packed)
        u2 = minus_mask(terms ^ r01 ^ r02, turn.block(1, "convert", U1, ring, numbers))
        yield Round(send=turn.to(r2=[u2]))  # u - R_01: hidden by R_01, unknown to role 2
        yield Round()
        return _role0_result(turn, meta)
    # z1 ^ r01 is hidden from role 2 by R_01, z2 ^ r02 from role 1 by R_02
    mine = terms ^ turn.block_bits(0, "bits", SWAP, packed)
    due = [Spec(np.dtype(np.uint64), packed)]
    if turn.role == 1:
        received = yield Round(send=turn.to(r2=[mine]), recv=turn.due(r2=due))
        own = mine ^ turn.came(received, 2)[0]
        u = turn.block(0, "convert", U1, ring, numbers)
    else:
        number = Spec(ring.dtype, numbers)
        received = yield Round(send=turn.to(r1=[mine]), recv=turn.due(r1=due, r0=[number]))
        own = mine ^ turn.came(received, 1)[0]
        u = turn.came(received, 0)[0]
    t = weigh_bits(turn.role, own, u, ring.full(1, 1)).reshape(meta.shape)
    y = turn.block(0, "convert", OUT, ring, meta.shape)
    return (yield from _swap(turn, ring.sub(t, y), y, meta))


def msb_number_cost(meta: Meta, bits: int, first: int) -> Cost:
    """The tree; an element from role 0 and a plane from the others; an element from these."""
    full, plane = meta.size * meta.ring.bytes, plane_bytes(1, meta.size)
    last = Cost.by_role(1, (full, plane, plane), first)
    return tree_cost(meta, bits, first) >> last >> Cost.by_role(1, (0, full, full), first)


def offer(turn: Turn, u: Array, x: Share) -> list[Array]:
    """Role 0's message to role 2 for b * x: al2 and u2, hidden by two blocks of R_01."""
    shape, dtype = x.meta.shape, x.meta.ring.dtype
    al1 = turn.pad(1, "convert", AL1, shape, dtype)
    u1 = turn.pad(1, "convert", U1, shape, dtype)
    return list(offer_product(u, x.parts, (al1, u1)))  # u * (s01 + s02) - al1, u - u1


def finish_product(turn: Turn, v: Array, x: Share, offered: list[Array]) -> Steps[Share]:
    """Roles 1 and 2 compute their terms of b * x and swap them; role 0 waits."""
    meta = x.meta
    if turn.role == 0:
        yield Round()
        return _role0_result(turn, meta)
    shape, dtype = meta.shape, meta.ring.dtype
    y = turn.pad(0, "convert", OUT, shape, dtype)
    if turn.role == 1:
        s12, s01 = x.parts
        al1 = turn.pad(0, "convert", AL1, shape, dtype)
        u1 = turn.pad(0, "convert", U1, shape, dtype)
        mine, mask = answer_product(1, v, s12, s01, (al1, u1), y)
    else:
        s02, s12 = x.parts
        al2, u2 = offered
        mine, mask = answer_product(2, v, s12, s02, (al2, u2), y)
    return (yield from _swap(turn, mine, mask, meta))


def select(turn: Turn, b: Share, x: Share) -> Steps[Share]:
    """[b * x] for a shared bit and a shared number.

    Cost        2 rounds; two ring elements from role 0, one from roles 1 and 2: 32 bytes in all
    Error       exact
    """
    own = _own_bit(turn, b)
    full = Spec(x.meta.ring.dtype, x.meta.shape)
    offered: list[Array] = []
    if turn.role == 0:
        yield Round(send=turn.to(r2=offer(turn, own, x)))  # each hidden by its block of R_01
    elif turn.role == 1:
        yield Round()
    else:
        received = yield Round(recv=turn.due(r0=[full, full]))
        offered = turn.came(received, 0)
    return (yield from finish_product(turn, own, x, offered))


def select_cost(meta: Meta, first: int) -> Cost:
    """By role: two elements from role 0, one each from roles 1 and 2."""
    full = meta.size * meta.ring.bytes
    return Cost.by_role(2, (2 * full, full, full), first)


def relu(turn: Turn, x: Share, bits: int) -> Steps[tuple[Share, Share]]:
    """max(x, 0) and the bit x >= 0: carry tree, then bit times number, fused.

    Protocol    the last level of the tree is not reshared: roles 1 and 2 swap z1 ^ r01 and
                z2 ^ r02, which gives v = z1 ^ z2 ^ r01 ^ r02 to both and leaves
                u = z0 ^ r01 ^ r02 with role 0, before the round; its messages for b * x go in it
    Cost        2 + ceil(log2 bits) rounds; 84.9 bytes at 64 bits, 57.3 at 32
    Security    z1 ^ r01 is hidden from role 2 by R_01, z2 ^ r02 from role 1 by R_02
    Error       exact for x in [-2^(bits-1), 2^(bits-1)); the full number is multiplied
    """
    terms = yield from sign_terms(turn, x, bits)
    meta = x.meta
    shape = (1, words(meta.size))
    packed, full = Spec(np.dtype(np.uint64), shape), Spec(meta.ring.dtype, meta.shape)
    offered: list[Array] = []
    if turn.role == 0:
        r01 = turn.block_bits(1, "bits", SWAP, shape)
        r02 = turn.block_bits(2, "bits", SWAP, shape)
        own = ~(terms ^ r01 ^ r02)  # u of the bit "not negative"
        k01 = turn.block_bits(1, "bits", KEEP, shape)
        k02 = own ^ k01
        yield Round(send=turn.to(r2=[*offer(turn, own, x), k02]))  # each hidden by R_01
        keep = (k01, k02)
    elif turn.role == 1:
        mine = terms ^ turn.block_bits(0, "bits", SWAP, shape)  # hidden from role 2 by R_01
        received = yield Round(send=turn.to(r2=[mine]), recv=turn.due(r2=[packed]))
        own = mine ^ turn.came(received, 2)[0]
        keep = (own, turn.block_bits(0, "bits", KEEP, shape))
    else:
        mine = terms ^ turn.block_bits(0, "bits", SWAP, shape)  # hidden from role 1 by R_02
        received = yield Round(
            send=turn.to(r1=[mine]), recv=turn.due(r1=[packed], r0=[full, full, packed])
        )
        own = mine ^ turn.came(received, 1)[0]
        *offered, k02 = turn.came(received, 0)
        keep = (k02, own)
    y = yield from finish_product(turn, own, x, offered)
    return y, Share(meta.with_(kind="bit", f=0), keep)


def relu_cost(meta: Meta, bits: int, first: int) -> Cost:
    """The tree; then two elements and a plane from role 0, a plane and an element from the rest."""
    full, plane = meta.size * meta.ring.bytes, plane_bytes(1, meta.size)
    last = Cost.by_role(1, (2 * full + plane, plane, plane), first)
    return tree_cost(meta, bits, first) >> last >> Cost.by_role(1, (0, full, full), first)
