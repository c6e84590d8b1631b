"""Authenticated correlations: those of additive sharing over Z/2^(k+s) with MACs, and some more."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from mpyc_core.bits import pack
from mpyc_core.errors import FrameError
from mpyc_core.protocols.dealt import kinds
from mpyc_core.protocols.dealt.correlation import Correlation, Place, register_correlation
from mpyc_core.protocols.dealt.source import Source
from mpyc_core.protocols.dealt.want import Facts, Want
from mpyc_core.ring import Ring, ring
from mpyc_core.transport.mesh import Array, Spec

from .keys import bit_key
from .macs import WORD, Authenticated, correction, mac_of, mac_place

OCTET = np.dtype(np.uint8)
DIGEST = 32


@register_correlation
class Triple(Authenticated):
    """[a], [b], [c = a * b]. Facts: those of a triple over Z/2^(k+s)."""

    kind: ClassVar[str] = "spdz2k-triple"
    base = kinds.Triple()


@register_correlation
class Square(Authenticated):
    """[a], [c = a * a]. Facts: those of a square over Z/2^(k+s)."""

    kind: ClassVar[str] = "spdz2k-square"
    base = kinds.Square()


def rounding_places(wide: Ring, shape: tuple[int, ...]) -> list[Place]:
    """Where the two numbers of a truncation lie."""
    return [Place(wide.dtype, shape, dealt=True), Place(wide.dtype, shape, dealt=True)]


def rounding(wide: Ring, whole: Array, shift: int) -> list[Array]:
    """u = m * 2^(k-1-f) - h and m, for R mod 2^k = m * 2^(k-1) + r', h = r' >> f."""
    k = wide.bits // 2
    low = wide.rshift_logical(wide.lshift(whole, k), k)  # R mod 2^k
    top = wide.rshift_logical(low, k - 1)
    h = wide.rshift_logical(wide.sub(low, wide.lshift(top, k - 1)), shift)
    return [wide.sub(wide.lshift(top, k - 1 - shift), h), top]


class _Truncation(Correlation):
    kind: ClassVar[str] = ""

    def places(self, facts: Facts) -> list[Place]:
        bits, shift, shape = facts
        _check_shift(bits, shift)
        return [Place(ring(bits).dtype, shape), *rounding_places(ring(bits), shape)]

    def values(self, facts: Facts, seeded: list[Array]) -> list[Array]:
        bits, shift, _ = facts
        return rounding(ring(bits), seeded[0], shift)


class _RoundedTriple(Correlation):
    kind: ClassVar[str] = ""

    def places(self, facts: Facts) -> list[Place]:
        (bits, _, x, y, z, _), shift = facts
        _check_shift(bits, shift)
        dtype = ring(bits).dtype
        factors = [Place(dtype, x), Place(dtype, y), Place(dtype, z)]
        return [*factors, *rounding_places(ring(bits), z)]

    def values(self, facts: Facts, seeded: list[Array]) -> list[Array]:
        product, shift = facts
        a, b, c = seeded
        wide = ring(product[0])
        return rounding(wide, wide.sub(c, kinds.Triple().values(product, [a, b])[0]), shift)


class _RoundedSquare(Correlation):
    kind: ClassVar[str] = ""

    def places(self, facts: Facts) -> list[Place]:
        bits, shape, shift = facts
        _check_shift(bits, shift)
        dtype = ring(bits).dtype
        return [Place(dtype, shape), Place(dtype, shape), *rounding_places(ring(bits), shape)]

    def values(self, facts: Facts, seeded: list[Array]) -> list[Array]:
        bits, _, shift = facts
        a, c = seeded
        wide = ring(bits)
        return rounding(wide, wide.sub(c, wide.mul(a, a)), shift)


def _check_shift(bits: int, shift: int) -> None:
    if not 0 < shift <= bits // 2 - 2:
        raise ValueError(f"expected a shift by 1 to {bits // 2 - 2} bits, got {shift}")


@register_correlation
class Truncation(Authenticated):
    """[R] uniform modulo 2^(k+s), [u] and [m] of `rounding`. Facts: (k + s, f, shape)."""

    kind: ClassVar[str] = "spdz2k-truncation"
    base = _Truncation()


@register_correlation
class RoundedTriple(Authenticated):
    """[a], [b], [c] uniform; [u], [m] of `rounding` for R = c - a * b.

    Facts: (those of a triple over Z/2^(k+s), f).
    """

    kind: ClassVar[str] = "spdz2k-rounded-triple"
    base = _RoundedTriple()


@register_correlation
class DoubledTriple(Authenticated):
    """For two parties: [a], [b], [c] uniform; [u], [m] of `rounding` for R and f + 1 bits.

    R = c + 2 (a_0 - a_1)(b_0 - b_1), where a_i is party i's part of a: what the parties' products
    of their own parts add up to beyond twice the product. In place of the MAC of c there is that of
    2 a * b + R. Facts: (those of a triple over Z/2^(k+s), f).
    """

    kind: ClassVar[str] = "spdz2k-doubled-triple"
    base = _RoundedTriple()

    def made(self, sources: Sequence[Source], want: Want) -> tuple[list[Array], list[Array]]:
        product, shift = want.facts
        wide, places = ring(product[0]), self.base.places(want.facts)
        left, right, c = kinds.DoubledTriple().seeded(sources, want)
        a, b = (self._sum(sources, want, i, places[i]) for i in (0, 1))
        twice = wide.lshift(kinds.Triple().values(product, [left, right])[0], 1)
        whole = wide.add(c, twice)
        both = wide.lshift(kinds.Triple().values(product, [a, b])[0], 1)
        made = rounding(wide, whole, shift + 1)
        return made, [a, b, wide.add(whole, both), *made]

    def specs(self, want: Want, n: int) -> dict[int, list[Spec]]:
        if n != 2:
            raise FrameError(f"{want} is for two parties, the session has {n}")
        return super().specs(want, n)


@register_correlation
class RoundedSquare(Authenticated):
    """[a], [c] uniform; [u], [m] of `rounding` for R = c - a * a. Facts: (k + s, shape, f)."""

    kind: ClassVar[str] = "spdz2k-rounded-square"
    base = _RoundedSquare()


@register_correlation
class EdaBit(Authenticated):
    """[R] uniform modulo 2^(k+s), its low bits, products of neighbours.

    Facts: (k + s, bits wanted, pairs multiplied, number of elements).
    """

    kind: ClassVar[str] = "spdz2k-edabit"
    base = kinds.EdaBit()


@register_correlation
class DaBit(Authenticated):
    """<b> uniform and [b]. Facts: (k + s, planes, number of elements)."""

    kind: ClassVar[str] = "spdz2k-dabit"
    base = kinds.DaBit()


@register_correlation
class Selection(Authenticated):
    """<b>, [b], [a] and [b * a]. Facts: (k + s, shape)."""

    kind: ClassVar[str] = "spdz2k-selection"
    base = kinds.Selection()


@register_correlation
class Rectifier(Authenticated):
    """[R], <R_i>, products of neighbours, <b>, [b], [-b * R].

    Facts: (k + s, bits compared, pairs multiplied, number of elements).
    """

    kind: ClassVar[str] = "spdz2k-rectifier"
    base = kinds.Rectifier()


@register_correlation
class AndTriple(Authenticated):
    """<a>, <b>, <a & b>. Facts: (planes, words in a plane)."""

    kind: ClassVar[str] = "spdz2k-and-triple"
    base = kinds.AndTriple()


@register_correlation
class Multiplexer(Authenticated):
    """<p>, <d>, <q> and <p & d>, <p' & q>. Facts: (planes of p and d, of q, words in a plane)."""

    kind: ClassVar[str] = "spdz2k-multiplexer"
    base = kinds.Multiplexer()


class _Uniform(Correlation):
    kind: ClassVar[str] = ""

    def places(self, facts: Facts) -> list[Place]:
        planes, width = facts
        return [Place(WORD, (planes, width), xor=True)]


@register_correlation
class RandomBits(Authenticated):
    """Uniform bits. Facts: (planes, words in a plane)."""

    kind: ClassVar[str] = "spdz2k-random-bits"
    base = _Uniform()


@register_correlation
class Lift(Authenticated):
    """[r] uniform and [2^k * r], in uniform shares: what hides an output's shares and high bits.

    Facts: (k + s, shape). For bits (0, (planes, words in a plane)): a fresh sharing of zero.
    """

    kind: ClassVar[str] = "spdz2k-lift"

    def places(self, facts: Facts) -> list[Place]:
        bits, shape = facts
        if bits == 0:
            return [Place(WORD, shape, dealt=True, xor=True)]
        hidden = Place(ring(bits).dtype, shape, dealt=True)
        return [hidden, mac_place(hidden)]

    def corrections(self, sources: Sequence[Source], want: Want) -> dict[int, list[Array]]:
        bits, _ = want.facts
        places = self.places(want.facts)
        values = [np.zeros(places[0].shape, WORD)]
        if bits:
            # a place that no party reads: 2^k * r has s uniform bits, known to the dealer alone
            wide = ring(bits)
            secret = self._sum(sources, want, len(places), places[0])
            value = wide.lshift(secret, bits // 2)
            values = [value, mac_of(sources, places[0], value)]
        sent = [
            correction(sources, want, i, place, value)
            for i, (place, value) in enumerate(zip(places, values, strict=True))
        ]
        return {0: sent}


FIELD, PLANES = 1, 0
"""Instead of the bits of a ring: elements of GF(2^128), and planes of bits."""


def place_of(form: int, shape: tuple[int, ...]) -> Place:
    """A place of numbers over a ring of so many bits, of field elements, or of planes."""
    if form in (FIELD, PLANES):
        return Place(WORD, shape, xor=True)
    return Place(ring(form).dtype, shape)


def owned_mac(sources: Sequence[Source], form: int, value: Array) -> tuple[Place, Array]:
    """Where the MAC of a value of some form lies, and the MAC."""
    place = place_of(form, value.shape)
    if form != FIELD:
        return mac_place(place), mac_of(sources, place, value)
    from mpyc_core.kernels.tags import scale

    key = np.bitwise_xor.reduce([bit_key(source) for source in sources])
    out = np.empty_like(value)
    scale(np.ascontiguousarray(value), pack(key), out)
    return Place(WORD, value.shape, dealt=True, xor=True), out


@register_correlation
class Owned(Correlation):
    """[r] uniform, known to one party: r is its share, the others' are 0; and the MAC of r.

    Facts: (form, shape, owner); the form is the bits of the ring of shares, 0 for planes, 1 for
    elements of GF(2^128), whose shape is (n, 2) words.
    """

    kind: ClassVar[str] = "spdz2k-owned"

    def places(self, facts: Facts) -> list[Place]:
        form, shape, owner = facts
        if owner < 0 or (form == FIELD and shape[1:] != (2,)):
            raise ValueError("expected an owner, and field elements of two words")
        place = place_of(form, shape)
        if form == FIELD:
            return [place, Place(WORD, shape, dealt=True, xor=True)]
        return [place, mac_place(place)]

    def shares(self, source: Source, want: Want, party: int, n: int) -> list[Array]:
        value, mac = self.places(want.facts)
        owns = party == want.facts[2]
        mine = source.words(want, 0, value.shape, value.dtype)
        found = [mine if owns else np.zeros(value.shape, value.dtype)]
        return found if party == 0 else [*found, source.words(want, 1, mac.shape, mac.dtype)]

    def corrections(self, sources: Sequence[Source], want: Want) -> dict[int, list[Array]]:
        form, shape, owner = want.facts
        if owner >= len(sources):
            raise FrameError(f"{want} has an owner that is no party")
        place = place_of(form, shape)
        value = sources[owner].words(want, 0, place.shape, place.dtype)
        mac_at, mac = owned_mac(sources, form, value)
        return {0: [correction(sources, want, 1, mac_at, mac)]}


@register_correlation
class ForClient(Correlation):
    """[r] uniform with its MAC, and commitments to the shares of r, for who holds no share.

    Every party gets the commitments to all shares; a client that hears from all parties what they
    are knows them if one of these is honest. Facts: (form, shape), as of `Owned`.
    """

    kind: ClassVar[str] = "spdz2k-for-client"

    def places(self, facts: Facts) -> list[Place]:
        form, shape = facts
        place = place_of(form, shape)
        return [place, mac_place(place), Place(OCTET, (DIGEST,))]

    def specs(self, want: Want, n: int) -> dict[int, list[Spec]]:
        digests = Spec(OCTET, (n, DIGEST))
        first = [self.places(want.facts)[1].spec, digests]
        return {0: first} | {party: [digests] for party in range(1, n)}

    def corrections(self, sources: Sequence[Source], want: Want) -> dict[int, list[Array]]:
        form, _ = want.facts
        value, mac, blind = self.places(want.facts)
        shares = [source.words(want, 0, value.shape, value.dtype) for source in sources]
        total = self._sum(sources, want, 0, value)
        blinds = [source.words(want, 2, blind.shape, blind.dtype) for source in sources]
        digests = np.stack(
            [commitment(i, shown_share(form, share), blinds[i]) for i, share in enumerate(shares)]
        )
        _, tags = owned_mac(sources, form, total)
        first = correction(sources, want, 1, mac, tags)
        return {0: [first, digests]} | {i: [digests] for i in range(1, len(sources))}


def shown_share(form: int, share: Array) -> Array:
    """What of a share of a mask a client is told: numbers modulo 2^k."""
    return share if form == PLANES else ring(form // 2).residue(share)


def commitment(party: int, data: Array, blind: Array) -> Array:
    """SHA-256 of whose it is, data and a blind of 32 bytes."""
    found = hashlib.sha256(b"mpyc-core spdz2k share" + party.to_bytes(4, "little"))
    found.update(blind.tobytes() + data.tobytes())
    return np.frombuffer(found.digest(), OCTET)
