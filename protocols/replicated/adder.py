"""All bits of a shared number, and the test for zero."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mpyc_core.bits import to_planes, words
from mpyc_core.kernels.replicated import and_terms, combine_prefixes, split_planes
from mpyc_core.meta import Meta
from mpyc_core.protocols.cost import Cost, plane_bytes
from mpyc_core.protocols.value import Share
from mpyc_core.transport.mesh import Round, Spec, Steps

from .carry import SHARE, known_to_12, planes_of, stack
from .multiply import to_next
from .turn import Parts, Turn


def share_own_bits(turn: Turn, x: Share, bits: int, plus: int = 0) -> Steps[Parts]:
    """Role 0 shares the low `bits` bits of a = s01 + s02; roles 1 and 2 take B = s12 + plus.

    Returns
    -------
    The components of the planes a ^ B: s01 = R_01, s02 = a ^ R_01, s12 = B.

    Cost        1 round, `bits` planes from role 0
    """
    shape = (bits, words(x.meta.size))
    if turn.role == 0:
        r01 = turn.pad(1, "bits", SHARE, shape)
        a01, a02, _ = split_planes(x.parts, r01, bits, 0)  # a01 is R_01, a02 = a ^ R_01
        yield Round(send=turn.to(r2=[a02]))  # hidden by R_01, unknown to role 2
        return a01, a02
    b = to_planes(x.parts[0] if turn.role == 1 else x.parts[1], bits, plus)
    if turn.role == 1:
        a01 = turn.block_bits(0, "bits", SHARE, shape)
        yield Round()
        return b, a01
    received = yield Round(recv=turn.due(r0=[Spec(b.dtype, shape)]))
    return turn.came(received, 0)[0], b


def sklansky(width: int) -> Iterator[tuple[list[int], list[int]]]:
    """Levels of a parallel prefix over `width` positions: (targets, sources) of each level."""
    step = 1
    while step < width:
        targets = [i for i in range(width) if i & step]
        yield targets, [(i & ~(2 * step - 1)) + step - 1 for i in targets]
        step *= 2


def decompose(turn: Turn, x: Share, bits: int) -> Steps[Share]:
    """The low `bits` bits of x: sum bits p_i ^ carry_i, all carries by a parallel prefix.

    Position 0 of the prefix is the constant carry-in (0, 0), position i the leaf of bit i - 1, with
    the multiplexer pairs (p, d) of the carry tree; the prefix at i is the carry into bit i.

    Cost        1 + ceil(log2 bits) rounds; `bits` bits from role 0, one per AND and party
                (336 ANDs at 64 bits)
    Error       exact
    """
    total = yield from share_own_bits(turn, x, bits)
    leaves, start = planes_of(total, 0, bits - 1), np.zeros_like(total[0][:1])
    p = stack((start, start), leaves)
    d = stack((start, start), known_to_12(turn, leaves))
    for level, (targets, sources) in enumerate(sklansky(bits)):
        wide = _not_lowest(targets, sources)
        shape = (len(targets) + len(wide), words(x.meta.size))
        mine = combine_prefixes(p, d, 1 << level, shape, turn.zero(1 + level, shape))
        for part_d, part_p, new in zip(d, p, (yield from to_next(turn, mine)), strict=True):
            part_d[targets] = new[: len(targets)]
            part_p[wide] = new[len(targets) :]
    parts = tuple(sum_part ^ carry for sum_part, carry in zip(total, d, strict=True))
    return Share(x.meta.with_(kind="bit", f=0), parts)


def _not_lowest(targets: list[int], sources: list[int]) -> list[int]:
    """Targets whose p is needed: a prefix that reaches position 0 passes no carry."""
    step = sources[0] + 1
    return [t for t in targets if t >= 2 * step]


def decompose_cost(meta: Meta, bits: int, first: int) -> Cost:
    """Bit sharing and one plane per AND and party in each level."""
    cost = Cost.by_role(1, (plane_bytes(bits, meta.size), 0, 0), first)
    for targets, sources in sklansky(bits):
        ands = len(targets) + len(_not_lowest(targets, sources))
        cost >>= Cost(1, (plane_bytes(ands, meta.size),) * 3)
    return cost


def is_zero(turn: Turn, x: Share, bits: int) -> Steps[Share]:
    """[x = 0 mod 2^bits]: a = -B, compared bit by bit, then a tree of ANDs.

    The bits of -B are those of B - 1 negated, so a ^ (B - 1) is all ones exactly if a = -B.

    Cost        1 + ceil(log2 bits) rounds; `bits` bits from role 0, bits - 1 ANDs
    Error       exact
    """
    same = yield from share_own_bits(turn, x, bits, plus=-1)
    level = 1
    while len(same[0]) > 1:
        half = len(same[0]) // 2
        left = planes_of(same, 2 * half, len(same[0]))
        shape = (half, words(x.meta.size))
        mine = and_terms(
            planes_of(same, 0, half),
            planes_of(same, half, 2 * half),
            shape,
            turn.zero(level, shape),
        )
        same = yield from to_next(turn, mine)
        if len(left[0]):
            same = stack(same, left)
        level += 1
    return Share(x.meta.with_(kind="bit", f=0), same)


def is_zero_cost(meta: Meta, bits: int, first: int) -> Cost:
    """Bit sharing and one plane per AND and party in each level."""
    cost = Cost.by_role(1, (plane_bytes(bits, meta.size), 0, 0), first)
    while bits > 1:
        cost >>= Cost(1, (plane_bytes(bits // 2, meta.size),) * 3)
        bits -= bits // 2
    return cost
