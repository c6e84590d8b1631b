"""`Step`: one operation as the analysis sees it, with what operands and result look like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mpyc_core.meta import Meta

from .interval import Interval
from .label import Array, Public, Rows, State

BITS_OF_EXACT = 62
"""Integers of exact sums may be as large as 2^62 before Python's take over."""
HUGE = 1 << 1024
"""Beyond every float, so as good as unknown: exact bounds of towers of powers would fill memory."""


class Refusal(Exception):
    """An operation whose result cannot be bounded; the text says why, and what to do instead."""


@dataclass(frozen=True)
class Look:
    """Shape and type of a value.

    Parameters
    ----------
    shape : of the value.
    kind : "bool", "int" or "float"; fixed point counts as float.
    f : fraction bits, where they are fixed (shares); None where the label says.
    """

    shape: tuple[int, ...]
    kind: str
    f: int | None = None

    @classmethod
    def of_array(cls, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Look:
        """The look of a NumPy array."""
        names = {"b": "bool", "i": "int", "u": "int", "f": "float"}
        return cls(tuple(shape), names.get(np.dtype(dtype).kind, "float"))

    @classmethod
    def of_share(cls, meta: Meta) -> Look:
        """The look of a shared value."""
        return cls(meta.shape, {"bit": "bool", "int": "int", "fixed": "float"}[meta.kind], meta.f)


@dataclass(frozen=True)
class Step:
    """One operation.

    Parameters
    ----------
    op : its name, as in the registry of operations or at a node.
    params : its public parameters.
    states : of the operands.
    looks : of the operands.
    out : look of the result.
    ring : bits of the ring of shares; 0 for plain arrays, whose rows are brought to the grid, and
        clipped to their bounds, when they are summed.

    On shares, too, an operation on rows keeps each row to itself, whatever ring elements it meets.
    So where a range is not proved, as after an approximation, rows stay rows without bounds, and
    `clip_units`, which holds for any ring element, gives them some.
    """

    op: str
    params: Mapping[str, Any]
    states: Sequence[State]
    looks: Sequence[Look]
    out: Look
    ring: int = 0

    @property
    def rows(self) -> list[Rows]:
        """The operands made row by row."""
        return [s for s in self.states if isinstance(s, Rows)]

    def grid(self) -> int:
        """Fraction bits of the result."""
        if self.out.f is not None:
            return self.out.f
        return max(r.f for r in self.rows) if self.out.kind == "float" else 0

    def made(
        self,
        like: Rows,
        bounds: Interval | None,
        *,
        axis: int | None = None,
        alignment: bytes | None = None,
    ) -> Rows:
        """A row-by-row result; bounds are brought to the grid and checked against the ring."""
        f = self.grid()
        if bounds is not None and not self.ring and bounds.magnitude() >= HUGE:
            bounds = None
        if bounds is not None:
            bounds = bounds.outward(f)
            self.fits(bounds, f)
        # what is touched comes from all rows; a default grid survives integers and comparisons
        from .label import touched

        return Rows(
            self.out.shape,
            like.axis if axis is None else axis,
            like.alignment if alignment is None else alignment,
            touched(*(r.touched for r in self.rows)),
            bounds,
            f if self.ring or self.out.kind == "float" else max(r.f for r in self.rows),
        )

    def fits(self, bounds: Interval, f: int) -> None:
        """Refuse shares whose range does not stay inside the ring."""
        if self.ring and bounds.magnitude() * (1 << f) >= 1 << (self.ring - 2):
            raise Refusal(
                f"the result of {self.op} may leave the range of the ring; clip to a smaller range "
                "or use fewer fraction bits"
            )


def interval_of(state: State, look: Look, out: Sequence[int], axis: int) -> Interval | None:
    """Bounds of an operand of a row-by-row operation, in the number of axes of the result.

    Raises
    ------
    Refusal : rows do not lie along the axis on which the result has them.
    """
    if isinstance(state, Rows):
        shift = len(out) - len(state.shape)
        if state.axis + shift != axis or state.n != out[axis]:
            raise Refusal(
                "rows meet columns by broadcasting; give both operands the same number of axes, "
                "for instance with x[:, None]"
            )
        if state.bounds is None:
            return None
        return state.bounds.map(lambda a: _widened(a, len(out)))
    if not isinstance(state, Public):
        raise Refusal(
            "rows meet a value made of all rows; release that value first, and use what you got"
        )
    if state.value is None:
        return None
    value: Array = _widened(np.asarray(state.value), len(out))
    try:
        found = Interval.of(value)
    except (ValueError, OverflowError):
        return None
    return found.hull(axis) if value.shape[axis] > 1 else found


def _widened(a: Array, ndim: int) -> Array:
    return a.reshape((1,) * (ndim - a.ndim) + a.shape)


def aligned(step: Step) -> tuple[Rows, int]:
    """The first rows among the operands, and the axis of rows in the result of broadcasting."""
    first = step.rows[0]
    if any(r.alignment != first.alignment for r in step.rows):
        raise Refusal(
            "the operands are not the same rows in the same order; select rows the same way, or "
            "join the data sets first"
        )
    return first, first.axis + len(step.out.shape) - len(first.shape)
