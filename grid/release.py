"""`release`: the only way out of a node, for exact results and for noisy ones.

    what is made of the caller's own data alone      goes out; it was the caller's before
    exact results of others' data                    need an accepted request for this very graph
    noisy results, `epsilon` given                   need bounds that the graph proves, a budget
                                                     that covers the price, and the consent of every
                                                     owner who is not the node's

States, prices and the rule that noise is drawn once are those of `privacy.budget`. What a release
needs (the use of an approval, the charge, the entry in the audit log) is written in one durable
transaction before anything is computed; a node that stops in between keeps the charge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mpyc_core.errors import PermissionDenied
from mpyc_core.privacy.budget import Charge, State, subject_account
from mpyc_core.privacy.price import Price

from . import approvals
from .canonical import decode, encode
from .graph import DATA, Expr, evaluate, senders, walk
from .keys import fingerprint
from .noise import plan_noise
from .spec import Array, Spec, from_wire, to_wire

if TYPE_CHECKING:
    from .node import Node

HOW_TO_ASK = (
    "this value is private, or depends on data that is private, so the exact one does not go out "
    "by itself. Ask for a noisy one with .get(epsilon=0.1), which is charged to the budget of the "
    "data, or ask the owner for the exact one with .request(reason=...) or "
    ".get(request_block=True, reason=...)"
)
SENT_BY_OTHERS = (
    "this depends on what somebody else sent, which noise for the records of data sets does not "
    "hide: ask its sender first, with .request(reason=..., epsilon=...)"
)


@dataclass(frozen=True)
class Wanted:
    """What is to be released.

    Parameters
    ----------
    caller : the public key of who asks.
    token : chosen by the caller; asking again with it gives the same bytes at no charge.
    graph, owners, cards : of the value.
    value : the array, where the node still holds it.
    terms : epsilon, delta and error as they were asked for; all None for an exact result.
    request : the accepted request that this rests on, if it does.
    """

    caller: str
    token: str
    graph: Expr
    owners: frozenset[str]
    cards: frozenset[str]
    value: Array | None
    terms: Mapping[str, Any]
    request: str | None = None

    @property
    def noisy(self) -> bool:
        """Whether noise was asked for."""
        return any(self.terms[key] is not None for key in ("epsilon", "error"))


def release(node: Node, wanted: Wanted) -> Array:
    """Let a value out, or say why not.

    Raises
    ------
    PermissionDenied : and how to ask instead.
    BudgetExceeded : the data's budget does not cover the price.
    """
    if wanted.owners <= {wanted.caller} and not wanted.noisy:
        with node.state.transaction():
            node.audit.append("own", who=wanted.caller, spec=to_wire(wanted.graph.spec))
        return exact(node, wanted)
    key = node.keys.mac("release", [wanted.caller, wanted.token]).hex()[:32]
    asked = node.keys.mac("asked", [wanted.graph.digest, dict(wanted.terms), wanted.caller])
    if node.ledger.state(key) is None:
        _go_through(node, wanted, key, asked)
    else:  # raises unless it is the same release, and its noise was drawn
        node.ledger.reserve(key, asked, [Charge(_exact_account(), Price())])
        if node.ledger.state(key) is State.DRAWN:
            _commit(node, key)
    return _unpack(node.ledger.deliver(key))


def _exact_account() -> str:
    from .node import EXACT

    return EXACT


def _go_through(node: Node, wanted: Wanted, key: str, asked: bytes) -> None:
    """Reserve, draw, commit."""
    charges, draw, why = _plan(node, wanted)
    _check_versions(node, wanted)
    with node.state.transaction():
        used = approvals.use(node, wanted, _asked(node, wanted))
        ticket = node.ledger.reserve(key, asked, charges)
        if ticket is None:
            raise PermissionDenied("this release was made meanwhile; ask again", party=node.name)
        node.audit.append(
            "reserved",
            release=key,
            who=wanted.caller,
            cards=sorted(wanted.cards),
            kind=why,
            spec=to_wire(wanted.graph.spec),
            graph=wanted.graph.digest,
            approvals=used,
            **logged(charges),
        )
    node.ledger.draw(ticket, lambda: _pack(draw()))
    _commit(node, key)
    node.announce(f"release to {fingerprint(wanted.caller)}")


def logged(charges: Sequence[Charge]) -> dict[str, Any]:
    """Charges as the log tells them: those of data sets each, and how many people paid."""
    people = subject_account("")
    stated = [c for c in charges if not c.account.startswith(people)]
    return {
        "charges": [[c.account, c.price.epsilon, c.price.delta] for c in stated],
        "subjects": len(charges) - len(stated),
    }


def _commit(node: Node, key: str) -> None:
    """Every owner agreed when the price was reserved: the stored bytes may go out."""
    with node.state.transaction():
        node.ledger.commit(key)
        node.audit.append("committed", release=key)


def _plan(node: Node, wanted: Wanted) -> tuple[Sequence[Charge], Callable[[], Array], str]:
    """What a release costs, and how its bytes come about."""
    if not wanted.noisy:
        if not _agreed(node, wanted):
            raise PermissionDenied(_advice(node, wanted), party=node.name)
        return [Charge(_exact_account(), Price())], lambda: exact(node, wanted), "exact"
    if senders(wanted.graph) - {wanted.caller} and not _agreed(node, wanted):
        # before anything else: bounds and prices would tell of what was sent, which has no noise
        raise PermissionDenied(SENT_BY_OTHERS, party=node.name)
    found = plan_noise(node, wanted)
    return found.charges, found.draw, found.mechanism


def _agreed(node: Node, wanted: Wanted) -> bool:
    """Whether everybody who is asked has accepted a request for exactly this."""
    return approvals.find(node, wanted, _asked(node, wanted)) is not None


def _asked(node: Node, wanted: Wanted) -> frozenset[str]:
    asked = approvals.asked(node, wanted.graph, wanted.owners, wanted.cards, wanted.noisy)
    return asked - {wanted.caller}


def _advice(node: Node, wanted: Wanted) -> str:
    policies = [node.card(key).policy for key in wanted.cards if _has_card(node, key)]
    if any(policy.raw == "never" for policy in policies):
        return HOW_TO_ASK.split(", or ask the owner")[0] + ". The owner gives out no exact results"
    return HOW_TO_ASK


def _has_card(node: Node, key: str) -> bool:
    return node.state.row("SELECT 1 FROM cards WHERE id = ?", key) is not None


def _check_versions(node: Node, wanted: Wanted) -> None:
    """What a value was made of must still be what it was."""
    for leaf in walk(wanted.graph):
        if leaf.op == DATA:
            found = node.objects.find(leaf.params["id"])
            if found is None or found.version != leaf.params["version"]:
                raise PermissionDenied(
                    "the data set has changed since this was computed; compute it again",
                    party=node.name,
                )


def exact(node: Node, wanted: Wanted) -> Array:
    """The exact value: the array that is held, or computed again from the same versions."""
    if wanted.value is not None:
        return wanted.value
    return evaluate(wanted.graph, lambda leaf: leaf_value(node, leaf))


def leaf_value(node: Node, leaf: Expr) -> Array:
    """The version of a data set that a graph means.

    Raises
    ------
    PermissionDenied : there is another version now.
    """
    found = node.objects.find(leaf.params["id"])
    if found is None or found.version != leaf.params["version"]:
        raise PermissionDenied(
            "the data set has changed since this was computed; compute it again", party=node.name
        )
    return found.value


def _pack(value: Array) -> bytes:
    own = np.ascontiguousarray(value).reshape(value.shape)
    return encode([to_wire(Spec.of(own)), own.tobytes()])


def _unpack(data: bytes) -> Array:
    described, raw = decode(data)
    spec = from_wire(described)
    return np.frombuffer(raw, spec.dtype).reshape(spec.shape)
