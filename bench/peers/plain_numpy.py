"""The tasks in NumPy on plaintext: what the protection costs."""

from __future__ import annotations

import numpy as np

from mpyc_core.ml.losses import CrossEntropy
from mpyc_core.ml.plaintext import fit

from . import frame

MILLION = 10**6


def operations() -> frame.Tasks:
    """Operations on float64 and int64 arrays."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, MILLION))
    i, j = rng.integers(-99, 99, (2, MILLION))
    a, b = rng.normal(size=(2, 1000, 1000))
    c, d = rng.normal(size=(128, 784)), rng.normal(size=(784, 128))
    e, one = rng.normal(size=10**4), np.ones(1, np.int64)
    return {
        "integer product, 1": lambda: one * one,
        "integer product, 10^5": lambda: i[:100_000] * j[:100_000],
        "integer product, 10^6": lambda: i * j,
        "fixed-point product, 10^4": lambda: e * e,
        "fixed-point product, 10^6": lambda: x * y,
        "x < y, 64-bit, 10^4": lambda: e < x[:10_000],
        "x < y, 64-bit, 10^6": lambda: x < y,
        "x < y, 32-bit, 10^6": lambda: x < y,
        "ReLU, 64-bit, 10^6": lambda: np.maximum(x, 0),
        "ReLU, 32-bit, 10^6": lambda: np.maximum(x, 0),
        "matmul 1000x1000x1000": lambda: a @ b,
        "matmul 128x784x128": lambda: c @ d,
        "exp, 10^4": lambda: np.exp(e),
        "sigmoid, 10^4": lambda: 1 / (1 + np.exp(-e)),
        "reciprocal, 10^4": lambda: 1 / (e + 8),
    }


def models() -> frame.Tasks:
    """The MLP's plaintext twin, in float64; NumPy has no convolution to compare LeNet with."""
    from bench.ml import mlp

    rng = np.random.default_rng(2)
    model, x = mlp(), rng.random((128, 784))
    y = np.eye(10)[rng.integers(0, 10, 128)]

    def step() -> None:
        fit(model, x, y, loss=CrossEntropy(), lr=0.1, epochs=1, batch_size=128, rng=rng)

    return {
        "MLP inference, batch 1": lambda: model(x[:1]),
        "MLP inference, batch 128": lambda: model(x),
        "MLP training step, batch 128": step,
    }


def main() -> None:
    """Measure and answer."""
    wanted = frame.wanted()
    tasks = {**operations(), **models()}
    seconds = frame.medians(tasks, wanted["names"], wanted["repeat"])
    note = f"NumPy {np.__version__} on plaintext float64, {wanted['threads']} thread(s)"
    frame.report(note, seconds)


if __name__ == "__main__":
    main()
