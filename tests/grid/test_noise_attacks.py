"""Attacks on noise that nodes make together: a driver that writes its commands itself."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import mpyc_core as mpc
from mpyc_core.errors import BudgetExceeded, MpcError, PermissionDenied
from mpyc_core.grid.committee import Committee
from mpyc_core.grid.virtual import VirtualNode
from mpyc_core.ml import SecretTensor
from mpyc_core.privacy.shared import add_noise
from mpyc_core.protocols.command import Command

UNITS = 10 << 16
QUARTER = {"sensitivity": UNITS, "epsilon": [1, 4]}


@pytest.fixture
def three() -> Iterator[list[VirtualNode]]:
    found = [VirtualNode(name) for name in ("alice", "bob", "theo")]
    for a in found:
        for b in found:
            if a is not b:
                a.owner.trust(b.name, b.curve)
        a.owner.load(
            "scores",
            np.linspace(0, 8, 30),
            tags=["#scores"],
            columns=[mpc.Column("score", 0, 10)],
            policy=mpc.Policy(epsilon=1.0, delta=1e-6),
        )
    yield found
    for node in found:
        node.close()


def total_of(together: Committee, three: list[VirtualNode]) -> SecretTensor:
    found = mpc.Grid(three).search("#scores", verbose=False)
    rows = [together.clip_rows(together.share(x), 0, 10) for x in found]
    total: SecretTensor = np.concatenate(rows).sum()  # type: ignore[call-overload]
    return total


def spent(three: list[VirtualNode]) -> list[float]:
    return [node.owner.accounts["dataset:scores"][2] for node in three]


def test_every_draw_is_paid_for_though_its_id_is_used_again(three: list[VirtualNode]) -> None:
    """Freeing a noisy value and drawing anew under its id would average the noise away."""
    with Committee(three) as together:
        total = total_of(together, three)
        noisy, _ = add_noise(total, UNITS, 0.25)
        assert noisy.reveal() == noisy.reveal()
        for draws in (2, 3, 4):
            together.session.dropped.append(noisy.ref.id)
            again = Command("add_discrete_laplace", (total.ref.id,), (noisy.ref.id,), QUARTER)
            together.session.submit([again])
            noisy.reveal()
            assert spent(three) == pytest.approx([0.25 * draws] * 3)
        together.session.dropped.append(noisy.ref.id)
        together.session.submit(
            [Command("add_discrete_laplace", (total.ref.id,), (noisy.ref.id,), QUARTER)]
        )
        with pytest.raises(PermissionDenied):
            noisy.reveal()  # nothing is left
        with pytest.raises(BudgetExceeded):
            together.release(total, 0.01)


@pytest.mark.parametrize("other", ["neg", "sqrt"])
def test_two_results_under_one_id_are_refused(three: list[VirtualNode], other: str) -> None:
    """The exact value of the one would go out at the price of the other's noise."""
    with Committee(three) as together:
        total = total_of(together, three)
        ref = together.session.new_ref(total.meta)
        together.session.submit(
            [
                Command("add_discrete_laplace", (total.ref.id,), (ref.id,), QUARTER),
                Command(other, (total.ref.id,), (ref.id,)),
            ]
        )
        with pytest.raises(MpcError, match="one id"):
            together.session.wait()
        with pytest.raises(MpcError):
            together.session.open(ref, None)
    assert spent(three) == [0.0] * 3


def test_two_results_of_one_command_have_two_ids(three: list[VirtualNode]) -> None:
    with Committee(three) as together:
        x = together.session.share(np.ones((2, 2)))
        ref = together.session.new_ref(x.meta)
        params = {"bound": 1 << 16, "reach": [1 << 16, 1 << 16]}
        together.session.submit([Command("clip_examples", (x.ref.id,) * 2, (ref.id,) * 2, params)])
        with pytest.raises(MpcError, match="taken"):
            together.session.wait()
