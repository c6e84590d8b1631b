"""Operators of secret tensors: arithmetic, comparison, logic, with NumPy values on either side."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from mpyc_core.errors import ShareError
from mpyc_core.protocols.value import Public

from . import operands
from .handle import Handle
from .operands import PLAIN, Array

Rounding = str


class Operators(Handle):
    """Arithmetic, comparison and logic.

    Public operands (numbers, NumPy arrays, lists) are encoded to go with the secret. Bits that
    take part in arithmetic become the numbers 0 and 1; bits times numbers select. A float beside
    secret integers turns them into fixed point, which is exact and free.
    """

    __slots__ = ()

    # -- bringing two operands together -------------------------------------------------------
    def _number(self) -> Self:
        return self._one("to_number", self) if self.kind == "bit" else self

    def to_fixed(self, f: int | None = None) -> Self:
        """Fixed point with `f` fraction bits; local unless bits drop.

        Parameters
        ----------
        f : fraction bits; None leaves fixed point as it is and gives integers the session's.
        """
        x = self._number()
        if x.kind == "fixed" and f in (None, x.f):
            return x
        return x._one("rescale", x, f=self.backend.f if f is None else f)

    def _beside(self, array: Array) -> Self:
        """This tensor as a number that `array` can be added to or compared with."""
        x = self._number()
        return x.to_fixed() if x.kind == "int" and operands.is_float(array) else x

    def _terms(self, other: Any) -> tuple[Self, Self | Public]:
        """Both operands of a sum or a comparison."""
        if isinstance(other, Operators):
            return self._number(), other._number()  # type: ignore[return-value]
        array = operands.array_of(other)
        x = self._beside(array)
        return x, operands.term(x.backend, array, x.meta)

    def _linear(self, op: str, other: Any, swap: bool = False, **params: Any) -> Self:
        x, y = self._terms(other)
        return x._one(op, *((y, x) if swap else (x, y)), **params)

    def _factors(self, other: Any) -> tuple[Self, Self | Public]:
        """Both operands of a product."""
        if isinstance(other, Operators):
            return self._number(), other._number()  # type: ignore[return-value]
        x, array = self._number(), operands.array_of(other)
        whole = not operands.is_float(array)
        if x.kind == "int" and not (whole or operands.precise_beside_int(array, x.backend.f)):
            x = x.to_fixed()
        return x, operands.factor(x.backend, array, x.meta)

    # -- arithmetic ---------------------------------------------------------------------------
    def __add__(self, other: Any) -> Self:
        return self._linear("add", other) if _fits(other) else NotImplemented

    __radd__ = __add__

    def __sub__(self, other: Any) -> Self:
        return self._linear("sub", other) if _fits(other) else NotImplemented

    def __rsub__(self, other: Any) -> Self:
        return self._linear("sub", other, swap=True) if _fits(other) else NotImplemented

    def __neg__(self) -> Self:
        x = self._number()
        return x._one("neg", x)

    def __pos__(self) -> Self:
        return self

    def __abs__(self) -> Self:
        return self._one("abs", self)

    def mul(self, other: Any, rounding: Rounding = "stochastic") -> Self:
        """self * other, elementwise; `rounding` says how the product's extra bits are dropped.

        Parameters
        ----------
        other : a secret tensor, or a public number or array; shapes broadcast.
        rounding : "stochastic" (floor or floor + 1, unbiased), "exact" (floor) or "local" (one
            round less, far wrong with probability about |z| / 2^(k-1)).

        Cost: with a secret partner one product; with public whole numbers nothing; with other
        public factors one truncation.
        """
        if isinstance(other, Operators):
            if (self.kind == "bit") != (other.kind == "bit"):
                bit, x = (self, other) if self.kind == "bit" else (other, self)
                return self._one("select", bit, x)
        elif np.ndim(other) == 0 and self.kind != "bit":
            if other == 1 and (self.kind == "fixed" or not isinstance(other, (float, np.floating))):
                return self
            if other == -1 and self.kind == "fixed":
                return -self
        x, y = self._factors(other)
        return x._one("mul", x, y, **_rounded(rounding))

    def __mul__(self, other: Any) -> Self:
        return self.mul(other) if _fits(other) else NotImplemented

    __rmul__ = __mul__

    def div(self, other: Any, bits: int | None = None) -> Self:
        """self / other in fixed point.

        Parameters
        ----------
        other : a public divisor costs one truncation; a secret one runs the `div` operation, whose
            domain and error its entry in the list of operations states.
        bits : bounds a secret divisor, as in `lt`.
        """
        x = self.to_fixed()
        if not isinstance(other, Operators):
            return x.mul(operands.inverse(operands.array_of(other)))
        return x._one("div", x, other.to_fixed(), **({} if bits is None else {"bits": bits}))

    def __truediv__(self, other: Any) -> Self:
        return self.div(other) if _fits(other) else NotImplemented

    def __rtruediv__(self, other: Any) -> Self:
        if not _fits(other):
            return NotImplemented
        x = self.to_fixed()
        return x._one("reciprocal", x).mul(operands.array_of(other))

    def __floordiv__(self, other: Any) -> Self:
        raise TypeError("// is not available on secrets; use / in fixed point, or >> on integers")

    def __mod__(self, other: Any) -> Self:
        raise TypeError("% is not available on secrets; for 2^s, x - ((x >> s) << s) on integers")

    __rfloordiv__, __rmod__ = __floordiv__, __mod__

    def matmul(self, other: Any, rounding: Rounding = "stochastic") -> Self:
        """self @ other by NumPy's rules; traffic depends on the size of the result alone."""
        x, y = self._factors(other)
        return x._one("matmul", x, y, **_rounded(rounding))

    def __matmul__(self, other: Any) -> Self:
        return self.matmul(other) if _fits(other) else NotImplemented

    def __rmatmul__(self, other: Any) -> Self:
        if not _fits(other):
            return NotImplemented
        x, y = self._factors(other)
        return x._one("matmul", y, x)

    def __pow__(self, exponent: Any) -> Self:
        if isinstance(exponent, float) and exponent.is_integer():
            exponent = int(exponent)
        if isinstance(exponent, (int, np.integer)) and not isinstance(exponent, bool):
            return self._power(int(exponent))
        if isinstance(exponent, float) and abs(exponent) == 0.5:
            x = self.to_fixed()
            return x._one("sqrt" if exponent > 0 else "rsqrt", x)
        raise TypeError(
            "expected a public integer, 0.5 or -0.5 as exponent of a secret; for x ** y with "
            "positive x write (y * x.log()).exp()"
        )

    def _power(self, exponent: int) -> Self:
        x = self._number()
        if exponent == 1:
            return x
        if exponent == 2:
            return x._one("mul", x, x)
        if exponent < 0:
            inverse = x.to_fixed()
            return inverse._one("reciprocal", inverse)._power(-exponent)
        return x * 0 + 1 if exponent == 0 else x._one("power", x, exponent=exponent)

    # -- comparison -----------------------------------------------------------------------------
    def _compare(self, op: str, other: Any, bits: int | None) -> Self:
        x, y = self._terms(other)
        return x._one(op, x, y, **({} if bits is None else {"bits": bits}))

    def lt(self, other: Any, bits: int | None = None, *, number: bool = False) -> Self:
        """self < other, as bits.

        Parameters
        ----------
        other : a secret tensor, or a public number or array; shapes broadcast.
        bits : a promise that the difference lies in [-2^(bits-1), 2^(bits-1)) in units of the last
            place; costs bits/k of the bytes. By default |self - other| < 2^(k-1) is enough.
        number : give the integers 0 and 1 instead of bits, in a round less than .to_number() after.
        """
        return self._compare("lt_number" if number else "lt", other, bits)

    def le(self, other: Any, bits: int | None = None) -> Self:
        """self <= other, as bits; see `lt` for `bits`."""
        return self._compare("le", other, bits)

    def gt(self, other: Any, bits: int | None = None) -> Self:
        """self > other, as bits; see `lt` for `bits`."""
        return self._compare("gt", other, bits)

    def ge(self, other: Any, bits: int | None = None) -> Self:
        """self >= other, as bits; see `lt` for `bits`."""
        return self._compare("ge", other, bits)

    def eq(self, other: Any, bits: int | None = None) -> Self:
        """self == other, as bits; with `bits`, modulo 2^bits in units of the last place."""
        if self._logical(other):
            return ~self._logic("xor", other)
        return self._compare("eq", other, bits)

    def ne(self, other: Any, bits: int | None = None) -> Self:
        """self != other, as bits; see `eq` for `bits`."""
        if self._logical(other):
            return self._logic("xor", other)
        return self._compare("ne", other, bits)

    def __lt__(self, other: Any) -> Self:
        return self.lt(other) if _fits(other) else NotImplemented

    def __le__(self, other: Any) -> Self:
        return self.le(other) if _fits(other) else NotImplemented

    def __gt__(self, other: Any) -> Self:
        return self.gt(other) if _fits(other) else NotImplemented

    def __ge__(self, other: Any) -> Self:
        return self.ge(other) if _fits(other) else NotImplemented

    def __eq__(self, other: Any) -> Self:  # type: ignore[override]
        return self.eq(other) if _fits(other) else NotImplemented

    def __ne__(self, other: Any) -> Self:  # type: ignore[override]
        return self.ne(other) if _fits(other) else NotImplemented

    __hash__ = Handle.__hash__

    # -- logic ----------------------------------------------------------------------------------
    def _logical(self, other: Any) -> bool:
        """Whether both operands are truth values."""
        if self.kind != "bit":
            return False
        if isinstance(other, Operators):
            return other.kind == "bit"
        return np.asarray(other).dtype == bool

    def _logic(self, name: str, other: Any) -> Self:
        """`name` on truth values, or bit by bit on integers."""
        if not isinstance(other, Operators):
            array = np.asarray(other)
            expected = "b" if self.kind == "bit" else "iu"
            if array.dtype.kind not in expected:
                raise ShareError(f"expected {self.kind}s beside {self.kind}s, got {array.dtype}")
            operand: Any = self.backend.constant(array, self.meta)
        else:
            operand = other
        return self._one(f"{self._logic_kind()}_{name}", self, operand)

    def _logic_kind(self) -> str:
        if self.kind == "fixed":
            raise ShareError("logic needs bits or integers, got fixed point; compare first")
        return self.kind

    def __and__(self, other: Any) -> Self:
        return self._logic("and", other) if _fits(other) else NotImplemented

    def __or__(self, other: Any) -> Self:
        return self._logic("or", other) if _fits(other) else NotImplemented

    def __xor__(self, other: Any) -> Self:
        return self._logic("xor", other) if _fits(other) else NotImplemented

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def __invert__(self) -> Self:
        return self._one(f"{self._logic_kind()}_not", self)

    def __lshift__(self, s: int) -> Self:
        """self * 2^s for a public s; local."""
        return self._one("lshift", self, s=int(s))

    def __rshift__(self, s: int) -> Self:
        """The floor of self / 2^s for a public s."""
        return self._one("rshift", self, s=int(s))


def _fits(other: Any) -> bool:
    return isinstance(other, (Operators, *PLAIN))


def _rounded(rounding: Rounding) -> dict[str, Rounding]:
    return {} if rounding == "stochastic" else {"rounding": rounding}
