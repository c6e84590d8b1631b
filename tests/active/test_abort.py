"""What happens when a check fails: nothing more is opened, keys and shares are gone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mpyc_core as mpc
from mpyc_core.errors import ConfigError, ConsistencyCheckFailed, MacCheckFailed, SessionClosed
from mpyc_core.protocols.cheating import Adder, LastMover, Move, Tamper
from mpyc_core.protocols.party import Party
from mpyc_core.transport.mesh import Array
from mpyc_core.transport.queues import queue_meshes

from .threads import run_parties


class Listener(Adder):
    """Notes every message that the honest parties send to the cheater, and when."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rounds: list[tuple[str, int, int]] = []

    def act(self, move: Move) -> None:
        super().act(move)
        size = sum(a.nbytes for arrays in move.received.values() for a in arrays)
        self.rounds.append((move.name, move.round, size))


def test_nothing_is_opened_after_a_failed_check() -> None:
    cheat = Listener("party1", "mul", error=1)
    s = mpc.simulate(3, security="active", cheat=cheat)
    x = s.share(np.arange(1000), owner="party0")
    y = x * x
    with pytest.raises(MacCheckFailed, match="MAC check: a product"):
        y.reveal()
    assert cheat.rounds[-1][0] == "open"
    # coins, two openings of 64 masked sums, one of their product: no component of y, 8000 bytes
    assert max(size for name, _, size in cheat.rounds if name == "open") < 4000
    assert all(outcome.opened == [] for outcome in cheat.outcomes.values())
    for evaluator in s.evaluators:
        assert evaluator.values == {}
        assert evaluator.protocol._keys == {} == evaluator.protocol._mac_keys
        assert not evaluator.protocol.ledger.pending
    before = len(cheat.rounds)
    for use in (lambda: y.reveal(), lambda: x + x, lambda: s.share([1])):
        with pytest.raises(SessionClosed, match="MAC check"):
            use()
    assert len(cheat.rounds) == before, "a frame left after the failed check"


def test_a_last_mover_cannot_bend_a_coin() -> None:
    def copy(move: Move, peer: int, mine: Array, theirs: Array) -> Array:
        return theirs

    cheat = LastMover("party2", "setup", copy)
    with pytest.raises(ConsistencyCheckFailed):
        mpc.simulate(3, security="active", cheat=cheat)


def test_a_client_that_deals_inconsistently_is_refused() -> None:
    s = mpc.simulate(3, security="active")
    dealt = s.protocol.deal

    def wrong(x: Array, meta: Any, n: int) -> list[tuple[Array, ...]]:
        parts = dealt(x, meta, n)
        return [(parts[0][0], parts[0][1]), (parts[1][0], parts[0][1]), parts[2]]

    s.protocol = type("Wrong", (s.protocol,), {"deal": staticmethod(wrong)})
    with pytest.raises(ConsistencyCheckFailed, match="a client dealt different copies"):
        s.share([1, 2, 3])


def test_security_says_what_it_covers() -> None:
    with mpc.simulate(3, security="active") as s:
        text = str(s.security)
        assert s.protocol.name == "replicated-active"
    for word in ("malicious", "1 of 3", "54 statistical", "128 computational", "dealer: none"):
        assert word in text
    assert "not covered: two parties that pool" in text


def test_choosing_by_security() -> None:
    with mpc.simulate(3) as s:
        assert s.protocol.name == "replicated"
    with pytest.raises(ConfigError, match="withstands semi-honest parties only"):
        mpc.simulate(3, protocol="replicated", security="active")
    with pytest.raises(ConfigError, match="expected security of"):
        mpc.simulate(3, security="total")  # type: ignore[arg-type]
    with mpc.simulate(3, protocol="replicated-active", security="semi-honest") as s:
        assert s.protocol.name == "replicated-active"


def test_only_verified_protocols_can_be_weakened() -> None:
    with pytest.raises(ConfigError, match="no checks"):
        mpc.simulate(3, stat_bits=8)
    with pytest.raises(ConfigError, match="1 to 64 bits"):
        mpc.simulate(3, security="active", stat_bits=65)


def test_a_cheater_must_be_a_party() -> None:
    with pytest.raises(ConfigError, match="no party 'eve'"):
        mpc.simulate(3, security="active", cheat=Tamper("eve", 0))
    with pytest.raises(ConfigError, match="expected one of"):
        Tamper("party0", 0, "bribe")  # type: ignore[arg-type]


def test_over_a_mesh_every_party_learns_of_a_failed_check() -> None:
    """Party 1 adds 1 to the values it sends in a product; the others stop and say why."""

    def program(party: Party) -> Any:
        x = party.share(np.arange(8) if party.me == 0 else None, owner="party0")
        if party.me == 1:
            lie(party)
        return (x * x).reveal()

    def lie(party: Party) -> None:
        send = party.mesh.send

        def wrong(to: int, arrays: Any, tag: Any) -> None:
            if tag.name == "mul":
                arrays[0]["lo"] += np.uint64(1)
            send(to, arrays, tag)

        party.mesh.send = wrong  # type: ignore[method-assign]

    errors = run_parties(queue_meshes(["party0", "party1", "party2"]), program)
    assert [type(e).__name__ for e in errors] == ["MacCheckFailed"] * 3
