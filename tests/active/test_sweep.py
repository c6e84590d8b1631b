"""Every message of every primitive is tampered with: results are right, or runs stop."""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
import pytest

import mpyc_core as mpc
from mpyc_core.errors import MacCheckFailed, ProtocolAbort
from mpyc_core.protocols.cheating import WAYS, Adder, Tamper

from .programs import Program, judge, play, programs

PROGRAMS = programs()
NEVER = 10**9


def messages(program: Program, party: str) -> int:
    """How many messages a party sends in an honest run, which must be right."""
    cheat = Tamper(party, NEVER)
    ran = play(program, cheat)
    assert ran.error is None
    assert judge(program, cheat, ran) == []
    assert all(len(o.opened) == len(ran.wanted) for o in cheat.outcomes.values())
    return cheat.sent


def swept(name: str, choices: list[tuple[str, int, str, bool]]) -> Counter[str]:
    """Run all choices of (party, message, how, consistent); count how runs ended."""
    ended: Counter[str] = Counter()
    for party, message, how, consistent in choices:
        cheat = Tamper(party, message, how, consistent=consistent)  # type: ignore[arg-type]
        ran = play(PROGRAMS[name], cheat)
        faults = judge(PROGRAMS[name], cheat, ran)
        assert faults == [], (party, message, how, cheat.target, faults)
        ended[type(ran.error).__name__ if ran.error else "right"] += 1
    return ended


@pytest.mark.parametrize("name", list(PROGRAMS))
def test_every_message(name: str) -> None:
    """One party, every message, ways in turn; the long sweep below takes all of them."""
    party = f"party{list(PROGRAMS).index(name) % 3}"
    count = messages(PROGRAMS[name], party)
    ended = swept(
        name, [(party, i, WAYS[(3 * i + 1) % len(WAYS)], i % 2 == 0) for i in range(count)]
    )
    print(f"{name}: {sum(ended.values())} tampered runs of {count} messages: {dict(ended)}")
    assert sum(ended.values()) - ended["right"] > count // 2


@pytest.mark.full
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("name", list(PROGRAMS))
def test_every_message_in_every_way(name: str) -> None:
    parties = [f"party{i}" for i in range(3)]
    counts = {party: messages(PROGRAMS[name], party) for party in parties}
    choices = [
        (party, i, how, lie)
        for party in parties
        for i, how, lie in product(range(counts[party]), WAYS, (False, True))
    ]
    ended = swept(name, choices)
    print(f"{name}: {len(choices)} tampered runs of {counts}: {dict(ended)}")


@pytest.mark.parametrize("party", ["party0", "party1", "party2"])
@pytest.mark.parametrize("consistent", [True, False])
@pytest.mark.parametrize("arrays", [(0,), (1,), (0, 1)])
def test_a_wrong_local_product(party: str, consistent: bool, arrays: tuple[int, ...]) -> None:
    for error in (1, 1 << 63):
        cheat = Adder(party, "mul", arrays=arrays, error=error, consistent=consistent)
        program = PROGRAMS["product"]
        ran = play(program, cheat)
        assert isinstance(ran.error, MacCheckFailed if consistent else ProtocolAbort)
        assert judge(program, cheat, ran) == []
        assert all(o.opened == [] for o in cheat.outcomes.values())


@pytest.mark.parametrize("party", ["party0", "party1", "party2"])
@pytest.mark.parametrize("round_", range(1, 9))
def test_a_wrong_truncation(party: str, round_: int) -> None:
    """Whatever of a truncation is wrong, consistently or not, stops the run or changes nothing."""
    program = PROGRAMS["fixed product"]
    for consistent in (True, False):
        cheat = Adder(party, "mul", round_, error=1 << 62, consistent=consistent)
        ran = play(program, cheat)
        assert judge(program, cheat, ran) == []


def test_an_owner_may_only_choose_its_input() -> None:
    """A wrong input message is another input, or an inconsistent one, which stops the run."""
    program = PROGRAMS["open"]
    for consistent in (True, False):
        cheat = Adder("party0", "input", error=5, consistent=consistent)
        ran = play(program, cheat)
        assert judge(program, cheat, ran) == []


def test_nothing_to_verify() -> None:
    """ANDs of no elements need no proof, and nobody is accused."""
    with mpc.simulate(3, protocol="replicated-active") as s:
        assert (s.share(np.zeros((0, 3), int)) < 1).reveal().shape == (0, 3)
        assert (s.share([2, -3]) < 1).reveal().tolist() == [False, True]
