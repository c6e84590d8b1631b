"""Dropping fraction bits by one masked opening, free of wrap-around.

Let z be the number to shift, |z| < 2^(k-2), r uniform: r = m * 2^(k-1) + r', and h = r' >> f. The
parties open c = z + 2^(k-2) + r. As z' = z + 2^(k-2) is in [0, 2^(k-1)), z' + r' does not wrap. Its
top bit is that of c, flipped where m = 1: so it is known up to [m], and linear in it. That gives

    z >> f  =  (c >> f) - h + m * 2^(k-1-f) - 2^(k-2-f)         where the top bit of c is 0
               the same     - 2 m * 2^(k-1-f)                   where it is 1          (+ 0 or 1)

The dealer gives [u] = [m * 2^(k-1-f) - h] and [v] = [m]; of v only v mod 2^f matters, so it is a
short word. The result is floor + 1 of z / 2^f with probability (z mod 2^f) / 2^f, else floor: it is
unbiased, and exact on multiples of 2^f.

Security (semi-honest, any n - 1 parties): c is uniform as r is, and each party's part of it is
masked by its own part of r.

References: the top bit as carry [DEK20, section 3.2.2], [EGKRS20, section 5.1].
"""

from __future__ import annotations

from mpyc_core.kernels import dealt as kernels
from mpyc_core.kernels.dealt import add_pad, total
from mpyc_core.meta import Meta
from mpyc_core.protocols.cost import Cost
from mpyc_core.protocols.value import Share
from mpyc_core.ring import Ring
from mpyc_core.transport.mesh import Array, Steps

from .turn import Needs, Turn, cost_of


def raised(turn: Turn, ring: Ring, shift: int) -> int:
    """What this party adds to z before it is opened: 2^(k-2) at party 0, if it is truncated."""
    return 1 << (ring.bits - 2) if turn.first and shift else 0


def round_down(
    turn: Turn, mine: Array, others: list[Array], u: Array, v: Array, shift: int
) -> Array:
    """This party's share of z >> f from the parts of c; `u` is a pad, `v` an array."""
    return kernels.round_down(turn.first, mine, total(others[0], others[1:]), u, v, shift)


def truncate_needs(meta: Meta, shift: int) -> Needs:
    """One truncation pair."""
    return [("truncation", (meta.ring.bits, shift, meta.shape))]


def truncate(turn: Turn, x: Share, shift: int) -> Steps[Share]:
    """Shift a shared value right by `shift` bits.

    Cost        1 round, one ring element to each other party
    Error       floor or floor + 1 of z / 2^f, unbiased, with certainty while |z| < 2^(k-2)
    """
    dealt, ring = turn.dealt(0), x.meta.ring
    lift = 1 << (ring.bits - 2) if turn.first else 0
    mine = add_pad(x.parts[0], dealt.pad(0), lift)
    (others,) = yield from turn.swap([mine])  # hidden by r, this party's own part
    return Share(x.meta, (round_down(turn, mine, others, dealt.pad(1), dealt.array(2), shift),))


def truncate_cost(meta: Meta, shift: int, n: int) -> Cost:
    """One ring element from every party to every other."""
    return cost_of(n, [meta.size * meta.ring.bytes], truncate_needs(meta, shift))


def truncate_alone(me: int, x: Share, shift: int) -> Share:
    """Two parties shift their own shares and hope that the sum did not wrap.

    Protocol    party 0 takes x_0 >> f, party 1 -((-x_1) >> f), both arithmetic
    Cost        nothing is sent
    Error       floor or floor + 1, but wrong by 2^(k-f) with probability about |x| / 2^(k-1)
                where shares are uniform: only on request by name
    Reference   [MZ17, theorem 1]; more than two parties cannot
    """
    ring, part = x.meta.ring, x.parts[0]
    if me == 0:
        return Share(x.meta, (ring.rshift_arithmetic(part, shift),))
    return Share(x.meta, (ring.neg(ring.rshift_arithmetic(ring.neg(part), shift)),))
