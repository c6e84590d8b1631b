"""How two parties come to the seed of a session that only they know."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from mpyc_core.entropy import fresh_key
from mpyc_core.transport.mesh import Round, Spec, Steps

from .masks import PairKeys

SEED = Spec(np.dtype(np.uint8), (32,))
"""One party's part of a seed."""


def agree(me: int, peers: Iterable[int], session: bytes) -> Steps[dict[int, PairKeys]]:
    """The keys shared with each peer; both ends contribute to them.

    Cost        1 round, 32 bytes to each peer
    Security    a seed holds 256 fresh bits of either end and travels on their private channel
    """
    parts = {peer: fresh_key(32) for peer in peers}
    received = yield Round(
        # seeds travel on the private channel; what is masked comes after them
        send={peer: [np.frombuffer(part, np.uint8)] for peer, part in parts.items()},
        recv={peer: [SEED] for peer in parts},
    )
    return {
        peer: joined(me, peer, part, received[peer][0].tobytes(), session)
        for peer, part in parts.items()
    }


def joined(me: int, peer: int, mine: bytes, theirs: bytes, session: bytes) -> PairKeys:
    """The keys of two parties from both parts of their seed, the same at both ends."""
    low, high = (mine, theirs) if me < peer else (theirs, mine)
    return PairKeys(low + high, session, (min(me, peer), max(me, peer)))
