"""From bits to numbers: a bit as a number, and a bit times a number.

A shared bit is the XOR of bits e_i of t + 1 parties, found without a message (`own_bits`). Each
deals the number 1 - 2 e_i, and the product of all is 1 - 2b: t multiplications, as a tree.

Security    every message deals a value by a fresh polynomial (`turn.py`)
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mpyc_core.bits import unpack, words
from mpyc_core.meta import Meta
from mpyc_core.protocols.cost import Cost
from mpyc_core.protocols.value import Share
from mpyc_core.transport.lockstep import together
from mpyc_core.transport.mesh import Array, Steps

from .sharing import own_bits
from .space import numbers, parts_of, vector
from .turn import Deal, Turn, deal_cost, reshare_cost, threshold


def signs(turn: Turn, b: Share, size: int, meta: Meta) -> Steps[list[Array]]:
    """Two vectors of numbers whose product is 1 - 2b, of the planes of b one after the other.

    Cost        1 round and t + 1 dealt elements per bit, and a product per bit for each factor more
    """
    space, count = numbers(meta.ring.bits), len(b.parts[0])
    dealers = [turn.party(role) for role in range(turn.t + 1)]
    mine, secret = own_bits(turn, b, dealers), None
    if mine is not None:
        rows = mine.reshape(count, words(size))
        flat = np.concatenate([unpack(row, size) for row in rows])
        secret = meta.ring.reduce([1, -1])[flat][None]
    length = count * size
    deals = [Deal(p, space, length, secret if p == turn.me else None) for p in dealers]
    factors = [space.total(v[None]) for v in (yield from turn.deal(*deals))]
    while len(factors) > 2:
        pairs = len(factors) // 2 if len(factors) > 3 else 1
        steps = [
            turn.reshare(space, space.mul(factors[2 * i], factors[2 * i + 1])) for i in range(pairs)
        ]
        factors = [*(yield from together(*steps)), *factors[2 * pairs :]]
    return factors


def signs_cost(n: int, planes: int, size: int, meta: Meta, first: int) -> Cost:
    """Dealing and the products of the tree but the last."""
    space = numbers(meta.ring.bits)
    dealers = [(first + role) % n for role in range(threshold(n) + 1)]
    cost = deal_cost(space, n, planes * size, dealers)
    for pairs in levels(threshold(n) + 1):
        level = Cost.free(n)
        for _ in range(pairs):
            level |= reshare_cost(space, n, planes * size, first)
        cost >>= level
    return cost


def levels(factors: int) -> Iterator[int]:
    """Products of each level of `signs`."""
    while factors > 2:
        pairs = factors // 2 if factors > 3 else 1
        yield pairs
        factors -= pairs


def compose_numbers(turn: Turn, b: Share, weights: Array, meta: Meta) -> Steps[Array]:
    """sum_i weights[i] * b_i as a vector: the sum is taken before the last product is reshared."""
    ring, space = meta.ring, numbers(meta.ring.bits)
    f, g = yield from signs(turn, b, meta.size, meta)
    half = ring.mul(weights, ring.full((), (ring.modulus + 1) // 2))
    products = space.mul(f, g).reshape(len(weights), meta.size)
    total = space.apply(ring.neg(half).reshape(1, -1), products)
    total = ring.add(total, ring.sum(half, keepdims=True).reshape(1, 1))
    return (yield from turn.reshare(space, total))


def compose_numbers_cost(n: int, meta: Meta, planes: int, first: int) -> Cost:
    """The signs, and one product per number."""
    space = numbers(meta.ring.bits)
    return signs_cost(n, planes, meta.size, meta, first) >> reshare_cost(space, n, meta.size, first)


def compose(turn: Turn, b: Share, weights: Array, meta: Meta) -> Steps[Share]:
    """sum_i weights[i] * b_i as a number.

    Cost        2 rounds for 3 parties, 3 for 5 and 7; t + 1 elements are dealt per bit, and 2t + 1
                per number
    """
    return Share(meta, parts_of((yield from compose_numbers(turn, b, weights, meta)), meta))


def select(turn: Turn, b: Share, x: Share) -> Steps[Share]:
    """b * x = (x - (1 - 2b) * x) / 2.

    Cost        a round and a product more than `compose`
    """
    meta, ring, space = x.meta, x.meta.ring, numbers(x.meta.ring.bits)
    f, g = yield from signs(turn, b, meta.size, meta)
    sign = yield from turn.reshare(space, space.mul(f, g))
    bit = ring.mul(ring.sub(ring.full((1, 1), 1), sign), ring.full((), (ring.modulus + 1) // 2))
    z = yield from turn.reshare(space, space.mul(bit, vector(x.parts, meta)))
    return Share(meta, parts_of(z, meta))


def select_cost(n: int, meta: Meta, first: int) -> Cost:
    """The signs, their product, and that with the number."""
    product = reshare_cost(numbers(meta.ring.bits), n, meta.size, first)
    return signs_cost(n, 1, meta.size, meta, first) >> product >> product
