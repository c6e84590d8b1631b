"""The view of each coalition says nothing: one vectorised run of many independent elements."""

from __future__ import annotations

import pytest

from mpyc_core.protocols.registry import get_protocol, protocols
from mpyc_core.transport.mesh import Array

from ..parties import Parties, Sent
from .scenarios import MAIN, SCENARIOS, Play, Scenario
from .statistics import View, alarms
from .tape import Tape

SECURE = [name for name, cls in protocols().items() if name != "plain" and 64 in cls.rings]
N = 100_000


def smallest(protocol: str) -> int:
    """The fewest parties that a protocol runs with, but more than one."""
    return next(n for n in (2, 3, 4, 5) if get_protocol(protocol).supports(n))


def from_outside(sent: list[Sent], coalition: frozenset[int]) -> list[Array]:
    """What others sent to a coalition; what several of its members got counts once."""
    found = {
        (s.sender, s.place, s.words.tobytes()): s.words
        for s in sent
        if s.receiver in coalition and s.sender not in coalition
    }
    return list(found.values())


def views(
    tape: Tape, protocol: str, scenario: Scenario, which: int, count: int | None = None
) -> list[View]:
    """What each coalition of so many parties sees in a session of its own, with new keys."""
    tape.drawn.clear()
    tape.holders.clear()
    parties = Parties(get_protocol(protocol), count or smallest(protocol))
    n = N // 10 if parties.protocols[0].verifies else N  # these draw many more blocks
    play = Play(parties, scenario, which, n)
    play.run()
    return [
        View(
            n,
            from_outside(parties.sent, coalition),
            [array for party in coalition for array in tape.known_to(party) + play.own(party)],
        )
        for coalition in parties.coalitions()
    ]


VERIFIED = ("mul", "and", "input", "input-bits", "msb-bounded", "select")
"""What is looked at of protocols that send many more words, all of them under pads of one kind."""


def rare(name: str, scenario: Scenario) -> list[pytest.MarkDecorator]:
    """The long run takes circuits of which every bit has a MAC: thousands of dealt planes."""
    many = get_protocol(name).verifies and get_protocol(name).needs_dealer
    return [pytest.mark.full, pytest.mark.timeout(900)] if many and "msb" in scenario.name else []


def looked_at() -> list[object]:
    return [
        pytest.param(name, smallest(name), scenario, marks=rare(name, scenario))
        for name in SECURE
        for scenario in SCENARIOS
        if not scenario.wide and (not get_protocol(name).verifies or scenario.name in VERIFIED)
    ] + [pytest.param("additive", n, scenario) for n in (3, 5) for scenario in MAIN]


@pytest.mark.parametrize(
    ("protocol", "n", "scenario"), looked_at(), ids=lambda x: getattr(x, "name", str(x))
)
def test_views_are_uniform_and_unrelated(
    protocol: str, n: int, scenario: Scenario, tape: Tape
) -> None:
    low, high = (views(tape, protocol, scenario, which, n) for which in range(2))
    for i, (view, other) in enumerate(zip(low, high, strict=True)):
        assert alarms(view, other) == [], f"coalition {i}, first secrets"
        assert alarms(other) == [], f"coalition {i}, second secrets"
