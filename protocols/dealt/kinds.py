"""The correlations of additive sharing. Notation: [x] over Z/2^k, <b> over XOR on packed planes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from mpyc_core.bits import to_planes, words
from mpyc_core.errors import FrameError
from mpyc_core.kernels.dealt import (
    as_numbers,
    as_pad,
    deal_product,
    deal_rounded,
    rounding_pair,
    total,
)
from mpyc_core.protocols.bilinear import BILINEAR
from mpyc_core.ring import ring
from mpyc_core.transport.mesh import Array, Spec

from .correlation import Correlation, Place, register_correlation
from .source import Source
from .want import Facts, Want

PLANES = np.dtype(np.uint64)


def short_word(bits: int) -> np.dtype[Any]:
    """The smallest unsigned word of at least `bits` bits, up to 64."""
    return np.dtype(f"u{next(size for size in (1, 2, 4, 8) if 8 * size >= bits)}")


def _product(facts: Facts, x: Array, y: Array) -> Array:
    bits, kind, _, _, _, params = facts
    return BILINEAR[kind](ring(bits), x, y, dict(params))


@register_correlation
class Triple(Correlation):
    """[a], [b], [c = a * b] for any bilinear product [Bea91, section 2].

    Facts: (k, product, shape of a, shape of b, shape of c, parameters of the product).
    """

    kind: ClassVar[str] = "triple"

    def places(self, facts: Facts) -> list[Place]:
        bits, _, x, y, z, _ = facts
        dtype = ring(bits).dtype
        return [Place(dtype, x), Place(dtype, y), Place(dtype, z, dealt=True)]

    def values(self, facts: Facts, seeded: list[Array]) -> list[Array]:
        return [_product(facts, *seeded)]

    def corrections(self, sources: Sequence[Source], want: Want) -> dict[int, list[Array]]:
        if not _in_one_pass(want.facts):
            return super().corrections(sources, want)
        a, b, c = (_pads(sources, want, i, p) for i, p in enumerate(self.places(want.facts)))
        return {0: [deal_product(a, b, c[1], np.empty(want.facts[4], np.uint64))]}


def _in_one_pass(product: Facts) -> bool:
    """Whether kernels make all of a product's corrections at once: word by word, over Z/2^64."""
    bits, kind, x, y, z, _ = product
    return bits == 64 and kind == "mul" and x == y == z


def _pads(sources: Sequence[Source], want: Want, i: int, place: Place) -> tuple[Array, Array]:
    """A place of the first party, and the sum of all others', as pads."""
    first, second = (source.pad(want, i, place.shape, place.dtype) for source in sources[:2])
    if len(sources) == 2:
        return first, second
    rest = [source.words(want, i, place.shape, place.dtype) for source in sources[1:]]
    return first, as_pad(total(rest[0], rest[1:]))


@register_correlation
class Square(Correlation):
    """[a], [c = a * a], elementwise. Facts: (k, shape)."""

    kind: ClassVar[str] = "square"

    def places(self, facts: Facts) -> list[Place]:
        bits, shape = facts
        return [Place(ring(bits).dtype, shape), Place(ring(bits).dtype, shape, dealt=True)]

    def values(self, facts: Facts, seeded: list[Array]) -> list[Array]:
        return [ring(facts[0]).mul(seeded[0], seeded[0])]


def rounding_places(bits: int, shift: int, shape: tuple[int, ...]) -> list[Place]:
    """Where the two numbers of a truncation by `shift` bits lie."""
    short = short_word(shift)
    return [
        Place(ring(bits).dtype, shape, dealt=True),
        Place(short, shape, dealt=True),
    ]


def rounding(r: Array, shift: int) -> list[Array]:
    """u = m * 2^(k-1-f) - h and v = m for r = m * 2^(k-1) + r', h = r' >> f; v as a short word."""
    return list(rounding_pair(r, shift, short_word(shift)))


@register_correlation
class Truncation(Correlation):
    """[r] uniform, and [u], [v] of `rounding`: to drop f bits of a number by one opening.

    Facts: (k, f, shape). v is shared modulo the word's size: only v mod 2^f matters.
    """

    kind: ClassVar[str] = "truncation"

    def places(self, facts: Facts) -> list[Place]:
        bits, shift, shape = facts
        return [Place(ring(bits).dtype, shape), *rounding_places(bits, shift, shape)]

    def values(self, facts: Facts, seeded: list[Array]) -> list[Array]:
        return rounding(seeded[0], facts[1])


@register_correlation
class RoundedTriple(Correlation):
    """[a], [b], [c] uniform; [u], [v] of `rounding` for r = c - a * b.

    So c = a * b + r: the product already carries the mask r of its truncation, and nothing is
    dealt for c. Facts: (those of a triple, f).
    """

    kind: ClassVar[str] = "rounded-triple"

    def places(self, facts: Facts) -> list[Place]:
        (bits, _, x, y, z, _), shift = facts
        dtype = ring(bits).dtype
        return [Place(dtype, x), Place(dtype, y), Place(dtype, z), *rounding_places(bits, shift, z)]

    def values(self, facts: Facts, seeded: list[Array]) -> list[Array]:
        product, shift = facts
        a, b, c = seeded
        group = ring(product[0])
        return rounding(group.sub(c, _product(product, a, b)), shift)

    def corrections(self, sources: Sequence[Source], want: Want) -> dict[int, list[Array]]:
        product, shift = want.facts
        if not _in_one_pass(product):
            return super().corrections(sources, want)
        places = self.places(want.facts)
        a, b, c, u = (_pads(sources, want, i, p) for i, p in enumerate(places[:4]))
        parts = [s.words(want, 4, places[4].shape, places[4].dtype) for s in sources[1:]]
        short = np.asarray(total(parts[0], parts[1:]))  # of one number NumPy makes a scalar
        out = np.empty(places[3].shape, np.uint64)
        return {0: deal_rounded(a, b, c, u[1], shift, short, out)}


@register_correlation
class DoubledTriple(Correlation):
    """For two parties: [a], [b], [c] uniform; [u], [v] of `rounding` for r below and f + 1 bits.

    r = c + 2 (a_0 - a_1)(b_0 - b_1), where a_i is party i's part of a: what the parties' products
    of their own parts add up to beyond twice the product (`additive.multiply`). Facts: (those of a
    triple, f).
    """

    kind: ClassVar[str] = "doubled-triple"

    def places(self, facts: Facts) -> list[Place]:
        (bits, _, x, y, z, _), shift = facts
        dtype = ring(bits).dtype
        rest = rounding_places(bits, shift + 1, z)
        return [Place(dtype, x), Place(dtype, y), Place(dtype, z), *rest]

    def seeded(self, sources: Sequence[Source], want: Want) -> list[Array]:
        """a_0 - a_1, b_0 - b_1 and c."""
        first, second = sources
        a, b, c = (place for place in self.places(want.facts) if not place.dealt)
        return [
            a.sub(first.words(want, 0, a.shape, a.dtype), second, want, 0),
            b.sub(first.words(want, 1, b.shape, b.dtype), second, want, 1),
            c.add(first.words(want, 2, c.shape, c.dtype), second, want, 2),
        ]

    def values(self, facts: Facts, seeded: list[Array]) -> list[Array]:
        product, shift = facts
        left, right, c = seeded
        group = ring(product[0])
        twice = group.lshift(_product(product, left, right), 1)
        return rounding(group.add(c, twice), shift + 1)

    def specs(self, want: Want, n: int) -> dict[int, list[Spec]]:
        if n != 2:
            raise FrameError(f"{want} is for two parties, the session has {n}")
        return super().specs(want, n)


@register_correlation
class RoundedSquare(Correlation):
    """[a], [c] uniform; [u], [v] of `rounding` for r = c - a * a. Facts: (k, shape, f)."""

    kind: ClassVar[str] = "rounded-square"

    def places(self, facts: Facts) -> list[Place]:
        bits, shape, shift = facts
        dtype = ring(bits).dtype
        return [Place(dtype, shape), Place(dtype, shape), *rounding_places(bits, shift, shape)]

    def values(self, facts: Facts, seeded: list[Array]) -> list[Array]:
        bits, _, shift = facts
        a, c = seeded
        group = ring(bits)
        return rounding(group.sub(c, group.mul(a, a)), shift)


def _edabit_places(word: np.dtype[Any], bits: int, pairs: int, size: int) -> list[Place]:
    width = words(size)
    if not 0 <= 2 * pairs <= bits:
        raise ValueError(f"expected at most {bits // 2} pairs of {bits} bits, got {pairs}")
    return [
        Place(word, (size,)),
        Place(PLANES, (bits, width), dealt=True, xor=True),
        Place(PLANES, (pairs, width), dealt=True, xor=True),
    ]


def _edabit_values(r: Array, bits: int, pairs: int) -> list[Array]:
    planes = to_planes(r.astype(np.uint32) if r.itemsize < 4 else r, bits)
    return [planes, planes[1 : 2 * pairs : 2] & planes[0 : 2 * pairs : 2]]


@register_correlation
class EdaBit(Correlation):
    """[r] uniform over a word, <r_i> its low bits, <r_{2j} r_{2j+1}> products of neighbours.

    The products make the first level of a comparison with a public number free. Facts: (bits of
    the word: 8, 16, 32, 64 or 128; bits wanted; pairs multiplied; number of elements). After
    [EGKRS20, section 3].
    """

    kind: ClassVar[str] = "edabit"

    def places(self, facts: Facts) -> list[Place]:
        word, bits, pairs, size = facts
        return _edabit_places(word_of(word), bits, pairs, size)

    def values(self, facts: Facts, seeded: list[Array]) -> list[Array]:
        return _edabit_values(seeded[0], facts[1], facts[2])


def word_of(bits: int) -> np.dtype[Any]:
    """The unsigned word of that many bits: 8, 16, 32, 64 or 128."""
    return np.dtype(f"<u{bits // 8}") if bits <= 64 else ring(bits).dtype


@register_correlation
class DaBit(Correlation):
    """<b> uniform and [b], for several planes [RW19]. Facts: (k, planes, number of elements)."""

    kind: ClassVar[str] = "dabit"

    def places(self, facts: Facts) -> list[Place]:
        bits, planes, size = facts
        return [
            Place(PLANES, (planes, words(size)), xor=True),
            Place(ring(bits).dtype, (planes, size), dealt=True),
        ]

    def values(self, facts: Facts, seeded: list[Array]) -> list[Array]:
        bits, _, size = facts
        return [as_numbers(seeded[0], size, ring(bits))]


@register_correlation
class Selection(Correlation):
    """<b>, [b], [a] and [b * a], to multiply a number by a bit in one opening.

    Facts: (k, shape).
    """

    kind: ClassVar[str] = "selection"

    def places(self, facts: Facts) -> list[Place]:
        bits, shape = facts
        dtype = ring(bits).dtype
        return [
            Place(PLANES, (1, words(math.prod(shape))), xor=True),
            Place(dtype, shape),
            Place(dtype, shape, dealt=True),
            Place(dtype, shape, dealt=True),
        ]

    def values(self, facts: Facts, seeded: list[Array]) -> list[Array]:
        bits, shape = facts
        plane, a = seeded
        b = as_numbers(plane, math.prod(shape), ring(bits))[0].reshape(shape)
        return [b, ring(bits).mul(b, a)]


@register_correlation
class Rectifier(Correlation):
    """An edaBit and a selection with a = -r: [r], <r_i>, <r_{2j} r_{2j+1}>, <b>, [b], [-b * r].

    So one opening of x + r serves the comparison and the product of its bit with x. Facts: (k, bits
    compared, pairs multiplied, number of elements).
    """

    kind: ClassVar[str] = "rectifier"

    def places(self, facts: Facts) -> list[Place]:
        k, bits, pairs, size = facts
        dtype = ring(k).dtype
        return [
            *_edabit_places(dtype, bits, pairs, size),
            Place(PLANES, (1, words(size)), xor=True),
            Place(dtype, (size,), dealt=True),
            Place(dtype, (size,), dealt=True),
        ]

    def values(self, facts: Facts, seeded: list[Array]) -> list[Array]:
        k, bits, pairs, size = facts
        r, plane = seeded
        b = as_numbers(plane, size, ring(k))[0]
        return [*_edabit_values(r, bits, pairs), b, ring(k).neg(ring(k).mul(b, r))]


@register_correlation
class AndTriple(Correlation):
    """<a>, <b>, <a & b>. Facts: (planes, words in a plane)."""

    kind: ClassVar[str] = "and-triple"

    def places(self, facts: Facts) -> list[Place]:
        shape = tuple(facts)
        return [
            Place(PLANES, shape, xor=True),
            Place(PLANES, shape, xor=True),
            Place(PLANES, shape, dealt=True, xor=True),
        ]

    def values(self, facts: Facts, seeded: list[Array]) -> list[Array]:
        return [seeded[0] & seeded[1]]


@register_correlation
class Multiplexer(Correlation):
    """<p>, <d>, <q> and <p & d>, <p' & q>, p' the last planes of p: AND with one factor shared.

    A level of a carry tree opens p once for its two ANDs: 3 bits instead of 4. Facts: (planes of p
    and d, planes of q, words in a plane).
    """

    kind: ClassVar[str] = "multiplexer"

    def places(self, facts: Facts) -> list[Place]:
        nodes, wide, width = facts
        if not 0 <= wide <= nodes:
            raise ValueError(f"expected at most {nodes} planes of q, got {wide}")
        return [
            Place(PLANES, (nodes, width), xor=True),
            Place(PLANES, (nodes + wide, width), xor=True),
            Place(PLANES, (nodes + wide, width), dealt=True, xor=True),
        ]

    def values(self, facts: Facts, seeded: list[Array]) -> list[Array]:
        nodes, wide, _ = facts
        p, d = seeded
        return [np.concatenate([p & d[:nodes], p[nodes - wide :] & d[nodes:]])]
