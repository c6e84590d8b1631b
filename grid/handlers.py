"""Handlers: rules by which an owner's node answers requests by itself.

A rule looks at what would be computed and what that would tell: which operations, on which data
sets, how many numbers, at which epsilon. It never looks at the name or the reason, which whoever
asks can type freely. Every rule has quotas, and is spent when they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from mpyc_core.errors import ConfigError
from mpyc_core.privacy.price import Price

from . import approvals, checks, ops, requests
from .canonical import decode, encode
from .graph import CONSTANT, DATA, SENT, Expr, senders, walk
from .keys import fresh_id

if TYPE_CHECKING:
    from .node import Node

HOUR = 3600.0


@dataclass(frozen=True)
class Rule:
    """When to answer a request, and how.

    Parameters
    ----------
    action : "accept" or "deny".
    ops : every operation of the computation is one of these. The data as it is, uncomputed, is
        only meant when "data" is among them.
    cards : ids of the data sets that it may read, and nothing beside them but what the requester
        sent; None for all.
    requesters : public keys; None for everybody.
    max_elements : numbers in the result.
    max_epsilon : of a noisy result; None for exact results alone.
    uses, elements, epsilon : quotas over all requests that the rule answers.
    """

    action: Literal["accept", "deny"]
    ops: tuple[str, ...]
    max_elements: int
    cards: tuple[str, ...] | None = None
    requesters: tuple[str, ...] | None = None
    max_epsilon: float | None = None
    uses: int = 1
    elements: int = 1
    epsilon: float = 0.0

    def __post_init__(self) -> None:
        unknown = set(self.ops) - {*ops.names(), "data"}
        if self.action not in ("accept", "deny") or unknown or not self.ops:
            raise ConfigError(
                f"a rule accepts or denies, and names operations of the node; got {self.action!r}"
                f" and {', '.join(sorted(map(str, unknown))) or 'no operation'}"
            )
        whole = (self.max_elements, self.uses, self.elements)
        if not all(map(checks.natural, whole)) or not checks.real(self.epsilon):
            raise ConfigError("the quotas of a rule are numbers of 0 or more")

    def to_wire(self) -> dict[str, Any]:
        """The rule as plain data."""
        return asdict(self)

    @classmethod
    def from_wire(cls, data: Mapping[str, Any]) -> Rule:
        """A rule that came from elsewhere.

        Raises
        ------
        ConfigError : not a rule.
        """
        many = {
            key: None if data.get(key) is None else tuple(data[key])
            for key in ("ops", "cards", "requesters")
        }
        try:
            return cls(**{**data, **many})
        except TypeError:
            raise ConfigError("expected a rule, got something else") from None

    def fits(self, root: Expr, terms: Mapping[str, Any], requester: str) -> bool:
        """Whether the rule is about such a request, its quotas apart."""
        nodes = walk(root)
        steps = {x.op for x in nodes if x.op not in (DATA, SENT, CONSTANT)} or {DATA}
        read = {x.params["id"] for x in nodes if x.op == DATA}
        if not steps <= set(self.ops):
            return False
        beside = senders(root) - {requester}
        if self.cards is not None and (beside or not read <= set(self.cards)):
            return False
        if self.requesters is not None and requester not in self.requesters:
            return False
        if size(root) > self.max_elements or terms["error"] is not None:
            return False
        if terms["epsilon"] is None:
            return self.max_epsilon is None
        return self.max_epsilon is not None and terms["epsilon"] <= self.max_epsilon


def size(root: Expr) -> int:
    """Numbers in a result."""
    found = 1
    for length in root.spec.shape:
        found *= length
    return found


def add(node: Node, owner: str, rule: Rule) -> str:
    """Keep a rule of an owner; returns its id."""
    key = fresh_id()
    with node.state.transaction():
        row = (key, owner, encode(rule.to_wire()))
        node.state.run("INSERT INTO handlers VALUES (?, ?, ?, 0, 0, 0)", *row)
        node.audit.append("rule", rule=key, owner=owner, terms=rule.to_wire())
    return key


def remove(node: Node, owner: str, key: str) -> None:
    """Drop a rule of an owner."""
    with node.state.transaction():
        if node.state.run("DELETE FROM handlers WHERE id = ? AND owner = ?", key, owner):
            node.audit.append("rule dropped", rule=key, owner=owner)


def listed(node: Node, owner: str) -> list[dict[str, Any]]:
    """The rules of an owner, and what was used of them."""
    rows = node.state.rows(
        "SELECT id, body, used, spent, elements FROM handlers WHERE owner = ? ORDER BY rowid", owner
    )
    return [
        {
            "id": key,
            "rule": decode(body),
            "used": used,
            "epsilon": Price(spent).epsilon,
            "elements": elements,
        }
        for key, body, used, spent, elements in rows
    ]


def apply(node: Node, request: str) -> None:
    """Answer a new request by the first rule of each owner that fits and has quota left."""
    requester, body = requests.read(node, request)
    root = approvals.stored_graph(node, request, body["graph"])
    price = Price.of(body["terms"]["epsilon"] or 0.0)
    owners = node.state.rows("SELECT owner FROM answers WHERE request = ?", request)
    for (owner,) in owners:
        for key, packed in node.state.rows(
            "SELECT id, body FROM handlers WHERE owner = ? ORDER BY rowid", owner
        ):
            rule = Rule.from_wire(decode(packed))
            if not rule.fits(root, body["terms"], requester):
                continue
            with node.state.transaction():
                if not _take(node, key, rule, size(root), price):
                    continue
                accepted = rule.action == "accept"
                requests.answer(
                    node,
                    request,
                    owner,
                    accepted,
                    reason=f"by rule {key[:8]}",
                    uses=1,
                    expiry=24 * HOUR,
                )
            break


def _take(node: Node, key: str, rule: Rule, elements: int, price: Price) -> bool:
    """Take a request's part of a rule's quotas; False when they do not cover it."""
    changed = node.state.run(
        "UPDATE handlers SET used = used + 1, elements = elements + ?, spent = spent + ? "
        "WHERE id = ? AND used + 1 <= ? AND elements + ? <= ? AND spent + ? <= ?",
        elements,
        price.nano_epsilon,
        key,
        rule.uses,
        elements,
        rule.elements,
        price.nano_epsilon,
        Price.limit(rule.epsilon).nano_epsilon,
    )
    return changed == 1
