"""All bits of a shared number, and the test for zero."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mpyc_core.bits import words
from mpyc_core.meta import Meta
from mpyc_core.protocols.cost import Cost, plane_bytes
from mpyc_core.protocols.value import Share
from mpyc_core.transport.mesh import Round, Spec, Steps

from .carry import known_to_12, low_planes
from .multiply import and_terms, reshare_bits
from .turn import Parts, Turn

SHARE = 0


def _share_bits(turn: Turn, x: Share, bits: int, negate: bool) -> Steps[tuple[Parts, Parts]]:
    """Components of the bits of a = s01 + s02, and of B = s12 (or -s12).

    Cost        1 round, `bits` planes from role 0
    Security    hidden from role 2 by a block of R_01
    """
    ring, shape = x.meta.ring, (bits, words(x.meta.size))
    nothing = np.zeros(shape, np.uint64)
    if turn.role == 0:
        a01 = turn.pad_bits(1, "bits", SHARE, shape)
        a02 = low_planes(ring.add(*x.parts), bits) ^ a01
        yield Round(send=turn.to(r2=[a02]))  # hidden by R_01, unknown to role 2
        return (a01, a02), (nothing, nothing)
    s12 = x.parts[0] if turn.role == 1 else x.parts[1]
    b = known_to_12(turn, low_planes(ring.neg(s12) if negate else s12, bits))
    if turn.role == 1:
        yield Round()
        return (nothing, turn.pad_bits(0, "bits", SHARE, shape)), b
    received = yield Round(recv=turn.due(r0=[Spec(np.dtype(np.uint64), shape)]))
    return (turn.came(received, 0)[0], nothing), b


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
    a, b = yield from _share_bits(turn, x, bits, negate=False)
    total = [part_a ^ part_b for part_a, part_b in zip(a, b, strict=True)]
    leaf = np.zeros((1, words(x.meta.size)), np.uint64)
    p = [np.concatenate([leaf, part[:-1]]) for part in total]
    d = [np.concatenate([leaf, part[:-1]]) for part in b]
    for level, (targets, sources) in enumerate(sklansky(bits)):
        wide = _not_lowest(targets, sources)
        terms_d = d[0][targets] ^ and_terms(
            (p[0][targets], p[1][targets]),
            (d[0][sources] ^ d[0][targets], d[1][sources] ^ d[1][targets]),
        )
        hi, lo = [t for t, _ in wide], [s for _, s in wide]
        terms_p = and_terms((p[0][hi], p[1][hi]), (p[0][lo], p[1][lo]))
        new = yield from reshare_bits(turn, np.concatenate([terms_d, terms_p]), 1 + level)
        for part_d, part_p, part in zip(d, p, new, strict=True):
            part_d[targets] = part[: len(targets)]
            part_p[hi] = part[len(targets) :]
    parts = tuple(sum_part ^ carry for sum_part, carry in zip(total, d, strict=True))
    return Share(x.meta.with_(kind="bit", f=0), parts)


def _not_lowest(targets: list[int], sources: list[int]) -> list[tuple[int, int]]:
    """Pairs whose p is needed: a prefix that reaches position 0 passes no carry."""
    step = sources[0] + 1
    return [(t, s) for t, s in zip(targets, sources, strict=True) if t >= 2 * step]


def decompose_cost(meta: Meta, bits: int, first: int) -> Cost:
    """Bit sharing and one plane per AND and party in each level."""
    cost = Cost.by_role(1, (plane_bytes(bits, meta.size), 0, 0), first)
    for targets, sources in sklansky(bits):
        ands = len(targets) + len(_not_lowest(targets, sources))
        cost >>= Cost(1, (plane_bytes(ands, meta.size),) * 3)
    return cost


def is_zero(turn: Turn, x: Share, bits: int) -> Steps[Share]:
    """[x = 0 mod 2^bits]: a = -B, compared bit by bit, then a tree of ANDs.

    Cost        1 + ceil(log2 bits) rounds; `bits` bits from role 0, bits - 1 ANDs
    Error       exact
    """
    a, q = yield from _share_bits(turn, x, bits, negate=True)
    same = [part_a ^ part_q for part_a, part_q in zip(a, q, strict=True)]
    same[0], same[1] = _flip(turn, same[0], same[1])
    e_next, e_prev = same
    level = 1
    while len(e_next) > 1:
        half = len(e_next) // 2
        terms = and_terms(
            (e_next[:half], e_prev[:half]), (e_next[half : 2 * half], e_prev[half : 2 * half])
        )
        mine, theirs = yield from reshare_bits(turn, terms, level)
        e_next = np.concatenate([mine, e_next[2 * half :]])
        e_prev = np.concatenate([theirs, e_prev[2 * half :]])
        level += 1
    return Share(x.meta.with_(kind="bit", f=0), (e_next, e_prev))


def _flip(turn: Turn, mine: np.ndarray, known: np.ndarray) -> Parts:
    """Negate planes: component s12 changes, which roles 1 and 2 hold."""
    if turn.role == 0:
        return mine, known
    return (~mine, known) if turn.role == 1 else (mine, ~known)


def is_zero_cost(meta: Meta, bits: int, first: int) -> Cost:
    """Bit sharing and one plane per AND and party in each level."""
    cost = Cost.by_role(1, (plane_bytes(bits, meta.size), 0, 0), first)
    while bits > 1:
        cost >>= Cost(1, (plane_bytes(bits // 2, meta.size),) * 3)
        bits -= bits // 2
    return cost
