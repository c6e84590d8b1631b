"""Masks, correlations and openings of one operation at one party."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mpyc_core.errors import ConfigError
from mpyc_core.kernels.dealt import as_pad
from mpyc_core.protocols.cost import Cost
from mpyc_core.protocols.dealt.correlation import correlation
from mpyc_core.protocols.dealt.provider import Provider
from mpyc_core.protocols.dealt.want import Facts, Want
from mpyc_core.protocols.masks import Masks, PairKeys
from mpyc_core.transport.mesh import Array, Round, Spec, Steps

Needs = Sequence[tuple[str, Facts]]
"""Kinds and facts of the correlations of one primitive; the buffer of each is its index."""


class Turn:
    """One operation seen from one party.

    Parameters
    ----------
    me, n : index of this party, number of parties.
    op : the operation's number.
    keys : the keys shared with each peer.
    provider : where correlations come from.
    needs : the correlations of this operation.
    """

    def __init__(
        self,
        me: int,
        n: int,
        op: int,
        keys: dict[int, PairKeys],
        provider: Provider | None = None,
        needs: Needs = (),
    ) -> None:
        self.me, self.n = me, n
        self.first = me == 0
        """Whether this party adds public values to its share."""
        self.peers = [p for p in range(n) if p != me]
        self._masks = Masks(op, keys)
        self._provider = provider
        self.wants = wants_of(op, needs)
        """The correlations of this operation."""

    def dealt(self, i: int) -> Dealt:
        """This party's shares of the operation's i-th correlation."""
        return Dealt(self._dealer(), self.wants[i])

    def _dealer(self) -> Provider:
        if self._provider is None:
            raise ConfigError("this operation takes correlations, but there is no crypto provider")
        return self._provider

    def seeded(self, i: int, place: int) -> Array:
        """What this party's seed gives at a place of the i-th correlation; takes nothing yet."""
        provider, want = self._dealer(), self.wants[i]
        spec = correlation(want.kind).places(want.facts)[place]
        return provider.source.words(want, place, spec.shape, spec.dtype)

    def drawn(self, i: int) -> list[Array]:
        """All arrays of the i-th correlation, taken once."""
        return self._dealer().draw(self.wants[i])

    def nonce(self, i: int) -> bytes:
        """16 public bytes of the i-th correlation's own."""
        return self._dealer().source.nonce(self.wants[i])

    def swap(self, mine: Sequence[Array]) -> Steps[list[list[Array]]]:
        """Send arrays to every other party and get theirs: one list for each array.

        The caller has masked what it sends.
        """
        specs = [Spec.of(array) for array in mine]
        received = yield Round(
            send={p: list(mine) for p in self.peers},  # masked by the caller, as said there
            recv={p: specs for p in self.peers},
        )
        return [[received[p][i] for p in self.peers] for i in range(len(mine))]

    def zero(self, shape: Any, dtype: np.dtype[Any]) -> list[tuple[bool, Array]]:
        """This party's parts of a sharing of zero, to be subtracted if True, else added.

        Each pair of parties has one block, which one adds and the other subtracts.
        """
        return [(self.me > p, self._masks.small(p, "open", 0, dtype, shape)) for p in self.peers]

    def block(self, peer: int, shape: Any, dtype: np.dtype[Any]) -> Array:
        """Words that only this party and `peer` know, to share an input with."""
        return self._masks.small(peer, "input", 0, dtype, shape)


class Dealt:
    """One party's shares of one correlation, place by place, taken from the provider once.

    What the party's seed gives is there at once. Only a place that is dealt waits for the dealer,
    who works while the parties exchange what the seeds hide.

    Parameters
    ----------
    provider : the dealer as this party sees it.
    want : what to take.
    """

    def __init__(self, provider: Provider, want: Want) -> None:
        self._want, self._provider, self._source = want, provider, provider.source
        self._places = correlation(want.kind).places(want.facts)
        self._sent: dict[int, Array] | None = None
        provider.begin(want)

    def array(self, j: int) -> Array:
        """The share of place j."""
        place = self._places[j]
        if place.dealt and j in (sent := self._corrections()):
            return sent[j]
        return self._source.words(self._want, j, place.shape, place.dtype)

    def pad(self, j: int) -> Array:
        """The share of place j as a pad: kernels make its words if they come from a seed."""
        place = self._places[j]
        if place.dealt and j in (sent := self._corrections()):
            return as_pad(sent[j])
        return self._source.pad(self._want, j, place.shape, place.dtype)

    def _corrections(self) -> dict[int, Array]:
        """What the dealer sent to this party, by place; nothing but to the first one."""
        if self._sent is None:
            sent = self._provider.complete(self._want)
            dealt = [j for j, place in enumerate(self._places) if place.dealt]
            self._sent = dict(zip(dealt, sent, strict=True)) if sent else {}
        return self._sent


def wants_of(op: int, needs: Needs) -> list[Want]:
    """The wants of an operation, addressed."""
    return [Want(kind, op, buffer, facts) for buffer, (kind, facts) in enumerate(needs)]


def cost_of(n: int, messages: Sequence[int], needs: Needs = ()) -> Cost:
    """The cost of openings among all parties, each to all others.

    Parameters
    ----------
    messages : bytes that a party sends to each of the others, round by round.
    needs : the correlations taken.
    """
    dealt, uses = 0, dict[str, int]()
    for want in wants_of(0, needs):
        dealt += correlation(want.kind).dealt_bytes(want, n)
        uses[want.kind] = uses.get(want.kind, 0) + 1
    return Cost(len(messages), ((n - 1) * sum(messages),) * n, dealt, uses)
