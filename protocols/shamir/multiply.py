"""Products: a local product of shares, and one new polynomial for each element of the result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mpyc_core.meta import Meta
from mpyc_core.protocols.bilinear import BILINEAR
from mpyc_core.protocols.value import Share
from mpyc_core.transport.mesh import Array, Steps

from .space import bits_for, numbers, parts_of
from .turn import Turn


def local_product(kind: str, x: Share, y: Share, meta: Meta, params: Mapping[str, Any]) -> Array:
    """The product of this party's shares, a value of a polynomial of degree 2t, as a vector."""
    z = BILINEAR[kind](meta.ring, x.parts[0], y.parts[0], params)
    return np.ascontiguousarray(z).reshape(1, -1)


def product(
    turn: Turn, kind: str, x: Share, y: Share, meta: Meta, params: Mapping[str, Any]
) -> Steps[Share]:
    """[z] = [x * y] for any bilinear product (elementwise, matrix, convolution).

    Protocol    1. z_i = x_i * y_i, on a polynomial of degree 2t
                2. 2t + 1 parties deal z_i; a public linear combination of what they dealt is [z]
    Cost        1 round, n - 1 - t elements per element of the result from each of 2t + 1 parties:
                16 bytes a party for 3 parties over GF(2^127 - 1)
    Security    semi-honest, t of n: dealt values are uniform to any t parties
    Error       exact modulo p
    Reference   [GRR98, section 3]; of protocols with one round, the one with the fewest messages
                known to us. With a king, [DN07] sends 3t elements in all, in 2 rounds
    """
    z = local_product(kind, x, y, meta, params)
    return Share(meta, parts_of((yield from turn.reshare(numbers(meta.ring.bits), z)), meta))


def and_(turn: Turn, x: Share, y: Share) -> Steps[Share]:
    """[z] = [x & y] on packed planes: the same protocol over GF(2^m).

    Cost        1 round, (n - 1 - t) * m bits per AND from each of 2t + 1 parties
    """
    space = bits_for(turn.n)
    shape = np.broadcast_shapes(x.parts[0].shape, y.parts[0].shape)
    a, b = (
        np.stack([np.broadcast_to(part, shape).reshape(-1) for part in v.parts]) for v in (x, y)
    )
    fresh = yield from turn.reshare(space, space.mul(a, b))
    return Share(x.meta, tuple(row.reshape(shape) for row in fresh))
