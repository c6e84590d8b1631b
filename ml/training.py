"""Training loops. Which rows form a batch is public; what is in them is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from numpy.random import Generator, default_rng

from mpyc_core.errors import ConfigError, ShapeMismatch

from .dispatch import concatenate
from .losses import Loss
from .module import Module
from .tape import no_grad

Progress = Callable[[int, int, float | None], None]
"""Told (step, number of steps, loss) after every step; the loss is None unless it was opened."""


class Optimiser(Protocol):
    """What `fit` needs of an optimiser."""

    def step(self, scale: float = 1.0) -> None:
        """Update parameters with `scale` times their gradients."""


def batches(
    n: int, batch_size: int, epochs: int = 1, rng: Generator | int | None = None
) -> Iterator[slice | npt.NDArray[np.int64]]:
    """Public indices of every mini-batch; the last of an epoch may be smaller.

    Parameters
    ----------
    n : number of rows.
    batch_size : rows in a batch.
    epochs : passes over the data.
    rng : draws a permutation per epoch (an integer seeds one); None keeps the rows' order.
    """
    generator = default_rng(rng) if isinstance(rng, int) else rng
    for _ in range(epochs):
        order = None if generator is None else generator.permutation(n)
        for start in range(0, n, batch_size):
            stop = min(n, start + batch_size)
            yield slice(start, stop) if order is None else order[start:stop]


def fit(
    model: Module,
    x: Any,
    y: Any,
    *,
    loss: Loss,
    optimiser: Optimiser,
    epochs: int = 1,
    batch_size: int = 32,
    rng: Generator | int | None = None,
    progress: Progress | None = None,
    reveal_loss: bool = False,
) -> list[float]:
    """Train a shared model by mini-batches; nothing is opened unless `reveal_loss` says so.

    Parameters
    ----------
    model : its parameters are secret tensors.
    x, y : inputs and targets with one row per example, secret or public.
    loss : compares the model's output with the targets.
    optimiser : holds the model's parameters.
    epochs, batch_size, rng : as in `batches`.
    progress : called after every step.
    reveal_loss : open the mean loss of every batch to the caller, and enter it in the openings.

    Returns
    -------
    list : the opened losses; empty when nothing was opened.

    Raises
    ------
    ShapeMismatch : x and y have different numbers of rows.
    ConfigError : no epochs, no rows in a batch, or a model that is not shared.
    """
    rows = _checked(model, x, y, epochs, batch_size)
    total = epochs * -(-rows // batch_size)
    opened: list[float] = []
    for step, chosen in enumerate(batches(rows, batch_size, epochs, rng), 1):
        value = _step(model, x[chosen], y[chosen], loss, optimiser, reveal_loss)
        if value is not None:
            opened.append(value)
        if progress is not None:
            progress(step, total, value)
    return opened


def _checked(model: Module, x: Any, y: Any, epochs: int, batch_size: int) -> int:
    """The number of rows, once everything fits together."""
    rows = len(x)
    if len(y) != rows:
        raise ShapeMismatch(f"expected as many targets as inputs, got {len(y)} for {rows}")
    if epochs < 1 or batch_size < 1:
        raise ConfigError(
            f"expected epochs and batch_size of 1 or more, got {epochs}, {batch_size}"
        )
    if not all(parameter.secret for parameter in model.parameters()):
        raise ConfigError("the model holds plain NumPy weights; call model.share(session) first")
    return rows


def _step(
    model: Module, x: Any, y: Any, loss: Loss, optimiser: Optimiser, reveal: bool
) -> float | None:
    """One update; gradients are those of the sum over the batch, and the rate makes them a mean."""
    value, terms = loss.for_training(model(x), y, value=reveal)
    value.backward(terms)
    optimiser.step(1 / terms)
    if not reveal:
        return None
    found = value.reveal(why="mean loss of a training batch")
    return None if found is None else float(found)


def predict(model: Module, x: Any, batch_size: int | None = None) -> Any:
    """The model's outputs for all rows of x, without noting anything on the tape.

    Parameters
    ----------
    model : shared, or plain for NumPy rows.
    x : one row per example.
    batch_size : rows at a time; all at once when None.
    """
    with no_grad():
        size = batch_size or max(1, len(x))
        found = [model(x[chosen]) for chosen in batches(len(x), size)]
    if len(found) == 1:
        return found[0]
    return np.concatenate(found) if isinstance(found[0], np.ndarray) else concatenate(found)
