"""Requests: who asks for what, why, and what it would tell them; kept until they are answered.

A request holds the whole computation, with what was sent to it, so that it can be looked at, tried
and carried out although the node was restarted meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mpyc_core.errors import PermissionDenied

from . import approvals, graph
from .canonical import decode, encode
from .graph import CONSTANT, DATA, LEAVES, SENT, Expr, senders, walk
from .keys import fresh_id
from .release import Wanted
from .spec import nbytes, to_wire

if TYPE_CHECKING:
    from .node import Node
    from .store import Stored

PENDING, ACCEPTED, DENIED, USED, VOID = "pending", "accepted", "denied", "used", "void"
MAX_OPEN = 256
UNKNOWN = "there is no request of this id that you may see"


def create(
    node: Node, stored: Stored, caller: str, terms: Mapping[str, Any], name: str, reason: str
) -> str:
    """File a request for an object; returns its id.

    Raises
    ------
    PermissionDenied : nobody else's consent is needed, a policy refuses, or too many are open.
    """
    if stored.owners <= {caller}:
        raise PermissionDenied("nobody else owns this: .get() gives it to you", party=node.name)
    return create_for(node, stored.graph, stored.owners, stored.cards, caller, terms, name, reason)


def create_for(
    node: Node,
    root: Expr,
    owners: frozenset[str],
    cards: frozenset[str],
    caller: str,
    terms: Mapping[str, Any],
    name: str,
    reason: str,
) -> str:
    """File a request for the result of a computation."""
    noisy = terms["epsilon"] is not None or terms["error"] is not None
    asked = approvals.asked(node, root, owners, cards, noisy) - {caller}
    if not noisy and any(node.card(key).policy.raw == "never" for key in cards):
        raise PermissionDenied(
            "the owner gives out no exact results of this data; ask with epsilon", party=node.name
        )
    count = node.state.row(
        "SELECT count(*) FROM answers JOIN requests ON id = request "
        "WHERE requester = ? AND status = 'pending'",
        caller,
    )
    if count is not None and count[0] >= MAX_OPEN:
        raise PermissionDenied(
            f"{MAX_OPEN} of your requests are open; wait for answers", party=node.name
        )
    key = fresh_id()
    body = {
        "name": name,
        "reason": reason,
        "graph": graph.flatten(root),
        "terms": dict(terms),
        "owners": sorted(owners),
        "cards": sorted(cards),
        "spec": to_wire(root.spec),
    }
    with node.state.transaction():
        _pin(node, key, root)
        row = (key, caller, time.time(), encode(body))
        node.state.run("INSERT INTO requests VALUES (?, ?, ?, ?)", *row)
        for owner in asked:
            answer = (key, owner, PENDING, b"", 0)
            node.state.run("INSERT INTO answers VALUES (?, ?, ?, ?, ?)", *answer)
        node.audit.append(
            "requested", request=key, who=caller, name=name, reason=reason, terms=dict(terms)
        )
    return key


def _pin(node: Node, key: str, root: Expr) -> None:
    """Keep what was sent to the computation, for as long as the request lives."""
    sent = {x.params["version"]: x for x in walk(root) if x.op == SENT}
    for version, leaf in sent.items():
        if leaf.value is not None:
            value = np.ascontiguousarray(leaf.value)
            node.state.put_blob(f"pin {key} {version}", value.reshape(-1).view(np.uint8).data)


def read(node: Node, key: str) -> tuple[str, dict[str, Any]]:
    """Requester and content of a request.

    Raises
    ------
    PermissionDenied : there is none.
    """
    row = node.state.row("SELECT requester, body FROM requests WHERE id = ?", key)
    if row is None:
        raise PermissionDenied(UNKNOWN, party=node.name)
    return row[0], decode(row[1])


def wanted_of(node: Node, key: str, caller: str, token: str) -> Wanted:
    """The release that a request of the caller is about.

    Raises
    ------
    PermissionDenied : it is somebody else's, or there is none.
    """
    requester, body = read(node, key)
    if requester != caller:
        raise PermissionDenied(UNKNOWN, party=node.name)
    if "to" in body["terms"]:
        raise PermissionDenied(
            "this request is about a shared value: reveal it in its computation", party=node.name
        )
    return Wanted(
        caller=caller,
        token=token,
        graph=approvals.stored_graph(node, key, body["graph"]),
        owners=frozenset(body["owners"]),
        cards=frozenset(body["cards"]),
        value=None,
        terms=body["terms"],
        request=key,
    )


def status(node: Node, key: str, caller: str) -> dict[str, Any]:
    """How a request of the caller stands: one word for all owners, and a reason if there is one."""
    if read(node, key)[0] != caller:
        raise PermissionDenied(UNKNOWN, party=node.name)
    rows = node.state.rows("SELECT status, body, uses FROM answers WHERE request = ?", key)
    denied = next((decode(body) for word, body, _ in rows if word == DENIED), None)
    if denied is not None:
        return {"status": DENIED, "reason": denied["reason"]}
    if any(word == PENDING for word, _, _ in rows):
        return {"status": PENDING, "reason": ""}
    return {"status": ACCEPTED if all(uses > 0 for *_, uses in rows) else USED, "reason": ""}


def answer(
    node: Node, key: str, owner: str, accepted: bool, *, reason: str, uses: int, expiry: float
) -> None:
    """An owner's answer, written before it counts.

    Raises
    ------
    PermissionDenied : the owner is not asked, or has answered.
    """
    requester, body = read(node, key)
    row = node.state.row("SELECT status FROM answers WHERE request = ? AND owner = ?", key, owner)
    if row is None:
        raise PermissionDenied(UNKNOWN, party=node.name)
    if row[0] != PENDING:
        raise PermissionDenied(f"this request was {row[0]} before", party=node.name)
    if accepted:
        root = approvals.stored_graph(node, key, body["graph"])
        packed, count = approvals.approve(
            node, key, root, body["terms"], requester, owner, uses=uses, expiry=expiry
        )
        word = ACCEPTED
    else:
        packed, count, word = encode({"reason": reason}), 0, DENIED
    with node.state.transaction():
        node.state.run(
            "UPDATE answers SET status = ?, body = ?, uses = ? WHERE request = ? AND owner = ?",
            word,
            packed,
            count,
            key,
            owner,
        )
        node.audit.append(word, request=key, owner=owner, reason=reason, uses=count)


def asked_of(node: Node, owner: str, everything: bool = False) -> list[dict[str, Any]]:
    """Requests that an owner has to answer, oldest first; all that it ever had if asked for."""
    rows = node.state.rows(
        "SELECT id, requester, created, requests.body, status FROM requests JOIN answers "
        "ON id = request WHERE owner = ? ORDER BY created, id",
        owner,
    )
    return [
        show(node, key, requester, created, decode(body), word)
        for key, requester, created, body, word in rows
        if everything or word == PENDING
    ]


def show(
    node: Node, key: str, requester: str, created: float, body: Mapping[str, Any], word: str
) -> dict[str, Any]:
    """What an owner sees of a request: who, why, the computation, and what it would tell."""
    root = approvals.stored_graph(node, key, body["graph"])
    return {
        "id": key,
        "requester": requester,
        "known_as": node.names().get(requester, ""),
        "created": created,
        "name": body["name"],
        "reason": body["reason"],
        "status": word,
        "terms": body["terms"],
        "spec": body["spec"],
        "computation": graph.describe(root, lambda leaf: _leaf(node, leaf)),
        "inputs": sorted({_leaf(node, x) for x in walk(root) if x.op in (DATA, SENT)}),
        "leakage": leakage(root, body["terms"], requester),
    }


def _leaf(node: Node, leaf: Expr) -> str:
    key, version = leaf.params["id"], leaf.params["version"]
    found = node.objects.find(key)
    if leaf.op == DATA:
        row = node.state.row("SELECT 1 FROM cards WHERE id = ?", key)
        name = f"data set {node.card(key).name!r}" if row else "a data set that was removed"
    else:
        name = f"what was sent as {key[:8]}"
    stale = found is not None and found.version != version
    return f"{name}{', an older version' if stale else ''}"


def leakage(root: Expr, terms: Mapping[str, Any], requester: str) -> str:
    """A bound on what the answer tells: epsilon, or the number of bits of exact numbers."""
    others = senders(root) - {requester}
    beside = "; no noise hides what others sent beside data sets" if others else ""
    if terms["epsilon"] is not None:
        delta = f" and delta {terms['delta']:g}" if terms["delta"] else ""
        return f"epsilon {terms['epsilon']:g}{delta} per record of the data{beside}"
    if terms["error"] is not None:
        error = f"an error of {terms['error']:g}"
        return f"the epsilon that gives {error}, per record of the data{beside}"
    if root.op == "mpc add_discrete_laplace":
        return f"shares of noise made by the parties: {root.params}"
    bits = 8 * nbytes(root.spec) // (8 if root.spec.dtype == bool else 1)
    steps = sum(x.op not in LEAVES and x.op != CONSTANT for x in walk(root))
    raw = "the data itself" if steps == 0 else f"exact results of {steps} steps"
    return f"at most {bits} bits: {raw}, protected by no noise"
