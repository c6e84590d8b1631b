"""Approvals: what an owner's consent is bound to, and how it is used up.

An approval is a MAC under the node's key over the digest of the typed graph (operations,
parameters, constants, versions of data sets and objects), the versions of the policies, the
parameters of the release, the requester's public key, the owner, the number of uses, the expiry and
a nonce. It is computed anew from what is true when it is used: if anything differs, there is no
approval. The count of uses falls in the transaction that reserves the release.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mpyc_core.entropy import fresh_key
from mpyc_core.errors import PermissionDenied

from .canonical import decode, encode
from .graph import DATA, SENT, Expr, rebuild, senders, walk
from .spec import Array, Spec

if TYPE_CHECKING:
    from .node import Node
    from .release import Wanted

PURPOSE = "approval"
EXPIRY = 30 * 24 * 3600.0
MAX_USES = 10_000


def _bound(
    node: Node, request: str, graph: Expr, terms: Mapping[str, Any], requester: str, owner: str
) -> list[Any]:
    """What is fixed by a request: all of it read from the present state."""
    sources = sorted({(x.op, x.params["id"], x.params["version"]) for x in leaves(graph)})
    policies = [[key, node.card(key).policy_version] for op, key, _ in sources if op == DATA]
    return [request, graph.digest, sources, policies, dict(terms), requester, owner]


def asked(
    node: Node, graph: Expr, owners: frozenset[str], cards: frozenset[str], noisy: bool
) -> frozenset[str]:
    """Whose acceptance is needed: for noisy results a policy may speak for the node's owner.

    It speaks for data sets alone. Noise hides their records, and not what was sent beside them, so
    that whoever sent something is asked.
    """
    by_policy = all(node.card(key).policy.noisy == "budget" for key in cards)
    if not (noisy and by_policy) or node.owner in senders(graph):
        return owners
    return owners - {node.owner}


def leaves(graph: Expr) -> list[Expr]:
    """Data sets and sent values that a graph reads."""
    return [x for x in walk(graph) if x.op in (DATA, SENT)]


def approve(
    node: Node,
    request: str,
    graph: Expr,
    terms: Mapping[str, Any],
    requester: str,
    owner: str,
    *,
    uses: int = 1,
    expiry: float = EXPIRY,
) -> tuple[bytes, int]:
    """Make an approval: what is kept of it, and the number of uses."""
    expires, nonce = time.time() + expiry, fresh_key(16)
    bound = _bound(node, request, graph, terms, requester, owner)
    mac = node.keys.mac(PURPOSE, [bound, uses, expires, nonce])
    return encode({"mac": mac, "uses": uses, "expires": expires, "nonce": nonce}), uses


def _valid(node: Node, request: str, owner: str, wanted: Wanted) -> bool:
    """Whether an owner's approval is for exactly what is wanted now."""
    row = node.state.row(
        "SELECT body, uses FROM answers WHERE request = ? AND owner = ? AND status = 'accepted'",
        request,
        owner,
    )
    if row is None or row[1] < 1:
        return False
    body = decode(row[0])
    if time.time() > body["expires"] or not _current(node, wanted.graph):
        return False
    bound = _bound(node, request, wanted.graph, wanted.terms, wanted.caller, owner)
    given = [bound, body["uses"], body["expires"], body["nonce"]]
    return node.keys.check_mac(PURPOSE, given, body["mac"])


def _current(node: Node, graph: Expr) -> bool:
    """Whether what a graph reads is still what it was."""
    for leaf in leaves(graph):
        found = node.objects.find(leaf.params["id"])
        if leaf.op == DATA and found is None:
            return False
        if found is not None and found.version != leaf.params["version"]:
            return False
    return True


def find(node: Node, wanted: Wanted, owners: frozenset[str]) -> str | None:
    """An accepted request of the caller for exactly this, with uses left, or None."""
    if wanted.request is not None:
        candidates = [(wanted.request,)]
    else:
        candidates = node.state.rows(
            "SELECT id FROM requests WHERE requester = ? ORDER BY created", wanted.caller
        )
    for (request,) in candidates:
        if owners and all(_valid(node, request, owner, wanted) for owner in owners):
            return request
    return None


def use(node: Node, wanted: Wanted, owners: frozenset[str]) -> list[list[str]]:
    """Use up one approval of every owner, inside the transaction of the release.

    Raises
    ------
    PermissionDenied : an owner does not approve of this any more.
    """
    if not owners:
        return []
    request = find(node, wanted, owners)
    if request is None:
        raise PermissionDenied(
            "no accepted request covers this: it was used up, has expired, or the computation, the "
            "data or the policy has changed since; make a new request",
            party=node.name,
        )
    for owner in owners:
        changed = node.state.run(
            "UPDATE answers SET uses = uses - 1 WHERE request = ? AND owner = ? AND uses > 0 "
            "AND status = 'accepted'",
            request,
            owner,
        )
        if changed != 1:
            raise PermissionDenied("an approval was used up meanwhile", party=node.name)
    return [[request, owner] for owner in sorted(owners)]


def stored_graph(node: Node, request: str, nodes: Any) -> Expr:
    """The graph of a request, with what was sent as it was then."""

    def sent(version: str, spec: Spec) -> Array:
        return node.array(f"pin {request} {version}", spec)

    return rebuild(node.keys, nodes, sent)
