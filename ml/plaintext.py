"""The same training in NumPy float64, forward and backward by hand: the oracle of the secret one.

Nothing here uses the registry of operations or the tape, so that it can serve as their oracle.
Same initialisation, batches and updates as `training.fit` with `optim.SGD`; no fixed point.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.random import Generator

from mpyc_core.errors import ConfigError

from .layers import Flatten, Linear, ReLU, Sigmoid, Tanh
from .losses import MSE, BCEWithLogits, CrossEntropy, Loss
from .module import Module, Parameter, Sequential
from .training import Progress, batches

Array = npt.NDArray[np.float64]
Back = Callable[[Array], tuple[Array, list[tuple[Parameter, Array]]]]
"""Takes the gradient of an output; gives that of the input, and those of the parameters."""


def _linear(layer: Any, x: Array) -> tuple[Array, Back]:
    weight, bias = layer.weight, layer.bias

    def back(g: Array) -> tuple[Array, list[tuple[Parameter, Array]]]:
        found = [(weight, x.T @ g)]
        if bias is not None:
            found.append((bias, g.sum(axis=0)))
        return g @ weight.value.T, found

    y = x @ weight.value
    return (y if bias is None else y + bias.value), back


def _relu(_: Any, x: Array) -> tuple[Array, Back]:
    return np.where(x >= 0, x, 0.0), lambda g: (np.where(x >= 0, g, 0.0), [])


def _sigmoid(_: Any, x: Array) -> tuple[Array, Back]:
    y = sigmoid(x)
    return y, lambda g: (g * y * (1 - y), [])


def _tanh(_: Any, x: Array) -> tuple[Array, Back]:
    y = np.tanh(x)
    return y, lambda g: (g * (1 - y * y), [])


def _flatten(_: Any, x: Array) -> tuple[Array, Back]:
    return x.reshape(len(x), -1), lambda g: (g.reshape(x.shape), [])


def _sequential(model: Any, x: Array) -> tuple[Array, Back]:
    passes = []
    for layer in model:
        x, back = forward(layer, x)
        passes.append(back)

    def through(g: Array) -> tuple[Array, list[tuple[Parameter, Array]]]:
        found: list[tuple[Parameter, Array]] = []
        for back in reversed(passes):
            g, more = back(g)
            found += more
        return g, found

    return x, through


LAYERS: Mapping[type[Module], Callable[[Any, Array], tuple[Array, Back]]] = {
    Flatten: _flatten,
    Linear: _linear,
    ReLU: _relu,
    Sequential: _sequential,
    Sigmoid: _sigmoid,
    Tanh: _tanh,
}


def forward(model: Module, x: Array) -> tuple[Array, Back]:
    """The output of a plaintext model, and its backward pass.

    Raises
    ------
    ConfigError : a layer that has no plaintext twin here.
    """
    if type(model) not in LAYERS:
        names = ", ".join(sorted(cls.__name__ for cls in LAYERS))
        raise ConfigError(f"no plaintext twin of {type(model).__name__}; there are: {names}")
    return LAYERS[type(model)](model, x)


def sigmoid(x: Array) -> Array:
    """1 / (1 + e^-x) without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)))


def evaluate(loss: Loss, prediction: Array, target: Array) -> tuple[float, Array]:
    """(mean loss, its gradient by the prediction)."""
    n = len(prediction)
    if isinstance(loss, MSE):
        error = prediction - target
        return float(np.mean(error**2)), 2 * error / error.size
    if isinstance(loss, BCEWithLogits):
        value = np.logaddexp(0, prediction) - target * prediction
        return float(np.mean(value)), (sigmoid(prediction) - target) / value.size
    if isinstance(loss, CrossEntropy):
        shifted = prediction - prediction.max(axis=1, keepdims=True)
        log = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        return float(-(target * log).sum() / n), (np.exp(log) - target) / n
    raise ConfigError(f"no plaintext twin of {type(loss).__name__}")


def fit(
    model: Module,
    x: Array,
    y: Array,
    *,
    loss: Loss,
    lr: float,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
    epochs: int = 1,
    batch_size: int = 32,
    rng: Generator | int | None = None,
    progress: Progress | None = None,
) -> list[float]:
    """Train a plaintext model in place; the arguments are those of `training.fit` and `SGD`.

    Returns
    -------
    list : the mean loss of every batch.
    """
    velocity: dict[int, Array] = {}
    total = epochs * -(-len(x) // batch_size)
    losses = []
    for step, chosen in enumerate(batches(len(x), batch_size, epochs, rng), 1):
        output, back = forward(model, np.asarray(x[chosen], np.float64))
        value, gradient = evaluate(loss, output, np.asarray(y[chosen], np.float64))
        for parameter, g in back(gradient)[1]:
            w = np.asarray(parameter.value)
            u = momentum * velocity.get(id(parameter), np.zeros_like(w))
            u += lr * (g + weight_decay * w)
            velocity[id(parameter)] = u
            parameter.value = w - u
        losses.append(value)
        if progress is not None:
            progress(step, total, value)
    return losses
