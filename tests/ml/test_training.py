"""Secret training follows the NumPy training: losses, weights, memory, progress, openings."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits

from mpyc_core.errors import ConfigError, ShapeMismatch, ShareError
from mpyc_core.ml import plaintext
from mpyc_core.ml.layers import Linear, Module, ReLU, Sequential, Sigmoid, Tanh
from mpyc_core.ml.losses import MSE, BCEWithLogits, CrossEntropy, Loss
from mpyc_core.ml.optim import SGD
from mpyc_core.ml.tensor import SecretTensor
from mpyc_core.ml.training import batches, fit, predict
from mpyc_core.protocols.simulation import Simulation


@pytest.fixture
def s() -> Iterator[Simulation]:
    simulation = Simulation(3, protocol="replicated", wrap=SecretTensor)
    yield simulation
    simulation.close()


def tumours() -> tuple[np.ndarray, np.ndarray]:
    data = load_breast_cancer()
    x = (data.data - data.data.mean(0)) / data.data.std(0)
    return x, data.target[:, None].astype(float)


def digits() -> tuple[np.ndarray, np.ndarray]:
    data = load_digits()
    return data.data / 16, np.eye(10)[data.target]


def mlp(*sizes: int) -> Module:
    rng = np.random.default_rng(11)
    layers: list[Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [Linear(inputs, outputs, rng=rng), ReLU()]
    return Sequential(*layers[:-1])


RUNS: dict[str, tuple[Any, tuple[int, ...], Loss, dict[str, float], int]] = {
    "tumours": (tumours, (30, 16, 1), BCEWithLogits(), {"lr": 0.2, "momentum": 0.9}, 320),
    "digits": (digits, (64, 32, 10), CrossEntropy(), {"lr": 0.3, "weight_decay": 1e-3}, 384),
    "regression": (tumours, (30, 8, 1), MSE(), {"lr": 0.02, "momentum": 0.5}, 256),
}


@pytest.mark.parametrize("name", RUNS)
def test_secret_training_follows_the_plaintext_run(s: Simulation, name: str) -> None:
    load, sizes, loss, settings, rows = RUNS[name]
    x, y = (a[:rows] for a in load())
    model = mlp(*sizes)
    secret = model.share(s, public=True)
    lr = settings["lr"]
    others = {key: value for key, value in settings.items() if key != "lr"}
    found = fit(
        secret,
        s.share(x),
        s.share(y),
        loss=loss,
        optimiser=SGD(secret.parameters(), lr, **others),
        batch_size=64,
        rng=1,
        reveal_loss=True,
    )
    expected = plaintext.fit(model, x, y, loss=loss, **settings, batch_size=64, rng=1)
    assert expected[-1] < 0.9 * expected[0]
    np.testing.assert_allclose(found, expected, atol=5e-3)
    for got, want in zip(secret.reveal().parameters(), model.parameters(), strict=True):
        np.testing.assert_allclose(got.value, want.value, atol=5e-3)
    agreement = np.mean((predict(secret, s.share(x)).reveal() > 0) == (predict(model, x) > 0))
    assert agreement > 0.99


class SumOfSquares(Loss):
    """A loss made of tensor operations."""

    def __call__(self, prediction: Any, target: Any, *, value: bool = True) -> Any:
        error = (prediction - target).reshape(-1)
        return error @ error * (1 / len(target))


def test_a_loss_of_tensor_operations_trains_too(s: Simulation) -> None:
    rng = np.random.default_rng(4)
    x, target = rng.normal(size=(20, 3)), np.array([[1.0], [-2.0], [0.5]])
    model = Sequential(Linear(3, 1, rng=rng)).share(s)
    optimiser = SGD(model.parameters(), 0.1, momentum=0.5)
    fit(model, x, x @ target, loss=SumOfSquares(), optimiser=optimiser, epochs=40, batch_size=20)
    np.testing.assert_allclose(model.reveal().state_dict()["0.weight"], target, atol=0.01)


def test_values_at_the_parties_return_to_a_baseline_after_every_step(s: Simulation) -> None:
    x, y = (a[:96] for a in digits())
    model = mlp(64, 8, 10).share(s, public=True)
    stored: list[int] = []

    def progress(step: int, total: int, loss: float | None) -> None:
        s.public(0.0)
        stored.append(len(s.evaluators[0].values))
        assert (total, loss) == (3, None)

    optimiser = SGD(model.parameters(), 0.1, momentum=0.9)
    before = len(s.openings())
    found = fit(
        model,
        s.share(x),
        s.share(y),
        loss=CrossEntropy(),
        optimiser=optimiser,
        batch_size=32,
        progress=progress,
    )
    assert found == []
    assert len(s.openings()) == before
    assert len(set(stored)) == 1


@pytest.mark.parametrize(
    "settings",
    [{}, {"momentum": 0.9}, {"weight_decay": 0.05}, {"momentum": 0.5, "weight_decay": 0.05}],
)
def test_sgd_matches_its_formula(s: Simulation, settings: dict[str, float]) -> None:
    rng = np.random.default_rng(8)
    model = Linear(5, 4, rng=rng)
    secret = model.share(s, public=True)
    optimiser = SGD(secret.parameters(), 0.1, **settings)
    weights = [np.asarray(p.value) for p in model.parameters()]
    velocities = [np.zeros_like(w) for w in weights]
    for _ in range(4):
        gradients = [rng.normal(size=w.shape) for w in weights]
        for i, (p, g) in enumerate(zip(secret.parameters(), gradients, strict=True)):
            p.tensor.grad = s.share(g * 8)
            velocities[i] = settings.get("momentum", 0) * velocities[i] + 0.1 * (
                g + settings.get("weight_decay", 0) * weights[i]
            )
            weights[i] = weights[i] - velocities[i]
        rounds = s.cost()["rounds"]
        optimiser.step(1 / 8)
        assert s.cost()["rounds"] - rounds == 3  # one truncation, shared by all parameters
    for p, w in zip(secret.parameters(), weights, strict=True):
        np.testing.assert_allclose(p.tensor.reveal(), w, atol=2e-4)


@pytest.mark.parametrize("activation", [ReLU, Sigmoid, Tanh])
@pytest.mark.parametrize("loss", [MSE(), BCEWithLogits(), CrossEntropy()])
def test_the_plaintext_oracle_differentiates_right(activation: type[Module], loss: Loss) -> None:
    rng = np.random.default_rng(6)
    model = Sequential(Linear(4, 5, rng=rng), activation(), Linear(5, 3, rng=rng))
    x, y = rng.normal(size=(7, 4)), np.eye(3)[rng.integers(0, 3, 7)]
    output, back = plaintext.forward(model, x)
    gradients = {id(p): g for p, g in back(plaintext.evaluate(loss, output, y)[1])[1]}
    for p in model.parameters():
        kept = np.asarray(p.value)
        at = tuple(0 for _ in kept.shape)
        ends = []
        for step in (1e-6, -1e-6):
            moved = kept.copy()
            moved[at] += step
            p.value = moved
            ends.append(plaintext.evaluate(loss, plaintext.forward(model, x)[0], y)[0])
        p.value = kept
        assert gradients[id(p)][at] == pytest.approx((ends[0] - ends[1]) / 2e-6, abs=1e-7)


def test_batches_cover_every_row_once_an_epoch() -> None:
    found = [np.arange(10)[b] for b in batches(10, 4, epochs=2, rng=0)]
    assert [len(b) for b in found] == [4, 4, 2] * 2
    assert sorted(np.concatenate(found[:3])) == list(range(10))
    assert not np.array_equal(np.concatenate(found[:3]), np.concatenate(found[3:]))
    again = list(batches(10, 4, epochs=2, rng=0))
    assert all(np.array_equal(np.arange(10)[b], f) for b, f in zip(again, found, strict=True))
    assert [np.arange(5)[b].tolist() for b in batches(5, 3)] == [[0, 1, 2], [3, 4]]


def test_wrong_settings_are_refused(s: Simulation) -> None:
    x, y = s.share(np.zeros((4, 2))), s.share(np.zeros((4, 1)))
    model = Linear(2, 1, rng=np.random.default_rng(0))
    secret = model.share(s)
    optimiser = SGD(secret.parameters(), 0.1)
    with pytest.raises(ConfigError, match="plain NumPy weights"):
        fit(model, x, y, loss=MSE(), optimiser=optimiser)
    with pytest.raises(ShapeMismatch, match="as many targets"):
        fit(secret, x, y[:3], loss=MSE(), optimiser=optimiser)
    with pytest.raises(ConfigError, match="epochs and batch_size"):
        fit(secret, x, y, loss=MSE(), optimiser=optimiser, epochs=0)
    with pytest.raises(ConfigError, match="lr > 0"):
        SGD(secret.parameters(), 0.0)
    with pytest.raises(ConfigError, match="got none"):
        SGD([], 0.1)
    with pytest.raises(ShareError, match="use a larger one"):
        secret.weight.tensor.grad = s.share(np.zeros((2, 1)))
        SGD(secret.parameters(), 1e-12).step()
