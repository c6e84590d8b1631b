"""The cheater's kit itself: who goes on, withholds, is two-faced, or keeps a wrong share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import mpyc_core as mpc
from mpyc_core.errors import ConfigError, ConsistencyCheckFailed, MacCheckFailed, MpcError
from mpyc_core.protocols.cheating import (
    Cheater,
    Move,
    Tamper,
    TwoFaced,
    Waiter,
    WrongProduct,
    WrongShare,
)
from mpyc_core.protocols.refusal import going_on, refuse
from mpyc_core.transport.mesh import Array, Received

ROOT = Path(__file__).parents[2]
BOTH = pytest.mark.parametrize("protocol", ["spdz2k", "replicated-active"])


class Stubborn(TwoFaced):
    """Tells party 2 another input than party 0, and says of all digests what its peers say."""

    def __init__(self) -> None:
        super().__init__("party1", 2)
        self.rounds: list[tuple[str, int]] = []

    def act(self, move: Move) -> None:
        super().act(move)
        self.rounds.append((move.name, move.round))
        if (move.name, move.round) == ("open", 0):  # a commitment, and a digest of what was opened
            for peer, arrays in move.send.items():
                arrays[1] = move.received[peer][1]


def test_a_cheater_goes_on_when_its_own_check_fails() -> None:
    """Its digest differs from both that it hears; it says theirs, and opens its coin."""
    cheat = Stubborn()
    with pytest.raises(ConsistencyCheckFailed, match="other opened values"):
        mpc.simulate(3, protocol="spdz2k", cheat=cheat).share([1, 2], owner="party1").reveal()
    assert ("open", 1) in cheat.rounds, "it stopped at its own check"
    assert {type(o.error) for o in cheat.outcomes.values()} == {ConsistencyCheckFailed}
    assert all(o.opened == [] for o in cheat.outcomes.values())


def test_nobody_else_goes_on() -> None:
    with pytest.raises(ConfigError, match="only the corrupted party"), going_on(object()):
        pass
    with pytest.raises(MacCheckFailed, match="found"):
        refuse(MacCheckFailed, "found")


def test_every_check_of_a_party_stops_in_one_place() -> None:
    """What a client checks is no party's: `from_parties` and `unsealed` raise themselves."""
    raises = re.compile(r"raise (\w+CheckFailed)")
    found = {
        f"{path.parent.name}/{path.name}": len(raises.findall(path.read_text()))
        for name in ("spdz2k", "replicated_active")
        for path in (ROOT / "protocols" / name).glob("*.py")
    }
    assert {k: v for k, v in found.items() if v} == {
        "spdz2k/client.py": 2,
        "replicated_active/sharing.py": 1,
    }


@BOTH
@pytest.mark.parametrize("party", ["party0", "party1", "party2"])
def test_a_late_message_changes_nothing(protocol: str, party: str) -> None:
    message, cheat = 0, Tamper(party, 0, "late")
    while message == 0 or cheat.target:
        cheat = Tamper(party, message, "late")
        with mpc.simulate(3, protocol=protocol, cheat=cheat) as s:
            x = s.share([3, -4], owner="party0")
            assert (x * x).reveal().tolist() == [9, 16]
        message += 1
    assert message > 10


def test_who_waits_hears_what_the_others_say_meanwhile() -> None:
    told: list[Sequence[Received]] = []

    def answer(arrays: list[Array], heard: Sequence[Received]) -> list[Array]:
        told.append(heard)
        return arrays

    cheat = Waiter("party0", "mul", 0, 1, answer)
    with mpc.simulate(3, protocol="replicated-active", cheat=cheat) as s:
        x = s.share([1.5], owner="party1")
        assert (x * x).reveal().tolist() == [2.25]
    assert len(told) == 1


def test_dropped_and_withheld_differ() -> None:
    for how, raises in (("drop", True), ("late", False)):
        cheat = Tamper("party1", 4, how)  # type: ignore[arg-type]
        try:
            with mpc.simulate(3, protocol="spdz2k", cheat=cheat) as s:
                s.share([1], owner="party1").reveal()
            assert not raises
        except MpcError as error:
            assert raises
            assert "party1" in error.message


@BOTH
@pytest.mark.parametrize("attack", [WrongProduct, lambda p: WrongShare(p, "mul", error=1 << 20)])
def test_wrong_products_and_wrong_pairs_are_found(protocol: str, attack: type[Cheater]) -> None:
    for party in ("party0", "party1", "party2"):
        cheat = attack(party)
        with pytest.raises(MpcError), mpc.simulate(3, protocol=protocol, cheat=cheat) as s:
            x = s.share(np.array([1.5, -2.0]), owner="party0")
            y = x * x
            (y * y).reveal()
        assert all(o.opened == [] for o in cheat.outcomes.values())


@pytest.mark.parametrize("peer", [0, 1])
def test_an_input_that_differs_from_peer_to_peer_is_found(peer: int) -> None:
    cheat = TwoFaced("party2", peer, error=7)
    s = mpc.simulate(3, protocol="spdz2k", cheat=cheat)
    x = s.share([5], owner="party2")
    with pytest.raises(ConsistencyCheckFailed):
        (x + 1).reveal()
    assert all(o.opened == [] for o in cheat.outcomes.values())


@pytest.mark.parametrize("peer", [0, 1])
def test_an_owner_of_replicated_shares_fixes_its_input(peer: int) -> None:
    """One peer holds a component that the owner chose, so a lie is its input, or inconsistent."""
    cheat = TwoFaced("party2", peer, error=7)
    s = mpc.simulate(3, protocol="replicated-active", cheat=cheat)
    with suppress(ConsistencyCheckFailed):
        (s.share([5], owner="party2") + 1).reveal()
    first, second = (o.opened for o in cheat.outcomes.values())
    np.testing.assert_array_equal(first, second)
