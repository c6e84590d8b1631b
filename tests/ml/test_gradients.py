"""Every operation's gradient against numerical differentiation of its NumPy oracle."""

from __future__ import annotations

import numpy as np
import pytest

from mpyc_core.errors import ShareError
from mpyc_core.ml.tensor import SecretTensor, apply
from mpyc_core.protocols.backend import encode
from mpyc_core.protocols.registry import Case, Op, all_ops, get_op
from mpyc_core.protocols.simulation import Simulation

F = 20
STEP = 1e-4


LOSSES = ("bce_with_logits", "cross_entropy", "mse")
"""Differentiable by their first operand only, and tested below with targets that make sense."""


def tame(x: np.ndarray, seed: int) -> np.ndarray:
    """Values of the sign of a case's, of moderate size, and away from kinks and ties."""
    rng = np.random.default_rng(seed)
    other = rng.uniform(0.3, 3.0, x.shape) * np.where(x < 0, -1, 1)
    size = np.abs(x)
    return np.where((size > 0.25) & (size < 8), x + 0.01 * other, other)


def differentiable(op: Op) -> list[Case]:
    """Cases with a secret fixed-point input."""
    found = []
    for case in op.cases:
        kinds = [
            np.asarray(x).dtype.kind for i, x in enumerate(case.inputs) if i not in case.public
        ]
        if "f" in kinds and 64 in case.rings and case.params.get("rounding") is None:
            found.append(case)
    return found[:3]


CASES = [
    pytest.param(op, case, id=f"{op.name}-{i}")
    for op in all_ops()
    if op.grad is not None and op.name not in LOSSES
    for i, case in enumerate(differentiable(op))
]


def outputs_of(op: Op, inputs: list[np.ndarray], params: dict) -> tuple:
    found = op.oracle(*inputs, **params)
    return found if isinstance(found, tuple) else (found,)


def fits(op: Op, case: Case) -> bool:
    """Whether the operation works with F fraction bits; approximations stop at 16."""
    meta = Simulation(1, protocol="plain", f=F, wrap=SecretTensor).share(np.ones(1)).meta
    inputs = [np.zeros_like(x) for x in case.inputs]
    metas = [encode(x, meta.ring, F).meta.with_(public=False) for x in inputs]
    try:
        op.metas(metas, case.params)
    except ShareError:
        return False
    return True


@pytest.mark.parametrize(("op", "case"), CASES)
def test_gradient_matches_finite_differences(op: Op, case: Case) -> None:
    arrays = [np.asarray(x) for x in case.inputs]
    arrays = [tame(a, 7 + i) if a.dtype.kind == "f" else a for i, a in enumerate(arrays)]
    s = Simulation(1, protocol="plain", f=F if fits(op, case) else 16, wrap=SecretTensor)
    like = s.share(np.zeros(1)).meta
    tensors = [
        s.constant(a, like) if i in case.public else s.share(a) for i, a in enumerate(arrays)
    ]
    wanted = [i for i, a in enumerate(arrays) if i not in case.public and a.dtype.kind == "f"]
    for i in wanted:
        tensors[i].requires_grad = True
    found = apply(op.name, *tensors, **case.params)
    results = found if isinstance(found, tuple) else (found,)
    params = dict(case.params)
    result, shape = results[0], np.shape(outputs_of(op, arrays, params)[0])
    cotangent = np.random.default_rng(3).uniform(-2, 2, shape)
    result.backward(cotangent)

    def value(inputs: list[np.ndarray]) -> float:
        return float(np.sum(outputs_of(op, inputs, params)[0] * cotangent))

    for i in wanted:
        expected = np.zeros(arrays[i].shape)
        for at in np.ndindex(arrays[i].shape):
            ends = []
            for sign in (1, -1):
                moved = [a.copy() for a in arrays]
                moved[i][at] += sign * STEP
                ends.append(value(moved))
            expected[at] = (ends[0] - ends[1]) / (2 * STEP)
        assert tensors[i].grad is not None, f"{op.name} gave input {i} no gradient"
        got = tensors[i].grad.reveal()
        np.testing.assert_allclose(got, expected, atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize("value", [True, False])
@pytest.mark.parametrize("name", LOSSES)
def test_gradients_of_losses_match_finite_differences(name: str, value: bool) -> None:
    rng = np.random.default_rng(12)
    x, t = rng.normal(size=(6, 5)), np.eye(5)[rng.integers(0, 5, 6)]
    s = Simulation(1, protocol="plain", wrap=SecretTensor)
    logits = s.share(x)
    logits.requires_grad = True
    loss, _ = apply(name, logits, s.share(t), value=value)
    loss.backward(len(x))
    oracle = get_op(name).oracle
    expected = np.zeros(x.shape)
    for at in np.ndindex(x.shape):
        moved = np.zeros(x.shape)
        moved[at] = STEP
        ends = [oracle(x + sign * moved, t)[0] for sign in (1, -1)]
        expected[at] = len(x) * (ends[0] - ends[1]) / (2 * STEP)
    assert logits.grad is not None
    np.testing.assert_allclose(logits.grad.reveal(), expected, atol=1e-3)
