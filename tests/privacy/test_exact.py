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
from .scenarios import SCENARIOS, Play, Scenario
from .tape import Tape

SECURE = [name for name, cls in protocols().items() if name != "plain" and cls.supports(3)]
N = 5


class Runs(Protocol):
    """Something to run again and again at one place of a program."""

    parties: Parties

    def run(self) -> object: ...


def leaks(tape: Tape, play: Runs) -> list[str]:
    """What is not hidden, in words."""

    def run() -> list:
        play.run()
        return play.parties.sent

    found = relations(tape, run)
    messages = run()
    assert messages, "a scenario without messages shows nothing"
    return [
        f"to party{receiver} in operation, round, array {sent.place} from party{sent.sender}"
        for receiver in range(play.parties.n)
        for sent in unprotected(tape, messages, found, receiver)
    ]


@pytest.mark.parametrize("turn", range(3))
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name)
@pytest.mark.parametrize("protocol", SECURE)
def test_every_message_has_a_pad_of_its_own(
    protocol: str, scenario: Scenario, turn: int, tape: Tape
) -> None:
    parties = Parties(get_protocol(protocol), 3)
    parties.turn_to(turn)
    assert leaks(tape, Play(parties, scenario, turn % 2, N)) == []


class CasePlay:
    """The first case of an operation, its secrets dealt, at one place of a program."""

    def __init__(self, parties: Parties, op: Op) -> None:
        self.parties, self.op, self.case = parties, op, op.cases[0]
        s = Simulation(3, wrap=lambda ref: ref)
        dealt = []
        for i, x in enumerate(self.case.inputs):
            if i in self.case.public:
                dealt.append([constant(s, op, self.case, i)] * 3)
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
@pytest.mark.parametrize("protocol", SECURE)
def test_every_message_of_every_operation_has_a_pad(protocol: str, op: Op, tape: Tape) -> None:
    assert leaks(tape, CasePlay(Parties(get_protocol(protocol), 3), op)) == []
