"""Commands that take something out: release, fetch, and what the audit log says of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mpyc_core.errors import FrameError

from . import checks
from .act_objects import Header
from .canonical import decode
from .commands import CHUNK, Reply, Visit, action
from .node import Node
from .release import Wanted, release
from .requests import wanted_of
from .spec import Array, Spec, to_wire

MAX_DOWNLOADS = 8
TERMS = {
    "epsilon": checks.optional(checks.positive),
    "delta": checks.optional(checks.positive),
    "error": checks.optional(checks.positive),
}


def terms_of(header: Header) -> dict[str, Any]:
    """The parameters of a release; numbers as floats, so that equal ones are equal."""
    return {key: None if header[key] is None else float(header[key]) for key in TERMS}


@action("release", target=checks.reference, token=checks.identifier, **TERMS)
def take(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Reply:
    """Ask for a value."""
    found = node.objects.usable(node.resolve(visit, header["target"]), visit.caller)
    wanted = Wanted(
        caller=visit.caller,
        token=header["token"],
        graph=found.graph,
        owners=found.owners,
        cards=found.cards,
        value=found.value,
        terms=terms_of(header),
    )
    return _deliver(node, visit, header["token"], release(node, wanted))


@action("collect", request=checks.identifier, token=checks.identifier)
def collect(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Reply:
    """Ask for what an accepted request is about; works when the object is gone."""
    wanted = wanted_of(node, header["request"], visit.caller, header["token"])
    return _deliver(node, visit, header["token"], release(node, wanted))


def _deliver(node: Node, visit: Visit, token: str, value: Array) -> Reply:
    """Small values beside the reply; large ones are fetched in pieces."""
    reply = {"spec": to_wire(Spec.of(value)), "head": node.audit.signed_head()}
    if value.nbytes <= CHUNK:
        return reply, [value]
    while len(visit.downloads) >= MAX_DOWNLOADS:
        del visit.downloads[next(iter(visit.downloads))]
    visit.downloads[token] = value
    return reply, []


@action("fetch", token=checks.identifier, offset=checks.natural)
def fetch(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Reply:
    """The next bytes of a released value."""
    value = visit.downloads.get(header["token"])
    start = header["offset"]
    if value is None or not start < value.nbytes:
        raise FrameError("a piece of a value that was not released to this connection")
    raw = np.ascontiguousarray(value).reshape(-1).view(np.uint8)
    if start + CHUNK >= value.nbytes:
        del visit.downloads[header["token"]]
    return {}, [raw[start : start + CHUNK]]


@action("head")
def head(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Reply:
    """Where the audit log stands, signed."""
    return {"head": node.audit.signed_head()}, []


@action("links", start=checks.natural)
def links(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Reply:
    """Hashes of the entries from a number on: proof that the log extends an earlier head."""
    found = node.audit.links(header["start"])
    return {"links": found[:10_000], "head": node.audit.signed_head()}, []


@action("audit", owner=True, start=checks.natural)
def audit(node: Node, visit: Visit, header: Header, arrays: Sequence[Array]) -> Reply:
    """Entries of the log, for the owner."""
    rows = node.state.rows(
        "SELECT seq, body FROM audit WHERE seq >= ? ORDER BY seq LIMIT 1000", header["start"]
    )
    return {"entries": [[number, decode(body)] for number, body in rows]}, []
