"""Masks: addressed, pairwise randomness that hides every message.

Two parties that share a key compute the same block without a message. A mask is addressed by
(key purpose, program so far, operation, buffer, index): nothing is consumed, so neither batching
nor the order of execution can make two places use the same block. Taking one address twice raises.

The hash of the program so far is part of the address because a driver is not trusted: if it tells
two parties different things, they mask with unrelated blocks, and what both send to a third party
before the mismatch is noticed cannot be combined.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from mpyc_core.prg import Stream, derive, subkeys
from mpyc_core.ring import Ring
from mpyc_core.transport.mesh import Array

Purpose = Literal[
    "zero",
    "input",
    "truncate",
    "bits",
    "convert",
    "open",
    "dealer",
    "noise",
    "mac",
    "check",
    "challenge",
    "proof",
    "blind",
]


def stream(key: bytes) -> Stream:
    """The stream of a key, made by kernels if possible."""
    from mpyc_core.kernels.streams import KernelStream

    return KernelStream(key)


class PairKeys:
    """The streams that this party shares with one peer, one key per purpose.

    Parameters
    ----------
    seed : 32 bytes that only the holders know, fresh in this session.
    session : the session id; keys of different sessions are unrelated.
    holders : the two parties, or a group of them, in the order that all agree on.
    """

    def __init__(self, seed: bytes, session: bytes, holders: tuple[int, ...]) -> None:
        self._seed = seed
        self._context: tuple[bytes | int, ...] = (session, *holders)
        self._masters: dict[str, Callable[[bytes], bytes]] = {}
        self._program = bytes(16)
        self._streams: dict[str, Stream] = {}

    def bind(self, program: bytes) -> None:
        """Make the streams those of a program's hash (16 bytes)."""
        if program != self._program:
            self._program = program
            self._streams.clear()

    def stream(self, purpose: Purpose) -> Stream:
        """The stream of one purpose; no two purposes or programs share a key."""
        if purpose not in self._streams:
            if purpose not in self._masters:
                master = derive(self._seed, *self._context, purpose)
                self._masters[purpose] = subkeys(master)
            self._streams[purpose] = stream(self._masters[purpose](self._program))
        return self._streams[purpose]

    def __repr__(self) -> str:
        return f"PairKeys(holders={self._context[1:]})"


class Masks:
    """The masks of one operation at one party.

    Parameters
    ----------
    op : the operation's place in program order; no two operations of a session share it.
    keys : by peer.
    """

    def __init__(self, op: int, keys: dict[int, PairKeys]) -> None:
        self.op = op
        self._keys = keys
        self._taken: set[tuple[int, str, int]] = set()

    def ring(self, peer: int, purpose: Purpose, buffer: int, ring: Ring, shape: Any) -> Array:
        """Uniform ring elements known to this party and `peer` only."""
        return self._words(peer, purpose, buffer, shape, ring.dtype)

    def words(self, peer: int, purpose: Purpose, buffer: int, shape: Any) -> Array:
        """Uniform packed bits known to this party and `peer` only."""
        return self._words(peer, purpose, buffer, shape, np.dtype(np.uint64))

    def small(
        self, peer: int, purpose: Purpose, buffer: int, dtype: np.dtype[Any], shape: Any
    ) -> Array:
        """Uniform words of 8 to 64 bits known to this party and `peer` only."""
        return self._words(peer, purpose, buffer, shape, dtype)

    def pad(
        self, peer: int, purpose: Purpose, buffer: int, shape: Any, dtype: np.dtype[Any]
    ) -> Array:
        """Words known to this party and `peer` only as a pad: kernels make them where needed."""
        return self._take(peer, purpose, buffer).pad(self.op, buffer, shape, dtype)

    def _words(
        self, peer: int, purpose: Purpose, buffer: int, shape: Any, dtype: np.dtype[Any]
    ) -> Array:
        return self._take(peer, purpose, buffer).words(self.op, buffer, shape, dtype)

    def _take(self, peer: int, purpose: Purpose, buffer: int) -> Stream:
        """The stream that a mask is in; each mask can be taken once."""
        address = (peer, purpose, buffer)
        if address in self._taken:
            raise RuntimeError(
                f"mask {buffer} for {purpose!r} with party {peer} was taken twice in operation "
                f"{self.op}; every element needs a mask of its own"
            )
        self._taken.add(address)
        return self._keys[peer].stream(purpose)
