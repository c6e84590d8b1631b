"""From bits to numbers: a bit as a number, and a bit times a number, with their MACs.

A shared bit is b = b_0 ^ b_1 ^ b_2, and b_c is known to parties c and c + 1. To choose between 0
and x, start from v = 0 and let every component swap v with x - v if it is 1:

    v  <-  v + b_c * (x - 2 v)          for c = 0, 1, 2;  at the end v = b * x

A product with b_c needs two parties only: with h = x - 2 v, party c has b_c * (h_c + h_{c-1}),
party c + 1 has b_c * h_{c+1}. They hide these by R (c and c - 1) and R' (c + 1 and c - 1), exchange
them, and add: component c of the product is the sum, component c - 1 is R, component c + 1 is R'.
The same with the MACs. With x = 1 the result is the bit itself; its first step has no product but
that of the MAC, for which x is alpha.

Security (malicious, 1 of 3): what either party receives is hidden by R or R', which it lacks. A
party can change what it sends by an error that it knows, which changes the product by that error.
Every v is noted with its MAC for the check (`macs.py`), also those on the way, because the next
step could cancel an error with probability 1/2, depending on b_c. The products with components
that two parties know are this library's own variant of those of [AFLNO16, section 3].
"""

from __future__ import annotations

from functools import partial

import numpy as np

from mpyc_core.kernels.authenticated import chosen
from mpyc_core.kernels.flat import split
from mpyc_core.limbs import flat_words
from mpyc_core.protocols.cost import Cost
from mpyc_core.ring import Ring
from mpyc_core.transport.mesh import Array, Round, Spec, Steps

from .place import Parts, Place

EMPTY = np.empty(0, np.uint64)


def choose(
    place: Place, ring: Ring, planes: Parts, x: tuple[Array, ...], shape: tuple[int, ...]
) -> Steps[tuple[Array, ...]]:
    """[b * x] with its MAC, for one plane a row of `shape` (planes, elements).

    Cost        3 rounds; in each, two elements of Z/2^K from two of the parties
    Error       exact
    """
    value, mac = _zeros(ring, shape), _zeros(ring, shape)
    full = [np.broadcast_to(part, shape) for part in x]
    for c in range(3):
        targets = [(full[0], full[1]), (full[2], full[3])]
        value, mac = yield from _step(place, ring, c, planes, [value, mac], targets)
        place.ledger.product(ring.bits, value, mac)
    return (*value, *mac)


def choose_cost(size: int, ring: Ring) -> Cost:
    """Every party sends two elements in two of three rounds."""
    return Cost(3, (4 * size * ring.bytes,) * 3)


def number(
    place: Place,
    ring: Ring,
    planes: Parts,
    one: tuple[Array, ...],
    shape: tuple[int, ...],
    *,
    noted: bool = True,
) -> Steps[tuple[Array, ...]]:
    """[b] as a number with its MAC, for one plane a row of `shape` (planes, elements).

    Parameters
    ----------
    one : the public number 1 as a share: its MAC is the key.
    noted : whether the check covers the result; if not, it may be used for nothing but one sum
        with public coefficients, which the caller notes.

    Cost        3 rounds; one element in the first and two in the others, from two of the parties
    Error       exact
    """
    full = [np.broadcast_to(part, shape) for part in one]
    targets = [(full[0], full[1]), (full[2], full[3])]
    value = _own_bit(place, ring, planes, shape)
    (mac,) = yield from _step(place, ring, 0, planes, [_zeros(ring, shape)], targets[1:])
    place.ledger.product(ring.bits, value, mac)
    for c in (1, 2):
        value, mac = yield from _step(place, ring, c, planes, [value, mac], targets)
        if noted or c == 1:
            place.ledger.product(ring.bits, value, mac)
    return (*value, *mac)


def number_cost(size: int, ring: Ring) -> Cost:
    """Step c is between parties c and c + 1."""
    return Cost(3, tuple(elements * size * ring.bytes for elements in (3, 3, 4)))


def _step(
    place: Place, ring: Ring, c: int, planes: Parts, old: list[Parts], targets: list[Parts]
) -> Steps[list[Parts]]:
    """v + b_c * (x - 2 v), for several v and x in one round."""
    lasts = [
        tuple(ring.sub(x, ring.lshift(v, 1)) for v, x in zip(vs, xs, strict=True))
        for vs, xs in zip(old, targets, strict=True)
    ]
    buffers = [place.buffer("convert") for _ in old]
    shape = old[0][0].shape
    if place.me == (c + 2) % 3:
        yield Round()
        new = [
            (
                place.numbers(place.next, "convert", buffer, ring, shape),
                place.numbers(place.prev, "convert", buffer, ring, shape),
            )
            for buffer in buffers
        ]
        return [_sum(ring, a, b) for a, b in zip(old, new, strict=True)]
    first = place.me == c
    peer, other = (place.next, place.prev) if first else (place.prev, place.next)
    masks = [place.numbers(other, "convert", buffer, ring, shape) for buffer in buffers]
    mine = [
        _chosen(ring, planes[0 if first else 1], h[0], h[1] if first else None, mask)
        for h, mask in zip(lasts, masks, strict=True)
    ]
    received = yield Round(
        send={peer: mine},  # each hidden by the mask that only party c + 2 shares
        recv={peer: [Spec(ring.dtype, shape)] * len(mine)},
    )
    made = [ring.add(a, b) for a, b in zip(mine, received[peer], strict=True)]
    new = [(s, r) if first else (r, s) for s, r in zip(made, masks, strict=True)]
    return [_sum(ring, a, b) for a, b in zip(old, new, strict=True)]


def _chosen(ring: Ring, planes: Array, x: Array, y: Array | None, mask: Array) -> Array:
    """b * (x + y) - mask, row by row."""
    out = np.empty(mask.shape, ring.dtype)
    limbs = ring.bits // 64
    for row in range(len(out)):
        a, r = flat_words(x[row]), flat_words(mask[row])
        b = EMPTY if y is None else flat_words(y[row])
        bits, z = np.ascontiguousarray(planes[row]), out[row].reshape(-1).view(np.uint64)
        split(mask[row].size, partial(_choose_range, bits, a, b, r, limbs, z), limbs)
    return out


def _choose_range(
    bits: Array, a: Array, b: Array, r: Array, limbs: int, out: Array, start: int, stop: int
) -> None:
    chosen(bits, a, b, r, limbs, start, stop, out)


def _own_bit(place: Place, ring: Ring, planes: Parts, shape: tuple[int, ...]) -> Parts:
    """Component 0 of the planes as a number, known to parties 0 and 1."""
    zero = np.zeros(shape, ring.dtype)
    if place.me == 2:
        return zero, zero
    one = np.broadcast_to(ring.full((), 1), shape)
    bits = _chosen(ring, planes[place.me], one, None, zero)
    return (bits, zero) if place.me == 0 else (zero, bits)


def _zeros(ring: Ring, shape: tuple[int, ...]) -> Parts:
    zero = np.zeros(shape, ring.dtype)
    return zero, zero


def _sum(ring: Ring, x: Parts, y: Parts) -> Parts:
    return ring.add(x[0], y[0]), ring.add(x[1], y[1])
