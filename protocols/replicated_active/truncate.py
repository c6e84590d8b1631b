"""Dropping fraction bits without opening anything and without a wrap-around error.

Let |z| < 2^(k-2), f >= 1 the bits to drop, and party d the dealer, another one in every operation.
The components modulo 2^k, with a constant and a public dither r that all parties draw alike,

    s = z_d - r,    t = z_(d-1) + 2^(k-2) - 1,    o = z_(d+1) + r

are integers in [0, 2^k) with s + t + o = z' + q * 2^k, z' = z + 2^(k-2) - 1 in [0, 2^(k-1)). The
dealer knows s and t, and both others know o.

Wraps. Let a = (s + t) mod 2^k, and w whether s + t wraps. The top bit of z' is 0, so a + o wraps
exactly if a or o has a top bit: if it wraps, one of them is at least 2^(k-1); if not, a + o = z' is
less than that. With m for the top bit of a, and n for that of o,

    q = w + m + n - m n

Rounding. Let l_s = s mod 2^f, ..., and c the carry of l_s + l_t out of f bits. Then
floor(s / 2^f) + floor(t / 2^f) + floor(o / 2^f) + c = (z' - l - l_o + q 2^k) / 2^f with
l = l_s + l_t - c 2^f, where l + l_o is z' mod 2^f plus 2^f or nothing. The result

    floor(s / 2^f) + floor(t / 2^f) + floor(o / 2^f) + c + 1 - q * 2^(k-f) - 2^(k-2-f)

is floor((z - 1) / 2^f) + 1, or one less if l + l_o carries. As l_o = (z_(d+1) + r) mod 2^f is
uniform whatever z is, it carries with probability 1 - ((z - 1) mod 2^f + 1) / 2^f: floor or
floor + 1 of z / 2^f, with expectation z / 2^f, and exact on multiples of 2^f.

Messages. s is known to the dealer and the next party, t to the dealer and the previous one.

    1. The dealer deals all carries of s + t, XORed with words that it shares with the previous
       party, and from them c modulo 2^k, w and m modulo 2^f (`dealt.py`).
    2. m = m_A + m_B is known in parts to next and previous, who both know n. The next party sends
       n m_A - r_A to the previous one, which sends n m_B - r_B to it; the dealer shares r_A with
       the next and r_B with the previous party. So m n is the sum of r_A, r_B and what was sent,
       and each of these three components is known to two parties.
    3. The sum of all is a sharing modulo 2^k; it gets its MAC by a product modulo 2^K.

What stands above bit k in the result means nothing: only bits below are ever cut, compared, opened.

Security (malicious, 1 of 3): every message is hidden by words that its receiver lacks. Those of
lines 1 and 2 are claims of their sender about what it shares with one or the other of its peers:
that each carry is the majority of three bits, and that each word is the one of two that a bit
chooses. They are proven before anything is opened (`gates.py`). A sender knows all that its claims
are about. So whether they hold, and whether the run is stopped, depends on what it did and on no
secret, although a wrong m would make a result wrong by a multiple of n. An error in the MAC of line
3 is found as always (`macs.py`). Which of the two neighbours comes out depends on r and on z_(d+1),
which two parties know.

Reference   what one party sends as a function of what its peers know in parts, proven to them
[BGIN19, section 3]; the wrap from top bits is in the spirit of [DEK20, section 3.2.2]; the
construction from both is this library's own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mpyc_core.kernels.claims import drop
from mpyc_core.meta import Meta
from mpyc_core.protocols.cost import Cost
from mpyc_core.protocols.value import Share
from mpyc_core.ring import Ring
from mpyc_core.transport.mesh import Array, Round, Spec, Steps

from .dealt import Carries, Offer, masked_carries, packed, short, spread
from .ledger import Claim
from .multiply import authenticate, authenticate_cost
from .place import Parts, Place

PRODUCT = 4
"""Buffer of masks after those that numbers have."""


@dataclass
class Half:
    """What is added to a component that two parties know.

    Parameters
    ----------
    carry : modulo 2^k; empty if there is nothing.
    wraps : modulo 2^f.
    """

    carry: Array
    wraps: Array


def truncate(
    place: Place, ring: Ring, x: Share, shift: int, key: Parts, dither: Array
) -> Steps[Share]:
    """x / 2^shift, floor or floor + 1, unbiased.

    Parameters
    ----------
    ring : of the shares, Z/2^K.
    key : the components of the MAC key.
    dither : public ring elements of the shape of x, uniform and used nowhere else.

    Cost        `truncate_cost`
    Error       floor or floor + 1 with certainty while |x| < 2^(k-2)
    """
    meta, dealer = x.meta, place.op % 3
    s = _components(place, dealer, meta, x.parts, dither)
    role = (_as_dealer, _as_next, _as_previous)[(place.me - dealer) % 3]
    halves = yield from role(place, s, shift)
    lowered = 1 - (1 << (meta.ring.bits - 2 - shift))
    mine, known = (
        _dropped(ring, part, half, shift, lowered if holder == dealer else 0).reshape(meta.shape)
        for part, half, holder in zip(s, halves, (place.me, place.prev), strict=True)
    )
    return Share(meta, (yield from authenticate(place, ring, (mine, known), key, meta.shape)))


def truncate_cost(meta: Meta, shift: int, ring: Ring, op: int) -> Cost:
    """Carries and three numbers from the dealer, one from each of the others, and the MAC."""
    full, part = meta.size * meta.ring.bytes, meta.size * short(shift).itemsize
    dealt = Cost.by_role(1, (2 * full + 2 * part, 0, 0), op % 3)
    swapped = Cost.by_role(1, (0, part, part), op % 3)
    return dealt >> swapped >> authenticate_cost(meta.size, ring)


def _components(
    place: Place, dealer: int, meta: Meta, parts: tuple[Array, ...], dither: Array
) -> Parts:
    """The two of s, t and o that this party knows, flat."""
    ring = meta.ring
    added = [ring.neg(dither), dither, ring.full((), (1 << (ring.bits - 2)) - 1)]
    mine, known = (
        np.ascontiguousarray(ring.add(ring.residue(part), added[(holder - dealer) % 3])).reshape(-1)
        for part, holder in zip(parts[:2], (place.me, place.prev), strict=True)
    )
    return mine, known


def _as_dealer(place: Place, s: Parts, shift: int) -> Steps[list[Half]]:
    x, y = s
    masks, d = _masks(place, place.prev, y, shift)
    sent = masked_carries(x, y, d)
    mine, theirs = Carries.claimed(x, sent), Carries.claimed(y, d)
    bits, offers = mine.bits(sent, shift), _offers(theirs.bits(d, shift), masks)
    numbers = [offer.chosen(bit) for offer, bit in zip(offers, bits, strict=True)]
    yield Round(send={place.next: [sent, *numbers]})  # hidden by d and the masks, unknown to next
    yield Round()
    (ours, r), (others, r_) = (
        _product(place, place.next, numbers[2]),
        _product(place, place.prev, masks[2]),
    )
    place.ledger.claim(0, Claim((mine.first, mine.second), (theirs.first, theirs.second)))
    for offer, bit in zip(offers, bits, strict=True):
        place.ledger.claim(0, Claim((packed(spread(bit)),), (packed(offer.flip),)))
    place.ledger.claim(1, Claim((packed(others.flip),), (), packed(others.base)))
    place.ledger.claim(2, Claim((), (packed(ours.flip),), packed(ours.base)))
    return [
        Half(numbers[0], numbers[1] + numbers[2] - r),
        Half(masks[0], masks[1] + masks[2] - r_),
    ]


def _as_next(place: Place, s: Parts, shift: int) -> Steps[list[Half]]:
    o, x = s
    full, part = Spec.of(x), Spec(short(shift), x.shape)
    received = yield Round(recv={place.prev: [full, full, part, part]})
    d, *numbers = received[place.prev]
    mine = Carries.claimed(x, d)
    offer, r = _product(place, place.prev, numbers[2])
    top = _top(o, short(shift))
    own = offer.chosen(top)
    received = yield Round(
        send={place.next: [own]},  # hidden by r, unknown to next
        recv={place.next: [part]},
    )
    (came,) = received[place.next]
    place.ledger.claim(1, Claim((mine.first, mine.second), (), mine.part))
    for number, bit in zip(numbers, mine.bits(d, shift), strict=True):
        place.ledger.claim(1, Claim((packed(spread(bit)),), (), packed(number)))
    place.ledger.claim(0, Claim((packed(spread(top)),), (packed(offer.flip),)))
    place.ledger.claim(2, Claim((), (packed(spread(top)),), packed(came)))
    return [
        Half(np.empty(0, o.dtype), top - own - came),
        Half(numbers[0], numbers[1] + numbers[2] - r),
    ]


def _as_previous(place: Place, s: Parts, shift: int) -> Steps[list[Half]]:
    y, o = s
    masks, d = _masks(place, place.next, y, shift)
    yield Round()
    mine = Carries.claimed(y, d)
    offers = _offers(mine.bits(d, shift), masks)
    offer, r = _product(place, place.next, masks[2])
    top = _top(o, short(shift))
    own = offer.chosen(top)
    received = yield Round(
        send={place.prev: [own]},  # hidden by r, unknown to prev
        recv={place.prev: [Spec.of(own)]},
    )
    (came,) = received[place.prev]
    place.ledger.claim(2, Claim((), (mine.first, mine.second), mine.part))
    for each in offers:
        place.ledger.claim(2, Claim((), (packed(each.flip),), packed(each.base)))
    place.ledger.claim(0, Claim((packed(offer.flip),), (packed(spread(top)),)))
    place.ledger.claim(1, Claim((packed(spread(top)),), (), packed(came)))
    return [
        Half(masks[0], masks[1] + masks[2] - r),
        Half(np.empty(0, o.dtype), top - own - came),
    ]


def _masks(place: Place, peer: int, like: Array, shift: int) -> tuple[list[Array], Array]:
    """Words of dealer and previous party: for c, w and m, and for all carries."""
    types = [like.dtype, short(shift), short(shift), like.dtype]
    *masks, d = (
        place.small(peer, "truncate", buffer, dtype, like.shape)
        for buffer, dtype in enumerate(types)
    )
    return masks, d


def _product(place: Place, peer: int, m: Array) -> tuple[Offer, Array]:
    """n * m - r, of which n will choose, and r; m and r are known to the dealer and `peer`."""
    r = place.small(peer, "truncate", PRODUCT, m.dtype, m.shape)
    return Offer.between(np.zeros((), m.dtype), m, r), r


def _offers(bits: list[Array], masks: list[Array]) -> list[Offer]:
    return [Offer.of_bit(bit, mask) for bit, mask in zip(bits, masks, strict=True)]


def _top(x: Array, word: np.dtype[np.unsignedinteger]) -> Array:
    """The highest bit of every element."""
    return (x >> x.dtype.type(8 * x.itemsize - 1)).astype(word)


def _dropped(ring: Ring, x: Array, half: Half, shift: int, constant: int) -> Array:
    """One component of the result, without its bits above k."""
    out = np.empty(x.shape, ring.dtype)
    words, plus = out.view(np.uint64), constant % (1 << 8 * x.itemsize)
    drop(x, half.carry, half.wraps.astype(x.dtype), shift, plus, ring.bits // 64, words)
    return out
