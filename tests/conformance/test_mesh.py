"""The cases once more over meshes between threads: queues in this process, and ZeroMQ.

What a mesh carries must be what lock step carries: the same results, bytes and rounds.
"""

from __future__ import annotations

import pytest

from mpyc_core.protocols.registry import Case, Op, get_protocol
from mpyc_core.protocols.simulation import Simulation

from .cluster import Cluster
from .runner import cases, check_oracle, check_plain, oracle, run_case, suits


@pytest.mark.parametrize(
    ("op", "case"), [pytest.param(op, case, id=name) for name, op, case in cases(64)]
)
def test_mesh_agrees_with_lock_step(cluster: Cluster, op: Op, case: Case) -> None:
    if not suits(op, case, cluster.ring):
        pytest.skip("refused over fields")
    cls, secrets = get_protocol(cluster.protocol), len(case.inputs) - len(case.public)
    start = cluster.position + secrets
    s = Simulation(
        len(cluster.names), protocol=cluster.protocol, ring=cluster.ring, wrap=lambda ref: ref
    )
    admitted = secrets if cls.verifies else 0  # what a client shares is verified in a place
    while (s.evaluators[0].protocol.position + admitted - start) % cls.turns:
        s.share(0, owner="party0")
    lockstep = run_case(s, op, case)
    outcome = cluster.run_case(op, case)
    check_plain(outcome, lockstep, 2 * case.ulps)
    assert outcome.counted == lockstep.counted
    if case.ulps == 0:
        check_oracle(outcome, oracle(op, case), case)


def test_every_party_counts_the_same_openings(cluster: Cluster) -> None:
    lists = [party.openings() for party in cluster.parties]
    assert lists[0]
    assert all(
        [(o.what, o.to) for o in found] == [(o.what, o.to) for o in lists[0]] for found in lists
    )
