"""The check of all MACs since the last one: no product was wrong, and no MAC.

Let z_i be the values that products made, m_i their MACs, E_i = m_i - alpha * z_i. The parties want
to know whether every E_i is 0 modulo 2^K, and to learn nothing else, also when one is not.

    1. random [r_l], their MACs [alpha * r_l] by one product each,  l = 1 ... s
    2. toss public bits c_il
    3. open w_l = r_l + sum_i c_il * z_i
    4. [T_l] = [alpha * r_l] + sum_i c_il * [m_i] - w_l * [alpha]
    5. [f] = [R] [T] for a random secret s x s matrix R;  open f;  it must be 0

Claim. A party that made a product wrong modulo 2^k, k < K, is found but with probability at most
2^-(K-k+1) + 2 * 2^-s. What is opened, and whether the check fails, is independent of all secrets
but for 2 * 2^-s.

Proof. An error d in z_i and d' in its MAC make a new E of D_i = d' - alpha * d; d and d' are known
to who makes them, and its view so far is independent of alpha and of all secrets. If z_i is the
product of x and y, E_i = D_i + y * E_x, where E_x is a combination of earlier E with public
coefficients. So E_1, ..., E_n generate the same ideal of Z/2^K as D_1, ..., D_n: let it be that of
2^v. v depends on the errors and on alpha alone. If some d is not 0 modulo 2^k, then D_i = 0 only
if alpha * d = d' modulo 2^K, which has probability at most 2^-(K-k+1); otherwise v < K.
Line 1 may add known errors e_l to the MACs of r: T_l = e_l + sum_i c_il * E_i. If some e_l has
fewer factors 2 than 2^v, so has T_l, by exactly those of e_l; else T_l is a multiple of 2^v and,
since flipping the bit c_il of an E_i with exactly v factors 2 changes it by such a number, exactly
v factors divide it with probability at least 1/2, independently for every l. So but for 2^-s the
T_l generate an ideal 2^u that does not depend on secrets. Then f = R T is uniform in (2^u)^s, plus
an error that is known to who makes it in line 5, so f = 0 has probability at most 2^-s if u < K.
w_l is uniform because r_l is. What is opened cannot be changed (see `sharing.open_`).

Why one combination does not do here. Where a key serves for a single check, it is enough to open
sum_i chi_i * E_i for secret uniform chi_i of Z/2^K: an error with v factors 2 passes with
probability 2^-(K-v), and whatever it made wrong is checked with it, so the outcome tells nothing.
But here keys outlive checks. The attack: a party makes the MAC of x wrong by 2^(K-1), which passes
that check half of the time, and x is used after it. The MAC of x * y is then wrong by
y * 2^(K-1), and the next check fails or passes as the lowest bit of y says. More such bits y can be
had for fewer chances to pass. So an error of any weight must be found but for 2^-s: by s
combinations. The alternative is a new key, and new MACs of all values in use, after every check.

Opening T instead of f would not do: T_l is a combination of the E_i with public coefficients, and
E_i may be y times a known number. Neither would fewer combinations with longer coefficients: an
error d' = 2^(K-1) would be found only half of the time, and then the coefficients and the outcome
would tell the lowest bit of y. Nor a product alpha * w after the coefficients are known: an error
in it could cancel that of a MAC. Hence the masks in line 1, the bits in line 2, and the matrix.

References: MACs alpha * x on every wire and one check of random combinations [CGHIKLN18, section
5], over Z/2^(k+s) [ADEN19]; the masks r, the s combinations with bits and the matrix are this
library's own changes, needed because values are opened again and again under one alpha.
"""

from __future__ import annotations

import numpy as np

from mpyc_core.errors import MacCheckFailed
from mpyc_core.kernels.authenticated import CHOICES, carry_sums, choose_pairs, choose_words
from mpyc_core.limbs import flat_words
from mpyc_core.meta import Meta
from mpyc_core.prg import Stream
from mpyc_core.protocols.cost import Cost
from mpyc_core.protocols.refusal import refuse
from mpyc_core.ring import Ring
from mpyc_core.transport.lockstep import together
from mpyc_core.transport.mesh import Array, Steps

from .coins import toss, toss_cost
from .multiply import products
from .place import Parts, Place
from .sharing import open_cost, open_to_all


def verify(
    place: Place, ring: Ring, entries: list[tuple[Parts, Parts]], key: Parts, s: int
) -> Steps[None]:
    """Check the MACs of all entries.

    Cost        5 rounds, independent of the number of entries
    Raises      MacCheckFailed, ConsistencyCheckFailed
    """
    mask = (
        place.numbers(place.next, "check", 0, ring, (s,)),
        place.numbers(place.prev, "check", 0, ring, (s,)),
    )
    coin, (mask_mac,) = yield from together(
        toss(place), products(place, ring, "mul", [(key, mask)], (s,), {})
    )
    sums = _combinations(coin, ring, entries, s)
    plain = Meta((s,), "int", ring)
    w = yield from open_to_all(place, _add(ring, sums[0], mask), plain)
    tested = _add(ring, sums[1], mask_mac)
    left = (ring.sub(tested[0], ring.mul(w, key[0])), ring.sub(tested[1], ring.mul(w, key[1])))
    matrix = (
        place.numbers(place.next, "check", 1, ring, (s, s)),
        place.numbers(place.prev, "check", 1, ring, (s, s)),
    )
    (hidden,) = yield from products(place, ring, "matmul", [(matrix, left)], (s,), {})
    found = yield from open_to_all(place, hidden, plain)
    if np.any(ring.nonzero(found)):
        refuse(
            MacCheckFailed,
            "MAC check: a product, or the MAC of one, was computed wrongly by some party since the "
            "last check; nothing that depends on it was opened",
        )


def verify_cost(ring: Ring, s: int) -> Cost:
    """Coins, masks, two openings and a product with a matrix."""
    opening = open_cost(Meta((s,), "int", ring), None)
    masks = Cost(1, (s * ring.bytes,) * 3)
    return (toss_cost() | masks) >> opening >> masks >> opening


def _combinations(
    coin: bytes, ring: Ring, entries: list[tuple[Parts, Parts]], s: int
) -> list[Parts]:
    """sum_i c_il * z_i and sum_i c_il * m_i, both components, for the bits c of the coin."""
    stream, wide = Stream(coin[:16]), ring.bits == 128
    sums = np.zeros((4, 3 * CHOICES if wide else CHOICES), np.uint64)
    for i, (value, mac) in enumerate(entries):
        choices = stream.words(i, 0, (value[0].size,))
        for part, total in zip((*value, *mac), sums, strict=True):
            (choose_pairs if wide else choose_words)(choices, flat_words(part), total)
    found = [_whole(total) if wide else total for total in sums]
    a, b, c, d = (words.view(ring.dtype)[:s] for words in found)
    return [(a, b), (c, d)]


def _whole(sums: Array) -> Array:
    out = np.empty(2 * CHOICES, np.uint64)
    carry_sums(sums, out)
    return out


def _add(ring: Ring, x: Parts, y: Parts) -> Parts:
    return ring.add(x[0], y[0]), ring.add(x[1], y[1])
