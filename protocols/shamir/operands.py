"""A shared number as a sum of bit-shared operands, and the reduction of operands to two.

Over GF(2^127 - 1), c = x + 2^(v-1) + r_1 + ... + r_t is known to the king (`king.py`), with v - 1
at least 64. Modulo 2^b, where b is at most 64, -r = ~r + 1, so that

    x  =  (c + t) + ~r_1 + ... + ~r_t        (mod 2^b)

of which every summand is known to somebody, who deals its bits. Over GF(2^61 - 1) the same holds
modulo p with masks that are uniform in the field: the complement of r in 61 bits *is* p - r, and a
carry out of the highest bit goes back to the lowest, for 2^61 = 1.
"""

from __future__ import annotations

import numpy as np

from mpyc_core.bits import to_planes, words
from mpyc_core.meta import Meta
from mpyc_core.protocols.circuits import Gates, planes
from mpyc_core.protocols.cost import Cost
from mpyc_core.protocols.value import Share
from mpyc_core.transport.lockstep import together
from mpyc_core.transport.mesh import Array, Steps

from .king import contributions, number, share_to_king, to_king_cost
from .sharing import lifted
from .space import bits_for, parts_of
from .turn import Deal, Turn, deal_cost, reshare_cost, threshold


def operands(turn: Turn, x: Share, bits: int, plus: int) -> Steps[list[Share]]:
    """t + 1 numbers of `bits` bits whose sum is x - t + plus, bit-shared.

    Cost        2 rounds; an element from t parties, `bits` bits dealt by each of t parties
    """
    meta = x.meta
    masks = contributions(turn, meta)
    flipped = {p: None if r is None else _complement(r, bits) for p, r in masks.items()}
    c, others = yield from together(
        share_to_king(turn, meta, number(x.parts[0], meta), masks),
        contributed_planes(turn, meta, flipped, bits),
    )
    secret = None
    if c is not None:
        low = c if c.dtype == np.uint64 else np.ascontiguousarray(c["lo"])
        secret = lifted(bits_for(turn.n), to_planes(low.reshape(-1), bits, plus))
    space, size = bits_for(turn.n), bits * words(meta.size)
    (mine,) = yield from turn.deal(Deal(turn.king, space, size, secret))
    return [_share(mine, meta, bits), *others]


def operands_cost(n: int, meta: Meta, bits: int, first: int) -> Cost:
    """To the king and beside it the contributions; then the king's bits."""
    begin = to_king_cost(n, meta, list(range(1, threshold(n) + 1)), first)
    beside = contributed_planes_cost(n, meta, bits, first)
    then = deal_cost(bits_for(n), n, bits * words(meta.size), [first])
    return (begin | beside) >> then


def _complement(r: Array, bits: int) -> Array:
    low = r if r.dtype == np.uint64 else r["lo"]
    return to_planes(np.ascontiguousarray(~low).reshape(-1), bits)


def contributed_planes(
    turn: Turn, meta: Meta, known: dict[int, Array | None], bits: int
) -> Steps[list[Share]]:
    """Bits that contributors know, as shares: the group's without a message.

    Cost        1 round, `bits` planes dealt by each of t - 1 parties
    """
    space, size = bits_for(turn.n), bits * words(meta.size)
    leader, *singles = turn.contributors
    mine = known[leader]
    own = turn.group_share(space, None if mine is None else lifted(space, mine), size)
    deals = []
    for p in singles:
        secret = known[p] if p == turn.me else None
        deals.append(Deal(p, space, size, None if secret is None else lifted(space, secret)))
    dealt = (yield from turn.deal(*deals)) if deals else []
    return [_share(v, meta, bits) for v in (own, *dealt)]


def contributed_planes_cost(n: int, meta: Meta, bits: int, first: int) -> Cost:
    """From each of t - 1 parties."""
    dealers = [(first + role) % n for role in range(2, threshold(n) + 1)]
    if not dealers:
        return Cost.free(n)
    return deal_cost(bits_for(n), n, bits * words(meta.size), dealers)


def _share(x: Array, meta: Meta, bits: int) -> Share:
    bit = meta.with_(kind="bit", f=0)
    return Share(bit, parts_of(x, bit, bits))


def carry_save(
    g: Gates, x: Share, y: Share, z: Share, around: bool = False
) -> Steps[tuple[Share, Share, Share]]:
    """Two numbers with the sum of three, and the carry out of the highest bit.

    Parameters
    ----------
    around : the carry out of the highest bit goes to the lowest.

    Cost        1 round, one AND per bit
    """
    p = g.p
    xz = p.xor(x, z)
    both = yield from g.and_(xz, p.xor(y, z))
    carry, n = p.xor(both, z), planes(x)
    out = p.planes(carry, slice(n - 1, n))
    into = out if around else p.xor(out, out)
    above = p.stack_planes(into, p.planes(carry, slice(0, n - 1))) if n > 1 else into
    return p.xor(xz, y), above, out


def two_operands(g: Gates, sums: list[Share], around: bool = False) -> Steps[tuple[Share, Share]]:
    """Two numbers with the sum of all.

    Cost        t - 1 rounds for t + 1 operands
    """
    while len(sums) > 2:
        total, above, _ = yield from carry_save(g, sums[0], sums[1], sums[2], around)
        sums = [total, above, *sums[3:]]
    return sums[0], sums[1]


def two_operands_cost(n: int, meta: Meta, bits: int, first: int) -> Cost:
    """One AND per bit for all operands but two."""
    cost = Cost.free(n)
    for _ in range(threshold(n) - 1):
        cost >>= gate_cost(n, meta, bits, first)
    return cost


def gate_cost(n: int, meta: Meta, ands: int, first: int) -> Cost:
    """One level of ANDs."""
    return reshare_cost(bits_for(n), n, ands * words(meta.size), first)
