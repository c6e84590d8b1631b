"""What every honest party of SPDZ2k says when its dealer fails it, over meshes and real sockets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from mpyc_core.errors import AuthenticationFailed, MpcError, PeerTimeout, PreprocessingExhausted
from mpyc_core.ml.tensor import SecretTensor
from mpyc_core.protocols.dealt.client import DealerClient
from mpyc_core.protocols.dealt.dealer import Rules
from mpyc_core.protocols.party import Party
from mpyc_core.transport.curve import Identity
from mpyc_core.transport.queues import queue_meshes

from .conftest import DEALER, NAMES, Office, in_threads


def run(clients: Sequence[DealerClient], products: int) -> list[Any]:
    """Multiply and open at all parties; what each shows, or the error that stopped it."""

    def program(mesh: Any, client: DealerClient) -> Any:
        with mesh:
            party = Party(mesh, protocol="spdz2k", wrap=SecretTensor, provider=client)
            x = party.share(np.arange(100) if party.me == 0 else None, owner=NAMES[0])
            for _ in range(products):
                x = x * x
            return x.reveal()

    pairs = zip(queue_meshes(list(NAMES)), clients, strict=True)
    return in_threads([lambda m=m, c=c: program(m, c) for m, c in pairs])  # type: ignore[misc]


def test_all_say_that_the_dealt_randomness_is_used_up(office: Office) -> None:
    """A quota of 40 kB is enough for a product of 100 numbers, and not for many."""
    office.open(rules=Rules(quota=40_000))
    clients = [office.client(name) for name in NAMES]
    for error in run(clients, 20):
        assert isinstance(error, PreprocessingExhausted), error
        assert "quota" in error.message
    office.open(rules=Rules(quota=40_000))
    for shown in run([office.client(name) for name in NAMES], 1):
        np.testing.assert_array_equal(shown, np.arange(100) ** 2)


def test_all_refuse_a_dealer_that_is_not_the_one_they_know(office: Office) -> None:
    """It has a key of its own; nobody takes anything from it, and nothing is shown."""
    ids = {name: Identity.fresh() for name in (*NAMES, DEALER, "eve")}
    office.open(identity=ids["eve"], keys={name: ids[name].public for name in NAMES})
    known = ids[DEALER].public
    clients = [office.client(name, identity=ids[name], key=known) for name in NAMES]
    for error in run(clients, 1):
        assert isinstance(error, (AuthenticationFailed, PeerTimeout)), error
        assert error.party == DEALER


def test_a_party_without_a_dealer_is_told_what_to_do(office: Office) -> None:
    del office
    with pytest.raises(MpcError, match="crypto provider"):
        Party(queue_meshes(list(NAMES))[0], protocol="spdz2k", wrap=SecretTensor)
