"""Every word that is sent is hidden by a block that its receiver lacks and that serves it alone."""

from __future__ import annotations

from typing import Protocol

import pytest

from mpyc_core.protocols.backend import encode
from mpyc_core.protocols.registry import Op, all_ops, get_protocol, protocols
from mpyc_core.protocols.simulation import Simulation

from ..conformance.runner import constant
from ..parties import Parties
from .exact import relations, unprotected
from .scenarios import MAIN, SCENARIOS, Play, Scenario
from .tape import Tape


def rare(name: str, n: int, turn: int) -> list[pytest.MarkDecorator]:
    """The long run takes all places of protocols that draw a block for every MAC."""
    cls = get_protocol(name)
    long = cls.verifies and cls.needs_dealer and (n, turn) != (2, 0)
    return [pytest.mark.full] if long else []


PLACES = [
    (name, n, turn)
    for name, cls in protocols().items()
    if name != "plain" and 64 in cls.rings
    for n in (2, 3)
    if cls.supports(n)
    for turn in range(max(2, cls.turns))
]
"""Protocol, number of parties, place in program order."""
N = 5
SILENT = {name: {"input", "input-bits", "truncate-local"} for name in ("additive", "additive-fss")}
"""What a protocol does without a message (a local truncation between two parties only)."""
COMPUTATIONAL = {"dcf"}
"""Correlations that are hidden by a tree of ciphers: no pad can be shown for their words, which the
statistical tests look at. What the parties themselves send has one all the same."""


class Runs(Protocol):
    """Something to run again and again at one place of a program."""

    parties: Parties

    def run(self) -> object: ...


def leaks(tape: Tape, play: Runs) -> list[str]:
    """What is not hidden, in words."""

    def run() -> list:
        play.run()
        return [sent for sent in play.parties.sent if sent.kind not in COMPUTATIONAL]

    found = relations(tape, run)
    messages = run()
    return [
        f"to {sorted(coalition)} in operation, round, array {sent.place} from {sent.sender}"
        for coalition in play.parties.coalitions()
        for sent in unprotected(tape, messages, found, coalition)
    ]


def looked_at() -> list[object]:
    """Every scenario at every place, and some of them among five."""
    places = [(*place, scenario) for place in PLACES for scenario in SCENARIOS]
    places += [
        (name, 5, 0, scenario)
        for name in sorted({name for name, *_ in PLACES})
        for scenario in MAIN
        if get_protocol(name).supports(5)
    ]
    return [pytest.param(*found, marks=rare(*found[:3])) for found in places]


@pytest.mark.parametrize(
    ("protocol", "n", "turn", "scenario"), looked_at(), ids=lambda x: getattr(x, "name", str(x))
)
def test_every_message_has_a_pad_of_its_own(
    protocol: str, n: int, turn: int, scenario: Scenario, tape: Tape
) -> None:
    parties = Parties(get_protocol(protocol), n)
    parties.turn_to(turn)
    play = Play(parties, scenario, turn % 2, N)
    assert leaks(tape, play) == []
    play.run()
    silent = scenario.name in SILENT.get(protocol, set())
    assert bool(parties.sent) != (silent and not (scenario.name == "truncate-local" and n > 2))


class CasePlay:
    """The first case of an operation, its secrets dealt, at one place of a program."""

    def __init__(self, parties: Parties, op: Op) -> None:
        self.parties, self.op, self.case = parties, op, op.cases[0]
        n = parties.n
        s = Simulation(3, wrap=lambda ref: ref)
        dealt = []
        for i, x in enumerate(self.case.inputs):
            if i in self.case.public:
                dealt.append([constant(s, op, self.case, i)] * n)
            else:
                value = encode(x, s.ring, s.f)
                dealt.append(parties.deal(value.value, value.meta.with_(public=False)))
        self.operands = list(zip(*dealt, strict=True))
        self.start = parties.position

    def run(self) -> object:
        self.parties.rewind(self.start)
        return self.parties.run(lambda p: self.op.body(p, *self.operands[p.me], **self.case.params))


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "op",
    [op for op in all_ops() if op.interactive and 64 in op.cases[0].rings],
    ids=lambda op: op.name,
)
@pytest.mark.parametrize(("protocol", "n"), sorted({place[:2] for place in PLACES}))
def test_every_message_of_every_operation_has_a_pad(
    protocol: str, n: int, op: Op, tape: Tape
) -> None:
    assert leaks(tape, CasePlay(Parties(get_protocol(protocol), n), op)) == []
