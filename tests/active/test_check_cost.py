"""What a check sends is what it declares."""

from __future__ import annotations

import numpy as np
import pytest

from mpyc_core.meta import Meta
from mpyc_core.protocols.replicated_active import ReplicatedActive
from mpyc_core.ring import Z64
from mpyc_core.transport.lockstep import lockstep
from mpyc_core.transport.mesh import Counters

from ..parties import Parties


@pytest.mark.parametrize("size", [1, 8, 1000])
def test_declared_cost_of_a_check(size: int) -> None:
    parties, meta = Parties(ReplicatedActive, 3), Meta((size,), "int", Z64)
    x = parties.deal(Z64.from_int(np.arange(size)), meta)
    parties.run(lambda p: p.product("mul", x[p.me], x[p.me], meta, 0, {}))
    parties.run(lambda p: p.msb(x[p.me], 64))
    declared = [p.check_cost() for p in parties.protocols]
    counters = [Counters() for _ in declared]
    lockstep([p.before_open() for p in parties.protocols], names=parties.names, counters=counters)
    for i, found in enumerate(counters):
        (tally,) = found.by_name.values()
        assert (tally.rounds, tally.payload) == (declared[i].rounds, declared[i].sent[i])
