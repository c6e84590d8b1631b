"""Commit, then open: what every party says is fixed before anybody hears what the others say."""

from __future__ import annotations

import hashlib

import numpy as np

from mpyc_core.entropy import fresh_key
from mpyc_core.errors import ConsistencyCheckFailed
from mpyc_core.protocols.refusal import refuse
from mpyc_core.transport.mesh import Array, Round, Spec, Steps

LENGTH = 32
DIGEST = Spec(np.dtype(np.uint8), (LENGTH,))
Place = tuple[int, int, int]
"""This party, number of parties, operation."""


def commit_then_open(
    place: Place, purpose: str, mine: bytes, agreed: bytes = b""
) -> Steps[list[bytes]]:
    """What every party said, in party order; all the same length.

    Protocol    1. send SHA-256(purpose, place, own number, words, blind), and a digest of what all
                must agree on; compare the digests before anything is opened
                2. send words and blind, and the digest of all commitments as they came; check both
    Cost        2 rounds; 64 bytes and the words with 64 bytes more to every peer
    Security    commitments hide the words as the blind is fresh, and bind to them as SHA-256 is
                collision-resistant; who commits differently to its peers is found by the digests
    Raises      ConsistencyCheckFailed
    """
    me, n, op = place
    peers = [p for p in range(n) if p != me]
    blind = fresh_key(LENGTH)
    commitment = _commit(purpose, op, me, mine + blind)
    same = _digest(b"agreed" + agreed)
    received = yield Round(
        send={p: [commitment, same] for p in peers},  # blind is fresh; the digest is public
        recv={p: [DIGEST, DIGEST] for p in peers},
    )
    for p in peers:
        if not np.array_equal(received[p][1], same):
            refuse(
                ConsistencyCheckFailed,
                f"{purpose}: party {p} saw other opened values, or another program, than this "
                "party; somebody told its peers different things",
            )
    commitments = {me: commitment} | {p: received[p][0] for p in peers}
    seen = _digest(b"".join(commitments[p].tobytes() for p in range(n)))
    opening = np.frombuffer(mine + blind + seen.tobytes(), np.uint8)
    spec = Spec.of(opening)
    received = yield Round(
        send={p: [opening] for p in peers},  # public from here on
        recv={p: [spec] for p in peers},
    )
    said = {me: mine}
    for p in peers:
        data = received[p][0].tobytes()
        words, blinded, theirs = data[: len(mine)], data[:-LENGTH], data[-LENGTH:]
        if not np.array_equal(_commit(purpose, op, p, blinded), commitments[p]):
            refuse(
                ConsistencyCheckFailed,
                f"{purpose}: what party {p} opened is not what it committed to",
            )
        if theirs != seen.tobytes():
            refuse(
                ConsistencyCheckFailed,
                f"{purpose}: party {p} says that it received other commitments than this party; "
                "somebody told its peers different things",
            )
        said[p] = words
    return [said[p] for p in range(n)]


def message_bytes(words: int) -> list[int]:
    """Bytes to each peer, round by round."""
    return [2 * LENGTH, words + 2 * LENGTH]


def _digest(data: bytes) -> Array:
    return np.frombuffer(hashlib.sha256(data).digest(), np.uint8)


def _commit(purpose: str, op: int, party: int, data: bytes) -> Array:
    return _digest(f"commit {purpose} {op} {party}\0".encode() + data)
