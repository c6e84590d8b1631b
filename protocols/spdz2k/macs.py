"""What it takes to authenticate a correlation: places for MACs, and MACs.

The dealer knows the MAC keys, for it has all their shares in common with the parties. A MAC is a
dealt place: every party but party 0 derives its share of it from its seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from mpyc_core.errors import FrameError
from mpyc_core.protocols.dealt.correlation import Correlation, Place
from mpyc_core.protocols.dealt.source import Source
from mpyc_core.protocols.dealt.want import Facts, Want
from mpyc_core.ring import Ring, ring
from mpyc_core.transport.mesh import Array, Spec

from .keys import TAG_BITS, bit_key, number_key

WORD = np.dtype(np.uint64)


def ring_of(place: Place) -> Ring:
    """The ring that a place of numbers is over."""
    return ring(8 * place.dtype.itemsize)


def mac_place(place: Place) -> Place:
    """Where the MAC of a place lies: an element for each number, 128 planes for each plane."""
    if place.xor:
        planes, width = place.shape
        return Place(WORD, (planes, TAG_BITS, width), dealt=True, xor=True)
    return Place(place.dtype, place.shape, dealt=True)


def mac_of(sources: Sequence[Source], place: Place, value: Array) -> Array:
    """alpha * value, or for planes key * bit."""
    if place.xor:
        key = np.bitwise_xor.reduce([bit_key(source) for source in sources])
        return np.asarray(value[:, None, :] & key[:, None])
    wide = ring_of(place)
    alpha = wide.full((), 0)
    for source in sources:
        alpha = wide.add(alpha, number_key(source, wide))
    return wide.mul(value, alpha)


def correction(sources: Sequence[Source], want: Want, i: int, place: Place, value: Array) -> Array:
    """A value less what all parties but party 0 derive of place i."""
    for source in sources[1:]:
        value = place.sub(value, source, want, i)
    return value


class Authenticated(Correlation):
    """The places of another correlation, then the MAC of each, in the same order."""

    base: ClassVar[Correlation]

    def places(self, facts: Facts) -> list[Place]:
        bare = self.base.places(facts)
        return [*bare, *map(mac_place, bare)]

    def values(self, facts: Facts, seeded: list[Array]) -> list[Array]:
        return self.base.values(facts, seeded)

    def corrections(self, sources: Sequence[Source], want: Want) -> dict[int, list[Array]]:
        bare = self.base.places(want.facts)
        with np.errstate(over="ignore"):
            made, values = self.made(sources, want)
            dealt = [place for place in bare if place.dealt]
            if [Spec.of(v) for v in made] != [place.spec for place in dealt]:
                raise FrameError(f"the facts of {want} do not fit together")
            macs = [
                (mac_place(p), mac_of(sources, p, v)) for p, v in zip(bare, values, strict=True)
            ]
            whole, given = [], iter(made)
            for i, place in enumerate(bare):
                if place.dealt:
                    whole.append((i, place, next(given)))
            whole += [(i + len(bare), place, mac) for i, (place, mac) in enumerate(macs)]
            sent = [correction(sources, want, i, place, value) for i, place, value in whole]
        return {0: sent}

    def made(self, sources: Sequence[Source], want: Want) -> tuple[list[Array], list[Array]]:
        """Values of the dealt places, and of all places, of which the MACs are."""
        bare = self.base.places(want.facts)
        seeded = [self._sum(sources, want, i, p) for i, p in enumerate(bare) if not p.dealt]
        made = self.values(want.facts, seeded)
        given, drawn = iter(made), iter(seeded)
        return made, [next(given if place.dealt else drawn) for place in bare]
