"""What a node knows of values that it holds shares of: labels, sensitivity, the price of noise.

Towards this node's own records everything that others put in is fixed; their rows are rows of other
data sets, whose bounds are not taken from anybody: clipping on the shares makes them known.
"""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from mpyc_core.errors import BudgetExceeded, PermissionDenied, UnboundedSensitivity
from mpyc_core.meta import Meta
from mpyc_core.privacy.budget import Charge, State, dataset_account
from mpyc_core.privacy.label import Blocked, Label, Public, Rows, Source, Total, constant, digest
from mpyc_core.privacy.price import Price
from mpyc_core.privacy.shared import price_of_noise
from mpyc_core.privacy.step import Look
from mpyc_core.privacy.transfer import after, total_of

from .graph import DATA, Expr, senders, walk
from .noise import source_of

if TYPE_CHECKING:
    from .release import Wanted
    from .seat import Seat
    from .store import Stored
    from .watched import Noised

NOISE = "mpc add_discrete_laplace"
BESIDE = (
    "noise hides the records of data sets, not what somebody sent beside them; ask the sender with "
    "committee.request(value, reason=...)"
)


def unknown(session: str, key: int) -> Label:
    """The label of what the driver shared: fixed, but not known here."""
    return Label(frozenset(), Public(None), digest("shared by the requester", session, key))


def label_of_input(seat: Seat, owner: str, name: str, mine: Stored | None, meta: Meta) -> Label:
    """The label of what a party put in."""
    if mine is not None and senders(mine.graph) - {seat.caller}:
        return Label(frozenset(), Blocked(BESIDE), digest("sent by others", name))
    if mine is not None and not mine.cards:
        return unknown(name, 0)
    if mine is None:  # rows of somebody else, never those of a data set of this node
        if not meta.shape or meta.shape[0] < 1:
            return unknown(name, 0)
        other = f"of {owner}: {name}"
        return Source(dataset=other, version=name, owner=owner, shape=meta.shape, f=meta.f).label()
    found = _before_sharing(seat, mine.graph, owner, meta.f)
    if mine.graph.op == DATA:
        return found
    if isinstance(found.state, Rows):  # floats may round past their bounds: clip on the shares
        return replace(found, state=replace(found.state, bounds=None, f=meta.f))
    reason = "share rows, and compute what is made of all of them on the shares"
    return replace(found, state=Blocked(reason))


def _before_sharing(seat: Seat, root: Expr, owner: str, f: int) -> Label:
    """The label of what this node computed alone."""
    labels: dict[int, Label] = {}
    for x in walk(root):
        if x.op == DATA:
            card = seat.node.card(x.params["id"])
            labels[id(x)] = replace(source_of(card, owner), f=f).label()
        elif x.value is not None:
            labels[id(x)] = constant(x.value)
        else:
            below = [(labels[id(i)], Look.of_array(i.spec.shape, i.spec.dtype)) for i in x.inputs]
            out = Look.of_array(x.spec.shape, x.spec.dtype)
            (labels[id(x)],) = after(x.op, x.params, below, [out])
    return labels[id(root)]


def groups(seat: Seat) -> list[str]:
    """The data sets of this node that take part, as they are known to their accounts."""
    return sorted({seat.node.card(key).group for key in seat.cards})


def units_of(seat: Seat, label: Label, f: int) -> int:
    """By how much one record of this node can change a value, in units of its last place.

    Raises
    ------
    UnboundedSensitivity : it cannot be bounded; says what to do.
    PermissionDenied : people with accounts did not pay in advance.
    """
    if not seat.cards or isinstance(label.state, Public):
        return 0
    for card in map(seat.node.card, sorted(seat.cards)):
        seat.advance.check(card)
    total: Total = total_of(label)
    if total.unit != Fraction(1, 1 << f):
        raise UnboundedSensitivity(
            "noise is made in units of the last place; release the sum and divide what you got",
            party=seat.node.name,
        )
    return max(total.l1(group) for group in groups(seat))


def charges_of(
    seat: Seat, label: Label, f: int, sensitivity: int, epsilon: Fraction, count: int
) -> list[Charge]:
    """What noise made among the parties costs the data sets of this node.

    Parameters
    ----------
    sensitivity : in units, that the noise covers; at least what this node itself finds.
    count : number of values.

    Raises
    ------
    PermissionDenied, UnboundedSensitivity : a policy does not allow it; says what to do.
    """
    name = seat.node.name
    if units_of(seat, label, f) > sensitivity:
        raise PermissionDenied("the noise does not cover what one record can change", party=name)
    price = price_of_noise(sensitivity, epsilon, count)
    for card in map(seat.node.card, sorted(seat.cards)):
        seat.advance.check(card, price)
        policy = card.policy
        if policy.noisy != "budget" or policy.epsilon == 0:
            raise PermissionDenied(
                f"the policy of {card.name!r} lets no noisy releases go out by themselves; its "
                "owner sets noisy='budget' and an epsilon for that",
                party=name,
            )
        if epsilon > Fraction(str(policy.max_epsilon)):
            raise PermissionDenied(
                f"a release of {card.name!r} may cost epsilon {policy.max_epsilon:g} at most, this "
                f"one costs {price}; ask for a smaller epsilon",
                party=name,
            )
        if Price.limit(0, policy.delta).atto_delta < price.atto_delta:
            raise PermissionDenied(
                f"the last digits of noise that nodes make together cost delta {price.delta:.2g}, "
                f"and the policy of {card.name!r} has delta {policy.delta:g} in all; its owner "
                "sets Policy(delta=1e-6), or another delta well above that",
                party=name,
            )
    return [Charge(dataset_account(group), price) for group in groups(seat)]


def afford(
    seat: Seat,
    label: Label,
    f: int,
    sensitivity: int,
    epsilon: Fraction,
    count: int,
    times: int,
) -> None:
    """Say why noise made among the parties would not be paid for `times` times; charges nothing.

    Raises
    ------
    PermissionDenied, BudgetExceeded : a policy or a budget does not allow it.
    """
    if not seat.cards or isinstance(label.state, Public):
        return
    charges = charges_of(seat, label, f, sensitivity, epsilon, count)
    for card in map(seat.node.card, sorted(seat.cards)):
        seat.advance.check(card, charges[0].price * times)
    for charge in charges:
        left, price = seat.node.ledger.remaining(charge.account), charge.price * times
        if not left.covers(price):
            raise BudgetExceeded(
                f"{charge.account} has {left} left, the release costs {price}; ask for more "
                "noise (a smaller epsilon), or ask the owner for a larger budget",
                party=seat.node.name,
            )


def charge_noise(seat: Seat, noised: Noised | None, value: int, wanted: Wanted) -> bool:
    """Pay for a value that the parties made noisy; False where that is not enough to open it.

    The noise must cover what this node itself finds that one of its records can change. A draw is
    paid for once, however often its value is opened.
    """
    node, root = seat.node, wanted.graph
    if noised is None or root.op != NOISE or wanted.owners - {seat.caller, node.owner}:
        return False
    key = node.keys.mac("opening", [seat.plan.id, noised.draw]).hex()[:32]
    if node.ledger.state(key) is State.COMMITTED:
        return True  # the same noisy value, paid for before
    epsilon = Fraction(*root.params["epsilon"])
    covered = int(root.params["sensitivity"])
    if not seat.cards:
        return False
    try:
        count = max(1, math.prod(root.spec.shape))
        charges = charges_of(seat, noised.label, seat.f_of(value), covered, epsilon, count)
        with node.state.transaction():
            ticket = node.ledger.reserve(key, root.digest, charges)
            node.audit.append(
                "reserved",
                release=key,
                who=seat.caller,
                cards=sorted(wanted.cards),
                kind="noise made among the parties",
                graph=root.digest,
                charges=[[c.account, c.price.epsilon, c.price.delta] for c in charges],
            )
    except PermissionDenied:
        return False
    if ticket is None:
        return False
    seat.advance.take(groups(seat), charges[0].price)
    node.ledger.draw(ticket, lambda: b"noise made among the parties")
    with node.state.transaction():
        node.ledger.commit(key)
        node.audit.append("committed", release=key)
    return True
