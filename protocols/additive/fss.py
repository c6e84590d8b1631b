"""Comparison by function secret sharing: two parties, one online round, any x in the ring.

The parties open c = x + r for a dealt r and evaluate, each on its own, the keys of the function
t -> [t < r'] at c', the bits below the top:

    [x < 0]  =  c_top ^ r_top ^ [c' < r']

Nothing else is sent: a comparison is one word from each party, where the tree over edaBits takes
five rounds more. The price is in what the dealer sends, 16 bytes a bit to either party, and in one
block of AES a bit. Keys come in parts of `CHUNK` elements, each evaluated as it arrives and then
forgotten, so that a million comparisons do not need a gigabyte.

Security (semi-honest, either party): c is uniform as r is, and a key hides r' from its holder
(`mpyc_core.dcf`). A key serves one opening; taking it twice raises.

Reference: [BCGGIKR21, sections 3 and 4].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from mpyc_core import dcf
from mpyc_core.meta import Meta
from mpyc_core.protocols.cost import Cost, plane_bytes
from mpyc_core.protocols.dealt.comparison import R
from mpyc_core.protocols.security import Security
from mpyc_core.protocols.value import Share
from mpyc_core.transport.mesh import Array, Steps

from . import convert
from .compare import planes_of, residue, word_bits
from .protocol import Additive
from .turn import Needs, Turn, cost_of

CHUNK = 1 << 15
"""Comparisons whose keys are taken at once: 30 MB of them at 64 bits."""


def chunks(size: int) -> list[int]:
    """Elements of each part; all but the last are whole groups of 64."""
    return [min(CHUNK, size - first) for first in range(0, size, CHUNK)]


def sign_needs(meta: Meta, bits: int) -> Needs:
    """Keys, part by part."""
    return [("dcf", (word_bits(bits), bits, count)) for count in chunks(meta.size)]


def sign(turn: Turn, x: Share, bits: int) -> Steps[Array]:
    """This party's part of [x < 0], one plane; the correlations are those of `sign_needs`.

    Cost        1 round, a word of at least `bits` bits to the other party
    Error       exact for every x mod 2^bits
    """
    counts = chunks(x.meta.size)
    part = residue(x.parts[0], x.meta.ring.bits, word_bits(bits))
    r = [turn.seeded(i, R) for i in range(len(counts))]
    mine = part + np.concatenate(r) if r else part
    ((other,),) = yield from turn.swap([mine])  # hidden by r, this party's own part
    c = mine + other
    if not counts:
        return np.zeros((1, 0), np.uint64)
    done = [
        _evaluate(turn, i, c[i * CHUNK : i * CHUNK + count], bits) for i, count in enumerate(counts)
    ]
    plane = np.concatenate(done)[None]
    return plane ^ planes_of(c, bits)[bits - 1 :] if turn.first else plane


def _evaluate(turn: Turn, i: int, c: Array, bits: int) -> Array:
    """This party's part of r_top ^ [c' < r'] for one part of the elements."""
    _, root, top, levels, leaf = turn.drawn(i)
    x = np.zeros(dcf.padded(c.size), np.uint64)
    x[: c.size] = c & c.dtype.type((1 << (bits - 1)) - 1)
    return dcf.evaluate(turn.me, bits - 1, root, levels, leaf, x, turn.nonce(i)) ^ top[0]


def sign_messages(meta: Meta, bits: int) -> list[int]:
    """The opening."""
    return [meta.size * word_bits(bits) // 8]


class AdditiveFSS(Additive):
    """`additive` between two parties, comparing by function secret sharing.

    Everything but signs is that of `additive`: comparisons take 1 round instead of 6, as a number
    or in a ReLU 2 instead of 7, for 0.9 kB of keys a comparison of 64 bits from the dealer to each
    party.
    """

    name: ClassVar[str] = "additive-fss"
    parties: ClassVar[str] = "exactly 2"
    rings: ClassVar[tuple[int, ...]] = (32, 64)

    @classmethod
    def supports(cls, n: int) -> bool:
        return n == 2

    @classmethod
    def security(cls, n: int) -> Security:
        return replace(
            super().security(n), comp_bits=100
        )  # seeds of 125 bits, 2^21 to a cipher key

    def msb(self, x: Share, bits: int) -> Steps[Share]:
        plane = yield from sign(self._turn(sign_needs(x.meta, bits)), x, bits)
        return Share(x.meta.with_(kind="bit", f=0), (plane,))

    def msb_number(self, x: Share, bits: int) -> Steps[Share]:
        needs = self._needs("msb_number", {"meta": x.meta, "bits": bits})
        turn = self._turn(needs)
        plane = yield from sign(turn, x, bits)
        meta = x.meta.with_(kind="int", f=0)
        one = meta.ring.full(1, 1)
        return (yield from convert.compose(turn, plane, one, meta, len(needs) - 1))

    def relu(self, x: Share, bits: int) -> Steps[tuple[Share, Share]]:
        needs = self._needs("relu", {"meta": x.meta, "bits": bits})
        turn = self._turn(needs)
        plane = yield from sign(turn, x, bits)
        keep = Share(x.meta.with_(kind="bit", f=0), (~plane if turn.first else plane,))
        y = yield from convert.select(turn, keep, x, len(needs) - 1)
        return y, keep

    def _needs(self, primitive: str, facts: Mapping[str, Any]) -> Needs:
        meta = facts["meta"]
        match primitive:
            case "msb":
                return sign_needs(meta, facts["bits"])
            case "msb_number":
                return [*sign_needs(meta, facts["bits"]), *convert.compose_needs(meta, 1)]
            case "relu":
                return [*sign_needs(meta, facts["bits"]), *convert.select_needs(meta)]
        return super()._needs(primitive, facts)

    def cost(self, primitive: str, op: int, **facts: Any) -> Cost:
        if primitive not in ("msb", "msb_number", "relu"):
            return super().cost(primitive, op, **facts)
        meta = facts["meta"]
        messages = sign_messages(meta, facts["bits"])
        if primitive == "msb_number":
            messages.append(plane_bytes(1, meta.size))
        elif primitive == "relu":
            messages.append(plane_bytes(1, meta.size) + meta.size * meta.ring.bytes)
        return cost_of(self.n, messages, self._needs(primitive, facts))
