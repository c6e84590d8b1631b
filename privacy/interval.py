"""Intervals of rationals: between which numbers the elements of a value lie, column by column.

Bounds are object arrays of `Fraction`, so nothing rounds here. `outward` brings them to the grid
2^-f, down and up, which covers every rounding of a fixed-point result: floor, nearest, stochastic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def fractions(x: npt.ArrayLike) -> Array:
    """Numbers as exact rationals; NaN and infinity raise ValueError or OverflowError."""
    array = np.asarray(x)
    out = np.empty(array.size, object)
    out[:] = [Fraction(v) for v in array.reshape(-1).tolist()]
    return out.reshape(array.shape)


def _each(fn: Callable[[Any], Any], x: Array) -> Array:
    return np.asarray(np.frompyfunc(fn, 1, 1)(x), object)


@dataclass(frozen=True, eq=False)
class Interval:
    """lo <= x <= hi, elementwise; both object arrays of one shape."""

    lo: Array
    hi: Array

    @classmethod
    def of(cls, x: npt.ArrayLike) -> Interval:
        """A known value."""
        exact = fractions(x)
        return cls(exact, exact)

    @classmethod
    def full(cls, shape: tuple[int, ...], lo: Any, hi: Any) -> Interval:
        """One interval for all elements."""
        low, high = np.empty(shape, object), np.empty(shape, object)
        low[...], high[...] = Fraction(lo), Fraction(hi)
        return cls(low, high)

    def hull(self, axis: int) -> Interval:
        """The union along an axis, which keeps length 1."""
        low = np.minimum.reduce(self.lo, axis=axis, keepdims=True)
        high = np.maximum.reduce(self.hi, axis=axis, keepdims=True)
        return Interval(low, high)

    def map(self, fn: Callable[[Array], Array]) -> Interval:
        """A function that only moves elements."""
        return Interval(np.asarray(fn(self.lo), object), np.asarray(fn(self.hi), object))

    def outward(self, f: int) -> Interval:
        """The smallest interval between multiples of 2^-f that holds this one."""
        unit = 1 << f
        return Interval(
            _each(lambda v: Fraction((v * unit).__floor__(), unit), self.lo),
            _each(lambda v: Fraction((v * unit).__ceil__(), unit), self.hi),
        )

    def magnitude(self) -> Fraction:
        """The largest absolute value."""
        if not self.lo.size:
            return Fraction(0)
        return max(max(abs(v) for v in self.lo.flat), max(abs(v) for v in self.hi.flat))

    def units(self, f: int) -> tuple[Array, Array]:
        """Bounds as integers in units of 2^-f, rounded outwards."""
        out = self.outward(f)
        return (
            _each(lambda v: int(v * (1 << f)), out.lo),
            _each(lambda v: int(v * (1 << f)), out.hi),
        )

    # -- arithmetic -----------------------------------------------------------------------------
    def __add__(self, other: Interval) -> Interval:
        return Interval(_obj(self.lo + other.lo), _obj(self.hi + other.hi))

    def __neg__(self) -> Interval:
        return Interval(_obj(-self.hi), _obj(-self.lo))

    def __sub__(self, other: Interval) -> Interval:
        return self + -other

    def __mul__(self, other: Interval) -> Interval:
        corners = [a * b for a in (self.lo, self.hi) for b in (other.lo, other.hi)]
        return Interval(_reduce(np.minimum, corners), _reduce(np.maximum, corners))

    def __or__(self, other: Interval) -> Interval:
        """The union."""
        return Interval(
            _reduce(np.minimum, [self.lo, other.lo]), _reduce(np.maximum, [self.hi, other.hi])
        )

    def maximum(self, other: Interval) -> Interval:
        """max(x, y)."""
        return Interval(
            _reduce(np.maximum, [self.lo, other.lo]), _reduce(np.maximum, [self.hi, other.hi])
        )

    def minimum(self, other: Interval) -> Interval:
        """min(x, y)."""
        return -((-self).maximum(-other))

    def absolute(self) -> Interval:
        """|x|."""
        low = _each(lambda v: max(v, Fraction(0)), _reduce(np.maximum, [self.lo, -self.hi]))
        return Interval(low, _reduce(np.maximum, [_each(abs, self.lo), _each(abs, self.hi)]))

    def power(self, exponent: int) -> Interval:
        """x^exponent for an exponent of 0 or more."""
        base = self.absolute() if exponent % 2 == 0 else self
        return Interval(_obj(base.lo**exponent), _obj(base.hi**exponent))


def _obj(x: Any) -> Array:
    out = np.empty(np.shape(x), object)
    out[...] = x
    return out


def _reduce(fn: np.ufunc, parts: list[Array]) -> Array:
    total = parts[0]
    for part in parts[1:]:
        total = fn(total, part)
    return _obj(total)
