"""The check before anything is opened: all products, all ANDs, and that every party agrees."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from mpyc_core.errors import ConsistencyCheckFailed
from mpyc_core.protocols.cost import Cost
from mpyc_core.protocols.refusal import refuse
from mpyc_core.ring import ring
from mpyc_core.transport.lockstep import together
from mpyc_core.transport.mesh import Array, Round, Spec, Steps

from .gates import prove, prove_cost
from .ledger import Ledger
from .macs import verify, verify_cost
from .place import Parts, Place

PASSED = np.frombuffer(b"checks passed   ", np.uint64)


def settle(
    ledger: Ledger, fresh: Callable[[], Place], keys: Mapping[int, Parts], s: int
) -> Steps[None]:
    """Verify everything in the ledger; return only if both peers say that it passed there too.

    Parameters
    ----------
    ledger : taken from the protocol's, so that nothing is added to it.
    fresh : makes the place of one check; every part has one of its own.
    keys : the components of the MAC key, by bits of the ring of shares.
    s : combinations of MACs that are opened.

    Cost        `settle_cost`
    Raises      MacCheckFailed, ConsistencyCheckFailed
    """
    proofs = [
        verify(fresh(), ring(size), entries, keys[size], s)
        for size, entries in ledger.products.items()
    ]
    if any(ledger.claims):
        proofs.append(prove(fresh(), ledger.claims))
    yield from together(*proofs)
    yield from _confirm(fresh())


def _confirm(place: Place) -> Steps[None]:
    """Tell both peers that all checks passed here; a party that found a fault never does."""
    peers = (place.next, place.prev)
    received = yield Round(
        send={peer: [PASSED] for peer in peers},  # public
        recv={peer: [Spec.of(PASSED)] for peer in peers},
    )
    for peer in peers:
        said: Array = received[peer][0]
        if not np.array_equal(said, PASSED):
            refuse(ConsistencyCheckFailed, f"checks: party {peer} does not say that they passed")


def settle_cost(terms: int, rings: Iterable[int], s: int) -> Cost:
    """What a check of ANDs (see `Ledger.terms`), and of products over those rings, sends."""
    total = Cost.free(3)
    for size in rings:
        total |= verify_cost(ring(size), s)
    if terms:
        total |= prove_cost(terms)
    return total >> Cost(1, (2 * PASSED.nbytes,) * 3)
