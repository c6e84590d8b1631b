"""Dropping fraction bits, alone or fused into a product.

The king learns c = z + 2^(v-1) + r_1 + ... + r_t (`king.py`) and deals c >> f; contributors know
h_j = r_j >> f. With l_j the low f bits of r_j, and l their sum modulo 2^f and k its carry,

    (c >> f) - h_1 - ... - h_t - k - 2^(v-1-f)  =  floor((z + l) / 2^f)

which is floor or floor + 1 of z / 2^f, unbiased since l is uniform, and exact on multiples of 2^f.
With three parties there is one contribution and no carry: a product costs as much as without a
truncation, and one round more. With more, the carry is counted on bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mpyc_core.bits import to_planes
from mpyc_core.meta import Meta
from mpyc_core.protocols.circuits import Gates, planes, root, root_levels, sum_leaves
from mpyc_core.protocols.cost import Cost
from mpyc_core.protocols.value import Share
from mpyc_core.transport.lockstep import together
from mpyc_core.transport.mesh import Array, Steps

from .convert import compose_numbers, compose_numbers_cost
from .king import (
    check_room,
    contributions,
    number,
    offset,
    share_to_king,
    to_king,
    to_king_cost,
)
from .multiply import local_product
from .operands import carry_save, contributed_planes, contributed_planes_cost, gate_cost
from .space import numbers, parts_of
from .turn import Deal, Turn, deal_cost, threshold

Masks = dict[int, Array | None]


def truncate(g: Gates, turn: Turn, x: Share, shift: int) -> Steps[Share]:
    """x / 2^shift.

    Cost        2 rounds and 32 bytes in all for 3 parties; with more, the carry runs beside it
    Error       floor or floor + 1 of z / 2^f, unbiased, with certainty while |z| < 2^(v-1), where
                v is 86 for 3 parties, 85 for 5 and 84 for 7 and 9
    Security    statistical, 2^-40, against t parties that include the king; perfect otherwise
    """
    check_room(x.meta, "dropping fraction bits")
    masks = contributions(turn, x.meta)
    masked = share_to_king(turn, x.meta, number(x.parts[0], x.meta), masks)
    return (yield from _shifted(g, turn, masked, masks, x.meta, shift))


def product_truncate(
    g: Gates,
    turn: Turn,
    kind: str,
    x: Share,
    y: Share,
    meta: Meta,
    shift: int,
    params: Mapping[str, Any],
) -> Steps[Share]:
    """[x * y / 2^shift]: the product is masked as it is, on a polynomial of degree 2t.

    Cost        2 rounds and 48 bytes in all for 3 parties, as many bytes as a product
    Error       as `truncate`
    """
    check_room(meta, "a product of fixed-point numbers")
    masks = contributions(turn, meta)
    space, z = numbers(meta.ring.bits), local_product(kind, x, y, meta, params)
    holders = [turn.party(role) for role in range(2 * turn.t + 1)]
    if turn.me in holders:
        weights = turn.opening_weights(space, holders)
        z = space.scaled(weights[holders.index(turn.me)], z)
    masked = to_king(turn, meta, z, holders[1:], masks)
    return (yield from _shifted(g, turn, masked, masks, meta, shift))


def _shifted(
    g: Gates, turn: Turn, masked: Steps[Array | None], masks: Masks, meta: Meta, shift: int
) -> Steps[Share]:
    if turn.t == 1:
        return Share(
            meta, parts_of((yield from _differences(turn, masked, masks, meta, shift)), meta)
        )
    wide, carry = yield from together(
        _differences(turn, masked, masks, meta, shift), _carry(g, turn, masks, meta, shift)
    )
    return Share(meta, parts_of(meta.ring.sub(wide, carry), meta))


def _differences(
    turn: Turn, masked: Steps[Array | None], masks: Masks, meta: Meta, shift: int
) -> Steps[Array]:
    """(c >> f) - h_1 - ... - h_t - 2^(v-1-f), as a vector."""
    ring, space = meta.ring, numbers(meta.ring.bits)
    c = yield from masked
    if c is not None:
        c = ring.add(c, ring.full(c.shape, offset(turn.n)))
    leader, *singles = turn.contributors
    high = {p: None if r is None else ring.rshift_logical(r, shift) for p, r in masks.items()}
    top = None if c is None else ring.rshift_logical(c, shift)
    deals = [Deal(turn.king, space, meta.size, top)]
    deals += [Deal(p, space, meta.size, high[p] if p == turn.me else None) for p in singles]
    shared, *rest = yield from turn.deal(*deals)
    shared = space.total(shared[None])
    for other in (turn.group_share(space, high[leader], meta.size), *rest):
        shared = ring.sub(shared, space.total(other[None]))
    return ring.sub(shared, ring.full(shared.shape, offset(turn.n) >> shift))


def _carry(g: Gates, turn: Turn, masks: Masks, meta: Meta, shift: int) -> Steps[Array]:
    """The carry of the sum of l_1, ..., l_t out of `shift` bits, as a vector of numbers."""
    low = {
        p: None if r is None else to_planes(np.ascontiguousarray(r["lo"]), shift)
        for p, r in masks.items()
    }
    operands = yield from contributed_planes(turn, meta, low, shift)
    carries: list[Share] = []
    while len(operands) > 2:
        total, above, out = yield from carry_save(g, operands[0], operands[1], operands[2])
        operands, carries = [total, above, *operands[3:]], [*carries, out]
    carries.append((yield from root(g, sum_leaves(g.p, operands[0], operands[1]))))
    bits = g.p.stack_planes(*carries) if len(carries) > 1 else carries[0]
    weights = meta.ring.full(planes(bits), 1)
    return (yield from compose_numbers(turn, bits, weights, meta))


def truncate_cost(n: int, meta: Meta, shift: int, first: int, fused: bool) -> Cost:
    """To the king, dealing of the shifted parts, and beside it the carry if t > 1."""
    t, space = threshold(n), numbers(meta.ring.bits)
    roles = list(range(1, 2 * t + 1 if fused else t + 1))
    dealers = [first, *((first + role) % n for role in range(2, t + 1))]
    main = to_king_cost(n, meta, roles, first) >> deal_cost(space, n, meta.size, dealers)
    if t == 1:
        return main
    carry = contributed_planes_cost(n, meta, shift, first)
    for _ in range(t - 2):
        carry >>= gate_cost(n, meta, shift, first)
    for level in root_levels(shift + 1):
        carry >>= gate_cost(n, meta, sum(level), first)
    carry >>= compose_numbers_cost(n, meta, t - 1, first)
    return main | carry
