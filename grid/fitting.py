"""Linear and logistic regression among nodes, under one price: gradient descent on shares.

In every step the residuals of all rows are computed on shares with the public model of the step
before, clipped, and multiplied with the clipped columns; the gradient gets noise among the nodes
and is opened. Nobody holds an exact gradient, and each node charges its own budget for every step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mpyc_core.errors import ConfigError, ShapeMismatch
from mpyc_core.ml.tensor import SecretTensor
from mpyc_core.privacy.price import EPSILON_UNIT, Price, exact
from mpyc_core.privacy.regression import Fitted, Kind

from .spec import Array

if TYPE_CHECKING:
    from .committee import Committee

CONSTANT = 0.5
"""The constant column: a smaller one costs less, as its coefficient is well known."""


@dataclass(frozen=True)
class Scale:
    """Where values usually are, known before the data is seen; standard units are made of it.

    Parameters
    ----------
    centre, spread : of each column, and of the target last.
    """

    centre: Array
    spread: Array

    @classmethod
    def of(cls, centre: npt.ArrayLike, spread: npt.ArrayLike, columns: int, kind: Kind) -> Scale:
        """Checked numbers; a logistic model's target is 0 or 1 and has none."""
        count = columns + (kind == "linear")
        found = [np.asarray(v, np.float64).reshape(-1) for v in (centre, spread)]
        if any(len(v) != count or not np.isfinite(v).all() for v in found) or (found[1] <= 0).any():
            raise ConfigError(
                f"expected a centre and a positive spread for each of {columns} columns"
                + (" and for the target" if kind == "linear" else "")
            )
        if kind == "logistic":
            found = [np.append(found[0], 0.0), np.append(found[1], 1.0)]
        return cls(*found)

    def columns(self, x: SecretTensor) -> SecretTensor:
        """Columns in standard units."""
        return (x - self.centre[:-1]) * (1 / self.spread[:-1])

    def target(self, y: SecretTensor) -> SecretTensor:
        """The target in standard units."""
        return (y - self.centre[-1]) * (1 / self.spread[-1])

    def model(self, w: Array, price: Price, names: Sequence[str]) -> Fitted:
        """Coefficients in the units of the data."""
        weights = w[:-1] * self.spread[-1] / self.spread[:-1]
        constant = w[-1] * CONSTANT * self.spread[-1] + self.centre[-1]
        intercept = float(constant - weights @ self.centre[:-1])
        return Fitted(weights, intercept, price, tuple(names))


def fit(
    together: Committee,
    kind: Kind,
    x: SecretTensor,
    y: SecretTensor,
    scale: Scale,
    *,
    epsilon: float,
    steps: int,
    lr: float,
    reach: float,
    residual: float,
    names: Sequence[str],
) -> Fitted:
    """See `Committee.regression`."""
    n, d = x.shape
    each = _share_of(epsilon, steps)
    z = together.clip_rows(scale.columns(x), -reach, reach)
    parts: list[Any] = [z, np.full((n, 1), CONSTANT)]
    rows: Any = np.concatenate(parts, axis=1)
    target, across = scale.target(y.reshape(n, 1)), rows.T
    w, price = np.zeros(d + 1), Price()
    for step in range(steps):
        found = rows @ w[:, None]
        off = target - (found if kind == "linear" else found.sigmoid())
        gradient = across @ together.clip_rows(off, -residual, residual)
        units = together._units(gradient)
        why = f"{kind} regression, step {step + 1}"
        noisy, paid = together._released(gradient, units, float(each), why, steps - step)
        price += paid
        w = w + lr / np.sqrt(step + 1) / n * np.asarray(noisy).reshape(-1)
    return scale.model(w, price, names)


def checked(
    x: SecretTensor,
    y: SecretTensor,
    names: Sequence[str],
    lr: float | None,
    steps: int,
    bounds: Sequence[float],
) -> float:
    """Refuse what does not fit together before anything is charged; gives the learning rate.

    Raises
    ------
    ShapeMismatch, ConfigError : shapes, names or settings that do not fit.
    """
    if len(x.shape) != 2 or y.size != x.shape[0]:
        raise ShapeMismatch(f"expected (n, columns) and n targets, got {x.shape} and {y.shape}")
    if names and len(names) != x.shape[1]:
        raise ConfigError(f"expected a name for each of {x.shape[1]} columns, got {len(names)}")
    rate = 1 / (0.5 + 0.3 * x.shape[1]) if lr is None else float(lr)
    if steps < 1 or not all(np.isfinite(v) and v > 0 for v in (rate, *bounds)):
        raise ConfigError("expected at least one step and positive settings")
    return rate


def _share_of(epsilon: float, steps: int) -> Fraction:
    """What a step may cost, so that all of them together cost no more than epsilon."""
    whole = (exact(epsilon, "epsilon") * EPSILON_UNIT / steps).__floor__()
    if whole < 1:
        raise ConfigError(f"expected epsilon above 0, got {epsilon}")
    return Fraction(whole, EPSILON_UNIT)


__all__: list[Any] = ["CONSTANT", "Scale", "checked", "fit"]
