"""Operations over all rows: from bounds of rows to what one subject changes.

Sensitivities are towards the change of one row between its bounds, in whole units of the grid; how
many rows a subject has multiplies them when they are asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from .interval import Interval
from .label import Array, Public, Rows, Total, touched
from .step import Refusal, Step

NO_BOUNDS = (
    "the rows have no bounds, so one of them could change the result by any amount; clip them "
    "first, for instance x.clip(low, high), or ask the owner to state bounds. On shares, clip_rows "
    "holds whatever came before, also behind an approximation"
)


def axes_of(ndim: int, axis: Any) -> tuple[int, ...]:
    """Axes as a tuple of non-negative numbers; None means all."""
    given: Sequence[int] = (
        range(ndim) if axis is None else [axis] if isinstance(axis, int) else list(axis)
    )
    return tuple(a % ndim for a in given)


def bounded(rows: Rows) -> Interval:
    """The bounds of rows, or a refusal."""
    if rows.bounds is None:
        raise Refusal(NO_BOUNDS)
    return rows.bounds


def grid_of(step: Step, place: int = 0) -> int:
    """Fraction bits with which the rows of an operand are summed: none for whole numbers."""
    look, rows = step.looks[place], step.states[place]
    if look.f is not None:
        return look.f
    return rows.f if look.kind == "float" and isinstance(rows, Rows) else 0


def units(rows: Rows, f: int) -> tuple[Array, Array]:
    """Bounds of rows as integers on a grid."""
    low, high = bounded(rows).units(f)
    largest = max((abs(int(v)) for v in (*low.flat, *high.flat)), default=0)
    if largest >= 1 << 62:
        raise Refusal("the bounds of the rows exceed 2^62 units; clip to a smaller range")
    return low, high


def summed(step: Step) -> Rows | Total:
    """`sum` and `mean`: over columns it stays rows, over rows it is a total."""
    (rows,) = step.rows
    axes = axes_of(len(rows.shape), step.params.get("axis"))
    if rows.axis not in axes:
        return _over_columns(step, rows, axes)
    f = grid_of(step)
    low, high = units(rows, f)
    others = tuple(a for a in axes if a != rows.axis)
    low, high = (np.add.reduce(v, axis=others, keepdims=True) if others else v for v in (low, high))
    width = np.asarray(high - low, object).reshape(step.out.shape)
    count = int(np.prod([rows.shape[a] for a in axes], dtype=object))
    unit = Fraction(1, 1 << f)
    if step.op == "mean":
        unit /= max(count, 1)
    return _ranged(step, Total(width, None, rows.touched, unit, rows.n * _largest(low, high)))


def _reduce(fn: np.ufunc, x: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
    return np.asarray(fn.reduce(x, axis=axes, keepdims=keepdims), object)


def _over_columns(step: Step, rows: Rows, axes: tuple[int, ...]) -> Rows:
    keep = bool(step.params.get("keepdims", False))
    axis = rows.axis if keep else rows.axis - sum(a < rows.axis for a in axes)
    if rows.bounds is None:
        return step.made(rows, None, axis=axis)
    count = int(np.prod([rows.shape[a] for a in axes], dtype=object)) or 1
    scale = Fraction(1, count) if step.op == "mean" else Fraction(1)
    found = rows.bounds.map(lambda a: _reduce(np.add, a, axes, keep) * scale)
    return step.made(rows, found, axis=axis)


def extreme(step: Step) -> Rows:
    """`max`, `min`, `all`, `any`, `argmax`, ... over columns; over rows there is no small bound."""
    (rows,) = step.rows
    ndim = len(rows.shape)
    axes = axes_of(ndim, step.params.get("axis"))
    if rows.axis in axes:
        raise Refusal(
            f"{step.op} over rows can be decided by a single one; ask for a quantile, which has a "
            "price"
        )
    keep = bool(step.params.get("keepdims", False))
    axis = rows.axis if keep else rows.axis - sum(a < rows.axis for a in axes)
    if step.op in ("all", "any"):
        columns = tuple(1 if i == axis else d for i, d in enumerate(step.out.shape))
        return step.made(rows, Interval.full(columns, 0, 1), axis=axis)
    if rows.bounds is None or step.op not in ("max", "min"):
        return step.made(rows, None, axis=axis)
    reduce = np.maximum if step.op == "max" else np.minimum
    return step.made(rows, rows.bounds.map(lambda a: _reduce(reduce, a, axes, keep)), axis=axis)


def histogram(step: Step) -> Total:
    """Counts per bin: a row moves from one bin to another, which changes two counts by one."""
    (rows,) = step.rows
    if len(rows.shape) != 1:
        raise Refusal("histogram takes one column; select it first")
    width = np.empty(step.out.shape, object)
    width[...] = 1
    return Total(width, 2, rows.touched, Fraction(1), rows.n)


# -- products ----------------------------------------------------------------------------------
def multiplied(step: Step) -> Rows | Total:
    """`matmul`: rows with public columns stays rows, rows with rows is a total."""
    x, y = step.states
    if isinstance(x, Rows) and isinstance(y, Rows):
        return _gram(step, x, y)
    if isinstance(x, Rows) and isinstance(y, Public) and y.value is not None:
        return _mapped(step, x, np.asarray(y.value))
    raise Refusal(
        "this product weighs rows by public numbers, or takes a value made of all rows; multiply "
        "rows elementwise and sum them, or release the value first"
    )


def _mapped(step: Step, x: Rows, w: Array) -> Rows:
    """x @ w with rows along the first axis of a matrix, w public."""
    if len(x.shape) != 2 or x.axis != 0 or w.ndim not in (1, 2):
        raise Refusal("a product of rows with public numbers takes rows of shape (n, columns)")
    if x.bounds is None or (step.ring and step.params.get("rounding") == "local"):
        return step.made(x, None, axis=0)
    try:
        weights = Interval.of(w if w.ndim == 2 else w[:, None])
    except (ValueError, OverflowError):
        return step.made(x, None, axis=0)
    terms = x.bounds.map(lambda a: a.reshape(-1, 1)) * weights
    low, high = (np.add.reduce(a, axis=0, keepdims=True) for a in (terms.lo, terms.hi))
    shape = (1, w.shape[1]) if w.ndim == 2 else (1,)
    found = Interval(low.reshape(shape), high.reshape(shape))
    if step.ring:
        _product_fits(step, terms, w.shape[0])
    return step.made(x, found, axis=0)


def _gram(step: Step, x: Rows, y: Rows) -> Total:
    """x^T @ y, contracted over the rows: each row adds the product of its two halves."""
    if x.alignment != y.alignment:
        raise Refusal("the factors are not the same rows in the same order")
    wide, tall = len(x.shape), len(y.shape)
    if wide > 2 or tall > 2 or x.axis != wide - 1 or y.axis != 0:
        raise Refusal("a product over rows is x.T @ y, of rows with shape (n, columns)")
    left, right = bounded(x), bounded(y)
    fx, fy = grid_of(step, 0), grid_of(step, 1)
    units(x, fx), units(y, fy)
    left, right = left.outward(fx), right.outward(fy)
    terms = left.map(lambda a: a.reshape(-1, 1)) * right.map(lambda a: a.reshape(1, -1))
    f = fx + fy
    low, high = terms.units(f)
    width = np.asarray(high - low, object).reshape(step.out.shape)
    total = Total(
        width, None, touched(x.touched, y.touched), Fraction(1, 1 << f), x.n * _largest(low, high)
    )
    return _rounded(step, _ranged(step, total), f - step.grid()) if step.ring else total


def _product_fits(step: Step, terms: Interval, count: int) -> None:
    f = sum(look.f or 0 for look in step.looks)
    if terms.magnitude() * count * (1 << f) >= 1 << (step.ring - 2):
        raise Refusal("the product may leave the range of the ring; clip to a smaller range")


def _ranged(step: Step, total: Total) -> Total:
    if step.ring and total.magnitude >= 1 << (step.ring - 2):
        raise Refusal("the sum may leave the range of the ring; clip to a smaller range")
    return total


def _rounded(step: Step, total: Total, shift: int) -> Total:
    """A total of shares whose last `shift` bits are dropped: floor, or with one unit of slack."""
    rounding = step.params.get("rounding", "stochastic")
    if rounding == "local":
        raise Refusal("a product rounded locally is sometimes far wrong; use another rounding")
    if shift == 0:
        return total
    slack = 0 if rounding == "exact" else 1
    width = np.asarray(np.frompyfunc(lambda w: -(-w >> shift) + slack, 1, 1)(total.width), object)
    width = width.reshape(total.width.shape)
    magnitude = (total.magnitude >> shift) + 2
    return Total(width, None, total.touched, total.unit * (1 << shift), magnitude)


# -- linear operations on totals ---------------------------------------------------------------
def linear_total(step: Step) -> Total:
    """neg, add and sub of totals, and sums over their axes."""
    totals = [s for s in step.states if isinstance(s, Total)]
    if len(totals) < len(step.states):
        raise Refusal("a total meets a constant; release it first, then compute with what you got")
    first = totals[0]
    if step.op == "neg":
        return first
    if step.op == "sum":
        axes = axes_of(first.width.ndim, step.params.get("axis"))
        count = int(np.prod([first.width.shape[a] for a in axes], dtype=object)) or 1
        width = np.asarray(np.add.reduce(first.width, axis=axes), object).reshape(step.out.shape)
        total = Total(width, first.most, first.touched, first.unit, first.magnitude * count)
        return _ranged(step, total)
    second = totals[1]
    if first.unit != second.unit or first.width.shape != second.width.shape:
        raise Refusal("totals of different units or shapes; release each, then add what you got")
    most = None if first.most is None or second.most is None else first.most + second.most
    width = np.asarray(first.width + second.width, object).reshape(step.out.shape)
    both = touched(first.touched, second.touched)
    magnitude = first.magnitude + second.magnitude
    return _ranged(step, Total(width, most, both, first.unit, magnitude))


def _largest(low: Array, high: Array) -> int:
    return max((abs(int(v)) for v in (*low.flat, *high.flat)), default=0)


REDUCTIONS = ("sum", "mean")
EXTREMES = ("max", "min", "all", "any", "argmax", "argmin", "sort", "cumsum", "var", "std")
LINEAR = ("neg", "add", "sub", "sum")
