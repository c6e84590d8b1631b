"""One operation seen from one party: its neighbours, the masks it may use, and where it logs."""

from __future__ import annotations

from typing import Any

import numpy as np

from mpyc_core.protocols.masks import Masks, PairKeys, Purpose
from mpyc_core.ring import Ring
from mpyc_core.transport.mesh import Array

from .ledger import Ledger

Parts = tuple[Array, Array]
"""The two components of one party: (shared with the next party, shared with the previous one)."""


class Place:
    """One operation at party `me`.

    Component c of a secret is known to parties c and c + 1 (mod 3); party i holds component i,
    which it shares with the next party, and component i - 1, which it shares with the previous one.

    Parameters
    ----------
    me : index of this party.
    op : the operation's number.
    keys : the keys shared with each peer.
    ledger : what is to be verified later.
    """

    def __init__(self, me: int, op: int, keys: dict[int, PairKeys], ledger: Ledger) -> None:
        self.me = me
        self.op = op
        self.next = (me + 1) % 3
        self.prev = (me - 1) % 3
        self.ledger = ledger
        self._masks = Masks(op, keys)
        self._buffers: dict[Purpose, int] = {}

    def buffer(self, purpose: Purpose) -> int:
        """The next buffer of a purpose; every party takes the same ones in the same order."""
        found = self._buffers.get(purpose, 0)
        self._buffers[purpose] = found + 1
        return found

    def numbers(self, peer: int, purpose: Purpose, buffer: int, ring: Ring, shape: Any) -> Array:
        """Uniform ring elements that only this party and `peer` know."""
        return self._masks.ring(peer, purpose, buffer, ring, shape)

    def words(self, peer: int, purpose: Purpose, buffer: int, shape: Any) -> Array:
        """Uniform words that only this party and `peer` know."""
        return self._masks.words(peer, purpose, buffer, shape)

    def small(
        self, peer: int, purpose: Purpose, buffer: int, dtype: np.dtype[Any], shape: Any
    ) -> Array:
        """Uniform words of 8 to 64 bits that only this party and `peer` know."""
        return self._masks.small(peer, purpose, buffer, dtype, shape)

    def zero(self, ring: Ring, shape: Any) -> Parts:
        """F(next), F(prev): their difference is this party's part of a fresh sharing of zero.

        Whoever knows only one of the two sees a uniform sum [AFLNO16, section 2].
        """
        buffer = self.buffer("zero")
        return (
            self.numbers(self.next, "zero", buffer, ring, shape),
            self.numbers(self.prev, "zero", buffer, ring, shape),
        )

    def zero_bits(self, shape: Any) -> Parts:
        """The same for packed bits, over XOR."""
        buffer = self.buffer("bits")
        return (
            self.words(self.next, "bits", buffer, shape),
            self.words(self.prev, "bits", buffer, shape),
        )
