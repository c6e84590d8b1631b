"""Commands on requests: ask, see how it stands; for owners: list, preview, answer, rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mpyc_core.errors import PermissionDenied

from . import approvals, checks, handlers, requests
from .act_objects import Header
from .act_release import TERMS, terms_of
from .commands import CHUNK, Reply, Visit, action
from .graph import evaluate
from .node import Node
from .release import leaf_value
from .spec import Array, Spec, to_wire


@action("request", target=checks.reference, name=checks.text, reason=checks.text, **TERMS)
def request(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Reply:
    """Ask the owners of a value for it; rules may answer at once."""
    found = node.objects.usable(node.resolve(visit, header["target"]), visit.caller)
    name, reason, terms = header["name"], header["reason"], terms_of(header)
    key = requests.create(node, found, visit.caller, terms, name, reason)
    handlers.apply(node, key)
    node.announce(f"request {key}")
    return {"request": key, **requests.status(node, key, visit.caller)}, []


@action("status", request=checks.identifier)
def status(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Reply:
    """How a request of the caller stands."""
    return requests.status(node, header["request"], visit.caller), []


@action("requested")
def requested(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Reply:
    """The caller's own requests, oldest first."""
    rows = node.state.rows(
        "SELECT id FROM requests WHERE requester = ? ORDER BY created, id", visit.caller
    )
    return {"requests": [key for (key,) in rows]}, []


@action("asked", everything=checks.flag)
def asked(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Reply:
    """Requests that the caller, as an owner, has to answer."""
    found = requests.asked_of(node, visit.caller, header["everything"])
    return {"requests": found, "head": node.audit.signed_head()}, []


@action("preview", request=checks.identifier)
def preview(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Reply:
    """The exact value that a request is about, for an owner of all but the requester's part."""
    requester, body = requests.read(node, header["request"])
    if visit.caller not in body["owners"] or set(body["owners"]) - {visit.caller, requester}:
        raise PermissionDenied(requests.UNKNOWN, party=node.name)
    root = approvals.stored_graph(node, header["request"], body["graph"])
    value = evaluate(root, lambda leaf: leaf_value(node, leaf))
    node.audit.append("previewed", request=header["request"], owner=visit.caller)
    shown = value.reshape(-1)[: CHUNK // 8] if value.nbytes > CHUNK else value
    return {"spec": to_wire(Spec.of(value))}, [shown]


@action(
    "answer",
    request=checks.identifier,
    accept=checks.flag,
    reason=checks.text,
    uses=lambda value: checks.natural(value) and 1 <= value <= approvals.MAX_USES,
    expiry=checks.positive,
)
def answer(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Reply:
    """An owner accepts or denies."""
    requests.answer(
        node,
        header["request"],
        visit.caller,
        header["accept"],
        reason=header["reason"],
        uses=header["uses"],
        expiry=float(header["expiry"]),
    )
    node.announce(f"answer {header['request']}")
    return {}, []


# -- rules --------------------------------------------------------------------------------------
def _rule(value: Any) -> bool:
    return type(value) is dict and len(value) <= 16


@action("add_rule", rule=_rule)
def add_rule(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Reply:
    """Keep a rule by which the caller's requests are answered."""
    return {"rule": handlers.add(node, visit.caller, handlers.Rule.from_wire(header["rule"]))}, []


@action("rules")
def rules(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Reply:
    """The caller's rules, and what was used of them."""
    return {"rules": handlers.listed(node, visit.caller)}, []


@action("drop_rule", rule=checks.identifier)
def drop_rule(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Reply:
    """Drop a rule of the caller."""
    handlers.remove(node, visit.caller, header["rule"])
    return {}, []
