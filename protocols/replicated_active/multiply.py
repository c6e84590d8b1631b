"""Products, each twice: of the values, and of the first operand's MAC with the second value.

A number x is shared as x = x_0 + x_1 + x_2 over Z/2^K, and so is its MAC alpha * x for a key alpha
that nobody knows. A product [z] = [x * y] is reshared as in semi-honest sharing, and so is
[alpha x] * [y], which must be the MAC of z. Party i can do no more harm than to add errors d to z
and d' to its MAC, both of its own choice and known to it [AFLNO16, section 3]: what it receives is
uniform. The MAC of z is then wrong by E = d' - alpha * d, and `macs.py` verifies that every E is 0.

Reference   [CGHIKLN18, section 5] for the pairs of products, [ADEN19] over rings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mpyc_core.kernels.authenticated import product_terms
from mpyc_core.kernels.flat import split
from mpyc_core.limbs import flat_words
from mpyc_core.protocols.bilinear import BILINEAR
from mpyc_core.protocols.cost import Cost
from mpyc_core.ring import Ring
from mpyc_core.transport.mesh import Array, Round, Spec, Steps

from .ledger import Claim
from .place import Parts, Place


def terms(
    kind: str, ring: Ring, x: Parts, y: Parts, zero: Parts, params: Mapping[str, Any]
) -> Array:
    """This party's term of x * y with its part of a sharing of zero.

    z_i = x_i * (y_i + y_{i-1}) + x_{i-1} * y_i; the terms of the three parties sum to x * y.
    """
    (xn, xp), (yn, yp), (zn, zp) = x, y, zero
    if kind == "mul":
        return _elementwise(ring, (xn, xp, yn, yp), zn, zp)
    apply = BILINEAR[kind]
    total = ring.add(apply(ring, xn, ring.add(yn, yp), params), apply(ring, xp, yn, params))
    return ring.add(total, ring.sub(zn, zp))


def _elementwise(ring: Ring, operands: tuple[Array, ...], zn: Array, zp: Array) -> Array:
    out = np.empty(zn.shape, ring.dtype)
    a = [flat_words(np.broadcast_to(part, zn.shape)) for part in operands]
    p, q, z = flat_words(zn), flat_words(zp), out.reshape(-1).view(np.uint64)
    limbs = ring.bits // 64
    split(out.size, lambda i, j: product_terms(*a, p, q, limbs, i, j, z), 4 * limbs)
    return out


def reshare(place: Place, mine: list[Array]) -> Steps[list[Parts]]:
    """Pass terms to which sharings of zero were added: all parties' terms become the components.

    Security    each array is hidden from the next party, who lacks F(prev)
    """
    received = yield Round(
        send={place.next: mine},  # hidden by F shared with prev, unknown to next
        recv={place.prev: [Spec.of(array) for array in mine]},
    )
    return list(zip(mine, received[place.prev], strict=True))


def products(
    place: Place,
    ring: Ring,
    kind: str,
    pairs: list[tuple[Parts, Parts]],
    shape: tuple[int, ...],
    params: Mapping[str, Any],
) -> Steps[list[Parts]]:
    """Several products of one kind and shape in one round, not yet noted for the check."""
    mine = [terms(kind, ring, x, y, place.zero(ring, shape), params) for x, y in pairs]
    return (yield from reshare(place, mine))


def product(
    place: Place,
    ring: Ring,
    kind: str,
    x: tuple[Array, ...],
    y: tuple[Array, ...],
    shape: tuple[int, ...],
    params: Mapping[str, Any],
) -> Steps[tuple[Array, ...]]:
    """[z] = [x * y] with its MAC, for any bilinear product.

    Cost        1 round, two elements of Z/2^K per element of the result from every party
    Security    malicious, 1 of 3: an error in z or in its MAC is known to who makes it, and found
    """
    (xn, xp, mn, mp), (yn, yp) = x, y[:2]
    pairs = [((xn, xp), (yn, yp)), ((mn, mp), (yn, yp))]
    value, mac = yield from products(place, ring, kind, pairs, shape, params)
    place.ledger.product(ring.bits, value, mac)
    return (*value, *mac)


def product_cost(size: int, ring: Ring) -> Cost:
    """Two elements per element of the result from every party."""
    return Cost(1, (2 * size * ring.bytes,) * 3)


def authenticate(
    place: Place, ring: Ring, value: Parts, key: Parts, shape: tuple[int, ...]
) -> Steps[tuple[Array, ...]]:
    """The MAC of a value that came in by its components: one product with the key.

    An error d' in it makes the MAC wrong by d', which the check finds like any other.

    Cost        1 round, one element per element from every party
    """
    (mac,) = yield from products(place, ring, "mul", [(key, value)], shape, {})
    place.ledger.product(ring.bits, value, mac)
    return (*value, *mac)


def authenticate_cost(size: int, ring: Ring) -> Cost:
    """One element per element from every party."""
    return Cost(1, (size * ring.bytes,) * 3)


def and_(place: Place, x: Parts, y: Parts) -> Steps[Parts]:
    """[z] = [x & y] on packed planes, noted for the proof of ANDs.

    Cost        1 round, one bit per AND per party, whole 64-bit words
    Security    malicious, 1 of 3: a party can flip bits of z, whatever z is; `gates.py` finds it
    """
    shape = np.broadcast_shapes(x[0].shape, y[0].shape)
    xn, xp, yn, yp = (np.broadcast_to(part, shape) for part in (*x, *y))
    fn, fp = place.zero_bits(shape)
    mine = (xn & (yn ^ yp)) ^ (xp & yn) ^ fn ^ fp
    ((own, came),) = yield from reshare(place, [mine])
    place.ledger.claim(0, Claim((xn, yn), (yp, xp)))
    place.ledger.claim(1, Claim((xp, yp), (), came ^ fp ^ (xp & yp)))
    place.ledger.claim(2, Claim((), (yn, xn), fn))
    return own, came
