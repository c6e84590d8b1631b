"""Operators and methods of pointers, as NumPy names them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from mpyc_core.errors import ShapeMismatch

from .dispatch import CLOSED, PLAIN, ufunc
from .handle import Handle, plain

Axes = int | Sequence[int] | None


def _fits(other: Any) -> bool:
    return isinstance(other, (Handle, *PLAIN))


def frozen(key: Any, shape: Sequence[int]) -> list[list[Any]]:
    """An index of integers, slices, None and ... as plain data.

    Raises
    ------
    TypeError : an index that is data: its result's shape, or its errors, would depend on it.
    """
    items = list(key) if isinstance(key, tuple) else [key]
    used = sum(item is not None and item is not Ellipsis for item in items)
    places = [i for i, item in enumerate(items) if item is Ellipsis]
    if places:
        rest = [slice(None)] * max(0, len(shape) - used)
        items[places[0] : places[0] + 1] = rest
    found: list[list[Any]] = []
    for item in items:
        if item is None:
            found.append(["new"])
        elif isinstance(item, slice):
            parts = (item.start, item.stop, item.step)
            found.append(["slice", *(None if p is None else int(p) for p in parts)])
        elif isinstance(item, (int, np.integer)) and not isinstance(item, (bool, np.bool_)):
            found.append(["at", int(item)])
        else:
            raise TypeError(
                f"expected an index of integers, slices, None and ..., got {type(item).__name__}; "
                "use .take(indices) for public indices, numpy.where for a private condition"
            )
    return found


class Operators(Handle):
    """Arithmetic, comparison, logic, shape and statistics."""

    __slots__ = ()
    __hash__ = Handle.__hash__

    def __array_ufunc__(self, fn: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return ufunc(fn, method, inputs, kwargs)

    def __array_function__(self, fn: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return CLOSED.call(fn, args, kwargs)

    def _binary(self, op: str, other: Any, swap: bool = False) -> Any:
        if not _fits(other):
            return NotImplemented
        x, y = self, self._other(other)
        return self._run(op, y, x) if swap else self._run(op, x, y)

    def __add__(self, other: Any) -> Any:
        return self._binary("add", other)

    def __radd__(self, other: Any) -> Any:
        return self._binary("add", other, swap=True)

    def __sub__(self, other: Any) -> Any:
        return self._binary("sub", other)

    def __rsub__(self, other: Any) -> Any:
        return self._binary("sub", other, swap=True)

    def __mul__(self, other: Any) -> Any:
        return self._binary("mul", other)

    def __rmul__(self, other: Any) -> Any:
        return self._binary("mul", other, swap=True)

    def __truediv__(self, other: Any) -> Any:
        return self._binary("div", other)

    def __rtruediv__(self, other: Any) -> Any:
        return self._binary("div", other, swap=True)

    def __matmul__(self, other: Any) -> Any:
        return self._binary("matmul", other)

    def __rmatmul__(self, other: Any) -> Any:
        return self._binary("matmul", other, swap=True)

    def __pow__(self, exponent: Any) -> Any:
        if not isinstance(exponent, (int, float, np.integer, np.floating)):
            raise TypeError("the exponent must be a public number; use exp(y * log(x)) otherwise")
        return self._run("power", self, exponent=plain(exponent))

    def __lt__(self, other: Any) -> Any:
        return self._binary("lt", other)

    def __le__(self, other: Any) -> Any:
        return self._binary("le", other)

    def __gt__(self, other: Any) -> Any:
        return self._binary("gt", other)

    def __ge__(self, other: Any) -> Any:
        return self._binary("ge", other)

    def __eq__(self, other: object) -> Any:
        return self._binary("eq", other)

    def __ne__(self, other: object) -> Any:
        return self._binary("ne", other)

    def __and__(self, other: Any) -> Any:
        return self._binary("and", other)

    def __rand__(self, other: Any) -> Any:
        return self._binary("and", other, swap=True)

    def __or__(self, other: Any) -> Any:
        return self._binary("or", other)

    def __ror__(self, other: Any) -> Any:
        return self._binary("or", other, swap=True)

    def __xor__(self, other: Any) -> Any:
        return self._binary("xor", other)

    def __rxor__(self, other: Any) -> Any:
        return self._binary("xor", other, swap=True)

    def __neg__(self) -> Self:
        return self._run("neg", self)

    def __pos__(self) -> Self:
        return self

    def __invert__(self) -> Self:
        return self._run("invert", self)

    def __abs__(self) -> Self:
        return self._run("abs", self)

    # -- shape ----------------------------------------------------------------------------------
    def __getitem__(self, key: Any) -> Self:
        return self._run("index", self, key=frozen(key, self.shape))

    def take(self, indices: Sequence[int], axis: int = 0) -> Self:
        """Elements at public indices along an axis."""
        return self._run("take", self, indices=[int(i) for i in indices], axis=int(axis))

    def reshape(self, *shape: Any) -> Self:
        """The same elements in another shape; one length may be -1."""
        given = shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape
        return self._run("reshape", self, shape=[int(n) for n in given])

    def transpose(self, *axes: Any) -> Self:
        """Axes in another order; reversed when none is given."""
        given = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
        order = [int(a) for a in given or ()] or list(range(self.ndim))[::-1]
        return self._run("transpose", self, axes=order)

    @property
    def T(self) -> Self:
        """All axes reversed."""
        return self.transpose()

    def flatten(self) -> Self:
        """One axis."""
        return self.reshape(-1)

    def squeeze(self, axis: Axes = None) -> Self:
        """Without axes of length 1."""
        axes = range(self.ndim) if axis is None else [axis] if isinstance(axis, int) else axis
        gone = {a % self.ndim for a in axes if axis is not None or self.shape[a] == 1}
        if any(self.shape[a] != 1 for a in gone):
            raise ShapeMismatch(f"cannot squeeze axes {axis} of shape {self.shape}")
        return self.reshape([n for i, n in enumerate(self.shape) if i not in gone])

    def item(self) -> Self:
        """The only element, as a pointer to a single number."""
        if self.size != 1:
            raise ShapeMismatch(f"item takes one element, this has shape {self.shape}")
        return self.reshape([])

    def astype(self, dtype: Any) -> Self:
        """Of another type: bool, int or float."""
        kind = {"b": "bool", "i": "int", "u": "int", "f": "float"}.get(np.dtype(dtype).kind, "")
        return self._run("astype", self, to=kind)

    # -- statistics and functions ---------------------------------------------------------------
    def _reduce(self, op: str, axis: Axes, keepdims: bool, **more: Any) -> Self:
        return self._run(op, self, axis=plain(axis), keepdims=bool(keepdims), **more)

    def sum(self, axis: Axes = None, keepdims: bool = False) -> Self:
        """Sum over axes; truth values are counted."""
        return self._reduce("sum", axis, keepdims)

    def mean(self, axis: Axes = None, keepdims: bool = False) -> Self:
        """Mean over axes."""
        return self._reduce("mean", axis, keepdims)

    def var(self, axis: Axes = None, ddof: int = 0, keepdims: bool = False) -> Self:
        """Variance over axes."""
        return self._reduce("var", axis, keepdims, ddof=int(ddof))

    def std(self, axis: Axes = None, ddof: int = 0, keepdims: bool = False) -> Self:
        """Standard deviation over axes."""
        return self._reduce("std", axis, keepdims, ddof=int(ddof))

    def max(self, axis: Axes = None, keepdims: bool = False) -> Self:
        """The largest element along axes."""
        return self._reduce("max", axis, keepdims)

    def min(self, axis: Axes = None, keepdims: bool = False) -> Self:
        """The smallest element along axes."""
        return self._reduce("min", axis, keepdims)

    def all(self, axis: Axes = None, keepdims: bool = False) -> Self:
        """Whether all elements along axes are true."""
        return self._reduce("all", axis, keepdims)

    def any(self, axis: Axes = None, keepdims: bool = False) -> Self:
        """Whether any element along axes is true."""
        return self._reduce("any", axis, keepdims)

    def argmax(self, axis: int | None = None) -> Self:
        """The place of the largest element."""
        return self._run("argmax", self, axis=axis)

    def argmin(self, axis: int | None = None) -> Self:
        """The place of the smallest element."""
        return self._run("argmin", self, axis=axis)

    def sort(self, axis: int = -1) -> Self:
        """Sorted along an axis; a new object."""
        return self._run("sort", self, axis=int(axis))

    def cumsum(self, axis: int = 0) -> Self:
        """Running sums along an axis."""
        return self._run("cumsum", self, axis=int(axis))

    def clip(self, low: Any = None, high: Any = None) -> Self:
        """Elements brought between public bounds, which also bounds what one record can change."""
        return self._run("clip", self, low=plain(low), high=plain(high))

    def histogram(self, edges: Sequence[float]) -> Self:
        """Counts between public edges."""
        return self._run("histogram", self, edges=[float(e) for e in edges])

    def quantile(self, q: float) -> Self:
        """The value below which a part `q` of the elements lies."""
        return self._run("quantile", self, q=float(q))

    def cov(self) -> Self:
        """The covariance matrix of columns, rows being observations."""
        return self._run("covariance", self)

    def regression(
        self,
        target: Any,
        kind: str = "linear",
        *,
        steps: int | None = None,
        lr: float | None = None,
    ) -> Self:
        """Coefficients of the columns, and last the constant, of a linear or logistic model.

        With noise it is noisy gradient descent: steps and learning rate are those of
        `mpyc_core.privacy.private_regression`. The exact fit is by least squares or maximum
        likelihood. Bring columns to what is usual first, for less noise, as in
        ((x - centre) / spread).clip(-1.5, 1.5).
        """
        rate = None if lr is None else float(lr)
        return self._run("regression", self, self._other(target), kind=kind, steps=steps, lr=rate)

    def sigmoid(self) -> Self:
        """1 / (1 + exp(-x))."""
        return self._run("sigmoid", self)
