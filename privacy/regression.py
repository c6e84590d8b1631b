"""Linear and logistic regression at one data holder by noisy gradient descent, in whole numbers.

Every example's gradient is clipped and brought to a grid without growing, sums are exact, and
discrete Gaussian noise is added in every step. All rows are used in every step, so a step is one
release of the Gaussian mechanism.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from mpyc_core.errors import ConfigError, ShapeMismatch
from mpyc_core.protocols.sampler import gaussian_noise

from .accounting import gaussian_price, noise_for
from .price import Price, Real

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
    """

    weights: npt.NDArray[np.float64]
    intercept: float
    price: Price

    def predict(self, x: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """x @ weights + intercept: predictions, or logits."""
        return np.asarray(np.asarray(x, np.float64) @ self.weights + self.intercept)


def clipped_sum(residual: Array, x: Array, norm: float) -> Array:
    """Sum over rows of residual * (x, 1), each row clipped to a norm, in units of norm / 2^20.

    Rows are rounded towards zero, so in whole units, too, no row is longer than 2^20.
    """
    rows = np.hstack([x, np.ones((len(x), 1))]) * residual[:, None]
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.sqrt((rows * rows).sum(1, keepdims=True))
        scaled = np.trunc(rows * (UNIT / np.maximum(lengths, norm)))
    whole = np.where(np.isfinite(scaled), np.clip(scaled, -UNIT, UNIT), 0.0).astype(np.int64)
    long = (whole * whole).sum(1) > UNIT * UNIT  # rounding of the length: leave the row out
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
    delta: Real,
    rows: int = 1,
    steps: int = 30,
    lr: float = 0.3,
    norm: float = 1.0,
) -> Fitted:
    """Fit a linear or logistic model under (epsilon, delta).

    Parameters
    ----------
    kind : "linear" (squared error) or "logistic" (targets 0 and 1).
    x, y : shape (n, columns) and (n,), in the units of the data.
    lower, upper : bounds of the columns, stated by the owner without looking at the data; columns
        are scaled by them, and clipped to them.
    targets : bounds of y.
    epsilon, delta : the price.
    rows : at most how many rows belong to one subject.
    steps, lr, norm : of the descent, for columns scaled to [-1, 1]; `norm` clips an example's
        gradient.

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
    if kind not in ("linear", "logistic") or rows < 1 or steps < 1 or not norm > 0 or not lr > 0:
        raise ConfigError(f"expected positive settings of a linear or logistic model, got {kind!r}")
    if not (np.all(low < high) and targets[0] < targets[1]):
        raise ConfigError("expected lower bounds below upper bounds")
    inside = np.clip(np.where(np.isnan(given), low, given), low, high)
    scaled = (2 * inside - low - high) / (high - low)
    middle, half = (targets[0] + targets[1]) / 2, (targets[1] - targets[0]) / 2
    goal = np.clip(np.where(np.isnan(target), middle, target), *targets)
    goal = (goal - middle) / half if kind == "linear" else (goal - targets[0]) / (2 * half)
    multiplier = noise_for(epsilon, steps, delta)
    w = _descend(kind, scaled, goal, multiplier * rows, steps, lr, norm)
    weights = np.asarray(w[:-1] * 2 / (high - low))
    constant = float(w[-1] - np.sum(w[:-1] * (high + low) / (high - low)))
    price = gaussian_price(multiplier, steps, delta)
    if kind == "linear":
        return Fitted(weights * half, constant * half + middle, price)
    return Fitted(weights, constant, price)


def _descend(
    kind: Kind, x: Array, goal: Array, noise: float, steps: int, lr: float, norm: float
) -> Array:
    """Weights and constant after all steps, the second half averaged; noise per row's norm."""
    n, w = len(x), np.zeros(x.shape[1] + 1)
    total, count = np.zeros_like(w), 0
    for step in range(steps):
        value = x @ w[:-1] + w[-1]
        found = 1 / (1 + np.exp(-np.clip(value, -40, 40))) if kind == "logistic" else value
        exact = clipped_sum(found - goal, x, norm)
        # one row replaced by another changes the sum by two norms at most
        noisy = exact + gaussian_noise(w.shape, noise * 2.0 * UNIT)
        w = w - lr / n * norm * (noisy / UNIT)
        if 2 * step >= steps:
            total, count = total + w, count + 1
    return np.asarray(total / max(count, 1))
