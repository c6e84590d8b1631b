"""A cheater in every position of a truncation: who deals, the party after it, that before it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mpyc_core as mpc
from mpyc_core.errors import ConsistencyCheckFailed, MacCheckFailed
from mpyc_core.protocols.cheating import Cheater, Move

DEALT, SWAPPED, MAC = 1, 2, 3
"""Rounds of a product of fixed-point numbers after that of the product itself."""
X = np.array([1.5, -2.25, 0.0, 300.0])


class Liar(Cheater):
    """Adds to one array that it sends in one round of a product."""

    def __init__(self, party: str, round_: int, array: int, *, consistent: bool) -> None:
        super().__init__(party)
        self.round, self.array, self.consistent = round_, array, consistent
        self.lied = False

    def act(self, move: Move) -> None:
        if (move.name, move.round) != ("mul", self.round):
            return
        for arrays in move.send.values():
            target = arrays[self.array] if self.consistent else arrays[self.array].copy()
            words = target["lo"] if target.dtype.names else target
            with np.errstate(over="ignore"):
                words += words.dtype.type(1)
            arrays[self.array] = target
            self.lied = True


def lie(cheat: Liar, turn: int) -> Any:
    """Square numbers at a place of the program where the parties' roles are turned, and open."""
    with mpc.simulate(3, security="active", cheat=cheat) as s:
        for _ in range(turn):
            s.share(0, owner="party0")
        x = s.share(X, owner="party0")
        return (x * x).reveal()


@pytest.mark.parametrize("consistent", [True, False], ids=["believed", "told"])
@pytest.mark.parametrize(
    ("round_", "array", "liars"),
    [(DEALT, i, 1) for i in range(4)] + [(SWAPPED, 0, 2), (MAC, 0, 3)],
    ids=["carries", "carry", "wraps", "sign", "product", "MAC"],
)
def test_every_lie_is_found(round_: int, array: int, liars: int, consistent: bool) -> None:
    """In three turns every party plays every role, and sends this message as often as the role."""
    lied = 0
    for turn in range(3):
        for party in ("party0", "party1", "party2"):
            cheat = Liar(party, round_, array, consistent=consistent)
            try:
                found = lie(cheat, turn)
            except (ConsistencyCheckFailed, MacCheckFailed) as error:
                assert cheat.lied
                assert round_ == MAC or "proof of ANDs" in error.message or not consistent
                assert all(outcome.opened == [] for outcome in cheat.outcomes.values())
                lied += 1
            else:
                assert not cheat.lied
                assert np.max(np.abs(found - X * X)) <= 2.0**-16
    assert lied == 3 * liars
