"""What is claimed of MNIST, in small: scikit-learn's 1,797 digits of 8 x 8 pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

import mpyc_core as mpc
from mpyc_core.examples.mnist import classify
from mpyc_core.ml import plaintext
from mpyc_core.ml.layers import Linear, ReLU
from mpyc_core.ml.losses import CrossEntropy
from mpyc_core.ml.module import Module, Sequential
from mpyc_core.ml.optim import SGD
from mpyc_core.ml.training import fit

Array = Any
TRAIN = 1400


def network() -> Module:
    rng = np.random.default_rng(2)
    return Sequential(Linear(64, 32, rng=rng), ReLU(), Linear(32, 10, rng=rng))


@pytest.fixture(scope="module")
def digits() -> tuple[Array, Array]:
    data = load_digits()
    order = np.random.default_rng(1).permutation(len(data.target))
    return data.data[order] / 16.0, data.target[order]


def train(model: Module, images: Array, labels: Array, epochs: int) -> Module:
    targets = np.eye(10)[labels]
    options: dict[str, Any] = {"epochs": epochs, "batch_size": 64, "rng": 3}
    plaintext.fit(model, images, targets, loss=CrossEntropy(), lr=0.3, **options)
    return model


def test_inference_agrees_with_fixed_point_plaintext(digits: tuple[Array, Array]) -> None:
    images, labels = digits
    model = train(network(), images[:TRAIN], labels[:TRAIN], epochs=10)
    found = {}
    for protocol in ("plain", "replicated"):
        with mpc.simulate(3, protocol=protocol) as s:
            found[protocol] = classify(model.share(s), s.share(images)).reveal()
    assert np.mean(found["replicated"] == found["plain"]) >= 0.999
    real = np.argmax(model(images), axis=1)
    loss = np.mean(real == labels) - np.mean(found["replicated"] == labels)
    assert loss <= 0.001
    assert np.mean(real[TRAIN:] == labels[TRAIN:]) > 0.9


def test_training_stays_with_plaintext(digits: tuple[Array, Array]) -> None:
    images, labels = digits
    twin = train(network(), images[:TRAIN], labels[:TRAIN], epochs=3)
    with mpc.simulate(3) as s:
        model = network().share(s, public=True)
        fit(
            model,
            s.share(images[:TRAIN]),
            s.share(np.eye(10)[labels[:TRAIN]]),
            loss=CrossEntropy(),
            optimiser=SGD(model.parameters(), lr=0.3),
            epochs=3,
            batch_size=64,
            rng=3,
        )
        found = classify(model, s.share(images[TRAIN:])).reveal()
    encrypted = np.mean(found == labels[TRAIN:])
    plain = np.mean(np.argmax(twin(images[TRAIN:]), axis=1) == labels[TRAIN:])
    assert abs(encrypted - plain) <= 0.01
    assert encrypted > 0.85
