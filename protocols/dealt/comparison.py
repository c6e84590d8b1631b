"""Keys of distributed comparison functions, for two parties: sent to both, used once.

The parties open c = x + r; then [x < 0] = c_top ^ r_top ^ [c' < r'] of the lower bits, and the last
term is what the keys give at c' [BCGGIKR21, section 4]. Both parties need the correction words of
every level, a block of 16 bytes each; their roots and r come from their seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from mpyc_core import dcf
from mpyc_core.bits import to_planes, words
from mpyc_core.errors import FrameError
from mpyc_core.transport.mesh import Array, Spec

from .correlation import Correlation, Place, register_correlation
from .kinds import PLANES, word_of
from .source import Source
from .want import Facts, Want

R, ROOT, TOP = range(3)
"""Places that come from a seed; the top bit's share is dealt to party 0."""


@register_correlation
class ComparisonKeys(Correlation):
    """[r] over a word, <r_top>, and the keys of t -> [t < r'] for r' the bits below the top.

    Facts: (bits of the word: 8, 16, 32 or 64; bits compared; number of elements). A party's arrays
    are r, its root, the share of r_top, the levels and the leaf (`mpyc_core.dcf`).
    """

    kind: ClassVar[str] = "dcf"

    def places(self, facts: Facts) -> list[Place]:
        word, bits, size = facts
        if not 2 <= bits <= word <= 64 or size < 1:
            raise ValueError(f"expected 2 to {word} bits and a word of at most 64, got {bits}")
        whole = dcf.padded(size)
        return [
            Place(word_of(word), (size,)),
            Place(PLANES, (2, whole)),
            Place(PLANES, (1, words(size)), dealt=True, xor=True),
            Place(PLANES, (whole // 8, dcf.depth(bits - 1), 2, 8), dealt=True),
            Place(PLANES, (2, whole), dealt=True),
        ]

    def shares(self, source: Source, want: Want, party: int, n: int) -> list[Array]:
        places = list(enumerate(self.places(want.facts)))
        own = (ROOT + 1) if party == 0 else (TOP + 1)
        return [source.words(want, i, p.shape, p.dtype) for i, p in places[:own]]

    def corrections(self, sources: Sequence[Source], want: Want) -> dict[int, list[Array]]:
        first, second = (self.shares(source, want, i, 2) for i, source in enumerate(sources))
        _, bits, size = want.facts
        with np.errstate(over="ignore"):
            r = first[R] + second[R]
        wide = np.zeros(dcf.padded(size), np.uint64)
        wide[:size] = r
        top = to_planes(wide[:size], bits)[bits - 1 :]
        alpha = wide & np.uint64((1 << (bits - 1)) - 1)
        roots, nonce = (first[ROOT], second[ROOT]), sources[0].nonce(want)
        keys = list(dcf.generate(alpha, roots, bits - 1, nonce))
        return {0: [top ^ second[TOP], *keys], 1: keys}

    def specs(self, want: Want, n: int) -> dict[int, list[Spec]]:
        if n != 2:
            raise FrameError(f"{want} is for two parties, the session has {n}")
        top, *keys = (p.spec for p in self.places(want.facts) if p.dealt)
        return {0: [top, *keys], 1: keys}

    def finish(
        self, own: list[Array], corrections: list[Array], want: Want, party: int
    ) -> list[Array]:
        return [*own, *corrections]
