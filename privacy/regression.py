"""Linear and logistic regression at one data holder by noisy gradient descent, in whole numbers.

Every example's gradient is clipped and brought to a grid without growing, sums are exact, and noise
is added in every step: discrete Laplace noise of an equal share of epsilon, or, where a delta is
given, discrete Gaussian noise. All rows are used in every step, so a step is one release.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from mpyc_core.errors import ConfigError, ShapeMismatch
from mpyc_core.protocols.sampler import gaussian_noise

from .accounting import gaussian_price, noise_for
from .mechanisms import discrete_laplace
from .price import Price, Real, exact

Array = npt.NDArray[Any]
Kind = Literal["linear", "logistic"]
UNIT = 1 << 20
"""Grid of gradients: units per clipping norm."""


@dataclass(frozen=True)
class Fitted:
    """A private regression.

    Parameters
    ----------
    weights : per column, in the units of the data.
    intercept : constant term.
    price : what weights and intercept cost together.
    names : of the columns, where they are known.
    """

    weights: npt.NDArray[np.float64]
    intercept: float
    price: Price
    names: tuple[str, ...] = ()

    def predict(self, x: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """x @ weights + intercept: predictions, or logits."""
        return np.asarray(np.asarray(x, np.float64) @ self.weights + self.intercept)

    def __str__(self) -> str:
        names = self.names or tuple(f"column {i}" for i in range(len(self.weights)))
        lines = [f"{name:>12}  {w:+.4g}" for name, w in zip(names, self.weights, strict=True)]
        return "\n".join([*lines, f"{'constant':>12}  {self.intercept:+.4g}", str(self.price)])


@dataclass(frozen=True)
class _Noise:
    """How the steps are made private.

    Parameters
    ----------
    order : of the norm to which gradients of rows are clipped: 1 for Laplace, 2 for Gaussian noise.
    add : adds noise to a sum of whole numbers of which a row's have a norm of 2^20 at most.
    price : of all steps together.
    """

    order: int
    add: Callable[[Array], Array]
    price: Price


def _noise(epsilon: Real, delta: Real | None, steps: int, rows: int) -> _Noise:
    # one row replaced by another changes the sum by two norms at most
    if delta is None:
        each = exact(epsilon, "epsilon") / steps
        reach = 2 * UNIT * rows
        return _Noise(1, lambda g: discrete_laplace(g, reach, each).values, Price.of(epsilon))
    multiplier = noise_for(epsilon, steps, delta)
    sigma = multiplier * rows * 2.0 * UNIT
    price = gaussian_price(multiplier, steps, delta)
    return _Noise(2, lambda g: np.asarray(g + gaussian_noise(g.shape, sigma)), price)


def clipped_sum(residual: Array, x: Array, norm: float, order: int = 2) -> Array:
    """Sum over rows of residual * (x, 1), each row clipped to a norm, in units of norm / 2^20.

    Rows are rounded towards zero, so in whole units, too, no row is longer than 2^20.
    """
    rows = np.hstack([x, np.ones((len(x), 1))]) * residual[:, None]
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.linalg.norm(rows, order, axis=1, keepdims=True)
        scaled = np.trunc(rows * (UNIT / np.maximum(lengths, norm)))
    whole = np.where(np.isfinite(scaled), np.clip(scaled, -UNIT, UNIT), 0.0).astype(np.int64)
    long = (np.abs(whole) ** order).sum(1) > UNIT**order  # rounding of the length: left out
    whole[long] = 0
    return np.asarray(whole.sum(0))


def private_regression(
    kind: Kind,
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    lower: npt.ArrayLike,
    upper: npt.ArrayLike,
    targets: tuple[float, float] = (0.0, 1.0),
    epsilon: Real,
    delta: Real | None = None,
    rows: int = 1,
    steps: int | None = None,
    lr: float | None = None,
    norm: float | None = None,
) -> Fitted:
    """Fit a linear or logistic model under epsilon, or under (epsilon, delta).

    Parameters
    ----------
    kind : "linear" (squared error) or "logistic" (targets 0 and 1).
    x, y : shape (n, columns) and (n,), in the units of the data.
    lower, upper : bounds of the columns, stated by the owner without looking at the data; columns
        are scaled by them, and clipped to them.
    targets : bounds of y.
    epsilon, delta : the price; without delta noise is Laplace, which suits few columns.
    rows : at most how many rows belong to one subject.
    steps, lr, norm : of the descent, for columns scaled to [-1, 1]; `norm` clips an example's
        gradient. Left out, they are 2, 1.5 and (columns + 1) / 4 for Laplace noise, whose price is
        shared by the steps, and 30, 0.3 and 1 for Gaussian noise.

    Returns
    -------
    Fitted : weights, intercept and price.

    Raises
    ------
    ConfigError, ShapeMismatch : data or bounds that do not fit.
    """
    given, target = np.asarray(x, np.float64), np.asarray(y, np.float64)
    low, high = (np.asarray(b, np.float64) for b in (lower, upper))
    if given.ndim != 2 or target.shape != given.shape[:1] or not len(given):
        raise ShapeMismatch(f"expected (n, columns) and (n,), got {given.shape}, {target.shape}")
    usual = (2, 1.5, (given.shape[1] + 1) / 4) if delta is None else (30, 0.3, 1.0)
    pairs = zip(usual, (steps, lr, norm), strict=True)
    count, rate, clip = (u if v is None else v for u, v in pairs)
    if kind not in ("linear", "logistic") or rows < 1 or count < 1 or not (clip > 0 and rate > 0):
        raise ConfigError(f"expected positive settings of a linear or logistic model, got {kind!r}")
    if not (np.all(low < high) and targets[0] < targets[1]):
        raise ConfigError("expected lower bounds below upper bounds")
    noise = _noise(epsilon, delta, int(count), rows)
    inside = np.clip(np.where(np.isnan(given), low, given), low, high)
    scaled = (2 * inside - low - high) / (high - low)
    middle, half = (targets[0] + targets[1]) / 2, (targets[1] - targets[0]) / 2
    goal = np.clip(np.where(np.isnan(target), middle, target), *targets)
    goal = (goal - middle) / half if kind == "linear" else (goal - targets[0]) / (2 * half)
    w = _descend(kind, scaled, goal, noise, int(count), rate, clip)
    weights = np.asarray(w[:-1] * 2 / (high - low))
    constant = float(w[-1] - np.sum(w[:-1] * (high + low) / (high - low)))
    if kind == "linear":
        return Fitted(weights * half, constant * half + middle, noise.price)
    return Fitted(weights, constant, noise.price)


def _descend(
    kind: Kind, x: Array, goal: Array, noise: _Noise, steps: int, lr: float, norm: float
) -> Array:
    """Weights and constant after all steps, the second half averaged."""
    n, w = len(x), np.zeros(x.shape[1] + 1)
    total, count = np.zeros_like(w), 0
    for step in range(steps):
        value = x @ w[:-1] + w[-1]
        found = 1 / (1 + np.exp(-np.clip(value, -40, 40))) if kind == "logistic" else value
        noisy = noise.add(clipped_sum(found - goal, x, norm, noise.order)).astype(np.float64)
        w = w - lr / n * norm * (noisy / UNIT)
        if 2 * (step + 1) > steps:
            total, count = total + w, count + 1
    return np.asarray(total / max(count, 1))
