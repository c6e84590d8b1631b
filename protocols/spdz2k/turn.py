"""One operation at one party: its correlations, and the one function that opens values."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mpyc_core.meta import Meta
from mpyc_core.protocols.additive.turn import Dealt, Needs
from mpyc_core.protocols.additive.turn import Turn as Addressed
from mpyc_core.protocols.dealt.correlation import correlation
from mpyc_core.protocols.dealt.provider import Provider
from mpyc_core.protocols.value import Share
from mpyc_core.ring import Ring
from mpyc_core.transport.mesh import Array, Steps

from .claim import Claim
from .keys import Keys
from .transcript import Transcript


class Numbers(NamedTuple):
    """This party's shares of numbers and of their MACs, over Z/2^(k+s)."""

    value: Array
    mac: Array


class Bits(NamedTuple):
    """This party's shares of planes of bits (p, w), and of their MACs (p, 128, w)."""

    value: Array
    mac: Array


class Product(NamedTuple):
    """This party's share of a masked product, and what its MAC is made of."""

    value: Array
    mac: Array
    """Share of the MAC of what was dealt for it."""
    claim: Callable[[Array], Claim]
    """From the evidence of the rest."""


class Turn:
    """One operation seen from one party.

    Parameters
    ----------
    me, n, op : this party, number of parties, the operation's number.
    keys : shares of the MAC keys.
    provider : where correlations come from.
    transcript : takes all that is opened.
    needs : the operation's correlations.
    """

    def __init__(
        self,
        me: int,
        n: int,
        op: int,
        keys: Keys,
        provider: Provider,
        transcript: Transcript,
        needs: Needs = (),
    ) -> None:
        self.me, self.n, self.op = me, n, op
        self.first = me == 0
        """Whether this party adds public values to its share."""
        self.keys, self.transcript = keys, transcript
        self._provider = provider
        self.addressed = Addressed(me, n, op, {}, provider, needs)
        self.peers = self.addressed.peers

    def dealt(self, i: int) -> Authentic:
        """This party's shares of the operation's i-th correlation, with their MACs."""
        want = self.addressed.wants[i]
        places = len(correlation(want.kind).places(want.facts))
        return Authentic(self.addressed.dealt(i), places // 2)

    def mask_for_client(self, i: int) -> tuple[Array, Array, Array, Array]:
        """Correlation i, a mask for a client: share, MAC share, blind, all commitments."""
        want = self.addressed.wants[i]
        value, mac, blind = correlation(want.kind).places(want.facts)
        sent, source = self._provider.take(want), self._provider.source
        own = source.words(want, 0, value.shape, value.dtype)
        tags = sent[0] if self.first else source.words(want, 1, mac.shape, mac.dtype)
        return own, tags, source.words(want, 2, blind.shape, blind.dtype), sent[-1]

    def reveal(self, wide: Ring | None, *hidden: Numbers | Bits | Product) -> Steps[list[Array]]:
        """Open values to all parties, and note them for the next check: nothing else opens.

        The caller has masked what it gives. What comes out is not verified yet, so it may only go
        into shares whose openings are masked too.

        Cost        1 round, every value to each other party
        """
        came = yield from self.addressed.swap([h.value for h in hidden])
        opened = []
        for mine, others in zip(hidden, came, strict=True):
            if isinstance(mine, Bits):
                bits = np.bitwise_xor.reduce([mine.value, *others])
                self.transcript.planes(bits, mine.mac, self.keys)
                opened.append(bits)
            elif wide is not None:
                total = mine.value
                for other in others:
                    total = wide.add(total, other)
                claim = mine.claim if isinstance(mine, Product) else None
                self.transcript.number(wide, total, mine.mac, self.keys, claim)
                opened.append(total)
        return opened

    # -- numbers ----------------------------------------------------------------------------
    def plus(self, wide: Ring, x: Numbers, c: Array) -> Numbers:
        """x + c for public numbers c over the ring of shares."""
        value = wide.add(x.value, c) if self.first else x.value
        return Numbers(value, wide.add(x.mac, wide.mul(c, self.keys.alpha(wide))))

    # -- bits -------------------------------------------------------------------------------
    def flip(self, x: Bits, c: Array) -> Bits:
        """x ^ c for public planes c."""
        value = x.value ^ c if self.first else x.value
        return Bits(value, x.mac ^ c[..., None, :] & self.keys.bits[:, None])


class Authentic:
    """One correlation with the MACs of its places."""

    def __init__(self, dealt: Dealt, macs: int) -> None:
        self._dealt, self._macs = dealt, macs

    def numbers(self, j: int) -> Numbers:
        """The numbers of place j."""
        return Numbers(self._dealt.array(j), self._dealt.array(j + self._macs))

    def bits(self, j: int) -> Bits:
        """The planes of place j."""
        return Bits(self._dealt.array(j), self._dealt.array(j + self._macs))


def minus(wide: Ring, x: Numbers, y: Numbers) -> Numbers:
    """x - y."""
    return Numbers(wide.sub(x.value, y.value), wide.sub(x.mac, y.mac))


def both(wide: Ring, x: Numbers, y: Numbers) -> Numbers:
    """x + y."""
    return Numbers(wide.add(x.value, y.value), wide.add(x.mac, y.mac))


def times(wide: Ring, c: Array, x: Numbers) -> Numbers:
    """c * x for public c, element by element."""
    return Numbers(wide.mul(c, x.value), wide.mul(c, x.mac))


def numbers_of(x: Share) -> Numbers:
    """The parts of a shared number."""
    return Numbers(*x.parts)


def bits_of(x: Share) -> Bits:
    """The parts of shared bits."""
    return Bits(*x.parts)


def share_of(meta: Meta, x: Numbers | Bits) -> Share:
    """Parts as a share."""
    return Share(meta, tuple(x))


def xor(x: Bits, y: Bits) -> Bits:
    """x ^ y."""
    return Bits(x.value ^ y.value, x.mac ^ y.mac)


def keep(c: Array, x: Bits) -> Bits:
    """c & x for public planes c."""
    return Bits(c & x.value, c[..., None, :] & x.mac)


def pick(x: Bits, which: slice | list[int]) -> Bits:
    """Some planes."""
    return Bits(x.value[which], x.mac[which])


def stack(*xs: Bits) -> Bits:
    """Planes of several, one after the other."""
    return Bits(np.concatenate([x.value for x in xs]), np.concatenate([x.mac for x in xs]))


def unsigned(wide: Ring, small: Ring, x: Array) -> Array:
    """Elements of Z/2^k as integers in [0, 2^k) over the ring of shares."""
    if wide.bits == 128:
        out = np.zeros(x.shape, wide.dtype)
        out["lo"] = x
        return out
    return x.astype(wide.dtype)
