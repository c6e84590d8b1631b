"""Products of shared values: local cross terms, one element sent per element of the result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mpyc_core.kernels.replicated import add_zero_share, and_terms, multiply_terms, weighed_sum
from mpyc_core.meta import Meta
from mpyc_core.protocols.bilinear import BILINEAR
from mpyc_core.protocols.cost import Cost
from mpyc_core.protocols.value import Share
from mpyc_core.transport.mesh import Array, Round, Spec, Steps

from .turn import Parts, Turn

DOUBLED = (((2, 1), (2, 1)), ((-2, 2), (1, -1)), ((1, 2), (1, 2)))
"""By role, the weights of both operands' components in `doubled_terms`."""


def cross_terms(
    turn: Turn, kind: str, x: Share, y: Share, meta: Meta, params: Mapping[str, Any]
) -> Array:
    """z_r with z_0 + z_1 + z_2 = x * y, not masked: every product of two components computed once.

        role 0   (s01 + s02) * (t01 + t02)
        role 1   s12 * (t01 + t12) + s01 * t12
        role 2   s12 * t02 + s02 * t12

    Five products in all instead of the usual six; the roles' work evens out over operations.
    """
    if kind == "mul":
        return multiply_terms(turn.role, x.parts, y.parts, meta.shape)
    ring = meta.ring
    apply = BILINEAR[kind]
    (x_next, x_prev), (y_next, y_prev) = x.parts, y.parts
    if turn.role == 0:
        return apply(ring, ring.add(x_next, x_prev), ring.add(y_next, y_prev), params)
    if turn.role == 1:
        return ring.add(
            apply(ring, x_next, ring.add(y_prev, y_next), params),
            apply(ring, x_prev, y_next, params),
        )
    return ring.add(apply(ring, x_prev, y_next, params), apply(ring, x_next, y_prev, params))


def doubled_terms(turn: Turn, kind: str, x: Share, y: Share, params: Mapping[str, Any]) -> Array:
    """z_r with z_0 + z_1 + z_2 = 2 * x * y, not masked, by one product a role.

        role 0   (2 * s01 + s02) * (2 * t01 + t02)
        role 1   2 * (s01 - s12) * (t12 - t01)
        role 2   (s02 + 2 * s12) * (t02 + 2 * t12)

    Each of the nine products of components occurs twice: s01*t01 4 - 2 times, s12*t12 -2 + 4 times,
    s02*t02 1 + 1 times, a mixed one 2 times, at the role that knows both factors. For x * y
    itself three products do not suffice: if roles 0 and 1 add a and 1 - a times s01*t01, each with
    one product, then a and 1 - a must have inverses, and one of them is even. Doubling makes room
    for a = 2, 1/a = 1/2. This decomposition is the library's own.
    """
    left, right = DOUBLED[turn.role]  # weights of the components shared with next and prev
    return BILINEAR[kind](
        x.meta.ring, weighed_sum(x.parts, left), weighed_sum(y.parts, right), params
    )


def product(
    turn: Turn, kind: str, x: Share, y: Share, meta: Meta, params: Mapping[str, Any]
) -> Steps[Share]:
    """[z] = [x * y] for any bilinear product (elementwise, matrix, convolution).

    Protocol    1. z_r: this role's cross terms, plus a fresh sharing of zero
                2. send z_r to the next party; the components of z are z_0, z_1, z_2
    Cost        1 round, one ring element per element of the result per party
    Security    semi-honest, 1 of 3: z_r is uniform to the next party, who lacks F(prev)
    Error       exact modulo 2^k
    Reference   [AFLNO16, section 3]
    """
    zero = turn.zero(0, meta.shape, meta.ring.dtype)
    if kind == "mul":
        mine = multiply_terms(turn.role, x.parts, y.parts, meta.shape, zero)
    else:
        mine = add_zero_share(cross_terms(turn, kind, x, y, meta, params), zero)
    return Share(meta, (yield from to_next(turn, mine)))


def product_cost(meta: Meta) -> Cost:
    """One ring element per element of the result, from every party."""
    return Cost(1, (meta.size * meta.ring.bytes,) * 3)


def and_(turn: Turn, x: Share, y: Share) -> Steps[Share]:
    """[z] = [x & y] on packed planes: the same protocol over GF(2).

    Cost        1 round, one bit per AND per party, whole 64-bit words
    """
    shape = np.broadcast_shapes(x.parts[0].shape, y.parts[0].shape)
    mine = and_terms(x.parts, y.parts, shape, turn.zero(0, shape))
    return Share(x.meta, (yield from to_next(turn, mine)))


def to_next(turn: Turn, mine: Array) -> Steps[Parts]:
    """Pass terms to which a sharing of zero was added: all parties' terms become the components.

    Security    the next party, who lacks F(prev), sees a uniform array
    """
    received = yield Round(
        send={turn.next: [mine]},  # hidden by F shared with prev, unknown to next
        recv={turn.prev: [Spec.of(mine)]},
    )
    return mine, received[turn.prev][0]
