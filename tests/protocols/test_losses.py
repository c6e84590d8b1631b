"""Losses against float64 on random batches, their gradients against finite differences."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from mpyc_core.errors import ShapeMismatch, ShareError
from mpyc_core.protocols.ops.softmax import normaliser
from mpyc_core.protocols.simulation import Simulation
from mpyc_core.transport.mesh import Array

ULP = 2.0**-16


@pytest.fixture(scope="module")
def s() -> Simulation:
    return Simulation(3, wrap=lambda ref: ref)


def rounded(x: Array) -> Array:
    return np.rint(x / ULP) * ULP


def run(s: Simulation, op: str, *arrays: Any, **params: Any) -> list[Any]:
    return [s.reveal(r) for r in s.execute(op, [s.share(a) for a in arrays], params)]


def cross_entropy(x: Array, t: Array) -> float:
    top = x.max(axis=-1, keepdims=True)
    total = np.log(np.exp(x - top).sum(axis=-1, keepdims=True)) + top
    return float(((total - x) * t).sum() / len(x))


def logistic(x: Array, t: Array) -> float:
    return float(np.mean(np.logaddexp(0, x) - x * t))


def squared(x: Array, t: Array) -> float:
    return float(np.mean((x - t) ** 2))


def slope(loss: Any, x: Array, t: Array) -> Array:
    """Central differences."""
    out, h = np.zeros_like(x), 1e-5
    for i in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[i] = h
        out[i] = (loss(x + step, t) - loss(x - step, t)) / (2 * h)
    return out


@pytest.mark.parametrize(("n", "classes"), [(1, 2), (3, 1), (7, 3), (16, 10), (5, 33)])
def test_value_and_gradient(s: Simulation, n: int, classes: int) -> None:
    rng = np.random.default_rng(n)
    x = rounded(rng.normal(0, 3, (n, classes)))
    hot = np.eye(classes)[rng.integers(0, classes, n)]
    truth = (rng.random((n, classes)) < 0.5).astype(float)
    for op, loss, t in [
        ("cross_entropy", cross_entropy, hot),
        ("bce_with_logits", logistic, truth),
        ("mse", squared, truth),
    ]:
        value, gradient = run(s, op, x, t)
        assert abs(value - loss(x, t)) < 4 * ULP, op
        np.testing.assert_allclose(gradient, slope(loss, x, t), atol=4 * ULP + 1e-8, err_msg=op)


def test_soft_targets(s: Simulation) -> None:
    rng = np.random.default_rng(4)
    x = rounded(rng.normal(0, 2, (6, 4)))
    t = np.full((6, 4), 0.25)
    value, gradient = run(s, "cross_entropy", x, t)
    assert abs(value - cross_entropy(x, t)) < 4 * ULP
    np.testing.assert_allclose(gradient, slope(cross_entropy, x, t), atol=4 * ULP + 1e-8)


@pytest.mark.parametrize("op", ["cross_entropy", "bce_with_logits", "mse"])
def test_a_value_nobody_wants_costs_nothing(s: Simulation, op: str) -> None:
    x, t = s.share(np.zeros((8, 4))), s.share(np.eye(4)[[0, 1, 2, 3] * 2])
    value, gradient = s.execute(op, [x, t], {"value": False})
    assert s.reveal(value) == 0
    np.testing.assert_allclose(
        s.reveal(gradient), s.reveal(s.execute(op, [x, t], {})[1]), atol=3 * ULP
    )
    full = s.declared_cost(op, [x, t])
    short = s.declared_cost(op, [x, t], value=False)
    assert short.rounds < full.rounds
    assert short.total < full.total


def test_large_logits_do_not_overflow(s: Simulation) -> None:
    x = np.array([[1000.0, -1000.0, 0.0], [-3e4, -3e4, -3e4]])
    t = np.eye(3)[[1, 0]]
    value, gradient = run(s, "cross_entropy", x, t)
    assert abs(value - cross_entropy(x, t)) < 4 * ULP
    want = np.array([[0.5, -0.5, 0.0], [-1 / 3, 1 / 6, 1 / 6]])
    np.testing.assert_allclose(gradient, want, atol=4 * ULP)
    value, gradient = run(s, "bce_with_logits", x[:1], np.array([[1.0, 1.0, 0.0]]))
    assert abs(value - (1000 + np.log(2)) / 3) < 4 * ULP
    np.testing.assert_allclose(gradient, np.array([[0.0, -1.0, 0.5]]) / 3, atol=4 * ULP)


@pytest.mark.parametrize("n", [1, 2, 10, 100, 1000])
def test_softmax_of_extreme_rows(s: Simulation, n: int) -> None:
    """All equal, and one far above the others: the two ends of the interval of sums."""
    x = np.zeros((3, n))
    x[1, -1] = 50.0
    x[2] = -4.0
    x[2, 0] = 0.0
    e = np.exp(x - x.max(axis=1, keepdims=True))
    (y,) = run(s, "softmax", x)
    np.testing.assert_allclose(y, e / e.sum(axis=1, keepdims=True), atol=8 * ULP)


@pytest.mark.parametrize("n", [1, 2, 10, 1000, 100_000])
def test_constants_of_the_reciprocal_meet_its_precision(n: int) -> None:
    """The iteration in float64, at both ends of the interval and inside."""
    how = normaliser(n, Decimal("0.75"))
    c = float(how.factor) * np.geomspace(1, n, 50)
    steps = [(float(m), float(d)) for m, d in how.chain.steps]
    d, y = c - steps[0][0], np.ones_like(c)
    for m, bound in steps[:-1]:
        assert np.all(np.abs(d) <= bound * 1.001 + 1e-15)
        y, d = y * (m - d), bound**2 / 2 - d * d
    np.testing.assert_allclose(y * c, 0.75, rtol=2.0**-18)


def test_operands_that_do_not_fit(s: Simulation) -> None:
    x = s.share(np.zeros((2, 3)))
    with pytest.raises(ShapeMismatch, match="targets"):
        s.execute("cross_entropy", [x, s.share(np.zeros((2, 4)))], {})
    with pytest.raises(ShareError, match="empty batch"):
        s.execute("mse", [s.share(np.zeros((0, 3))), s.share(np.zeros((0, 3)))], {})
