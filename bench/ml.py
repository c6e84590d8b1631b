"""Models among local party processes: inference and a training step of an MLP on random data."""

from __future__ import annotations

import itertools
import resource
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import mpyc_core as mpc
from mpyc_core.ml.layers import Linear, ReLU, Sequential
from mpyc_core.ml.losses import CrossEntropy
from mpyc_core.ml.optim import SGD
from mpyc_core.ml.training import predict

from .report import Row

SIZES = (784, 128, 128, 10)


def network() -> Sequential:
    """784-128-128-10 with ReLU."""
    rng = np.random.default_rng(1)
    layers: list[Any] = []
    for inputs, outputs in itertools.pairwise(SIZES):
        layers += [Linear(inputs, outputs, rng=rng), ReLU()]
    return Sequential(*layers[:-1])


def tasks(party: Any) -> dict[str, Callable[[], Any]]:
    """The rows; weights and data are secret, results stay secret."""
    rng = np.random.default_rng(2)

    def secret(array: Any) -> Any:
        return party.share(array if party.me == 0 else None)

    model = network().share(party)
    x = secret(rng.random((128, 784)))
    y = secret(np.eye(10)[rng.integers(0, 10, 128)])
    optimiser = SGD(model.parameters(), lr=0.1)

    def step() -> None:
        CrossEntropy()(model(x), y, value=False).backward(len(x))
        optimiser.step(1 / len(x))

    return {
        "MLP inference, batch 1": lambda: predict(model, x[:1]),
        "MLP inference, batch 128": lambda: predict(model, x),
        "MLP training step, batch 128": step,
    }


def program(party: Any, repeat: int = 5, only: str = "") -> dict[str, Any]:
    """Run every task at one party: a warm-up and `repeat` timed runs each."""
    found: dict[str, Any] = {}
    for name, task in tasks(party).items():
        if only not in name:
            continue
        task()
        before, times = party.cost(), []
        for _ in range(repeat):
            start = time.perf_counter()
            task()
            times.append(time.perf_counter() - start)
        after = party.cost()
        found[name] = {
            "seconds": statistics.median(times),
            "rounds": (after["rounds"] - before["rounds"]) // repeat,
            "bytes": (after["bytes"] - before["bytes"]) // repeat,
        }
    found["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return found


def rows(protocol: str = "replicated", repeat: int = 5, only: str = "") -> list[Row]:
    """Every model row; the slowest party's time counts."""
    args = {"repeat": repeat, "only": only}
    results = mpc.run("bench.ml:program", 3, protocol=protocol, args=args)
    first = next(iter(results.values()))
    found = [
        Row(
            name,
            1e3 * max(r[name]["seconds"] for r in results.values()),
            "ms",
            rounds=first[name]["rounds"],
            sent=tuple(r[name]["bytes"] for r in results.values()),
            runs=repeat,
        )
        for name in first
        if name != "memory"
    ]
    peak = max(r["memory"] for r in results.values())
    return [*found, Row("peak memory of a party", peak / 1e6, "MB")]
