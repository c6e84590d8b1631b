"""What a client sees of an opening: masks, and the value; nothing of the shares."""

from __future__ import annotations

import numpy as np
import pytest

from mpyc_core.meta import Meta
from mpyc_core.protocols.spdz2k import Spdz2k
from mpyc_core.protocols.spdz2k.kinds import rounding
from mpyc_core.protocols.value import Public
from mpyc_core.ring import Z64, Z128
from mpyc_core.transport.mesh import Array

from ..parties import Parties
from ..privacy.statistics import View, alarms

N = 20_000
META = Meta((N,), "int", Z64)


def client_view(x: int, embedded: bool) -> View:
    """Two openings of the same shares: each party's part of the mask, but not the common sum."""
    parties = Parties(Spdz2k, 3)
    value = Z64.full(N, x)
    if embedded:
        shares = [p.embed(Public(META, value)) for p in parties.protocols]
    else:
        shares = parties.deal(value, META)
    columns: list[Array] = []
    for _ in range(2):
        shown = parties.run(lambda p: p.for_client(shares[p.me]))
        parts = [p.to_client(s) for p, s in zip(parties.protocols, shown, strict=True)]
        assert Spdz2k.from_parties(parts, META).tolist() == value.tolist()
        assert len({part[: 8 * N].tobytes() for part in parts}) == 1
        columns += [part[8 * N : 16 * N].view(np.uint64) for part in parts]
    return View(N, columns, [])


def test_a_client_learns_the_value_alone() -> None:
    view = client_view(0, False)
    for other in (client_view(1 << 62, False), client_view(0, True)):
        assert alarms(view, other) == []
        assert alarms(other) == []


@pytest.mark.parametrize("high", [0, 1 << 100])
def test_what_is_above_the_ring_is_hidden(high: int) -> None:
    """What parties open of an output modulo 2^128, less the value, is uniform above 2^64."""
    parties = Parties(Spdz2k, 2)
    shares = parties.deal(Z64.full(N, 5), META)
    for share, p in zip(shares, parties.protocols, strict=True):
        share.parts[0][...] = Z128.add(share.parts[0], Z128.full((), high if p.me == 0 else 0))
    parties.run(lambda p: opened(p, shares))
    sent = {s.sender: s.words for s in parties.sent if s.place[1] == 0 and s.words.shape == (N,)}
    total = Z128.add(sent[0], sent[1])
    assert np.all(total["lo"] == 5)
    assert alarms(View(N, [total["hi"]], [])) == []


def opened(p: Spdz2k, shares: list) -> object:
    """The opening alone, without the check, which would find the change."""
    from mpyc_core.protocols.spdz2k import sharing
    from mpyc_core.protocols.spdz2k.turn import numbers_of

    turn = p._turn(sharing.output_needs(META, Z128, None))
    return sharing.output(turn, numbers_of(shares[p.me]), META, Z128, None)


def test_a_truncation_pair_is_what_it_says() -> None:
    numbers = [0, 1, 2**63, 2**64 - 1, 2**64 + 2**63 + 12345, 2**128 - 1]
    for shift in (1, 16, 62):
        u, m = rounding(Z128, Z128.reduce(np.array(numbers, object)), shift)
        for r, got_u, got_m in zip(numbers, Z128.to_int(u), Z128.to_int(m), strict=True):
            top, low = r >> 63 & 1, r % 2**63
            assert got_m == top
            assert got_u == (top << (63 - shift)) - (low >> shift)
