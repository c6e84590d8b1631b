"""The tasks as JAX functions, which SPU compiles, and their inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Task = tuple[Callable[..., Any], list[Any]]

MILLION = 10**6
RATE = 0.1


def tasks() -> dict[str, Task]:
    """Functions and inputs, by name; SPU takes float32 and int32 from JAX."""
    return {**operations(), **models()}


def operations() -> dict[str, Task]:
    """Operations on arrays."""
    import jax
    import jax.numpy as jnp

    rng = np.random.default_rng(1)
    x, y = normal(rng, MILLION), normal(rng, MILLION)
    i, j = rng.integers(-99, 99, (2, MILLION), dtype=np.int32)
    e, one = normal(rng, 10**4), np.ones(1, np.int32)

    def mul(u: Any, v: Any) -> Any:
        return u * v

    return {
        "integer product, 1": (mul, [one, one]),
        "integer product, 10^6": (mul, [i, j]),
        "fixed-point product, 10^6": (mul, [x, y]),
        "x < y, 64-bit, 10^6": (jnp.less, [x, y]),
        "ReLU, 64-bit, 10^6": (relu, [x]),
        "matmul 1000x1000x1000": (jnp.matmul, [normal(rng, 1000, 1000), normal(rng, 1000, 1000)]),
        "matmul 128x784x128": (jnp.matmul, [normal(rng, 128, 784), normal(rng, 784, 128)]),
        "exp, 10^4": (jnp.exp, [e]),
        "sigmoid, 10^4": (jax.nn.sigmoid, [e]),
        "reciprocal, 10^4": (jnp.reciprocal, [e + 8]),
    }


def models() -> dict[str, Task]:
    """Inference and a training step; weights are inputs, so they are secret."""
    rng = np.random.default_rng(2)
    x, images = normal(rng, 128, 784), normal(rng, 64, 1, 28, 28)
    y = np.eye(10, dtype=np.float32)[rng.integers(0, 10, 128)]
    layers = linear(rng, 784, 128) + linear(rng, 128, 128) + linear(rng, 128, 10)
    filters = [normal(rng, 20, 1, 5, 5), normal(rng, 50, 20, 5, 5)]
    weights = filters + linear(rng, 800, 500) + linear(rng, 500, 10)
    return {
        "MLP inference, batch 1": (mlp, [x[:1], *layers]),
        "MLP inference, batch 128": (mlp, [x, *layers]),
        "MLP training step, batch 128": (step, [x, y, *layers]),
        "LeNet inference, batch 1": (lenet, [images[:1], *weights]),
        "LeNet inference, batch 64": (lenet, [images, *weights]),
    }


def normal(rng: Any, *shape: int) -> Any:
    """Small random numbers."""
    return rng.normal(scale=0.1, size=shape).astype(np.float32)


def linear(rng: Any, inputs: int, outputs: int) -> list[Any]:
    """Weights and bias of one layer."""
    return [normal(rng, inputs, outputs), normal(rng, outputs)]


def relu(x: Any) -> Any:
    """max(x, 0)."""
    import jax.numpy as jnp

    return jnp.maximum(x, 0)


def mlp(x: Any, w1: Any, b1: Any, w2: Any, b2: Any, w3: Any, b3: Any) -> Any:
    """784-128-128-10 with ReLU."""
    return relu(relu(x @ w1 + b1) @ w2 + b2) @ w3 + b3


def step(x: Any, y: Any, *layers: Any) -> Any:
    """New weights after one step of SGD on softmax cross-entropy."""
    import jax

    def loss(layers: Any) -> Any:
        return -(y * jax.nn.log_softmax(mlp(x, *layers))).sum() / len(x)

    slopes = jax.grad(loss)(layers)
    return [w - RATE * slope for w, slope in zip(layers, slopes, strict=True)]


def lenet(x: Any, f1: Any, f2: Any, w1: Any, b1: Any, w2: Any, b2: Any) -> Any:
    """LeNet; pooling compares slices, which SPU runs faster than `reduce_window`."""
    import jax
    import jax.numpy as jnp

    for filters in (f1, f2):
        x = jax.lax.conv(x, filters, (1, 1), "VALID")
        x = jnp.maximum(x[:, :, ::2], x[:, :, 1::2])
        x = relu(jnp.maximum(x[..., ::2], x[..., 1::2]))
    return relu(x.reshape(len(x), -1) @ w1 + b1) @ w2 + b2
