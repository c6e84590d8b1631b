"""Numbers of one field, one at a time: what interpolation coefficients are computed from.

Party i holds the value of a polynomial at the point i + 1; the secret is the value at 0.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

IRREDUCIBLE = {1: 0b11, 2: 0b111, 3: 0b1011, 4: 0b10011}
"""x^m + ..., as bits, for GF(2^m)."""


class Scalars(ABC):
    """A field whose elements are integers in [0, order)."""

    order: int

    @abstractmethod
    def add(self, x: int, y: int) -> int:
        """x + y."""

    @abstractmethod
    def sub(self, x: int, y: int) -> int:
        """x - y."""

    @abstractmethod
    def mul(self, x: int, y: int) -> int:
        """x * y."""

    @abstractmethod
    def inverse(self, x: int) -> int:
        """1 / x for x other than 0."""

    def lagrange(self, points: Sequence[int], at: int) -> list[int]:
        """Coefficients l_i with f(at) = sum l_i * f(points[i]) for polynomials of low degree.

        l_i = product over j other than i of (at - x_j) / (x_i - x_j); degrees below the number of
        points [Sha79].
        """
        found = []
        for i, x in enumerate(points):
            above = below = 1
            for j, other in enumerate(points):
                if j != i:
                    above = self.mul(above, self.sub(at, other))
                    below = self.mul(below, self.sub(x, other))
            found.append(self.mul(above, self.inverse(below)))
        return found

    def value(self, coefficients: Sequence[int], at: int) -> int:
        """The polynomial with these coefficients, the constant one first, at a point."""
        total = 0
        for c in reversed(coefficients):
            total = self.add(self.mul(total, at), c)
        return total


class Prime(Scalars):
    """GF(p); where p is an integer of gmpy2, so are the results, and large numbers are fast."""

    def __init__(self, p: int) -> None:
        self.order = p

    def add(self, x: int, y: int) -> int:
        return (x + y) % self.order

    def sub(self, x: int, y: int) -> int:
        return (x - y) % self.order

    def mul(self, x: int, y: int) -> int:
        return x * y % self.order

    def inverse(self, x: int) -> int:
        return pow(x, -1, self.order)


class Binary(Scalars):
    """GF(2^m), 1 <= m <= 4: polynomials over GF(2) modulo an irreducible one."""

    def __init__(self, m: int) -> None:
        self.m = m
        self.order = 1 << m
        self._modulus = IRREDUCIBLE[m]

    def add(self, x: int, y: int) -> int:
        return x ^ y

    def sub(self, x: int, y: int) -> int:
        return x ^ y

    def mul(self, x: int, y: int) -> int:
        total = 0
        while y:
            total ^= x * (y & 1)
            x, y = x << 1, y >> 1
            x ^= self._modulus * (x >> self.m)
        return total

    def inverse(self, x: int) -> int:
        if x == 0:
            raise ZeroDivisionError("0 has no inverse")
        found = 1
        for _ in range(self.order - 2):
            found = self.mul(found, x)
        return found
