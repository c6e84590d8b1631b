"""A proof of all ANDs since the last check, by every party to the other two.

What party i claims (`ledger.Claim`) is, bit by bit,

    XOR_t u_t & v_t  =  a ^ b

where its next party A knows every u_t and a, its previous party B every v_t and b; party i knows
all. In an AND of shared bits, i sent z = x_i & y_i ^ x_i & y_p ^ x_p & y_i ^ F_i ^ F_p to A, where
p = i - 1: the products are x_i & y_p and y_i & x_p, a = z ^ F_i ^ x_i & y_i, b = F_p. Taken as
elements of GF(2^64), one for 64 bits, and weighed with random w that party i learns afterwards, its
messages are right but for probability 2^-64 if

    sum_t w (u_t & v_t)  =  sum w a  +  sum w b

where A knows the first sum on the right and B the second. The left side is an inner product <u, v>
over bits, u known to A and v to B: bit l of a word has u = w X^l x_l. It is reduced in levels. Cut
u into K chunks u_j, v into v_k, and let

    U(Y) = sum_j Y^j u_j,   V(Y) = sum_k Y^(K-1-k) v_k,   h(Y) = <U(Y), V(Y)>

The coefficient of Y^(K-1) in h is <u, v>; A and B hold it in two parts. Party i gives them parts of
the 2 K - 2 others, and learns a random point y only then. What is left to prove is <U(y), V(y)> =
h(y), K times shorter, and both sides are known as before. At the end u and v have K elements; one
more chunk, Y^K u_* and Y^K v_* with random elements, hides them; A shows U(y) and its part of h(y)
to B, who compares.

Soundness. If a sum is wrong, some h is; it agrees with <U(Y), V(Y)> in at most 2 K points. A and B
are honest then, and y comes from their common key, unknown to party i before its message arrived.
So a wrong AND is found but with probability (1 + sum over the levels of 2 K) / 2^64 < 2^-54.

Challenges. A verifier may be rounds ahead of the other, who still waits for party i. So w and y are
digests of two halves of 128 bits, of which A tells party i one and B the other, each when it has
received all that came before. A digest of the half that it does not tell goes with it: neither can
tell a half of its own choice.

Secrecy, party i honest. B sees its parts of the coefficients, which are hidden by those of A, U(y),
hidden by y^K u_*, and A's part of h(y), which follows. A sees nothing. Party i answers only points
of which A and B told it alike, so that a corrupted one cannot make it prove another statement.

Reference   two verifiers and a prover that knows both of their inputs [BGIN19, section 3], with
inner products that are halved as in [GS20, section 4]; here in K parts, and bits first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mpyc_core.errors import ConsistencyCheckFailed
from mpyc_core.kernels import binary_field as field
from mpyc_core.prg import Stream
from mpyc_core.protocols.cost import Cost
from mpyc_core.protocols.refusal import refuse
from mpyc_core.transport.mesh import Array, Round, Spec, Steps

from . import digest as digests
from .ledger import Claim, flat
from .place import Place

BITS = field.BITS
"""Chunks of the first level: one for each bit of a word."""
FEW, MANY = 32, 64
WORD = np.dtype(np.uint64)
BASIS = np.uint64(1) << np.arange(64, dtype=np.uint64)
HALF = 16
TOLD = Spec(np.dtype(np.uint8), (HALF + 32,))
"""Half of a challenge, and the digest of the other half."""


def plan(terms: int) -> list[int]:
    """Chunks of every level after the first, for so many words u & v; the last takes all."""
    length, chunks = terms, []
    while length > MANY:
        chunks.append(MANY if length <= MANY * MANY else FEW)
        length = -(-length // chunks[-1])
    return [*chunks, length]


def prove_cost(terms: int) -> Cost:
    """A seed; in each level coefficients to one verifier, a point from both; the last elements."""
    levels = [2 * BITS - 1, *(2 * k - 1 for k in plan(terms))]
    levels[-1] += 2
    challenges = 2 * len(levels) * TOLD.shape[0]
    return Cost(1 + 2 * len(levels), (8 * (sum(levels) + 2) + challenges,) * 3)


@dataclass
class Side:
    """What a party has of one proof; the prover has both vectors, a verifier one and a part."""

    u: Array
    v: Array
    part: Array


def prove(place: Place, claims: Sequence[list[Claim]]) -> Steps[None]:
    """Prove this party's ANDs, and verify those of the two others.

    Parameters
    ----------
    claims : of this party, of the previous and of the next one; see `Ledger`.

    Cost        `prove_cost` of the most words that a party proves: some rounds and kilobytes
    Raises      ConsistencyCheckFailed
    """
    seeds = yield from _challenges(place, 0)
    found = [_side(some, seed) for some, seed in zip(claims, seeds, strict=True)]
    sides = [side for side, _ in found]
    levels = plan(max(weights.size for _, weights in found))
    first = np.zeros(2 * BITS, np.uint64)
    field.correlate_bits(found[0][1], sides[0].u, sides[0].v, first)
    points = yield from _level(place, sides, first[1:], 0)
    for (side, weights), point in zip(found, points, strict=True):
        _combine_bits(side, weights, point, levels[0])
    for level, (chunks, following) in enumerate(pairwise(levels), 1):
        sums = np.empty(2 * chunks - 1, np.uint64)
        field.correlate(sides[0].u, sides[0].v, chunks, sides[0].u.size // chunks, sums)
        points = yield from _level(place, sides, sums, level)
        for side, point in zip(sides, points, strict=True):
            _combine(side, chunks, point, following)
    yield from _finish(place, sides, levels[-1], len(levels))


def _side(claims: list[Claim], seed: Array) -> tuple[Side, Array]:
    """One proof as this party sees it, and the weights of its words u & v.

    Words that are claimed have the same weight in all their products.
    """
    double, single = ([c for c in claims if c.terms == t] for t in (2, 1))
    counts = [sum(c.words for c in some) for some in (double, single)]
    weights = Stream(seed.tobytes()).words(0, 0, (sum(counts),))
    each = np.concatenate([weights[: counts[0]], weights])
    parts = flat([c.part for c in (*double, *single) if c.part is not None])
    return Side(
        flat([c.u[t] for t in (0, 1) for c in double if c.u] + [c.u[0] for c in single if c.u]),
        flat([c.v[t] for t in (0, 1) for c in double if c.v] + [c.v[0] for c in single if c.v]),
        _weigh(weights[: parts.size], parts),
    ), each


def _halves(place: Place, number: int) -> list[Array]:
    """Both halves of the challenges of the previous and of the next party, for their verifiers."""
    return [place.words(peer, "challenge", number, (4,)) for peer in (place.next, place.prev)]


def _whole(place: Place, halves: Array) -> Array:
    """The challenge of two halves, 128 bits."""
    return digests.digest(halves, purpose="challenge", op=place.op).view(np.uint64)[:2]


def _challenges(place: Place, number: int) -> Steps[list[Array]]:
    """Tell the previous and the next party half of their challenges, and learn the own one.

    Returns
    -------
    list : the challenges of this party, of the previous and of the next one.
    """

    def digest(half: Array) -> Array:
        return digests.digest(half, purpose="half", op=place.op)

    drawn = _halves(place, number)
    (mine, other), (others, own) = ((h[:2].view(np.uint8), h[2:].view(np.uint8)) for h in drawn)
    received = yield Round(
        send={  # public once both verifiers have told their halves
            place.prev: [np.concatenate([mine, digest(other)])],
            place.next: [np.concatenate([own, digest(others)])],
        },
        recv={peer: [TOLD] for peer in (place.next, place.prev)},
    )
    first, second = received[place.next][0], received[place.prev][0]
    halves = np.concatenate([first[:HALF], second[:HALF]])
    if not (
        np.array_equal(first[HALF:], digest(halves[HALF:]))
        and np.array_equal(second[HALF:], digest(halves[:HALF]))
    ):
        refuse(
            ConsistencyCheckFailed,
            f"proof of ANDs: parties {place.next} and {place.prev} sent different challenges; one "
            "of them deviates from the protocol",
        )
    return [_whole(place, h) for h in (halves.view(np.uint64), *drawn)]


def _send_coefficients(
    place: Place, sides: list[Side], found: Array, level: int, middle: int
) -> Steps[list[Array]]:
    """Split the own coefficients; the parts of h that this party has as a verifier."""
    hidden = found ^ place.words(place.next, "proof", level, found.shape)
    hidden[middle] = 0  # the verifiers know their parts of it
    received = yield Round(
        send={place.prev: [hidden]},  # hidden by words that only the next party shares
        recv={place.next: [Spec.of(hidden)]},
    )
    parts = [place.words(place.prev, "proof", level, found.shape), received[place.next][0].copy()]
    for part, side in zip(parts, sides[1:], strict=True):
        part[middle] = side.part[0]
    return parts


def _point(challenge: Array) -> Array:
    """A random point, never 0."""
    return np.maximum(challenge[:1], np.uint64(1))


def _level(place: Place, sides: list[Side], found: Array, level: int) -> Steps[list[Array]]:
    """Send the coefficients of h, then learn the point; the points of the three proofs."""
    parts = yield from _send_coefficients(place, sides, found, level, found.size // 2)
    points = [_point(c) for c in (yield from _challenges(place, 1 + level))]
    for part, side, point in zip(parts, sides[1:], points[1:], strict=True):
        side.part = _weigh(_powers(point, part.size), part)
    return points


def _finish(place: Place, sides: list[Side], chunks: int, level: int) -> Steps[None]:
    """The last level, whose vectors get one random element each, and the comparison."""
    for side in sides:
        side.u, side.v = (_padded(x, chunks - x.size) for x in (side.u, side.v))
    own_u = place.words(place.next, "proof", level + 1, (1,))
    own_v = place.words(place.prev, "blind", 0, (1,))
    u, v = np.concatenate([sides[0].u, own_u]), np.concatenate([sides[0].v[::-1], own_v])
    found = np.zeros(2 * chunks + 1, np.uint64)
    for i, factor in enumerate(u):
        found[i : i + v.size] ^= _times(np.full(v.size, factor), v)
    parts = yield from _send_coefficients(place, sides, found, level, chunks - 1)
    points = [_point(_whole(place, halves)) for halves in _halves(place, 1 + level)]
    for part, side, point in zip(parts, sides[1:], points, strict=True):
        side.part = _weigh(_powers(point, part.size), part)
    their_u = place.words(place.prev, "proof", level + 1, (1,))
    their_v = place.words(place.next, "blind", 0, (1,))
    left = _weigh(_powers(points[0], chunks + 1), np.concatenate([sides[1].u, their_u]))
    right = _weigh(_powers(points[1], chunks + 1), np.concatenate([sides[2].v[::-1], their_v]))
    received = yield Round(
        # U(y) is hidden by y^K u_*; the part of h(y) follows from it and from what next holds
        send={place.next: [np.concatenate([left, sides[1].part])]},
        recv={place.prev: [Spec(WORD, (2,))]},
    )
    shown, part = received[place.prev][0]
    if _times(np.full(1, shown), right)[0] != part ^ sides[2].part[0]:
        refuse(
            ConsistencyCheckFailed,
            f"proof of ANDs: party {place.next} computed an AND wrongly, or proved it wrongly, or "
            f"party {place.prev} verified wrongly; nothing that depends on it was opened",
        )


def _combine_bits(side: Side, weights: Array, point: Array, following: int) -> None:
    """U(y) and V(y) of the first level, of as much as this party has."""
    powers = _powers(point, BITS)
    if side.u.size:
        side.u = _mapped(side.u, _times(powers, BASIS), following)
        field.scale(weights, side.u[: weights.size])
    if side.v.size:
        side.v = _mapped(side.v, powers[::-1].copy(), following)


def _mapped(x: Array, table: Array, following: int) -> Array:
    """For every word the sum of the entries that its bits name."""
    sums, out = np.empty(field.BYTE_SUMS, np.uint64), _room(x.size, following)
    field.byte_sums(table, sums)
    field.combine_bits(sums, x, out)
    return out


def _combine(side: Side, chunks: int, point: Array, following: int) -> None:
    """U(y) and V(y), of as much as this party has."""
    powers = _powers(point, chunks)
    for name, weights in (("u", powers), ("v", powers[::-1].copy())):
        vector = getattr(side, name)
        if vector.size:
            width = vector.size // chunks
            out = _room(width, following)
            field.combine(weights, vector, width, out)
            setattr(side, name, out)


def _room(size: int, chunks: int) -> Array:
    """An array for so many elements in chunks of one length; what is left over is 0."""
    out = np.empty(-(-size // chunks) * chunks, np.uint64)
    out[size:] = 0
    return out


def _padded(x: Array, rest: int) -> Array:
    return np.concatenate([x, np.zeros(rest, np.uint64)]) if rest else x


def _times(x: Array, y: Array) -> Array:
    out = np.empty(x.size, np.uint64)
    field.multiply(np.ascontiguousarray(x), np.ascontiguousarray(y), out)
    return out


def _weigh(weights: Array, x: Array) -> Array:
    out = np.zeros(1, np.uint64)
    field.weigh(np.ascontiguousarray(weights), np.ascontiguousarray(x), out)
    return out


def _powers(point: Array, count: int) -> Array:
    """1, y, y^2, ..."""
    out = np.empty(count, np.uint64)
    field.powers(point, out)
    return out
