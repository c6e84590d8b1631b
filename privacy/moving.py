"""Operations that move, repeat or join elements: where rows go, and the bounds with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .interval import Interval
from .label import Array, Public, Rows, Total, Touched, digest, touched
from .step import Refusal, Step

Move = Callable[[Array], Array]


def key_of(step: Step) -> tuple[Any, ...]:
    """The NumPy index of frozen plain data."""
    thaw: dict[str, Callable[..., Any]] = {
        "new": lambda: None,
        "all": lambda: Ellipsis,
        "slice": slice,
        "at": int,
        "take": lambda a: np.asarray(a, np.int64),
    }
    return tuple(thaw[item[0]](*item[1:]) for item in step.params["key"])


def move_of(step: Step) -> Move:
    """The operation as a function on one array."""
    p, out = step.params, step.out.shape
    match step.op:
        case "index":
            key = key_of(step)
            return lambda a: a[key]
        case "take":
            return lambda a: np.take(a, np.asarray(p["indices"], np.int64), p["axis"])
        case "reshape":
            return lambda a: a.reshape(out)
        case "transpose":
            return lambda a: a.transpose(tuple(p["axes"]))
        case "broadcast_to":
            return lambda a: np.broadcast_to(a, out)
    raise Refusal(f"{step.op} is not known to move elements")


def moved(step: Step) -> Rows:
    """Rows after index, take, reshape, transpose or broadcast.

    A small array of row numbers goes the same way, which shows where each row of the result
    comes from, how often a row occurs, and that no two rows were mixed.
    """
    (rows,) = step.rows
    move = move_of(step)
    axis, source = _traced(rows, move)
    if axis is None:
        raise Refusal(
            f"{step.op} mixes rows with columns, or picks single rows; keep rows along one axis, "
            "or sum over them first"
        )
    most = int(np.bincount(source).max(initial=1)) if source.size else 1
    same = source.size == rows.n and bool((source == np.arange(rows.n)).all())
    name = rows.alignment if same else digest("select", rows.alignment, source)
    bounds = rows.bounds
    if bounds is not None:
        spread = bounds.map(lambda a: move(np.broadcast_to(a, rows.shape)))
        bounds = spread.map(lambda a: a.take([0], axis)) if source.size else None
    made = step.made(rows, bounds, axis=axis, alignment=name)
    return made if most == 1 else _repeated(made, most)


def _repeated(rows: Rows, times: int) -> Rows:
    more = tuple((dataset, times * k) for dataset, k in rows.touched)
    return Rows(rows.shape, rows.axis, rows.alignment, more, rows.bounds, rows.f)


def _traced(rows: Rows, move: Move) -> tuple[int | None, Array]:
    """The axis of rows in the result and the number of each; None where rows do not lie so.

    Along that axis every place has elements of one column, whose bounds it then has, and across it
    elements of one row. A single row that was picked has rows along no axis.
    """
    numbers = np.arange(rows.n, dtype=np.int64).reshape(
        tuple(rows.n if i == rows.axis else 1 for i in range(len(rows.shape)))
    )
    places = np.arange(int(np.prod(rows.columns, dtype=object)), dtype=np.int64)
    out = move(np.broadcast_to(numbers, rows.shape))
    column = move(np.broadcast_to(places.reshape(rows.columns), rows.shape))
    for axis in range(out.ndim):
        first = tuple(slice(None) if i == axis else slice(0, 1) for i in range(out.ndim))
        line, across = out[first], column.take([0], axis) if out.shape[axis] else column
        if line.size == out.shape[axis] and bool((out == line).all()):
            if (out.shape[axis] == 1 and rows.n > 1) or not bool((column == across).all()):
                continue  # one row, picked, or columns side by side
            return axis, np.asarray(line).reshape(-1)
    return None, numbers.reshape(-1)


def joined(step: Step) -> Rows:
    """Rows after concatenate or stack; operands may be constants where they add columns."""
    first = step.rows[0]
    axis = int(step.params["axis"])
    ndim = len(step.out.shape)
    axis %= ndim
    if step.op == "concatenate" and axis == first.axis:
        return _more_rows(step, axis)
    if any(r.alignment != first.alignment or r.axis != first.axis for r in step.rows):
        raise Refusal("the columns that are joined are not of the same rows in the same order")
    bounds = [_one_row(s, first) for s in step.states]
    target = first.axis if step.op == "concatenate" or axis > first.axis else first.axis + 1
    if any(b is None for b in bounds):
        return step.made(first, None, axis=target)
    together = np.concatenate if step.op == "concatenate" else np.stack
    low = together([b.lo for b in bounds if b is not None], axis=axis)
    high = together([b.hi for b in bounds if b is not None], axis=axis)
    return step.made(first, Interval(low, high), axis=target)


def _one_row(state: Any, like: Rows) -> Interval | None:
    if isinstance(state, Rows):
        return state.bounds
    if isinstance(state, Public) and state.value is not None:
        try:
            return Interval.of(state.value).hull(like.axis)
        except (ValueError, OverflowError):
            return None
    raise Refusal("rows are joined with a value made of all rows; release that one first")


def _more_rows(step: Step, axis: int) -> Rows:
    """Data sets one after the other: of each, a subject changes its own rows."""
    rows = step.rows
    if len(rows) < len(step.states) or any(r.axis != axis for r in rows):
        raise Refusal("only rows can be put below rows; join data sets along their rows")
    bounds: Interval | None = rows[0].bounds
    for r in rows[1:]:
        bounds = None if bounds is None or r.bounds is None else bounds | r.bounds
    name = digest("below", *(r.alignment for r in rows))
    made = step.made(rows[0], bounds, axis=axis, alignment=name)
    return Rows(made.shape, axis, name, _summed([r.touched for r in rows]), made.bounds, made.f)


def _summed(parts: Sequence[Touched]) -> Touched:
    """A data set that occurs twice is changed twice."""
    found: dict[str, int] = {}
    for part in parts:
        for dataset, k in part:
            found[dataset] = found.get(dataset, 0) + k
    return tuple(sorted(found.items()))


def moved_total(step: Step) -> Total:
    """A total after index, take, reshape or transpose: linear, so its sensitivity moves along."""
    (total,) = [s for s in step.states if isinstance(s, Total)]
    if step.op == "broadcast_to":
        raise Refusal("a total is repeated; release it, and repeat what you got")
    move = move_of(step)
    numbers = move(np.arange(total.width.size).reshape(total.width.shape)).reshape(-1)
    most = total.most if np.unique(numbers).size == numbers.size else None
    width = np.asarray(move(total.width), object).reshape(step.out.shape)
    return Total(width, most, touched(total.touched), total.unit, total.magnitude)


MOVES = ("index", "take", "reshape", "transpose", "broadcast_to")
JOINS = ("concatenate", "stack")
