"""Layers: the secret twin computes what the plaintext model does; parameters and their checks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from mpyc_core.errors import ConfigError, ShapeMismatch
from mpyc_core.ml.layers import (
    AvgPool2d,
    Conv2d,
    Flatten,
    Linear,
    MaxPool2d,
    Module,
    ReLU,
    Sequential,
    Sigmoid,
    Tanh,
)
from mpyc_core.ml.tensor import SecretTensor
from mpyc_core.ml.training import predict
from mpyc_core.protocols.simulation import Simulation

RNG = np.random.default_rng(5)
ROWS = RNG.normal(size=(4, 6))
IMAGES = RNG.normal(size=(2, 2, 7, 6))

MODELS = {
    "linear": (Linear(6, 3, rng=RNG), ROWS),
    "linear without bias": (Linear(6, 3, bias=False, rng=RNG, init="glorot"), ROWS),
    "relu": (ReLU(bits=32), ROWS),
    "sigmoid": (Sigmoid(), ROWS),
    "tanh": (Tanh(), ROWS),
    "flatten": (Flatten(), IMAGES),
    "conv": (Conv2d(2, 3, 3, rng=RNG), IMAGES),
    "conv with stride": (Conv2d(2, 3, 3, stride=2, padding=1, rng=RNG), IMAGES),
    "max pool": (MaxPool2d(2), IMAGES),
    "overlapping max pool": (MaxPool2d(3, stride=2, bits=32), IMAGES),
    "average pool": (AvgPool2d(2), IMAGES),
    "network": (
        Sequential(
            Conv2d(2, 3, 2, rng=RNG), MaxPool2d(2), ReLU(), Flatten(), Linear(18, 2, rng=RNG)
        ),
        IMAGES,
    ),
}


@pytest.fixture(scope="module")
def s() -> Iterator[Simulation]:
    simulation = Simulation(3, protocol="replicated", wrap=SecretTensor)
    yield simulation
    simulation.close()


@pytest.mark.parametrize("name", MODELS)
def test_the_secret_twin_computes_the_same(s: Simulation, name: str) -> None:
    model, x = MODELS[name]
    expected = model(x)
    found = model.share(s, public=True)(s.share(x))
    assert found.shape == expected.shape
    np.testing.assert_allclose(found.reveal(), expected, atol=2e-3)


@pytest.mark.parametrize("name", ["linear", "conv", "network"])
def test_a_secret_model_takes_public_inputs(s: Simulation, name: str) -> None:
    model, x = MODELS[name]
    found = model.share(s)(x)
    np.testing.assert_allclose(found.reveal(), model(x), atol=2e-3)


def windows(x: np.ndarray, k: int, stride: int) -> np.ndarray:
    view = np.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(2, 3))
    return view[:, :, ::stride, ::stride]


def test_pooling_matches_numpy() -> None:
    expected = windows(IMAGES, 3, 2).max(axis=(4, 5))
    np.testing.assert_array_equal(MaxPool2d(3, stride=2)(IMAGES), expected)
    np.testing.assert_allclose(AvgPool2d(2)(IMAGES), windows(IMAGES, 2, 2).mean(axis=(4, 5)))


@pytest.mark.parametrize(("kernel", "stride"), [(2, 2), (3, 2)])
def test_pooling_without_gradients_is_the_same_in_no_more_rounds(
    s: Simulation, kernel: int, stride: int
) -> None:
    pool, x, rounds = MaxPool2d(kernel, stride), s.share(IMAGES), []
    for run in (pool, lambda images: predict(pool, images)):
        before = s.cost()["rounds"]
        expected = windows(IMAGES, kernel, stride).max(axis=(4, 5))
        np.testing.assert_allclose(run(x).reveal(), expected, atol=1e-3)
        rounds.append(s.cost()["rounds"] - before)
    assert rounds[1] <= rounds[0]


def test_relu_after_pooling_gives_the_same_for_less(s: Simulation) -> None:
    x = s.share(IMAGES)
    start = sum(s.cost()["bytes"].values())
    late = ReLU()(MaxPool2d(2)(x))
    middle = sum(s.cost()["bytes"].values())
    early = MaxPool2d(2)(ReLU()(x))
    end = sum(s.cost()["bytes"].values())
    np.testing.assert_allclose(late.reveal(), early.reveal(), atol=1e-3)
    assert middle - start < 0.7 * (end - middle)


def test_initialisation_has_the_stated_variance() -> None:
    rng = np.random.default_rng(0)
    he, glorot = Linear(400, 300, rng=rng), Linear(400, 300, rng=rng, init="glorot")
    assert np.var(he.weight.value) == pytest.approx(2 / 400, rel=0.03)
    assert np.var(glorot.weight.value) == pytest.approx(2 / 700, rel=0.03)
    with pytest.raises(ConfigError, match="glorot"):
        Linear(2, 2, rng=rng, init="zeros")


def network() -> Module:
    rng = np.random.default_rng(2)
    return Sequential(Linear(6, 4, rng=rng), ReLU(), Linear(4, 1, rng=rng))


def test_states_are_named_checked_and_revealed_only_on_request(s: Simulation) -> None:
    model, other = network(), network()
    state = {name: value + 1 for name, value in model.state_dict().items()}
    assert list(state) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    other.load_state_dict(state)
    shared = other.share(s, owner="party1")
    assert all(isinstance(v, SecretTensor) for v in shared.state_dict().values())
    for name, value in shared.state_dict(reveal=True).items():
        np.testing.assert_allclose(value, state[name], atol=1e-4)
    np.testing.assert_allclose(shared.reveal()(ROWS), other(ROWS), atol=1e-3)
    with pytest.raises(ConfigError, match="the state lacks"):
        model.load_state_dict({"0.weight": state["0.weight"]})
    with pytest.raises(ShapeMismatch, match=r"0.weight has shape \(6, 4\), got \(4, 6\)"):
        model.load_state_dict({**state, "0.weight": state["0.weight"].T})
    with pytest.raises(ConfigError, match="load weights first"):
        shared.load_state_dict(state)
    with pytest.raises(ConfigError, match="shared already"):
        shared.share(s)
    with pytest.raises(ConfigError, match="not both"):
        model.share(s, owner="party0", public=True)


def test_sharing_leaves_the_plaintext_model_alone(s: Simulation) -> None:
    model = network()
    before = model.state_dict()
    model.share(s)
    for name, value in model.state_dict().items():
        assert value is before[name]


def test_predict_runs_in_batches(s: Simulation) -> None:
    model = network()
    found = predict(model.share(s), s.share(ROWS), batch_size=3)
    assert found.shape == (4, 1)
    np.testing.assert_allclose(found.reveal(), predict(model, ROWS, batch_size=3), atol=1e-3)


def test_gradients_flow_through_a_convolutional_network() -> None:
    rng = np.random.default_rng(9)
    model = Sequential(
        Conv2d(1, 2, 3, stride=2, padding=1, rng=rng),
        ReLU(),
        AvgPool2d(2),
        Conv2d(2, 2, 2, rng=rng),
        MaxPool2d(2, stride=1),
        Flatten(),
        Linear(2, 2, rng=rng),
    )
    x, cotangent = rng.normal(size=(2, 1, 12, 12)), rng.normal(size=(2, 2))
    plain = Simulation(1, protocol="plain", f=20, wrap=SecretTensor)
    secret = model.share(plain)
    secret(plain.share(x)).backward(cotangent)
    for own, other in zip(model.parameters(), secret.parameters(), strict=True):
        kept = np.asarray(own.value)
        got = other.tensor.grad.reveal()
        for at in list(np.ndindex(kept.shape))[:6]:
            ends = []
            for step in (1e-5, -1e-5):
                moved = kept.copy()
                moved[at] += step
                own.value = moved
                ends.append(float(np.sum(model(x) * cotangent)))
            own.value = kept
            assert got[at] == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=3e-4)
