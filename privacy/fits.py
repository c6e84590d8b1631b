"""A regression as a cut: it takes rows and gives a noisy model, and nothing in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from .label import Array, Rows, Touched, touched
from .regression import private_regression
from .step import Refusal, Step
from .totals import NO_BOUNDS


@dataclass(frozen=True)
class Fit:
    """A model that is fitted by noisy gradient descent.

    Parameters
    ----------
    x, y : nodes of the graph: rows and their targets.
    lower, upper : bounds of the columns, and last of the target.
    touched : as of `Total`.
    params : of the operation.
    """

    x: Any
    y: Any
    lower: Array
    upper: Array
    touched: Touched
    params: dict[str, Any]

    def draw(
        self, rows: Callable[[Any], Array], epsilon: Fraction, delta: Fraction | None
    ) -> Array:
        """Coefficients of the columns, and last the constant."""
        found = private_regression(
            self.params["kind"],
            rows(self.x),
            rows(self.y),
            lower=self.lower[:-1],
            upper=self.upper[:-1],
            targets=(float(self.lower[-1]), float(self.upper[-1])),
            epsilon=epsilon,
            delta=delta,
            rows=max(k for _, k in self.touched),
            steps=self.params["steps"],
            lr=self.params["lr"],
        )
        return np.append(found.weights, found.intercept)


def fit_of(step: Step, node: Any) -> Fit:
    """The regression of a node, with the bounds that its columns have.

    Raises
    ------
    Refusal : not rows and their targets, or without bounds.
    """
    x, y = step.states
    if not isinstance(x, Rows) or not isinstance(y, Rows):
        raise Refusal("regression takes rows, and a target for each of them")
    if x.alignment != y.alignment or x.axis != 0 or len(x.shape) != 2 or y.axis != 0:
        raise Refusal(
            "the targets are not of the same rows in the same order; select rows the same way, or "
            "ask the owner to put both data sets into one group"
        )
    if x.bounds is None or (y.bounds is None and step.params["kind"] == "linear"):
        raise Refusal(NO_BOUNDS)
    low, high = (np.asarray(b, np.float64).reshape(-1) for b in (x.bounds.lo, x.bounds.hi))
    ends = (0.0, 1.0)
    if step.params["kind"] == "linear" and y.bounds is not None:
        ends = (float(y.bounds.lo.flat[0]), float(y.bounds.hi.flat[0]))
    if (low >= high).any() or ends[0] >= ends[1]:
        raise Refusal("a column whose bounds are equal says nothing; leave it out")
    lower, upper = np.append(low, ends[0]), np.append(high, ends[1])
    both = touched(x.touched, y.touched)
    return Fit(node.inputs[0], node.inputs[1], lower, upper, both, dict(step.params))
