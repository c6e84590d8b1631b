"""Masked values: a secret plus a random number, known to one party alone.

The king learns c = x + r_1 + ... + r_t, where the contributions r_j are random numbers of the group
and of t - 1 single parties (`turn.py`). Masked by as little as one of them, c says nothing: either
a contribution is uniform in the field, or it is uniform over a range 2^40 times that of x.

Security    t parties that include the king miss one contribution; t others learn nothing of c
Reference   masking with statistical distance 2^-40 [CdH10, section 2]; known to one party, and the
            rest known to the others, it is this library's own arrangement
"""

from __future__ import annotations

import math

import numpy as np

from mpyc_core.errors import ShareError
from mpyc_core.field import PrimeField
from mpyc_core.meta import Meta
from mpyc_core.protocols.cost import Cost
from mpyc_core.transport.mesh import Array, Round, Steps

from .space import numbers, vector
from .turn import Turn, threshold

STATISTICAL = 40
"""Bits of statistical security."""


def mask_bits(n: int) -> int:
    """Bits of a contribution: t of them and a masked number stay below 2^127 - 1."""
    return 126 - math.ceil(math.log2(threshold(n)))


def range_bits(n: int) -> int:
    """Signed bits of what may be masked over GF(2^127 - 1): 85 or 86, less for many parties."""
    return mask_bits(n) - STATISTICAL


def contributions(turn: Turn, meta: Meta) -> dict[int, Array | None]:
    """r_j by contributor, at those who know it and None at others, shape (1, N).

    Over GF(2^127 - 1) numbers of `mask_bits` bits, over GF(2^61 - 1) uniform elements.
    """
    space, buffer = numbers(meta.ring.bits), turn.buffer()
    known: dict[int, Array | None] = dict.fromkeys(turn.contributors)
    for k, party in enumerate(turn.contributors):
        if turn.me in (turn.group if k == 0 else [party]):
            words = turn.words(turn.n + (k > 0), buffer, space, meta.size)
            known[party] = _ranged(meta.ring, words, turn.n)
    return known


def _ranged(ring: object, words: Array, n: int) -> Array:
    if isinstance(ring, PrimeField) and ring.bits == 61:
        return ring.uniform(words)
    masked = words.copy()
    masked["hi"] &= np.uint64((1 << (mask_bits(n) - 64)) - 1)
    return masked


def to_king(
    turn: Turn, meta: Meta, term: Array, senders: list[int], masks: dict[int, Array | None]
) -> Steps[Array | None]:
    """The king's sum of terms and contributions; None at all others.

    Parameters
    ----------
    term : this party's additive term of the secret, shape (1, N); at the king too.
    senders : those with a term, but the king.

    Cost        1 round, one element from every sender
    """
    ring, space = meta.ring, numbers(meta.ring.bits)
    buffers = {(a, b): turn.buffer() for a in senders for b in senders if a < b}
    if turn.me == turn.king:
        received = yield Round(recv={p: [space.spec(meta.size)] for p in senders})
        return space.summed([term, *(received[p][0] for p in senders)])
    step = Round()
    if turn.me in senders:
        mine = term
        own = masks.get(turn.me)
        if own is not None:
            mine = ring.add(mine, own)
        for peer in senders:
            if peer != turn.me:
                pair = min(peer, turn.me), max(peer, turn.me)
                zero = space.total(turn.words(peer, buffers[pair], space, meta.size)[None])
                mine = ring.add(mine, zero) if turn.me < peer else ring.sub(mine, zero)
        # hidden by a sharing of zero among the senders; their sum by the contributions
        step.send[turn.king] = [mine]
    yield step
    return None


def share_to_king(
    turn: Turn, meta: Meta, share: Array, masks: dict[int, Array | None]
) -> Steps[Array | None]:
    """As `to_king`, for a number that is shared by polynomials of degree t.

    Cost        1 round, one element from every contributor
    """
    space = numbers(meta.ring.bits)
    holders = [turn.king, *turn.contributors]
    term = share
    if turn.me in holders:
        weights = turn.opening_weights(space, holders)
        term = space.scaled(weights[holders.index(turn.me)], share)
    return (yield from to_king(turn, meta, term, turn.contributors, masks))


def to_king_cost(n: int, meta: Meta, roles: list[int], first: int) -> Cost:
    """One vector of numbers from every sender."""
    each = numbers(meta.ring.bits).bytes(meta.size)
    return Cost.by_role(1, [each if role in roles else 0 for role in range(n)], first)


def offset(n: int) -> int:
    """What makes numbers of `range_bits` signed bits positive."""
    return 1 << (range_bits(n) - 1)


def check_room(meta: Meta, what: str) -> None:
    """Refuse what needs room above the numbers for masks.

    Raises
    ------
    ShareError : the field is that of 2^61 - 1.
    """
    if meta.ring.bits != 127:
        raise ShareError(
            f"{what} needs masks larger than {meta.ring.name} has room for; share the data with "
            "ring=127"
        )


def number(x: Array, meta: Meta) -> Array:
    """A component as a vector."""
    return vector((x,), meta.with_(kind="int", f=0))
