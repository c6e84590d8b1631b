"""Cuts: the places of a graph where rows become totals and noise is added.

A cut has one or more parts, each a vector of whole numbers with its sensitivity. Variance and
covariance are cut into sums of centred rows and of their products, quantiles choose among points
between the bounds; all else is one part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from .fits import Fit, fit_of
from .integers import exact_histogram, exact_product, exact_sum, quantised, rank_scores
from .interval import Interval
from .label import Array, Label, Public, Rows, State, Total, Touched
from .mechanisms import choose, discrete_gaussian, discrete_laplace
from .moving import MOVES, move_of
from .step import Look, Refusal, Step
from .totals import NO_BOUNDS, axes_of, grid_of, units

RowsOf = Callable[[Any], Array]
CANDIDATES = 1001
PARTS = 1000
"""Quantiles are multiples of 1 / 1000."""


@dataclass(frozen=True)
class Part:
    """A vector of whole numbers that gets noise.

    Parameters
    ----------
    total : its sensitivity and unit.
    integers : computes it, from the rows below.
    """

    total: Total
    integers: Callable[[RowsOf], Array]

    def draw(self, rows: RowsOf, epsilon: Fraction, delta: Fraction | None) -> Array:
        """Noisy numbers, decoded."""
        values = self.integers(rows)
        worst = max(self.total.touched, key=lambda pair: pair[1])[0]
        if delta is None:
            noisy = discrete_laplace(values, self.total.l1(worst), epsilon)
        else:
            noisy = discrete_gaussian(values, self.total.l2_squared(worst), epsilon, delta)
        return decoded(noisy.values, self.total.unit)


@dataclass(frozen=True)
class Choice:
    """A choice among public candidates by a score.

    Parameters
    ----------
    candidates : what may come out.
    scores : whole numbers, one per candidate, from the rows below.
    sensitivity : by how much one row changes a score.
    touched : as of `Total`.
    """

    candidates: Array
    scores: Callable[[RowsOf], Array]
    sensitivity: int
    touched: Touched

    def draw(self, rows: RowsOf, epsilon: Fraction, delta: Fraction | None) -> Array:
        """The candidate that was chosen."""
        del delta
        reach = self.sensitivity * max(k for _, k in self.touched)
        found, _ = choose(self.scores(rows), reach, epsilon)
        return np.asarray(self.candidates[found])


@dataclass(frozen=True)
class Cut:
    """Where noise is added.

    Parameters
    ----------
    node : of the graph.
    noises : what gets noise, each for an equal share of epsilon.
    finish : makes the node's value of what they gave.
    touched : how many rows of which data set one subject has.
    """

    node: Any
    noises: Sequence[Part | Choice | Fit]
    finish: Callable[[Sequence[Array]], Array]
    touched: Touched

    @property
    def parts(self) -> int:
        """Number of shares of epsilon."""
        return len(self.noises)

    @classmethod
    def of_total(cls, node: Any, total: Total, labels: Mapping[int, Label]) -> Cut:
        """A cut at a node that is a total itself."""
        part = Part(total, lambda rows: integers(node, labels, rows))
        shape, dtype = node.spec.shape, node.spec.dtype

        def finish(drawn: Sequence[Array]) -> Array:
            found = drawn[0].reshape(shape)
            return np.rint(found).astype(dtype) if np.dtype(dtype).kind in "iu" else found

        return cls(node, (part,), finish, total.touched)

    def draw(self, rows: RowsOf, epsilon: Fraction, delta: Fraction | None) -> Array:
        """The node's value with noise: each part for this epsilon and delta."""
        return self.finish([noise.draw(rows, epsilon, delta) for noise in self.noises])

    def price(self, dataset: str, epsilon: Fraction, pure: bool) -> Fraction:
        """What a data set pays, of which a subject may have fewer rows than of another."""
        k = dict(self.touched).get(dataset, 0)
        if not k:
            return Fraction(0)
        most = max(rows for _, rows in self.touched)
        return epsilon * self.parts * (Fraction(k, most) if pure else 1)


def decoded(values: Array, unit: Fraction) -> Array:
    """Whole numbers times their unit, as floats: the noise is in, rounding is harmless now."""
    each = np.frompyfunc(lambda v: float(Fraction(int(v)) * unit), 1, 1)
    return np.asarray(each(values), np.float64)


def step_of(node: Any, labels: Mapping[int, Label]) -> Step:
    """A node as a step of the analysis."""
    looks = [Look.of_array(x.spec.shape, x.spec.dtype) for x in node.inputs]
    states = [labels[id(x)].state for x in node.inputs]
    out = Look.of_array(node.spec.shape, node.spec.dtype)
    return Step(node.op, node.params, states, looks, out)


def integers(node: Any, labels: Mapping[int, Label], rows: RowsOf) -> Array:
    """A total in whole units; rows are brought to their grid and clipped to their bounds here."""
    step = step_of(node, labels)

    def whole(place: int) -> Array:
        state = step.states[place]
        if not isinstance(state, Rows) or state.bounds is None:
            raise Refusal(NO_BOUNDS)
        return quantised(rows(node.inputs[place]), state.bounds, grid_of(step, place))

    if step.rows:
        if step.op in ("sum", "mean"):
            axes = axes_of(len(step.looks[0].shape), step.params.get("axis"))
            return exact_sum(whole(0), axes, False).reshape(step.out.shape)
        if step.op == "matmul":
            return exact_product(whole(0), whole(1))
        return exact_histogram(rows(node.inputs[0]), step.params["edges"])
    below = [integers(x, labels, rows) for x in node.inputs]
    if step.op in MOVES:
        return np.asarray(move_of(step)(below[0]))
    if step.op == "sum":
        return exact_sum(below[0], axes_of(below[0].ndim, step.params.get("axis")), False).reshape(
            step.out.shape
        )
    if step.op == "neg":
        return -below[0]
    x, y = (b.astype(object) for b in below)
    return np.asarray(x + y if step.op == "add" else x - y)


# -- statistics of several parts -----------------------------------------------------------------
def cut_of(step: Step, node: Any) -> Cut | None:
    """The cut of a statistic that has its own; None for all other operations.

    Raises
    ------
    Refusal : the rows have no bounds, or lie along another axis.
    """
    if step.op == "regression":
        found = fit_of(step, node)
        return Cut(node, (found,), lambda drawn: drawn[0], found.touched)
    if step.op not in ("var", "std", "covariance", "quantile") or not step.rows:
        return None
    (rows,) = step.rows
    if rows.bounds is None:
        raise Refusal(NO_BOUNDS)
    if step.op == "quantile":
        return _quantile(step, node, rows)
    if step.op == "covariance":
        return _covariance(step, node, rows)
    if rows.axis not in axes_of(len(rows.shape), step.params.get("axis")):
        return None
    if axes_of(len(rows.shape), step.params.get("axis")) != (rows.axis,):
        raise Refusal("take the variance over rows alone, axis=0")
    return _variance(step, node, rows)


def _quantile(step: Step, node: Any, rows: Rows) -> Cut:
    if len(rows.shape) != 1 or rows.bounds is None:
        raise Refusal("quantile takes one column; select it first")
    low, high = float(rows.bounds.lo.flat[0]), float(rows.bounds.hi.flat[0])
    candidates = np.linspace(low, high, CANDIDATES)
    number = round(Fraction(step.params["q"]) * PARTS)

    def scores(get: RowsOf) -> Array:
        return rank_scores(get(node.inputs[0]), candidates, number, PARTS)

    choice = Choice(candidates, scores, PARTS, rows.touched)
    return Cut(node, (choice,), lambda drawn: drawn[0], rows.touched)


@dataclass(frozen=True)
class _Centred:
    """Rows minus the middle of their bounds, in whole units: squares are a quarter as wide."""

    node: Any
    rows: Rows
    bounds: Interval
    f: int

    @property
    def middle(self) -> Array:
        """What is subtracted from each column, in units; public."""
        low, high = units(self.rows, self.f)
        return np.asarray((low + high) // 2, np.int64)

    @property
    def reach(self) -> Array:
        """The largest distance from the middle, in units."""
        low, high = units(self.rows, self.f)
        middle = self.middle.astype(object)
        return np.maximum(high - middle, middle - low)

    def values(self, get: RowsOf) -> Array:
        """The centred rows."""
        return quantised(get(self.node), self.bounds, self.f) - self.middle


def _centred(step: Step, node: Any, rows: Rows) -> _Centred:
    if rows.bounds is None:
        raise Refusal(NO_BOUNDS)
    return _Centred(node.inputs[0], rows, rows.bounds, grid_of(step))


def _part(width: Array, touched: Touched, f: int, compute: Callable[[RowsOf], Array]) -> Part:
    return Part(Total(width, None, touched, Fraction(1, 1 << f), 0), compute)


def _variance(step: Step, node: Any, rows: Rows) -> Cut:
    c = _centred(step, node, rows)
    n, ddof, axis = rows.n, int(step.params.get("ddof", 0)), rows.axis
    reach = c.reach
    sums = _part(2 * reach, rows.touched, c.f, lambda get: exact_sum(c.values(get), [axis], True))
    squares = _part(
        reach * reach,
        rows.touched,
        2 * c.f,
        lambda get: exact_sum(_squared(c.values(get)), [axis], True),
    )

    def finish(drawn: Sequence[Array]) -> Array:
        mean = drawn[0] / n
        found = np.maximum(drawn[1] - n * mean * mean, 0) / max(n - ddof, 1)
        found = found.reshape(node.spec.shape)
        return np.sqrt(found) if step.op == "std" else found

    return Cut(node, (sums, squares), finish, rows.touched)


def _squared(x: Array) -> Array:
    wide = x.astype(object) if np.abs(x).max(initial=0) >= 1 << 31 else x
    return np.asarray(wide * wide)


def _covariance(step: Step, node: Any, rows: Rows) -> Cut:
    if len(rows.shape) != 2 or rows.axis != 0:
        raise Refusal("covariance takes rows of shape (n, columns)")
    c = _centred(step, node, rows)
    n, d = rows.n, rows.shape[1]
    reach = c.reach.reshape(-1)
    upper = np.triu_indices(d)
    products = np.outer(reach, reach)
    width = np.where(np.eye(d, dtype=bool), products, 2 * products)[upper]

    def gram(get: RowsOf) -> Array:
        x = c.values(get)
        return exact_product(np.ascontiguousarray(x.T), x)[upper]

    sums = _part(2 * reach, rows.touched, c.f, lambda get: exact_sum(c.values(get), [0], False))
    grams = _part(np.asarray(width, object), rows.touched, 2 * c.f, gram)

    def finish(drawn: Sequence[Array]) -> Array:
        mean, found = drawn[0] / n, np.zeros((d, d))
        found[upper] = drawn[1]
        found = found + np.triu(found, 1).T
        return (found - n * np.outer(mean, mean)) / (n - 1)

    return Cut(node, (sums, grams), finish, rows.touched)


__all__ = ["Choice", "Cut", "Part", "Public", "State", "cut_of", "integers", "step_of"]
