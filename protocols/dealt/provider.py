"""`Provider`: the dealer as one party sees it."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence

from mpyc_core.errors import MpcError
from mpyc_core.transport.mesh import Array

from .correlation import correlation
from .source import Source
from .want import Want

REMEMBERED = 1 << 14
"""Operations for which a second taking is noticed by place; older places are refused as such."""


class Provider(ABC):
    """Where a party's correlated randomness comes from.

    Waiting for the dealer is not a round between parties, and its bytes are counted apart.
    """

    name: str
    """The dealer's name, for messages."""

    def __init__(self) -> None:
        self.received = 0
        """Bytes of corrections that this party took so far."""
        self.waited = 0.0
        """Seconds that this party waited for the dealer so far."""
        self.uses = Counter[str]()
        """How many correlations of each kind this party took so far."""
        self.me = self.n = 0
        self.program = bytes(16)
        self._taken: dict[int, set[int]] = {}
        self._oldest = 0

    @abstractmethod
    def setup(self, session: bytes, me: int, n: int) -> None:
        """Begin a session: afterwards `source` is there. May block; sets `me` and `n`."""

    @property
    @abstractmethod
    def source(self) -> Source:
        """What this party has in common with the dealer."""

    @abstractmethod
    def expect(self, program: bytes, wants: Sequence[Want]) -> None:
        """Announce wants ahead of need; never blocks. Wants may be announced once."""

    @abstractmethod
    def fetch(self, want: Want) -> list[Array]:
        """Wait for the corrections of a want of the bound program; announces it if need be.

        Parties to whom the dealer sends nothing for this want get an empty list at once.

        Raises
        ------
        PreprocessingExhausted, PeerGone, PeerTimeout, ProgramMismatch : each names the dealer.
        """

    def abort(self, error: MpcError) -> None:
        """Tell the dealer, and through it the other parties, why this party stops."""
        del error

    @abstractmethod
    def close(self) -> None:
        """End the session at the dealer; what was not taken is lost."""

    def bind(self, program: bytes) -> None:
        """Take wants of a program's hash (16 bytes) from now on."""
        self.program = program
        self.source.bind(program)

    def take(self, want: Want) -> list[Array]:
        """The corrections of a want, once.

        Raises
        ------
        RuntimeError : the want was taken before: what hides a message must not hide another.
        """
        self.begin(want)
        return self.complete(want)

    def begin(self, want: Want) -> None:
        """Take what the seed gives of a want, once; `complete` it when the rest is needed.

        Raises
        ------
        RuntimeError : the want was taken before.
        """
        buffers = self._taken.setdefault(want.op, set())
        if want.op < self._oldest or want.buffer in buffers:
            raise RuntimeError(f"{want} was taken twice; every correlation serves one message")
        buffers.add(want.buffer)
        while len(self._taken) > REMEMBERED:
            op = next(iter(self._taken))
            del self._taken[op]
            self._oldest = max(self._oldest, op + 1)

    def complete(self, want: Want) -> list[Array]:
        """The corrections of a want that was begun; waits for the dealer."""
        start = time.perf_counter()
        arrays = self.fetch(want)
        self.waited += time.perf_counter() - start
        self.received += sum(array.nbytes for array in arrays)
        self.uses[want.kind] += 1
        return arrays

    def draw(self, want: Want) -> list[Array]:
        """This party's shares of all places of a want."""
        kind = correlation(want.kind)
        corrections = self.take(want)
        own = kind.shares(self.source, want, self.me, self.n)
        return kind.finish(own, corrections, want, self.me)
