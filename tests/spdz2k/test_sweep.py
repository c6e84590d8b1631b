"""Every message of every primitive is tampered with: results are right, or runs stop."""

from __future__ import annotations

from collections import Counter
from itertools import product

import pytest

from mpyc_core.errors import ConsistencyCheckFailed, MacCheckFailed
from mpyc_core.protocols.cheating import WAYS, Adder, Tamper

from ..active.programs import judge
from .programs import PROGRAMS, play

NEVER = 10**9
SOME = ["product", "fixed product", "sign", "select"]
"""Programs that stand for all others where there are more parties."""


def messages(name: str, party: str, n: int, client: bool = False) -> int:
    """How many messages a party sends in an honest run, which must be right."""
    cheat = Tamper(party, NEVER)
    ran = play(PROGRAMS[name], cheat, n, client)
    assert ran.error is None
    assert judge(PROGRAMS[name], cheat, ran) == []
    assert all(len(o.opened) == 1 for o in cheat.outcomes.values())
    return cheat.sent


def swept(
    name: str, n: int, choices: list[tuple[str, int, str, bool]], client: bool = False
) -> Counter[str]:
    """Run all choices of (party, message, how, consistent); count how runs ended."""
    ended: Counter[str] = Counter()
    for party, message, how, consistent in choices:
        cheat = Tamper(party, message, how, consistent=consistent)  # type: ignore[arg-type]
        ran = play(PROGRAMS[name], cheat, n, client)
        faults = judge(PROGRAMS[name], cheat, ran)
        assert faults == [], (party, message, how, cheat.target, faults)
        ended[type(ran.error).__name__ if ran.error else "right"] += 1
    return ended


def in_turn(name: str, n: int, client: bool = False) -> None:
    """One party, every message, the ways to tamper in turn."""
    party = f"party{list(PROGRAMS).index(name) % n}"
    count = messages(name, party, n, client)
    ways = [(party, i, WAYS[(5 * i + 1) % len(WAYS)], i % 2 == 0) for i in range(count)]
    ended = swept(name, n, ways, client)
    print(f"{name}, {n} parties: {count} tampered runs: {dict(ended)}")
    assert sum(ended.values()) - ended["right"] > count // 2


@pytest.mark.parametrize("name", list(PROGRAMS))
def test_every_message_between_two(name: str) -> None:
    in_turn(name, 2)


@pytest.mark.parametrize("name", ["product", "sign"])
def test_every_message_among_three(name: str) -> None:
    in_turn(name, 3)


@pytest.mark.parametrize("name", ["open", "and"])
def test_every_message_about_a_client(name: str) -> None:
    in_turn(name, 2, client=True)


@pytest.mark.full
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("n", [2, 3, 5])
@pytest.mark.parametrize("name", list(PROGRAMS))
def test_every_message_in_every_way(name: str, n: int) -> None:
    if n == 5 and name not in SOME:
        pytest.skip("five parties run some of the programs")
    parties = [f"party{i}" for i in range(n if n < 5 else 2)]
    counts = {party: messages(name, party, n) for party in parties}
    choices = [
        (party, i, how, lie)
        for party in parties
        for i, how, lie in product(range(counts[party]), WAYS, (False, True))
    ]
    ended = swept(name, n, choices)
    print(f"{name}, {n} parties: {len(choices)} tampered runs of {counts}: {dict(ended)}")


@pytest.mark.parametrize("party", ["party0", "party1"])
@pytest.mark.parametrize("consistent", [True, False])
@pytest.mark.parametrize("array", [0, 1])
def test_a_wrong_local_share(party: str, consistent: bool, array: int) -> None:
    """Whichever factor is opened wrongly, by whichever amount, the product is never shown."""
    program = PROGRAMS["product"]
    for error in (1, 1 << 63):
        cheat = Adder(party, "mul", arrays=(array,), error=error, consistent=consistent)
        ran = play(program, cheat, 2)
        assert isinstance(ran.error, MacCheckFailed | ConsistencyCheckFailed)
        assert judge(program, cheat, ran) == []
        assert all(o.opened == [] for o in cheat.outcomes.values())


@pytest.mark.parametrize("round_", [0, 1])
def test_a_wrong_truncation(round_: int) -> None:
    program = PROGRAMS["fixed product"]
    for consistent in (True, False):
        cheat = Adder("party1", "mul", round_, error=1 << 62, consistent=consistent)
        ran = play(program, cheat, 2)
        assert isinstance(ran.error, MacCheckFailed | ConsistencyCheckFailed)
        assert judge(program, cheat, ran) == []


def test_an_owner_may_only_choose_its_input() -> None:
    """What an owner tells all alike is its input; if it tells them different things, runs stop."""
    program = PROGRAMS["open"]
    same = play(program, cheat := Adder("party0", "input", error=5), 3)
    assert same.error is None
    assert judge(program, cheat, same) == []
    cheat = Adder("party0", "input", error=5, consistent=False)
    other = play(program, cheat, 3)
    assert isinstance(other.error, ConsistencyCheckFailed)
    assert judge(program, cheat, other) == []
