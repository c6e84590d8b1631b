"""Public coins: every party commits to its part before any part is opened."""

from __future__ import annotations

import hashlib

import numpy as np

from mpyc_core.entropy import fresh_key
from mpyc_core.errors import ConsistencyCheckFailed
from mpyc_core.protocols.cost import Cost
from mpyc_core.protocols.refusal import refuse
from mpyc_core.transport.mesh import Array, Round, Spec, Steps

from . import digest as digests
from .place import Place

LENGTH = 32
OPENING = Spec(np.dtype(np.uint8), (2 * LENGTH + 32,))


def toss(place: Place) -> Steps[bytes]:
    """32 bytes that no party could foresee or influence.

    Protocol    1. send SHA-256(place, own number, coin, blind) to both peers
                2. send coin and blind, and the hash of all three commitments as they came
                3. check both; the result is SHA-256 of all coins
    Cost        2 rounds; 32 and 96 bytes to every peer
    Security    a party that commits differently to its peers is found before the coin is used,
                because these compare what they received
    Raises      ConsistencyCheckFailed
    """
    peers = (place.next, place.prev)
    coin, blind = fresh_key(LENGTH), fresh_key(LENGTH)
    commitment = _commit(place.op, place.me, coin + blind)
    received = yield Round(
        send={peer: [commitment] for peer in peers},  # hides the coin: blind is fresh
        recv={peer: [digests.SPEC] for peer in peers},
    )
    commitments = {place.me: commitment} | {peer: received[peer][0] for peer in peers}
    seen = digests.digest(*(commitments[p] for p in range(3)), purpose="coin", op=place.op)
    opening = np.frombuffer(coin + blind + seen.tobytes(), np.uint8)
    received = yield Round(
        send={peer: [opening] for peer in peers},  # public from here on
        recv={peer: [OPENING] for peer in peers},
    )
    coins = {place.me: coin}
    for peer in peers:
        data = received[peer][0].tobytes()
        if not np.array_equal(_commit(place.op, peer, data[: 2 * LENGTH]), commitments[peer]):
            refuse(
                ConsistencyCheckFailed,
                f"coin toss: what party {peer} opened is not what it committed to",
            )
        if data[2 * LENGTH :] != seen.tobytes():
            refuse(
                ConsistencyCheckFailed,
                f"coin toss: party {peer} says that it received other commitments than this one; "
                "one of the two peers deviates from the protocol",
            )
        coins[peer] = data[:LENGTH]
    return hashlib.sha256(b"".join(coins[p] for p in range(3))).digest()


def toss_cost() -> Cost:
    """A commitment and an opening to either peer."""
    return Cost(2, (2 * (32 + 3 * 32),) * 3)


def _commit(op: int, party: int, data: bytes) -> Array:
    found = hashlib.sha256(f"commit {op} {party}\0".encode() + data).digest()
    return np.frombuffer(found, np.uint8)
