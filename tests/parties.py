"""All parties of a protocol in one thread, below sessions and commands: for tests of primitives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from mpyc_core.bits import pack, unpack
from mpyc_core.entropy import fresh_key
from mpyc_core.meta import Meta
from mpyc_core.protocols.dealt.local import GATE, InsecureLocalDealer
from mpyc_core.protocols.dealt.provider import Provider
from mpyc_core.protocols.dealt.source import DEALER
from mpyc_core.protocols.dealt.want import Want
from mpyc_core.protocols.protocol import Protocol
from mpyc_core.protocols.value import Share
from mpyc_core.transport.lockstep import lockstep
from mpyc_core.transport.mesh import Array, Counters, Steps, Tag


def providers(protocol: type[Protocol], n: int) -> Sequence[Provider]:
    """A provider for each party, where the protocol needs them: all of one local dealer."""
    return InsecureLocalDealer(n, gate=GATE).providers() if protocol.needs_dealer else []


@dataclass(frozen=True)
class Sent:
    """One array on its way: where in the program, from whom to whom, and its words."""

    place: tuple[int, int, int]
    """Operation, round, position in the message."""
    sender: int
    receiver: int
    words: Array
    kind: str = ""
    """Of the correlation, for what a dealer sends."""


class Parties:
    """Protocol objects with agreed keys; every message is kept in `sent`."""

    def __init__(self, protocol: type[Protocol], n: int) -> None:
        self.n = n
        self.protocols = [protocol(i, n) for i in range(n)]
        self.names = [f"party{i}" for i in range(n)]
        self.counters = [Counters() for _ in range(n)]
        self.sent: list[Sent] = []
        self.providers = providers(protocol, n)
        for p, provider in zip(self.protocols, self.providers, strict=False):
            self._watch(provider, p.me)
            p.attach(provider)
        session = fresh_key(32)
        self.run(lambda p: p.setup(session))

    def _watch(self, provider: Provider, party: int) -> None:
        """Keep what the dealer sends, too."""
        fetch = provider.fetch

        def watched(want: Want) -> list[Array]:
            arrays = fetch(want)
            for k, array in enumerate(arrays):
                place = (want.op, -1 - want.buffer, k)
                self.sent.append(Sent(place, DEALER, party, array, want.kind))
            return arrays

        provider.fetch = watched  # type: ignore[method-assign]

    @property
    def position(self) -> int:
        """How many primitives ran."""
        return self.protocols[0].position

    def coalitions(self) -> list[frozenset[int]]:
        """The largest sets of parties that the protocol protects against."""
        security = type(self.protocols[0]).security(self.n)
        return [frozenset(c) for c in combinations(range(self.n), security.threshold)]

    def turn_to(self, remainder: int) -> None:
        """Advance every party until `position` leaves this remainder modulo 3."""
        while self.position % 3 != remainder:
            for p in self.protocols:
                p.fresh_op()

    def rewind(self, position: int) -> None:
        """Let the next primitive run at an earlier place, with the very masks of that place."""
        for p in self.protocols:
            p._next_op = position
        for provider in self.providers:
            provider._taken.clear()

    def run(self, steps: Callable[[Protocol], Steps[Any]]) -> list[Any]:
        """Run `steps(p)` at every party p in lock step."""
        if any(p.due for p in self.protocols):  # a long test must not keep all it ever noted
            lockstep(
                [p.before_open() for p in self.protocols], names=self.names, counters=self.counters
            )
        self.sent = []
        with np.errstate(over="ignore"):
            return lockstep(
                [steps(p) for p in self.protocols],
                names=self.names,
                counters=self.counters,
                observer=self._keep,
            )

    def _keep(self, tag: Tag, sender: int, to: int, arrays: list[Array]) -> list[Array]:
        for k, array in enumerate(arrays):
            self.sent.append(Sent((self.position, tag.round, k), sender, to, array))
        return arrays

    def deal(self, x: Array, meta: Meta) -> list[Share]:
        """A client's sharing of ring elements, or of packed bits."""
        dealt = type(self.protocols[0]).deal(x, meta, self.n)
        shares = [Share(meta, parts) for parts in dealt]
        if not self.protocols[0].verifies:
            return shares
        return self.run(lambda p: p.admit(shares[p.me]))

    def deal_bits(self, bits: Array, like: Meta) -> list[Share]:
        """A client's sharing of one bit plane."""
        return self.deal(pack(bits)[None], like.with_(kind="bit", f=0, shape=bits.shape))

    def collect(self, shares: list[Share]) -> Array:
        """What the client gets: ring elements, or bits of shape (planes, *meta.shape)."""
        with np.errstate(over="ignore"):
            parts = [p.to_client(s) for p, s in zip(self.protocols, shares, strict=True)]
        meta = shares[0].meta
        total = type(self.protocols[0]).from_parties(parts, meta)
        if meta.kind != "bit":
            return total
        planes = np.stack([unpack(plane, meta.size) for plane in total])
        return planes.reshape(len(planes), *meta.shape)
