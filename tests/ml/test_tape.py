"""The tape: accumulation, pruning, memory, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from mpyc_core.errors import ShapeMismatch, ShareError
from mpyc_core.ml.tape import no_grad
from mpyc_core.ml.tensor import SecretTensor
from mpyc_core.protocols.simulation import Simulation

X = np.array([[1.0, -2.0, 3.0], [4.0, 5.0, -6.5]])


@pytest.fixture
def s() -> Iterator[Simulation]:
    simulation = Simulation(1, protocol="plain", f=20, wrap=SecretTensor)
    yield simulation
    simulation.close()


def leaf(s: Simulation, x: Any) -> SecretTensor:
    tensor: SecretTensor = s.share(np.asarray(x, float))
    tensor.requires_grad = True
    return tensor


def gradient(x: SecretTensor) -> Any:
    assert x.grad is not None
    return x.grad.reveal()


class Recorder(Simulation):
    """A simulation that keeps the commands of every submission."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        super().__init__(1, protocol="plain", f=20, wrap=SecretTensor)

    def submit(self, commands: Any) -> None:
        self.batches.append([command.op for command in commands])
        super().submit(commands)


def test_a_value_used_twice_gets_the_sum_of_its_gradients(s: Simulation) -> None:
    x = leaf(s, X)
    ((x * x).sum() + (3 * x).sum()).backward()
    np.testing.assert_allclose(gradient(x), 2 * X + 3, atol=1e-4)


def test_gradients_accumulate_over_backward_passes(s: Simulation) -> None:
    x = leaf(s, X)
    (x * x).sum().backward()
    (2.5 * x).sum().backward()
    np.testing.assert_allclose(gradient(x), 2 * X + 2.5, atol=1e-4)


def test_a_public_gradient_scales_all_gradients(s: Simulation) -> None:
    x = leaf(s, X)
    x.mean().backward(6)
    np.testing.assert_allclose(gradient(x), np.ones_like(X), atol=1e-5)


def test_a_secret_gradient_seeds_the_pass(s: Simulation) -> None:
    x = leaf(s, X)
    (x * x).backward(s.share(X))
    np.testing.assert_allclose(gradient(x), 2 * X * X, atol=1e-4)


def test_gradients_flow_through_tensors_that_are_combined_with_numpy(s: Simulation) -> None:
    x = leaf(s, X)
    y = np.concatenate([np.maximum(x, 0.0), 2 * x])[1:3] @ X[0]
    y.sum().backward()
    expected = np.array([2 * X[0], (X[1] > 0) * X[0]])
    np.testing.assert_allclose(gradient(x), expected, atol=1e-4)


def test_what_nobody_asked_for_is_not_computed() -> None:
    s = Recorder()
    x, w = s.share(X), leaf(s, X.T)
    y = (x @ w).relu().sum()
    s.batches.clear()
    y.backward()
    ran = [op for batch in s.batches for op in batch]
    assert ran.count("matmul") == 1  # by the weights alone; x needs no gradient
    np.testing.assert_allclose(gradient(w), X.T @ ((X @ X.T) >= 0), atol=1e-4)


def test_independent_gradients_share_their_rounds() -> None:
    s = Recorder()
    x, w = leaf(s, X), leaf(s, X.T)
    y = (x @ w).relu().sum()
    s.batches.clear()
    y.backward()
    assert ["matmul", "matmul"] in s.batches


def test_a_pass_that_is_public_costs_nothing() -> None:
    s = Recorder()
    x = leaf(s, X)
    y = (x.reshape(3, 2).T * 0.5).mean() + 1
    s.batches.clear()
    y.backward()
    assert s.batches == [["embed"]]
    np.testing.assert_allclose(gradient(x), np.full(X.shape, 1 / 12), atol=1e-5)


def test_backward_frees_what_the_tape_held(s: Simulation) -> None:
    x, w = s.share(X), leaf(s, X.T)

    def stored() -> int:
        s.share(0.0)
        s.public(0.0)  # frees travel with the next command
        return len(s.evaluators[0].values)

    before = stored()
    y = (x @ w).relu().sum()
    assert stored() > before + 3
    y.backward()
    assert stored() == before + 2  # the loss and one gradient
    del y
    w.grad = None
    assert stored() == before


def test_no_grad_notes_nothing(s: Simulation) -> None:
    x = leaf(s, X)
    with no_grad():
        y = (x * x).sum()
    with pytest.raises(ShareError, match="nothing to differentiate"):
        y.backward()
    with pytest.raises(ShareError, match="nothing to differentiate"):
        (x.detach() * 2).sum().backward()


def test_a_used_up_tape_says_so(s: Simulation) -> None:
    x = leaf(s, X)
    y = (x * x).sum()
    y.backward()
    with pytest.raises(ShareError, match="used up"):
        y.backward()


def test_an_operation_without_gradient_is_named(s: Simulation) -> None:
    x = leaf(s, X)
    with pytest.raises(ShareError, match="'sort' has no gradient"):
        x.sort(axis=0).sum().backward()
    ((x > 0) * x).sum().backward()  # bits carry no gradient, and need none
    np.testing.assert_allclose(gradient(x), X > 0, atol=1e-5)


def test_wrong_gradients_and_leaves_are_refused(s: Simulation) -> None:
    x = leaf(s, X)
    with pytest.raises(ShapeMismatch, match="needs a scalar"):
        (x * 2).backward()
    with pytest.raises(ShapeMismatch, match="expected a gradient of shape"):
        (x * 2).backward(s.share(X[0]))
    with pytest.raises(ShapeMismatch, match="cannot broadcast"):
        (x * 2).backward(np.ones(4))
    with pytest.raises(ShareError, match="fixed point"):
        s.share(np.array([1, 2])).requires_grad = True
    with pytest.raises(ShareError, match="no operation made"):
        (x * 2).requires_grad = True
