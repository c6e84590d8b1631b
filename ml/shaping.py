"""Methods of secret tensors that move, repeat or add elements; all are local."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from mpyc_core.errors import ShapeMismatch
from mpyc_core.protocols.ops.index import freeze_key
from mpyc_core.protocols.ops.infer import axes_of, axis_of, reduced

from .operators import Operators

Axes = int | Sequence[int] | None


def plain_axes(axis: Axes) -> int | list[int] | None:
    """Axes as plain data."""
    if axis is None or isinstance(axis, (int, np.integer)):
        return None if axis is None else int(axis)
    return [int(a) for a in axis]


def _integers(given: Sequence[int | Sequence[int]]) -> list[int]:
    """Integers that were passed one by one or as one sequence."""
    if len(given) == 1 and not isinstance(given[0], (int, np.integer)):
        return [int(v) for v in given[0]]
    return [int(v) for v in given]  # type: ignore[arg-type]


class Shaping(Operators):
    """Shapes, indexing and sums."""

    __slots__ = ()

    # -- indexing -------------------------------------------------------------------------------
    def __getitem__(self, key: Any) -> Self:
        if isinstance(key, np.ndarray) and key.dtype == bool and key.ndim > 1:
            key = np.nonzero(key)
        return self.index(freeze_key(key))

    def index(self, key: list[Any]) -> Self:
        """self[key] for a key that `freeze_key` made plain data."""
        return self._one("index", self, key=key)

    def scatter(self, key: list[Any], shape: Sequence[int]) -> Self:
        """Zeros of `shape` with self added at `key`: the adjoint of `index`."""
        return self._one("scatter", self, key=key, shape=list(shape))

    # -- shape ----------------------------------------------------------------------------------
    def reshape(self, *shape: int | Sequence[int]) -> Self:
        """The same elements in another shape; one length may be -1."""
        lengths = _integers(shape)
        if tuple(lengths) == self.shape:
            return self
        return self._one("reshape", self, shape=lengths)

    def transpose(self, *axes: int | Sequence[int]) -> Self:
        """Axes in another order; reversed when none is given."""
        order = _integers(axes) or list(range(self.ndim))[::-1]
        return self if order == list(range(self.ndim)) else self._one("transpose", self, axes=order)

    @property
    def T(self) -> Self:
        """All axes reversed."""
        return self.transpose()

    @property
    def mT(self) -> Self:
        """The last two axes exchanged."""
        return self.swapaxes(-1, -2)

    def swapaxes(self, a: int, b: int) -> Self:
        """Two axes exchanged."""
        order = list(range(self.ndim))
        i, j = axis_of(self.meta, a), axis_of(self.meta, b)
        order[i], order[j] = order[j], order[i]
        return self.transpose(order)

    def moveaxis(self, source: int, destination: int) -> Self:
        """One axis moved to another place."""
        i, j = axis_of(self.meta, source), axis_of(self.meta, destination)
        order = [a for a in range(self.ndim) if a != i]
        order.insert(j, i)
        return self.transpose(order)

    def flatten(self, start: int = 0) -> Self:
        """One axis from `start` on."""
        return self.reshape([*self.shape[:start], -1])

    def squeeze(self, axis: Axes = None) -> Self:
        """Without axes of length 1 (all of them, or those named)."""
        if axis is None:
            gone: Sequence[int] = [i for i, d in enumerate(self.shape) if d == 1]
        else:
            gone = axes_of(self.meta, plain_axes(axis))
        if any(self.shape[i] != 1 for i in gone):
            raise ShapeMismatch(
                f"cannot squeeze axes {axis} of shape {self.shape}: not of length 1"
            )
        return self.reshape([d for i, d in enumerate(self.shape) if i not in gone])

    def expand_dims(self, axis: int) -> Self:
        """With a new axis of length 1."""
        wide = self.meta.with_(shape=(*self.shape, 1))
        shape = list(self.shape)
        shape.insert(axis_of(wide, axis), 1)
        return self.reshape(shape)

    def broadcast_to(self, shape: Sequence[int]) -> Self:
        """Repeated along new axes and axes of length 1."""
        target = [int(d) for d in shape]
        return (
            self if tuple(target) == self.shape else self._one("broadcast_to", self, shape=target)
        )

    def sum_to(self, shape: Sequence[int]) -> Self:
        """Summed to `shape`: the adjoint of broadcasting."""
        target = tuple(shape)
        if target == self.shape:
            return self
        lead = self.ndim - len(target)
        ones = [lead + i for i, d in enumerate(target) if d == 1 and self.shape[lead + i] != 1]
        return self.sum(axis=[*range(lead), *ones]).reshape(target)

    def flip(self, axis: Axes = None) -> Self:
        """Reversed along axes (all of them when None)."""
        axes = axes_of(self.meta, plain_axes(axis))
        steps = [slice(None, None, -1) if i in axes else slice(None) for i in range(self.ndim)]
        return self.index(freeze_key(tuple(steps)))

    def pad(self, width: int | Sequence[int] | Sequence[Sequence[int]]) -> Self:
        """Zeros around, as `numpy.pad` with mode "constant"; `width` as there."""
        pairs = np.broadcast_to(np.asarray(width, int), (self.ndim, 2))
        return self._one("pad", self, width=[[int(a), int(b)] for a, b in pairs])

    # -- sums -----------------------------------------------------------------------------------
    def sum(self, axis: Axes = None, keepdims: bool = False) -> Self:
        """Sum over axes; exact in the ring. Bits are counted."""
        x = self._number()
        return x._one("sum", x, axis=plain_axes(axis), keepdims=bool(keepdims))

    def cumsum(self, axis: int = 0) -> Self:
        """Running sums along an axis; exact in the ring."""
        x = self._number()
        return x._one("cumsum", x, axis=int(axis))

    def mean(self, axis: Axes = None, keepdims: bool = False) -> Self:
        """Mean over axes, in fixed point: an exact sum and one truncation."""
        total = self.sum(axis, keepdims).to_fixed()
        return total.mul(1 / max(1, self.size // max(1, total.size)))

    def var(self, axis: Axes = None, ddof: int = 0, keepdims: bool = False) -> Self:
        """Variance over axes, with divisor count - ddof, in fixed point.

        The squares are summed as scalar products, so they cost what the result's size costs.
        """
        x = self.to_fixed()
        axes = axes_of(self.meta, plain_axes(axis))
        centred = x - x.mean(axes, keepdims=True)
        kept = [i for i in range(self.ndim) if i not in axes]
        shape = [self.shape[i] for i in kept]
        rows = centred.transpose([*kept, *axes]).reshape([*shape, 1, -1])
        count = rows.shape[-1] - ddof
        if count < 1:
            raise ShapeMismatch(f"variance of {rows.shape[-1]} values with ddof={ddof}")
        squares = rows @ rows.mT
        return squares.reshape(reduced(self.shape, axes, keepdims)).mul(1 / count)
