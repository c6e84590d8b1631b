"""What a correlation is: values that the parties share and whose products only the dealer knew.

A correlation is a list of places. A seeded place is uniform: its value is the sum of what the
parties derive from their seeds, and nothing is sent. A dealt place is a function of the seeded
ones: every party but party 0 derives its share, and the dealer sends party 0 the rest.

Security (semi-honest, any n-1 parties, dealer apart): the words of each party are pseudo-random
under a seed of its own. Party 0's correction is the value minus the other parties' words, so as
long as one of these is honest it is uniform too; when party 0 is the honest one, nothing is sent
to the others at all.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, ClassVar

import numpy as np

from mpyc_core.errors import ConfigError, FrameError
from mpyc_core.kernels.dealt import add_pad, hide, xor_pad
from mpyc_core.transport.mesh import Array, Spec

from .source import Source
from .want import Facts, Want

MAX_PLACE_BYTES = 1 << 33
"""A want whose arrays are larger is refused: no party works on so much at once."""


@dataclass(frozen=True)
class Place:
    """One array of a correlation.

    Parameters
    ----------
    dtype, shape : of the array; unsigned words.
    dealt : whether party 0's share comes from the dealer.
    xor : whether shares add by XOR, else modulo 2 to the word's width.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    dealt: bool = False
    xor: bool = False

    @property
    def spec(self) -> Spec:
        """What its array looks like."""
        return Spec(self.dtype, self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of its array."""
        return math.prod(self.shape) * self.dtype.itemsize

    def add(self, x: Array, source: Source, want: Want, place: int) -> Array:
        """x plus a party's words in the place's group."""
        if self.xor:
            return xor_pad(x, source.pad(want, place, self.shape, self.dtype))
        if self.dtype.itemsize < 4:
            return np.asarray(x + source.words(want, place, self.shape, self.dtype))
        return add_pad(x, source.pad(want, place, self.shape, self.dtype))

    def sub(self, x: Array, source: Source, want: Want, place: int) -> Array:
        """x minus a party's words in the place's group."""
        if self.xor:
            return self.add(x, source, want, place)
        if self.dtype.itemsize < 4:
            return np.asarray(x - source.words(want, place, self.shape, self.dtype))
        return hide(x, source.pad(want, place, self.shape, self.dtype))


class Correlation(ABC):
    """One kind of correlation."""

    kind: ClassVar[str]

    @abstractmethod
    def places(self, facts: Facts) -> list[Place]:
        """The arrays of a want with these facts, in order.

        Raises
        ------
        Exception : facts that are not those of this kind; `check` makes a FrameError of it.
        """

    def values(self, facts: Facts, seeded: list[Array]) -> list[Array]:
        """The values of the dealt places, from those of the seeded places.

        None unless a kind says otherwise; one whose dealt places are no functions of sums brings
        `corrections` of its own.
        """
        del facts, seeded
        return []

    def check(self, want: Want) -> None:
        """Raise `FrameError` unless a want, which another process made, can be dealt."""
        try:
            sizes = [int(place.nbytes) for place in self.places(want.facts)]
            largest, least = max(sizes, default=0), min(sizes, default=0)
        except Exception as error:
            raise FrameError(f"{want} is not a {self.kind} that can be dealt: {error}") from None
        if largest > MAX_PLACE_BYTES or least < 0:
            raise FrameError(f"{want} is larger than {MAX_PLACE_BYTES} bytes; use smaller batches")

    def shares(self, source: Source, want: Want, party: int, n: int) -> list[Array]:
        """What a party derives from its seed alone; party 0 leaves out the dealt places."""
        return [
            source.words(want, i, place.shape, place.dtype)
            for i, place in enumerate(self.places(want.facts))
            if party != 0 or not place.dealt
        ]

    def corrections(self, sources: Sequence[Source], want: Want) -> dict[int, list[Array]]:
        """What the dealer sends, by party."""
        places = list(enumerate(self.places(want.facts)))
        with np.errstate(over="ignore"):
            values = self.values(want.facts, self.seeded(sources, want))
            dealt = [(i, p) for i, p in places if p.dealt]
            if [Spec.of(v) for v in values] != [p.spec for _, p in dealt]:
                raise FrameError(f"the facts of {want} do not fit together")
            sent = [
                reduce(lambda rest, s, i=i, p=p: p.sub(rest, s, want, i), sources[1:], value)  # type: ignore[misc]
                for (i, p), value in zip(dealt, values, strict=True)
            ]
        return {0: sent}

    def seeded(self, sources: Sequence[Source], want: Want) -> list[Array]:
        """The values of the seeded places, which the dealer derives from all seeds."""
        places = enumerate(self.places(want.facts))
        return [self._sum(sources, want, i, p) for i, p in places if not p.dealt]

    def _sum(self, sources: Sequence[Source], want: Want, i: int, place: Place) -> Array:
        total = sources[0].words(want, i, place.shape, place.dtype)
        for source in sources[1:]:
            total = place.add(total, source, want, i)
        return total

    def specs(self, want: Want, n: int) -> dict[int, list[Spec]]:
        """What the corrections look like, by party; parties that get none are left out."""
        specs = [place.spec for place in self.places(want.facts) if place.dealt]
        return {0: specs} if specs else {}

    def dealt_bytes(self, want: Want, n: int) -> int:
        """Bytes of all corrections."""
        return sum(
            math.prod(spec.shape) * spec.dtype.itemsize
            for specs in self.specs(want, n).values()
            for spec in specs
        )

    def finish(
        self, own: list[Array], corrections: list[Array], want: Want, party: int
    ) -> list[Array]:
        """A party's shares of all places, from its own words and what the dealer sent."""
        if party != 0:
            return own
        mine, sent = iter(own), iter(corrections)
        return [next(sent if place.dealt else mine) for place in self.places(want.facts)]


_KINDS: dict[str, Correlation] = {}


def register_correlation(cls: type[Correlation]) -> type[Correlation]:
    """Register a kind of correlation under its name; usable as a decorator."""
    if cls.kind in _KINDS:
        raise ConfigError(f"correlation {cls.kind!r} is registered already; choose another name")
    _KINDS[cls.kind] = cls()
    return cls


def correlation(kind: str) -> Correlation:
    """The correlation of that name.

    Raises
    ------
    FrameError : there is none; the name may have come from another process.
    """
    from mpyc_core.protocols.registry import protocols

    from . import comparison, kinds  # register what comes with the library

    if kind not in _KINDS:
        protocols()  # each registers the kinds that it alone takes
    if kind not in _KINDS:
        known = ", ".join(sorted(_KINDS))
        where = f"{kinds.__name__}, {comparison.__name__} and protocols"
        raise FrameError(f"no correlation {kind!r} in {where}; there are: {known}")
    return _KINDS[kind]
