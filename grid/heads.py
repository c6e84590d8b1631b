"""Heads of audit logs among nodes that compute together: after every opening each tells the others.

A co-owner keeps the last head that each other node showed, in its own log too. A log that was
rewritten or cut since does not extend it: `verify` and `mpc audit verify` tell, given the head.
Heads travel between the nodes themselves, on channels that are known by the nodes' keys, so that
the client who drives the computation can neither change nor withhold them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mpyc_core.errors import ConsistencyCheckFailed

from .audit import Head, check_signed
from .canonical import decode, encode
from .spec import Array

if TYPE_CHECKING:
    from .node import Node

_PARTS = {"number": 8, "digest": 32, "key": 32, "signature": 64}


def pack_head(head: Mapping[str, Any]) -> Array:
    """A signed head as octets, always as many."""
    parts = {**head, "number": int(head["number"]).to_bytes(_PARTS["number"], "big")}
    octets = b"".join(parts[name].ljust(size, b"\0") for name, size in _PARTS.items())
    return np.frombuffer(octets, np.uint8)


def unpack_head(octets: bytes) -> dict[str, Any]:
    """The head that `pack_head` made these octets of."""
    found: dict[str, Any] = {}
    for name, size in _PARTS.items():
        found[name], octets = octets[:size], octets[size:]
    found["number"] = int.from_bytes(found["number"], "big")
    return found


def witness(node: Node, name: str, curve: str, octets: bytes) -> None:
    """Keep the head of another node's log, and write so into this node's own.

    Parameters
    ----------
    name, curve : of the other node; it came on the channel with the owner of this key.

    Raises
    ------
    ConsistencyCheckFailed : it is not signed, by another key than before, or of a log that was cut
        or rewritten since.
    """
    signed = unpack_head(octets)
    head = check_signed(signed, signed["key"])
    fact = f"head of {curve}"
    with node.lock, node.state.transaction():
        known = node.state.fact(fact)
        if known is not None:
            key, number, digest = decode(known)
            if signed["key"] != key:
                raise ConsistencyCheckFailed(
                    f"the audit log of {name} was signed by another key before", party=name
                )
            if head.number < number or (head.number == number and head.digest != digest):
                raise ConsistencyCheckFailed(
                    f"the audit log of {name} does not extend {Head(number, digest)}, which it "
                    "showed before: it was cut or rewritten",
                    party=name,
                )
        value = encode([signed["key"], head.number, head.digest])
        node.state.set_fact(fact, value)
        node.audit.append("witnessed", who=curve, name=name, head=str(head))
