"""Dropping fraction bits by one masked opening, free of wrap-around.

As in additive sharing (`additive/truncate.py`), over the ring of shares: for R uniform modulo
2^(k+s), open C = z + 2^(k-2) + R and let c = C mod 2^k, r = R mod 2^k = m * 2^(k-1) + r',
h = r' >> f. Where |z| < 2^(k-2), as an integer

    z >> f  =  (c >> f) - h + m * 2^(k-1-f) - 2^(k-2-f)  -  c_(k-1) * m * 2^(k-f)         (+ 0 or 1)

with c >> f of the unsigned c. It is linear in the dealt [u] = [m * 2^(k-1-f) - h] and [m], and true
over the integers: whatever was in the upper s bits of [z] is gone.

Security: C is uniform modulo 2^(k+s), as R is, and is verified before anything is shown.
References: as in additive sharing; over Z/2^(k+s) [DEFKSV19], [EGKRS20, section 5.1].
"""

from __future__ import annotations

from mpyc_core.kernels.verified import round_down as kernel
from mpyc_core.meta import Meta
from mpyc_core.protocols.additive.turn import Needs, cost_of
from mpyc_core.protocols.cost import Cost
from mpyc_core.ring import Ring
from mpyc_core.transport.mesh import Array, Steps

from .turn import Numbers, Turn, both


def lifted(turn: Turn, wide: Ring, z: Numbers, shift: int) -> Numbers:
    """z + 2^(k-2), if it is to be truncated."""
    if shift == 0:
        return z
    return turn.plus(wide, z, wide.full((), 1 << (wide.bits // 2 - 2)))


def round_down(
    turn: Turn, wide: Ring, opened: Array, u: Numbers, m: Numbers, shift: int
) -> Numbers:
    """[z >> f] from the opened C and the dealt [u] and [m]."""
    one = wide.full((), int(turn.first))
    keys = Numbers(one, turn.keys.alpha(wide))
    return Numbers(*(kernel(wide, opened, u[i], m[i], keys[i], shift) for i in (0, 1)))


def truncate_needs(meta: Meta, wide: Ring, shift: int) -> Needs:
    """One truncation pair."""
    return [("spdz2k-truncation", (wide.bits, shift, meta.shape))]


def truncate(turn: Turn, wide: Ring, z: Numbers, shift: int) -> Steps[Numbers]:
    """Shift a shared value right by `shift` bits.

    Cost        1 round, one element of the ring of shares to each other party
    Error       floor or floor + 1 of z / 2^f, unbiased, with certainty while |z| < 2^(k-2)
    """
    dealt = turn.dealt(0)
    hidden = both(wide, lifted(turn, wide, z, shift), dealt.numbers(0))  # hidden by R
    (opened,) = yield from turn.reveal(wide, hidden)
    return round_down(turn, wide, opened, dealt.numbers(1), dealt.numbers(2), shift)


def truncate_cost(meta: Meta, wide: Ring, shift: int, n: int) -> Cost:
    """One element from every party to every other."""
    return cost_of(n, [meta.size * wide.bytes], truncate_needs(meta, wide, shift))
