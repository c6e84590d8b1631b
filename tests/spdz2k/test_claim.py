"""Evidence of opened products of matrices: a few combinations of columns find every error."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mpyc_core as mpc
from mpyc_core.entropy import fresh_key
from mpyc_core.errors import MacCheckFailed
from mpyc_core.meta import Meta
from mpyc_core.protocols.spdz2k import Spdz2k
from mpyc_core.protocols.spdz2k.claim import COLUMNS, Claim
from mpyc_core.ring import Z64, Ring, ring

from ..parties import Parties
from .test_abort import BOUND, RUNS, S, passed

SHAPES: dict[str, tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "matmul": ((3, 5), (5, 7), (3, 7), {}),
    "conv2d": ((2, 3, 5, 5), (6, 3, 3, 3), (2, 6, 3, 3), {"stride": (1, 1), "padding": (0, 0)}),
    "conv2d_grad_x": (
        *((2, 6, 3, 3), (6, 5, 3, 3), (2, 5, 5, 5)),
        {"stride": (1, 1), "padding": (0, 0), "shape": (2, 5, 5, 5)},
    ),
    "conv2d_grad_w": (
        *((2, 3, 5, 5), (2, 6, 3, 3), (6, 3, 3, 3)),
        {"stride": (1, 1), "padding": (0, 0), "shape": (6, 3, 3, 3)},
    ),
}
SHIFT = 16


def multiplied(parties: Parties, kind: str, small: Ring, lie: int = 0) -> list[Claim]:
    """Multiply, one party adding a lie to one element of what it opens; the claims of all."""
    x_shape, y_shape, shape, params = SHAPES[kind]
    rng = np.random.default_rng(1)
    metas = [Meta(s, "fixed", small, 8) for s in (x_shape, y_shape, shape)]
    values = [small.from_int(rng.integers(-99, 99, m.shape)) for m in metas[:2]]
    x, y = (parties.deal(v, m) for v, m in zip(values, metas, strict=False))
    assert passed(parties)

    def steps(p: Spdz2k) -> Any:
        running = p.product(kind, x[p.me], y[p.me], metas[2], SHIFT // 2, params)
        mail = yield next(running)
        step = running.send(mail)
        if lie and p.me == 1:
            wide = ring(2 * small.bits)
            for arrays in step.send.values():
                arrays[0].reshape(-1)[:1] = wide.add(arrays[0].reshape(-1)[:1], wide.full(1, lie))
        mail = yield step
        try:
            running.send(mail)
        except StopIteration as stop:
            return stop.value

    parties.run(steps)
    kept = [p.transcript.numbers[2 * small.bits] for p in parties.protocols]
    return [next(part for part in parts if isinstance(part, Claim)) for parts in kept]


@pytest.mark.parametrize("kind", list(SHAPES))
@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.filterwarnings("ignore:spdz2k over")
def test_evidence_adds_up_to_nothing_of_what_is_right(kind: str, n: int, bits: int) -> None:
    parties, wide = Parties(Spdz2k, n), ring(2 * bits)
    claims = multiplied(parties, kind, ring(bits))
    assert {claim.twice for claim in claims} == {n == 2 and bits == 64}
    for draw in (
        wide.full,
        lambda shape, _=0: wide.from_int(np.arange(np.prod(shape)).reshape(shape)),
    ):
        parts = [claim.evidence(lambda shape, d=draw: d(shape, 3)) for claim in claims]
        total = parts[0]
        for part in parts[1:]:
            total = wide.add(total, part)
        assert not np.any(wide.nonzero(total))
        assert total.size == np.prod(SHAPES[kind][2]) * COLUMNS // _columns(kind)
    assert passed(parties)


def _columns(kind: str) -> int:
    return {"matmul": 7, "conv2d": 6, "conv2d_grad_x": 5, "conv2d_grad_w": 6}[kind]


@pytest.mark.parametrize("kind", list(SHAPES))
@pytest.mark.parametrize("lie", [1, 1 << 63, 1 << 70])
def test_a_wrong_element_is_found(kind: str, lie: int) -> None:
    """Also one of the upper bits, unless it has more factors 2 than a check tells apart."""
    parties = Parties(Spdz2k, 2)
    multiplied(parties, kind, Z64, lie)
    assert not passed(parties)


def test_a_party_that_lies_about_a_product_is_found() -> None:
    from mpyc_core.protocols.cheating import Adder

    for round_, error in ((0, 1), (1, 1 << 63)):
        cheat = Adder("party1", "matmul", round_, error=error)
        with pytest.raises(MacCheckFailed), mpc.simulate(2, protocol="spdz2k", cheat=cheat) as s:
            x = s.share(np.eye(6) * 1.5, owner="party0")
            (x @ x).reveal()
        assert all(o.opened == [] for o in cheat.outcomes.values())


def attack(parties: Parties) -> bool:
    """An opened product that is wrong by 2^63 in one element, the lightest error."""
    session = fresh_key(32)
    parties.run(lambda p: p.setup(session))
    multiplied(parties, "matmul", Z64, 1 << 63)
    return passed(parties)


def test_the_best_attack_on_a_product_succeeds_as_rarely_as_stated() -> None:
    parties, bound = Parties(Spdz2k, 2), BOUND * 15 / 14
    for p in parties.protocols:
        p.weaken(S)
    hits = sum(attack(parties) for _ in range(RUNS))
    print(f"{hits} of {RUNS} passed, bound {bound * RUNS:.0f}")
    assert hits <= bound * RUNS + 5 * np.sqrt(bound * RUNS)
    assert hits >= bound * RUNS / 16
