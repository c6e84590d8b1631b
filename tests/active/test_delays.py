"""A network delivers when it likes: a cheater that waits must not learn challenges too early.

Rounds are in step in the other tests. Here each party goes on as soon as it has what it waits for,
and party 0 withholds messages from one peer until the other, who does not need them, has said more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

import mpyc_core as mpc
from mpyc_core.errors import ConsistencyCheckFailed, MpcError
from mpyc_core.prg import Stream
from mpyc_core.protocols.command import Command
from mpyc_core.protocols.replicated_active import gates
from mpyc_core.transport.mesh import Array, Round

A, B = (np.random.default_rng(i).integers(0, 2, 128).astype(bool) for i in (1, 2))
Forge = Callable[["Network", int, Array], bool]
"""Called with message number n of a peer to party 0; true once the withheld messages may go."""


class Network:
    """Three parties, each as far as it comes.

    Parameters
    ----------
    slow, since : party 0 withholds what it sends to `slow` from that message on, until `forge`,
        which sees what comes to party 0 and may change what is withheld, says that it may go.
    """

    def __init__(self, parties: list[Any], slow: int, since: int, forge: Forge) -> None:
        self.parties, self.slow, self.since, self.forge = parties, slow, since, forge
        self.queues = {(i, j): deque[list[Array]]() for i in range(3) for j in range(3)}
        self.sent = dict.fromkeys(self.queues, 0)
        self.held: list[list[Array]] = []
        self.keys: list[bytes] = []
        """Keys of the weights of the proofs of party 0, 2 and 1, as party 0 learns them."""
        self.released, self.now = False, -1
        self.ended: list[Any] = [None] * 3
        self.waiting: list[Round] = [next(p) for p in parties]
        for i in range(3):
            self._post(i)

    def _post(self, i: int) -> None:
        for j, arrays in self.waiting[i].send.items():
            number = self.sent[i, j]
            self.sent[i, j] += 1
            if (i, j) == (0, self.slow) and number >= self.since and not self.released:
                self.held.append(arrays)
                continue
            self.queues[i, j].append(arrays)
            if j == 0 and not self.released and self.forge(self, number, arrays[0]):
                self.queues[0, self.slow].extend(self.held)
                self.released = True

    def run(self) -> list[Any]:
        """Until all have ended or wait for somebody who has."""
        moved = True
        while moved:
            moved = False
            for i, party in enumerate(self.parties):
                recv = self.waiting[i].recv
                if self.ended[i] is None and all(self.queues[p, i] for p in recv):
                    mail = {p: [a.copy() for a in self.queues[p, i].popleft()] for p in recv}
                    self.now, moved = i, True
                    try:
                        self.waiting[i] = party.send(mail)
                        self._post(i)
                    except StopIteration as stop:
                        self.ended[i] = stop.value
                    except MpcError as error:
                        self.ended[i] = error
        return self.ended


def and_gates(
    monkeypatch: pytest.MonkeyPatch, slow: int, since: int, forge: Forge, error: int = 0
) -> list[Any]:
    """AND and open 128 bits; how each party ended."""
    with mpc.simulate(3, protocol="replicated-active") as s:
        x, y = s.share(A, owner="party1"), s.share(B, owner="party2")

        def program(i: int) -> Any:
            evaluator = s.evaluators[i]
            both = evaluator.start(Command("bit_and", (x.ref.id, y.ref.id), (1000,)))
            step = next(both)
            if i == 0:
                step.send[1][0][0, 0] ^= np.uint64(error)
            mail = yield step
            with suppress(StopIteration):
                both.send(mail)
            return (yield from evaluator.start(Command("open", (1000,), (), {"to": None})))

        network = Network([program(i) for i in range(3)], slow, since, forge)

        def recorded(key: bytes) -> Stream:
            network.keys += [key] if network.now == 0 else []
            return Stream(key)

        monkeypatch.setattr(gates, "Stream", recorded)
        return network.run()


def judge(ended: list[Any]) -> None:
    for party in ended[1:]:
        assert not isinstance(party, np.ndarray), "an honest party opened what a cheater made"
    assert any(isinstance(party, ConsistencyCheckFailed) for party in ended[1:])


def test_no_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = and_gates(monkeypatch, 1, 10**6, lambda *_: False)
    want = np.packbits(A & B, bitorder="little").view(np.uint64)
    assert all(np.array_equal(found.reshape(-1), want) for found in ended)


def test_weights_come_after_ands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors that cancel under the weights, if what the previous party says first gives them."""

    def forge(network: Network, number: int, told: Array) -> bool:
        if number != 1 or not network.held:  # what party 2 says after its AND
            return False
        w = Stream(told.reshape(-1).view(np.uint8)[:16].tobytes()).words(0, 0, (2,))
        network.held[0][0][0] ^= w[::-1]
        return True

    ended = and_gates(monkeypatch, 1, 0, forge)
    judge(ended)


def test_points_come_after_coefficients(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong sum hidden by a wrong coefficient, if what the next party says first is the point."""

    def forge(network: Network, number: int, told: Array) -> bool:
        if number != 2 or len(network.keys) < 3:
            return False
        point = np.maximum(told.reshape(-1).view(np.uint8)[:8].copy().view(np.uint64), 1)
        weight = Stream(network.keys[0]).words(0, 0, (2,))[:1]
        network.held[0][0][0] ^= gates._times(weight, gates._powers(point, gates.BITS)[-1:])[0]
        return True

    ended = and_gates(monkeypatch, 2, 1, forge, error=1)
    judge(ended)
