"""What people pay in advance for releases of shares, where a data set has a budget per subject.

Whose account is used up must be left out, and nobody may be told. From what is shared already
nobody can be left out. So people pay before: the price of all releases of a computation together is
charged when their rows are shared, and the rows of those who cannot pay are replaced by the middle
of their bounds on the way. Releases then take from what was paid, and are refused beyond it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from mpyc_core.errors import PermissionDenied
from mpyc_core.privacy.budget import Charge, dataset_account
from mpyc_core.privacy.price import Price

from . import subjects
from .graph import DATA, Expr, evaluate
from .release import leaf_value, logged
from .spec import Array
from .store import Stored

if TYPE_CHECKING:
    from .cards import Card
    from .node import Node

DELTA = 1e-9
"""Of all releases together: far more than the last digits of noise made among nodes need."""
ASK = (
    "{name!r} has a budget per subject, and nobody can be left out of what is shared already: "
    "share it with together.share(x, epsilon=...), which people pay for all releases together, or "
    "release it at its own node with .get(epsilon=...)"
)


@dataclass
class _Paid:
    """What the people of one data set paid in one computation."""

    price: Price
    names: frozenset[bytes]
    used: Price = field(default_factory=Price)


class InAdvance:
    """The accounts of one computation at one node.

    Parameters
    ----------
    node : whose data is shared.
    caller : who drives the computation.
    session : its id.
    """

    def __init__(self, node: Node, caller: str, session: str) -> None:
        self._node, self._caller, self._session = node, caller, session
        self._paid: dict[str, _Paid] = {}
        self._unpaid: set[str] = set()

    def share(self, stored: Stored, epsilon: float | None) -> Stored:
        """What goes into the computation: without the rows of people who cannot pay.

        Raises
        ------
        PermissionDenied : the same people's rows were shared at another price before.
        """
        cards = {
            card.group: card
            for card in map(self._node.card, sorted(stored.cards))
            if subjects.has_accounts(card)
        }
        if epsilon is None:
            self._unpaid |= set(cards) - set(self._paid)
            return self._without(stored, cards) if set(cards) & set(self._paid) else stored
        for group, card in cards.items():
            if group in self._unpaid or self._price(group, epsilon) != Price.of(epsilon, DELTA):
                raise PermissionDenied(
                    f"rows of {card.name!r} are in this computation already, at another price or "
                    "none; begin a new one",
                    party=self._node.name,
                )
        fresh = {group: card for group, card in cards.items() if group not in self._paid}
        if fresh:
            self._pay(fresh, Price.of(epsilon, DELTA))
        return self._without(stored, cards) if cards else stored

    def _price(self, group: str, epsilon: float) -> Price:
        return self._paid[group].price if group in self._paid else Price.of(epsilon, DELTA)

    def _pay(self, cards: Mapping[str, Card], price: Price) -> None:
        """Charge the people, durably, before any of their rows leave."""
        from .node import EXACT

        node = self._node
        for group, card in cards.items():
            stated = card.policy.subject_delta
            limit = Price.limit(0, card.policy.delta if stated is None else stated)
            if limit.atto_delta < price.atto_delta:
                raise PermissionDenied(
                    f"noise made among nodes needs a delta of {DELTA:g} of each subject of "
                    f"{card.name!r}; its owner sets Policy(delta=1e-6)",
                    party=node.name,
                )
            key = node.keys.mac("in advance", [self._session, group]).hex()[:32]
            owed = [Charge(dataset_account(group), price)]
            with node.state.transaction():
                people = subjects.shares(node, [card], owed)
                charges = [*people.charges, Charge(EXACT, Price())]
                ticket = node.ledger.reserve(key, group.encode(), charges)
                if ticket is None:
                    raise PermissionDenied("this was paid before; begin a new computation")
                node.audit.append(
                    "reserved",
                    release=key,
                    who=self._caller,
                    cards=[card.id],
                    kind="paid by people in advance, for a computation among nodes",
                    graph=b"",
                    **logged(charges),
                )
            node.ledger.draw(ticket, lambda: b"paid in advance")
            with node.state.transaction():
                node.ledger.commit(key)
                node.audit.append("committed", release=key)
            left = people.left_out.get(group)
            names = subjects.of(node, card)
            broke = (
                set() if left is None else {n for n, out in zip(names, left, strict=True) if out}
            )
            self._paid[group] = _Paid(price, frozenset(names) - broke)

    def _without(self, stored: Stored, cards: Mapping[str, Card]) -> Stored:
        """The same computation on rows of which those of people who did not pay are replaced."""
        masks = {
            group: np.array([n not in self._paid[group].names for n in subjects.of(self._node, c)])
            for group, c in cards.items()
            if group in self._paid
        }
        people = subjects.Shares((), masks)

        def leaf(expr: Expr) -> Array:
            value = leaf_value(self._node, expr)
            if expr.op != DATA:
                return value
            return people.rows_of(self._node.card(expr.params["id"]), value)

        return replace(stored, value=evaluate(stored.graph, leaf))

    def check(self, card: Card, price: Price | None = None) -> None:
        """Whether people paid for a release, and enough.

        Raises
        ------
        PermissionDenied : they did not; says what to do.
        """
        if not subjects.has_accounts(card):
            return
        paid = self._paid.get(card.group)
        if paid is None or card.group in self._unpaid:
            raise PermissionDenied(ASK.format(name=card.name), party=self._node.name)
        if price is not None and not paid.price.covers(paid.used + price):
            left = paid.price.minus(paid.used)
            raise PermissionDenied(
                f"the subjects of {card.name!r} paid in advance, and {left} of it is left, the "
                f"release costs {price}; share the rows with a larger epsilon",
                party=self._node.name,
            )

    def take(self, groups: list[str], price: Price) -> None:
        """A release was made."""
        for group in groups:
            if group in self._paid:
                self._paid[group].used += price


__all__ = ["DELTA", "InAdvance"]
