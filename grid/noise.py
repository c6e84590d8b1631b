"""Noisy releases: from a graph at a node to a price and the noisy numbers, by way of `privacy`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mpyc_core.errors import PermissionDenied
from mpyc_core.privacy.budget import Charge
from mpyc_core.privacy.label import Label, Source
from mpyc_core.privacy.price import Price
from mpyc_core.privacy.sensitivity import Plan, analyse

from . import subjects
from .cards import Card
from .graph import DATA, Expr, evaluate
from .ops import get_op
from .spec import Array
from .subjects import Shares

if TYPE_CHECKING:
    from .node import Node
    from .release import Wanted


@dataclass(frozen=True)
class Noise:
    """A noisy release that may be made.

    Parameters
    ----------
    charges : its price.
    draw : draws the noise; to be called once, when the price is reserved.
    mechanism : for the audit log.
    """

    charges: Sequence[Charge]
    draw: Callable[[], Array]
    mechanism: str


def source_of(card: Card, owner: str) -> Source:
    """A data set as the analysis sees it: the bounds are those that its owner states."""
    bounds = [(c.lower, c.upper) for c in card.columns]
    if card.type == "bool":
        bounds = [(0.0, 1.0)] * len(bounds)
    low, high = [b for b, _ in bounds], [b for _, b in bounds]
    known = all(b is not None for b in (*low, *high))
    return Source(
        dataset=card.group,
        version=card.version,
        owner=owner,
        shape=card.shape,
        lower=[float(b) for b in low if b is not None] if known else None,
        upper=[float(b) for b in high if b is not None] if known else None,
        order=card.group,
        rows=card.per_subject,
    )


def plan_noise(node: Node, wanted: Wanted) -> Noise:
    """What a noisy release costs, and how it is drawn.

    Raises
    ------
    UnboundedSensitivity : the graph has no finite sensitivity; says what to change.
    PermissionDenied : a policy allows no noisy releases, or none of this price.
    """
    plan = analyse(wanted.graph, lambda expr: _label(node, expr))
    terms = wanted.terms
    epsilon = terms["epsilon"]
    if epsilon is None:
        epsilon = plan.epsilon_for(terms["error"]).epsilon
    if not wanted.cards:
        raise PermissionDenied(
            "noise is for data sets; what somebody sent is released when they accept a request",
            party=node.name,
        )
    charges = plan.charges(epsilon, terms["delta"])
    _check_policies(node, wanted, Price.of(epsilon))
    people = subjects.shares(node, map(node.card, sorted(wanted.cards)), charges)
    law = "discrete Laplace" if terms["delta"] is None else "discrete normal"
    return Noise(
        [*charges, *people.charges],
        lambda: _draw(node, plan, people, epsilon, terms["delta"]),
        law,
    )


def _check_policies(node: Node, wanted: Wanted, price: Price) -> None:
    for key in wanted.cards:
        card = node.card(key)
        policy = card.policy
        if policy.epsilon == 0:
            raise PermissionDenied(
                f"the owner of {card.name!r} allows no noisy releases of it; ask for the exact "
                "value with .request(reason=...)",
                party=node.name,
            )
        if not Price.limit(policy.max_epsilon).covers(Price(price.nano_epsilon)):
            raise PermissionDenied(
                f"a release of {card.name!r} may cost epsilon {policy.max_epsilon:g} at most, this "
                f"one costs {price}; ask for a smaller epsilon",
                party=node.name,
            )


def _label(node: Node, expr: Expr) -> Label | None:
    if expr.op != DATA:
        return None
    return source_of(node.card(expr.params["id"]), node.name).label()


def _draw(node: Node, plan: Plan, people: Shares, epsilon: Any, delta: Any) -> Array:
    from .release import leaf_value

    def leaf(expr: Expr) -> Array:
        value = leaf_value(node, expr)
        return people.rows_of(node.card(expr.params["id"]), value) if expr.op == DATA else value

    def rows(expr: Expr) -> Array:
        return evaluate(expr, leaf)

    def run(expr: Expr, values: Sequence[Array]) -> Array:
        return get_op(expr.op)(values, expr.params)

    return plan.draw(rows, run, epsilon, delta)
