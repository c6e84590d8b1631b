"""Models among local party processes: an MLP and LeNet on random data, inference and training."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from mpyc_core.ml.layers import Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential
from mpyc_core.ml.losses import CrossEntropy
from mpyc_core.ml.optim import SGD
from mpyc_core.ml.training import predict

from . import limits
from .report import Row
from .timing import at_party, party_rows, peak_memory, run

SIZES = (784, 128, 128, 10)


def mlp() -> Sequential:
    """784-128-128-10 with ReLU."""
    rng = np.random.default_rng(1)
    layers: list[Any] = []
    for inputs, outputs in itertools.pairwise(SIZES):
        layers += [Linear(inputs, outputs, rng=rng), ReLU()]
    return Sequential(*layers[:-1])


def lenet() -> Sequential:
    """Filters 20@5x5 and 50@5x5, each with a maximum over 2x2, then 500 units and 10 classes.

    ReLU comes after the pooling, for the same result at a quarter of the work: the two commute.
    """
    rng = np.random.default_rng(1)
    return Sequential(
        Conv2d(1, 20, 5, rng=rng),
        MaxPool2d(2),
        ReLU(),
        Conv2d(20, 50, 5, rng=rng),
        MaxPool2d(2),
        ReLU(),
        Flatten(),
        Linear(800, 500, rng=rng),
        ReLU(),
        Linear(500, 10, rng=rng),
    )


def tasks(party: Any) -> dict[str, Callable[[], Any]]:
    """The rows; weights and data are secret, results stay secret."""
    rng = np.random.default_rng(2)

    def secret(array: Any) -> Any:
        return party.share(array if party.me == 0 else None)

    model, convolutional = mlp().share(party), lenet().share(party)
    x, images = secret(rng.random((128, 784))), secret(rng.random((64, 1, 28, 28)))
    y = secret(np.eye(10)[rng.integers(0, 10, 128)])
    optimiser = SGD(model.parameters(), lr=0.1)

    def step() -> None:
        CrossEntropy()(model(x), y, value=False).backward(len(x))
        optimiser.step(1 / len(x))

    return {
        "MLP inference, batch 1": lambda: predict(model, x[:1]),
        "MLP inference, batch 128": lambda: predict(model, x),
        "MLP training step, batch 128": step,
        "LeNet inference, batch 1": lambda: predict(convolutional, images[:1]),
        "LeNet inference, batch 64": lambda: predict(convolutional, images),
    }


def program(party: Any, repeat: int = 5, only: str = "") -> dict[str, Any]:
    """Run every task at one party."""
    return {"tasks": at_party(party, tasks(party), repeat, only), "memory": peak_memory()}


def rows(protocol: str = "replicated", repeat: int = 5, only: str = "") -> list[Row]:
    """Every model row, beside what the wire needs for its bytes."""
    wire = limits.wire()
    args = {"repeat": repeat, "only": only}
    results = run("bench.ml:program", protocol, args)
    found = party_rows({name: r["tasks"] for name, r in results.items()}, repeat, wire)
    peak = max(r["memory"] for r in results.values())
    return [*found, Row("peak memory of a party", peak / 1e6, "MB")]
