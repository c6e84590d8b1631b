"""`Source`: the randomness that one party and the dealer have in common."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from mpyc_core.prg import Stream, derive
from mpyc_core.protocols.masks import PairKeys
from mpyc_core.transport.mesh import Array

from .want import Want

SEED_BYTES = 32
PLACES = 16
"""Arrays of one want: its buffer b takes the stream's buffers from PLACES * b on."""
DEALER = -1
"""Stands for the dealer where streams are named after their holders."""


class Source:
    """Words addressed by want and place, known to one party and the dealer only.

    Parameters
    ----------
    seed : 32 bytes, chosen by the dealer for this party and session.
    session : the session's id; sources of different sessions are unrelated.
    party : index of the party.
    """

    def __init__(self, seed: bytes, session: bytes, party: int) -> None:
        self.party = party
        self._seed, self._session, self._program = seed, session, bytes(16)
        self._keys = PairKeys(seed, session, (DEALER, party))

    def bind(self, program: bytes) -> None:
        """Make the words those of a program's hash (16 bytes)."""
        self._program = program
        self._keys.bind(program)

    def words(self, want: Want, place: int, shape: Any, dtype: np.dtype[Any]) -> Array:
        """Uniform words of one place of a want."""
        return self._stream().words(want.op, PLACES * want.buffer + place, shape, dtype)

    def pad(self, want: Want, place: int, shape: Any, dtype: np.dtype[Any]) -> Array:
        """The same words as a pad, which kernels make where they need them."""
        return self._stream().pad(want.op, PLACES * want.buffer + place, shape, dtype)

    def nonce(self, want: Want) -> bytes:
        """16 bytes that differ from want to want, program and session: public, for all parties."""
        place = f"{want.op} {want.buffer}".encode()
        return hashlib.sha256(b"nonce" + self._session + self._program + place).digest()[:16]

    def secret(self, name: str, length: int = 16) -> bytes:
        """A secret of the whole session, such as a share of a MAC key; independent of all words."""
        return derive(self._seed, self._session, DEALER, self.party, "secret", name, length=length)

    def _stream(self) -> Stream:
        return self._keys.stream("dealer")

    def __repr__(self) -> str:
        return f"Source(party={self.party})"
