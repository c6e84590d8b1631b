"""Parties as threads on one long-lived mesh, and a case run by all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import numpy as np

from mpyc_core.errors import MpcError
from mpyc_core.protocols.backend import Ref
from mpyc_core.protocols.cost import Cost
from mpyc_core.protocols.dealt.provider import Provider
from mpyc_core.protocols.party import Party
from mpyc_core.protocols.registry import Case, Op, get_protocol
from mpyc_core.transport.mesh import Array, Mesh
from mpyc_core.transport.queues import queue_meshes
from mpyc_core.transport.zmq import ZmqMesh

from ..parties import providers
from .runner import Ran, constant, uses

PATIENCE = 30.0


class Cluster:
    """One thread, mesh and `Party` for each party; a job runs at all of them at once."""

    def __init__(self, kind: str, parties: int, protocol: str, ring: int) -> None:
        self.names = [f"party{i}" for i in range(parties)]
        self.protocol, self.ring = protocol, ring
        self._kind, self._facts = kind, {"protocol": protocol, "ring": ring}
        self._threads = [ThreadPoolExecutor(1) for _ in self.names]
        self.meshes: Sequence[Mesh] = []
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        self._failed = False
        self.meshes = queue_meshes(self.names) if self._kind == "queue" else self._sockets()
        found = providers(get_protocol(self.protocol), len(self.names))
        self.providers: list[Provider | None] = [*found] or [None for _ in self.names]
        self.parties: list[Party] = self.everywhere(
            lambda i: Party(
                self.meshes[i], wrap=lambda ref: ref, provider=self.providers[i], **self._facts
            )
        )

    def _sockets(self) -> list[ZmqMesh]:
        meshes = self.meshes = [ZmqMesh(name, self.names) for name in self.names]
        addresses = {
            name: mesh.bind("tcp://127.0.0.1:0")
            for name, mesh in zip(self.names, meshes, strict=True)
        }
        self.everywhere(lambda i: meshes[i].connect(addresses))
        return meshes

    def everywhere(self, job: Callable[[int], Any]) -> list[Any]:
        """Run `job(i)` in the thread of every party i; raises the first error."""
        futures = [thread.submit(self._guarded, job, i) for i, thread in enumerate(self._threads)]
        return [future.result(PATIENCE) for future in futures]

    def _guarded(self, job: Callable[[int], Any], i: int) -> Any:
        try:
            return job(i)
        except Exception as error:  # the others must not wait for this party
            self._failed = True
            self.meshes[i].abort(MpcError(str(error), party=self.names[i]))
            raise

    @property
    def position(self) -> int:
        """How many primitives ran."""
        return self.parties[0].evaluator.protocol.position

    def run_case(self, op: Op, case: Case) -> Ran:
        """Share the inputs, each by another owner, run, open to all; parties must agree."""
        if self._failed:  # the next case gets a new session
            self.close()
            self._start()
        found: list[Ran] = self.everywhere(lambda i: _at_party(self.parties[i], op, case))
        first = found[0]
        for other in found[1:]:
            assert other.metas == first.metas
            assert other.counted.rounds == first.counted.rounds
            for mine, theirs in zip(first.values, other.values, strict=True):
                np.testing.assert_array_equal(mine, theirs)
        sent = tuple(outcome.counted.sent[i] for i, outcome in enumerate(found))
        dealt = sum(outcome.counted.dealt for outcome in found)
        cost = Cost(first.counted.rounds, sent, dealt, first.counted.uses)
        return Ran(first.values, first.metas, cost)

    def __enter__(self) -> Self:
        return self

    def close(self) -> None:
        """Close every mesh, each in its own thread."""
        if self.meshes:
            self.everywhere(lambda i: self.meshes[i].close())

    def __exit__(self, *_: object) -> None:
        self.close()
        for thread in self._threads:
            thread.shutdown()


def _at_party(party: Party, op: Op, case: Case) -> Ran:
    operands = [
        constant(party, op, case, i)
        if i in case.public
        else party.share(x, owner=party.names[i % len(party.names)])
        for i, x in enumerate(case.inputs)
    ]
    counters, dealer = party.mesh.counters, [] if party.provider is None else [party.provider]
    dealt, used = sum(p.received for p in dealer), uses(dealer)
    payload, rounds = counters.payload, counters.rounds
    refs: list[Ref] = party.execute(op.name, operands, case.params)
    sent = tuple(
        counters.payload - payload if i == party.me else 0 for i in range(len(party.names))
    )
    counted = Cost(
        counters.rounds - rounds,
        sent,
        sum(p.received for p in dealer) - dealt,
        dict(uses(dealer) - used),
    )
    values: tuple[Array, ...] = tuple(party.reveal(ref) for ref in refs)
    return Ran(values, tuple(ref.meta for ref in refs), counted)
