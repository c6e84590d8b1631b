"""Dropping fraction bits without a wrap-around error, alone or fused into a product.

Notation: R_ij is a block of the key of roles i and j; every use below is a buffer of its own.

Let z be the number to shift, |z| < 2^(k-2), and z' = z + 2^(k-2), so that 0 <= z' < 2^(k-1). It is
split into x0 + x1 = z' (mod 2^k), x0 known to role 0 and x1 to role 1, x1 uniform. As z' < 2^(k-1),
the sum of x0 and x1 over the integers reaches 2^k exactly if one of them is at least 2^(k-1): the
wrap w is the OR of their top bits m0, m1. So

    z >> f  =  (x0 >> f) + (x1 >> f) - w * 2^(k-f) - 2^(k-2-f)   (+ 0 or 1)

with the error of at most one unit that comes from the carry between the low halves. x0 is raised by
2^f - 1 less than a full unit at the start (`- 1`) and the result by one at the end, which makes the
rounding exact on multiples of 2^f: floor or floor + 1, with expectation z / 2^f.

The OR needs one product of two private bits, m0 * m1 modulo 2^f. Role 2 deals it:
a, c0 = R_02 and b, c1 = R_12; the rest is one Beaver step between roles 0 and 1.

Security (semi-honest, one of three). The simulator of each role draws what it receives uniformly:
    role 0 sees  z_2 - R_12,  m1 + b,  t1 - s12    b, R_12 and s12 are blocks it lacks (R_12)
    role 1 sees  a*b - c0 - c1,  m0 + a,  t0 - s02     c0, a and s02 are blocks it lacks (R_02)
    role 2 sees  nothing
Every message has a pad of its own that occurs in no other message, so the joint view is uniform,
and the output components s02, s12 are fresh blocks, independent of the view.

References: the top bits as carry [DEK20, section 3.2.2], [EGKRS20, section 5.1]; the fusion of
resharing, wrap bit and output into three rounds is this library's own composition.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mpyc_core.kernels.shares import shift_down, with_top_bit
from mpyc_core.meta import Meta
from mpyc_core.protocols.cost import Cost
from mpyc_core.protocols.value import Share
from mpyc_core.transport.mesh import Array, Round, Spec, Steps

from .turn import Turn

R12, A, B, C0, C1, OUT = range(6)
"""Buffers of one truncation; A, C0 belong to the key R_02 and R12, B, C1 to R_12."""


def short_word(shift: int) -> np.dtype[Any]:
    """The smallest unsigned word that holds `shift` bits: the wrap bit matters modulo 2^shift."""
    return np.dtype(f"u{next(size for size in (1, 2, 4, 8) if 8 * size >= shift)}")


def product_truncate(turn: Turn, terms: Array, meta: Meta, shift: int) -> Steps[Share]:
    """Shift z = z_0 + z_1 + z_2 (cross terms, not reshared) right by `shift` bits.

    The split is x0 = z_0 + z_2 - R_12 and x1 = z_1 + R_12; role 2 hands z_2 - R_12 to role 0.

    Cost        3 rounds; k/8 + f/8 bytes per element and party (30 in all at k = 64, f = 16)
    Error       floor or floor + 1 of z / 2^f, unbiased, with certainty while |z| < 2^(k-2)
    """
    ring = meta.ring
    if turn.role == 0:
        return (yield from _role0(turn, terms, True, meta, shift))
    if turn.role == 1:
        r12 = turn.pad(2, "truncate", R12, meta.shape, ring.dtype)
        x1, m1 = with_top_bit(terms, short_word(shift), pad=r12)
        return (yield from _role1(turn, x1, m1, meta, shift))
    r12 = turn.block(1, "truncate", R12, ring, meta.shape)
    hand_over = ring.sub(terms, r12)  # hidden by R_12, unknown to role 0
    return (yield from _role2(turn, hand_over, meta, shift))


def truncate(turn: Turn, x: Share, shift: int) -> Steps[Share]:
    """Shift a shared value right by `shift` bits.

    The split is local: x0 = s02 - R_01 and x1 = s01 + s12 + R_01; role 0 lacks s12, role 1 lacks
    s02, and the fresh block makes x1 uniform, so the rounding is unbiased whatever the components.

    Cost        3 rounds; k/8 + f/8 bytes from roles 0 and 1, f/8 from role 2 (22 in all)
    Error       as `product_truncate`
    """
    meta = x.meta
    mine, known = x.parts
    if turn.role == 0:
        return (yield from _role0(turn, known, False, meta, shift))
    if turn.role == 1:
        r01 = turn.pad(0, "truncate", R12, meta.shape, meta.ring.dtype)
        x1, m1 = with_top_bit(mine, short_word(shift), plus=known, pad=r01)
        return (yield from _role1(turn, x1, m1, meta, shift))
    return (yield from _role2(turn, None, meta, shift))


def truncate_local(turn: Turn, x: Share, shift: int) -> Steps[Share]:
    """Shift both numbers of a local split and hope that their sum did not wrap.

    Protocol    x = a + B, a = s01 + s02 at role 0, B = s12; [x / 2^f] = (a >> f) + (B >> f) with
                arithmetic shifts; role 0 shares its part with one message
    Cost        1 round, one ring element from role 0
    Error       floor or floor - 1 or floor + 1, but wrong by 2^(k-f) with probability about
                |x| / 2^(k-1): only on request by name
    Security    role 0's part is hidden from role 2 by a block of R_01
    Reference   [MZ17, theorem 1]
    """
    ring, meta = x.meta.ring, x.meta
    mine, known = x.parts
    if turn.role == 0:
        s01 = turn.block(1, "truncate", OUT, ring, meta.shape)
        part = ring.sub(ring.rshift_arithmetic(ring.add(mine, known), shift), s01)
        yield Round(send=turn.to(r2=[part]))  # hidden by s01 = R_01, unknown to role 2
        return Share(meta, (s01, part))
    if turn.role == 1:
        yield Round()
        s01 = turn.block(0, "truncate", OUT, ring, meta.shape)
        return Share(meta, (ring.rshift_arithmetic(mine, shift), s01))
    received = yield Round(recv=turn.due(r0=[Spec(ring.dtype, meta.shape)]))
    return Share(meta, (turn.came(received, 0)[0], ring.rshift_arithmetic(known, shift)))


def truncate_local_cost(meta: Meta, first: int) -> Cost:
    """One ring element from role 0."""
    return Cost.by_role(1, (meta.size * meta.ring.bytes, 0, 0), first)


def _role0(turn: Turn, own: Array, fused: bool, meta: Meta, shift: int) -> Steps[Share]:
    """`own` is z_0 of a product, or s02 of a value."""
    ring, word = meta.ring, short_word(shift)
    short, full = Spec(word, meta.shape), Spec(ring.dtype, meta.shape)
    a = turn.block_small(2, A, word, meta.shape)
    c0 = turn.block_small(2, C0, word, meta.shape)
    received = yield Round(recv=turn.due(r1=[short], **({"r2": [full]} if fused else {})))
    m1_b = turn.came(received, 1)[0]
    raised = (1 << (ring.bits - 2)) - 1
    if fused:
        handed_over = turn.came(received, 2)[0]
        x0, m0 = with_top_bit(own, word, plus=handed_over, constant=raised)
    else:
        r01 = turn.pad(1, "truncate", R12, meta.shape, ring.dtype)
        x0, m0 = with_top_bit(own, word, minus_pad=r01, constant=raised)
    w0 = m0 - (m0 * m1_b + c0)
    lowered = 1 - (1 << (ring.bits - 2 - shift))
    r02 = turn.pad(2, "truncate", OUT, meta.shape, ring.dtype)
    mine, s02 = shift_down(x0, w0, shift, lowered, r02)  # t0 - s02 where s02 = R_02
    yield Round(send=turn.to(r1=[m0 + a, mine]))  # hidden by a and s02 = R_02, unknown to role 1
    received = yield Round(recv=turn.due(r1=[full]))
    return Share(meta, (ring.add(mine, turn.came(received, 1)[0]), s02))


def _role1(turn: Turn, x1: Array, m1: Array, meta: Meta, shift: int) -> Steps[Share]:
    ring, word = meta.ring, short_word(shift)
    short, full = Spec(word, meta.shape), Spec(ring.dtype, meta.shape)
    b = turn.block_small(2, B, word, meta.shape)
    c1 = turn.block_small(2, C1, word, meta.shape)
    received = yield Round(
        send=turn.to(r0=[m1 + b]),  # hidden by b = R_12, unknown to role 0
        recv=turn.due(r2=[short]),
    )
    c1 = c1 + turn.came(received, 2)[0]
    received = yield Round(recv=turn.due(r0=[short, full]))
    m0_a, theirs = turn.came(received, 0)
    w1 = m1 - (c1 - b * m0_a)
    r12 = turn.pad(2, "truncate", OUT, meta.shape, ring.dtype)
    mine, s12 = shift_down(x1, w1, shift, 0, r12)  # t1 - s12 where s12 = R_12
    yield Round(send=turn.to(r0=[mine]))  # hidden by s12 = R_12, unknown to role 0
    return Share(meta, (s12, ring.add(theirs, mine)))


def _role2(turn: Turn, hand_over: Array | None, meta: Meta, shift: int) -> Steps[Share]:
    ring, word, shape = meta.ring, short_word(shift), meta.shape
    a = turn.block_small(0, A, word, shape)
    c0 = turn.block_small(0, C0, word, shape)
    b = turn.block_small(1, B, word, shape)
    c1 = turn.block_small(1, C1, word, shape)
    send = turn.to(r1=[a * b - c0 - c1])  # hidden by c0 = R_02, unknown to role 1
    if hand_over is not None:
        send |= turn.to(r0=[hand_over])  # z_2 - R_12: hidden by R_12, unknown to role 0
    yield Round(send=send)
    yield Round()
    yield Round()
    s02 = turn.block(0, "truncate", OUT, ring, shape)
    s12 = turn.block(1, "truncate", OUT, ring, shape)
    return Share(meta, (s02, s12))


def truncate_cost(meta: Meta, shift: int, first: int, fused: bool) -> Cost:
    """By role: a ring element and a short word each; role 2 has no ring element unless fused."""
    short = meta.size * short_word(shift).itemsize
    full = meta.size * meta.ring.bytes
    return Cost.by_role(3, (short + full, short + full, short + (full if fused else 0)), first)
