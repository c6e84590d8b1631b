"""Methods of secret tensors that communicate: functions, choices, order, products, rounding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from mpyc_core.protocols.value import Public

from . import operands
from .operators import Operators, Rounding
from .shaping import Shaping


def _given(**params: Any) -> dict[str, Any]:
    """The parameters that were given."""
    return {name: value for name, value in params.items() if value is not None}


class Functions(Shaping):
    """Functions, choices and order. Domains and errors stand with the operations themselves."""

    __slots__ = ()

    def _function(self, op: str, **params: Any) -> Self:
        x = self.to_fixed()
        return x._one(op, x, **_given(**params))

    # -- elementwise functions ------------------------------------------------------------------
    # `bits` bounds self as in `lt`: fewer bits cost fewer bytes, in some functions fewer rounds.
    def exp(self, bits: int | None = None) -> Self:
        """e to the power of self."""
        return self._function("exp", bits=bits)

    def log(self, bits: int | None = None) -> Self:
        """The natural logarithm."""
        return self._function("log", bits=bits)

    def reciprocal(self, bits: int | None = None) -> Self:
        """1 / self."""
        return self._function("reciprocal", bits=bits)

    def sqrt(self, bits: int | None = None) -> Self:
        """The square root."""
        return self._function("sqrt", bits=bits)

    def rsqrt(self, bits: int | None = None) -> Self:
        """1 / sqrt(self)."""
        return self._function("rsqrt", bits=bits)

    def sigmoid(self, bits: int | None = None) -> Self:
        """1 / (1 + e^-self)."""
        return self._function("sigmoid", bits=bits)

    def tanh(self, bits: int | None = None) -> Self:
        """The hyperbolic tangent."""
        return self._function("tanh", bits=bits)

    def softmax(self, axis: int = -1) -> Self:
        """e^self, normalised to sum 1 along an axis."""
        return self._function("softmax", axis=int(axis))

    def log_softmax(self, axis: int = -1) -> Self:
        """The logarithm of `softmax`."""
        return self._function("log_softmax", axis=int(axis))

    def power(self, exponent: int) -> Self:
        """self ** exponent for a public integer."""
        return self**exponent

    def abs(self, bits: int | None = None) -> Self:
        """|self|; exact. See `lt` for `bits`."""
        return self._one("abs", self, **_given(bits=bits))

    def sign(self, bits: int | None = None) -> Self:
        """-1, 0 or 1 as integers. See `lt` for `bits`."""
        return self._one("sign", self, **_given(bits=bits))

    def negative(self, bits: int | None = None) -> Self:
        """self < 0, as bits. See `lt` for `bits`."""
        return self._one("negative", self, **_given(bits=bits))

    def relu(self, bits: int | None = None) -> Self:
        """max(self, 0); exact.

        Parameters
        ----------
        bits : a promise that self lies in [-2^(bits-1), 2^(bits-1)) in units of the last place;
            costs about bits/k of the comparison's bytes.
        """
        return self._one("relu", self, **_given(bits=bits))

    # -- choosing -------------------------------------------------------------------------------
    def select(self, x: Any) -> Self:
        """x where these bits are true, 0 elsewhere; exact."""
        if isinstance(x, Operators):
            return self._one("select", self, x)
        array = operands.array_of(x)
        return self._one("select", self, self._loose(array))

    def where(self, x: Any, y: Any) -> Self:
        """x where these bits are true, y elsewhere; exact."""
        first, second = self._pair(x, y)
        return self._one("where", self, first, second)

    def _pair(self, x: Any, y: Any) -> tuple[Self | Public, Self | Public]:
        """Two numbers, at least one of them perhaps secret, brought to one kind."""
        if isinstance(x, Operators):
            found = x._terms(y)
            return found  # type: ignore[return-value]
        if isinstance(y, Operators):
            second, first = y._terms(x)
            return first, second  # type: ignore[return-value]
        a, b = operands.array_of(x), operands.array_of(y)
        if operands.is_float(a) or operands.is_float(b):
            a, b = a.astype(np.float64), b.astype(np.float64)
        return self._loose(a), self._loose(b)

    def _loose(self, array: Any) -> Public:
        """A public number beside bits."""
        kind = self.meta.with_(kind="fixed", f=self.backend.f)
        return operands.term(self.backend, array, kind)

    def maximum(self, other: Any, bits: int | None = None) -> Self:
        """The larger of self and other, elementwise; exact. See `lt` for `bits`."""
        return self._linear("maximum", other, **_given(bits=bits))

    def minimum(self, other: Any, bits: int | None = None) -> Self:
        """The smaller of self and other, elementwise; exact. See `lt` for `bits`."""
        return self._linear("minimum", other, **_given(bits=bits))

    def clip(self, low: Any = None, high: Any = None, bits: int | None = None) -> Self:
        """Limited to [low, high]; None leaves a side open."""
        x = self if low is None else self.maximum(low, bits)
        return x if high is None else x.minimum(high, bits)

    # -- order along an axis --------------------------------------------------------------------
    def max(self, axis: int | None = None, keepdims: bool = False, bits: int | None = None) -> Self:
        """The largest element along an axis (of all when None), by a tree of comparisons."""
        return self._one("max", self, axis=axis, keepdims=keepdims, **_given(bits=bits))

    def min(self, axis: int | None = None, keepdims: bool = False, bits: int | None = None) -> Self:
        """The smallest element along an axis (of all when None), by a tree of comparisons."""
        return self._one("min", self, axis=axis, keepdims=keepdims, **_given(bits=bits))

    def argmax(
        self, axis: int | None = None, keepdims: bool = False, bits: int | None = None
    ) -> Self:
        """Where the largest element is, as secret integers; the first of equals."""
        return self._one("argmax", self, axis=axis, keepdims=keepdims, **_given(bits=bits))

    def argmin(
        self, axis: int | None = None, keepdims: bool = False, bits: int | None = None
    ) -> Self:
        """Where the smallest element is, as secret integers; the first of equals."""
        return self._one("argmin", self, axis=axis, keepdims=keepdims, **_given(bits=bits))

    def sort(self, axis: int = -1, bits: int | None = None) -> Self:
        """Sorted along an axis by a network whose comparisons do not depend on the data."""
        return self._one("sort", self, axis=int(axis), **_given(bits=bits))

    # -- bits -----------------------------------------------------------------------------------
    def to_number(self) -> Self:
        """Bits as the integers 0 and 1."""
        return self._number()

    def all(self, axis: int | None = None, keepdims: bool = False) -> Self:
        """Whether all bits along an axis are true."""
        return self._one("all", self, axis=axis, keepdims=keepdims)

    def any(self, axis: int | None = None, keepdims: bool = False) -> Self:
        """Whether some bit along an axis is true."""
        return self._one("any", self, axis=axis, keepdims=keepdims)

    # -- scale and products ---------------------------------------------------------------------
    def rescale(self, f: int, rounding: Rounding = "stochastic") -> Self:
        """With f fraction bits; f = 0 gives integers (the floor with rounding="exact")."""
        if f == self.f:
            return self
        extra = {} if rounding == "stochastic" else {"rounding": rounding}
        return self._one("rescale", self, f=int(f), **extra)

    def dot(self, other: Any) -> Self:
        """The scalar or matrix product: self @ other."""
        return self.matmul(other)

    def conv2d(self, filters: Any, stride: int = 1, padding: int = 0) -> Self:
        """Cross-correlation of images (n, c, h, w) with filters (o, c, kh, kw)."""
        x, w = self._factors(filters)
        return x._one("conv2d", x, w, stride=stride, padding=padding)

    def conv2d_grad_x(self, filters: Any, shape: Sequence[int], stride: int, padding: int) -> Self:
        """The gradient of `conv2d` by its images, from the gradient of its result (self)."""
        g, w = self._factors(filters)
        params = {"shape": list(shape), "stride": stride, "padding": padding}
        return g._one("conv2d_grad_x", g, w, **params)

    def conv2d_grad_w(self, gradient: Any, shape: Sequence[int], stride: int, padding: int) -> Self:
        """The gradient of `conv2d` by its filters; self are the images."""
        x, g = self._factors(gradient)
        params = {"shape": list(shape), "stride": stride, "padding": padding}
        return x._one("conv2d_grad_w", x, g, **params)
