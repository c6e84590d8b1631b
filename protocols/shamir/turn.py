"""One operation seen from one party: who does what, and polynomials that are dealt.

Roles rotate with the operation's number, so that work and bytes even out. Role 0 is the *king*, who
alone learns masked values; roles 1 to t *contribute* to the masks. The first contribution is known
to a whole group of n - t parties, role 1 and roles t + 1 to n - 1, the others to one party each. So
t parties that include the king miss one contribution, and t others do not learn what was masked.

A party deals a secret s by a random polynomial f of degree t with f(0) = s. Its values at the next
t parties are taken from the streams shared with them: t uniform values and s determine f, and only
the n - 1 - t other parties need a message. What a group of n - t parties knows is dealt without a
message, by the polynomial that is 0 at the t parties outside [CDI05].
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from mpyc_core.protocols.cost import Cost
from mpyc_core.protocols.masks import Masks, PairKeys, Purpose
from mpyc_core.transport.mesh import Array, Round, Steps

from .space import Space


@dataclass(frozen=True)
class Deal:
    """A vector that one party shares.

    Parameters
    ----------
    dealer : the party.
    space : of the vector.
    size : its length.
    secret : the vector, at the dealer.
    """

    dealer: int
    space: Space
    size: int
    secret: Array | None = None


class Turn:
    """Roles, points and masks of one operation at one party.

    Parameters
    ----------
    me : index of this party.
    n : number of parties.
    op : the operation's number; party `op % n` plays role 0.
    keys : by peer; under n the group's of this operation, if this party is in it, and under n + 1
        this party's own.
    """

    def __init__(self, me: int, n: int, op: int, keys: dict[int, PairKeys]) -> None:
        self.me = me
        self.n = n
        self.t = threshold(n)
        self.first = op % n
        self.role = (me - self.first) % n
        self._masks = Masks(op, keys)
        self._buffers = 0

    def party(self, role: int) -> int:
        """Which party plays `role`."""
        return (self.first + role) % self.n

    @property
    def king(self) -> int:
        """Who learns masked values."""
        return self.first

    @property
    def contributors(self) -> list[int]:
        """Who adds a contribution to a mask; the first one for the group."""
        return [self.party(role) for role in range(1, self.t + 1)]

    @property
    def group(self) -> list[int]:
        """Who knows the first contribution."""
        return [self.party(role) for role in (1, *range(self.t + 1, self.n))]

    def buffer(self) -> int:
        """A number for the next buffer of masks, the same at every party."""
        self._buffers += 1
        return self._buffers

    def words(self, peer: int, buffer: int, space: Space, size: int) -> Array:
        """Uniform words of a vector that this party and `peer` know."""
        purpose: Purpose = "bits" if space.dtype == np.uint64 and space.height > 1 else "zero"
        shape = (space.height, size)
        return self._masks.small(peer, purpose, buffer, space.dtype, shape)

    def plane(self, peer: int, buffer: int, shape: tuple[int, ...]) -> Array:
        """Uniform packed bits that this party and `peer` know."""
        return self._masks.words(peer, "open", buffer, shape)

    # -- dealing ----------------------------------------------------------------------------
    def deal(self, *deals: Deal) -> Steps[list[Array]]:
        """Share vectors, all in one round; this party's share of each, words not yet reduced.

        Cost        1 round, n - 1 - t vectors from each dealer
        Security    a dealer's polynomial is uniform but for its value at 0, so that t parties see
                    uniform values
        """
        buffers = [self.buffer() for _ in deals]
        step, mine = Round(), [np.empty(0)] * len(deals)
        for k, (buffer, d) in enumerate(zip(buffers, deals, strict=True)):
            if d.dealer == self.me:
                mine[k], sent = self._polynomial(d, buffer)
                for peer, values in sent.items():
                    # hidden by the t uniform values, of which the receiver and t - 1 others lack 1
                    step.send.setdefault(peer, []).append(values)
            elif self.me not in helpers(self.n, d.dealer):
                step.recv.setdefault(d.dealer, []).append(d.space.spec(d.size))
        received = yield step
        arrived = {peer: iter(arrays) for peer, arrays in received.items()}
        for k, (buffer, d) in enumerate(zip(buffers, deals, strict=True)):
            if d.dealer != self.me:
                drawn = self.me in helpers(self.n, d.dealer)
                mine[k] = (
                    self.words(d.dealer, buffer, d.space, d.size)
                    if drawn
                    else next(arrived[d.dealer])
                )
        return mine

    def _polynomial(self, d: Deal, buffer: int) -> tuple[Array, dict[int, Array]]:
        """The dealer's own value, and those that need a message."""
        if d.secret is None:
            raise RuntimeError("the dealer's vector is missing")
        drawn = [self.words(peer, buffer, d.space, d.size) for peer in helpers(self.n, self.me)]
        values = d.space.apply(dealing(d.space, self.n, self.me), d.space.join([d.secret, *drawn]))
        rows = values.reshape(len(values) // d.space.height, d.space.height, d.size)
        others = receivers(self.n, self.me)
        return rows[0], {peer: rows[1 + i] for i, peer in enumerate(others)}

    def reshare(self, space: Space, product: Array) -> Steps[Array]:
        """From values of degree at most 2t at every party to fresh shares of degree t.

        Protocol    each of 2t + 1 parties deals l_i * z_i, with Lagrange's coefficient for 0; the
                    sum of what was dealt is shared by the sum of the polynomials
        Cost        1 round, n - 1 - t vectors from each of 2t + 1 parties
        Reference   [GRR98, section 3], with streams in place of t of the n - 1 messages
        """
        size = product.shape[1]
        dealers = [self.party(role) for role in range(2 * self.t + 1)]
        weights = space.scalars.lagrange([p + 1 for p in dealers], 0)
        mine = None
        if self.me in dealers:
            mine = space.scaled(weights[dealers.index(self.me)], product)
        deals = [Deal(p, space, size, mine if p == self.me else None) for p in dealers]
        return space.summed((yield from self.deal(*deals)))

    def group_share(self, space: Space, secret: Array | None, size: int) -> Array:
        """This party's share of what the group knows; no message."""
        if secret is None:
            return np.zeros((space.height, size), space.dtype)
        outside = [p + 1 for p in range(self.n) if p not in self.group]
        (coefficient, *_) = space.scalars.lagrange([0, *outside], self.me + 1)
        return space.scaled(coefficient, secret)

    def opening_weights(self, space: Space, parties: list[int]) -> list[int]:
        """Lagrange's coefficients of these parties for the secret."""
        return space.scalars.lagrange([p + 1 for p in parties], 0)


def threshold(n: int) -> int:
    """How many of n parties learn nothing together: the largest t < n / 2."""
    return (n - 1) // 2


def helpers(n: int, dealer: int) -> list[int]:
    """Parties that draw their share from the stream they have in common with a dealer."""
    return [(dealer + i) % n for i in range(1, threshold(n) + 1)]


def receivers(n: int, dealer: int) -> list[int]:
    """Parties to which a dealer sends their share."""
    return [(dealer + i) % n for i in range(threshold(n) + 1, n)]


@cache
def dealing(space: Space, n: int, dealer: int) -> Array:
    """The values at the dealer and at its receivers, from the secret and those at its helpers."""
    points = [0, *(p + 1 for p in helpers(n, dealer))]
    at = [p + 1 for p in (dealer, *receivers(n, dealer))]
    return space.matrix([space.scalars.lagrange(points, x) for x in at])


def deal_cost(space: Space, n: int, size: int, dealers: list[int]) -> Cost:
    """A vector from each dealer to each of its receivers; a dealer may occur several times."""
    each = len(receivers(n, 0)) * space.bytes(size)
    return Cost(1, tuple(each * dealers.count(p) for p in range(n)))


def reshare_cost(space: Space, n: int, size: int, first: int) -> Cost:
    """As `deal_cost`, for 2t + 1 parties."""
    dealers = [(first + role) % n for role in range(2 * threshold(n) + 1)]
    return deal_cost(space, n, size, dealers)
