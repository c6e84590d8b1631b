"""Who plays which role in one operation, and the masks it may use."""

from __future__ import annotations

from typing import Any

import numpy as np

from mpyc_core.protocols.masks import Masks, PairKeys, Purpose
from mpyc_core.ring import Ring
from mpyc_core.transport.mesh import Array, Received, Spec

BITS = np.dtype(np.uint64)
"""Packed bits."""
Parts = tuple[Array, Array]
"""The two components of one party: (shared with the next party, shared with the previous one)."""


class Turn:
    """One operation seen from one party.

    Role r shares component s_{r,r+1} with role r+1 (`next`) and s_{r-1,r} with role r-1 (`prev`):

        role 0 holds (s01, s02)      role 1 holds (s12, s01)      role 2 holds (s02, s12)

    Parameters
    ----------
    me : index of this party.
    op : the operation's number; party `op % 3` plays role 0.
    keys : the keys shared with each peer.
    """

    def __init__(self, me: int, op: int, keys: dict[int, PairKeys]) -> None:
        self.first = op % 3
        self.role = (me - self.first) % 3
        self.next = (me + 1) % 3
        self.prev = (me - 1) % 3
        self._masks = Masks(op, keys)

    def party(self, role: int) -> int:
        """Which party plays `role`."""
        return (self.first + role) % 3

    def block(self, role: int, purpose: Purpose, buffer: int, ring: Ring, shape: Any) -> Array:
        """R: ring elements that only this party and the player of `role` know."""
        return self._masks.ring(self.party(role), purpose, buffer, ring, shape)

    def block_bits(self, role: int, purpose: Purpose, buffer: int, shape: Any) -> Array:
        """The same for packed bits."""
        return self._masks.words(self.party(role), purpose, buffer, shape)

    def block_small(self, role: int, buffer: int, dtype: np.dtype[Any], shape: Any) -> Array:
        """The same for the short words of a truncation."""
        return self._masks.small(self.party(role), "truncate", buffer, dtype, shape)

    def pad(
        self, role: int, purpose: Purpose, buffer: int, shape: Any, dtype: np.dtype[Any] = BITS
    ) -> Array:
        """A block that is not drawn yet: the kernel that is given it makes its words."""
        return self._masks.pad(self.party(role), purpose, buffer, shape, dtype)

    def zero(
        self, buffer: int, shape: Any, dtype: np.dtype[Any] = BITS, purpose: Purpose = "zero"
    ) -> Parts:
        """Pads F(next), F(prev); their difference is this party's part of a fresh sharing of zero.

        So is their XOR, of packed bits. Whoever knows only one of the two sees a uniform sum
        [AFLNO16, section 2].
        """
        return (
            self._masks.pad(self.next, purpose, buffer, shape, dtype),
            self._masks.pad(self.prev, purpose, buffer, shape, dtype),
        )

    # A message is written by roles; these turn it into one by parties.
    def to(self, **by_role: list[Array]) -> dict[int, list[Array]]:
        """{party: arrays} from keywords r0=, r1=, r2=."""
        return {self.party(int(role[1])): arrays for role, arrays in by_role.items()}

    def due(self, **by_role: list[Spec]) -> dict[int, list[Spec]]:
        """{party: specs} from keywords r0=, r1=, r2=."""
        return {self.party(int(role[1])): specs for role, specs in by_role.items()}

    def came(self, received: Received, role: int) -> list[Array]:
        """What the player of `role` sent."""
        return received[self.party(role)]
