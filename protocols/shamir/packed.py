"""Packed sharing: k secrets in one polynomial, for the price of one. A lesson, without a network.

The secrets are the values at 0, -1, ..., 1 - k of a polynomial of degree d, and party i holds the
value at i + 1. It takes d + 1 shares to know the polynomial, and any d + 1 - k of them say nothing
[FY92, section 3]: packing costs k - 1 of threshold and degree.

    share        degree t + k - 1, private against t of n parties
    + -  public  component by component, no message
    *            component by component on shares: the degree doubles, to 2 (t + k - 1), which n - 1
                 must not be below; a second product needs a new sharing
    open         d + 1 shares

>>> import numpy as np
>>> from mpyc_core.field import F61
>>> from mpyc_core.protocols.shamir.packed import Packing
>>> packing = Packing(F61, n=7, t=2, k=2)
>>> x = packing.share(F61.from_int(np.array([[3, 4], [5, 6]])))   # two pairs
>>> y = packing.share(F61.from_int(np.array([[10, 20], [30, 40]])))
>>> F61.to_int(packing.open(packing.mul(x, y))).tolist()
[[30, 80], [150, 240]]
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mpyc_core.entropy import fresh_key
from mpyc_core.errors import ConfigError, ShapeMismatch, ShareError
from mpyc_core.field import PrimeField
from mpyc_core.prg import Stream
from mpyc_core.transport.mesh import Array

from .space import Numbers


@dataclass(frozen=True, repr=False)
class PackedShares:
    """All parties' shares of packed secrets, which is what a lesson looks at.

    Parameters
    ----------
    values : shape (n, rows): row i is what party i holds.
    degree : of the polynomials.
    shape : of the secrets, whose last axis is packed.
    """

    values: Array
    degree: int
    shape: tuple[int, ...]

    def __repr__(self) -> str:
        return f"PackedShares(parties={len(self.values)}, degree={self.degree}, shape={self.shape})"


@dataclass(frozen=True)
class Packing:
    """How many secrets go into one polynomial, and who may know what.

    Parameters
    ----------
    field : of the secrets.
    n : number of parties.
    t : how many parties together learn nothing.
    k : secrets in a polynomial.

    Raises
    ------
    ConfigError : t + k > n: the parties together could not reconstruct.
    """

    field: PrimeField
    n: int
    t: int
    k: int

    def __post_init__(self) -> None:
        if self.t < 1 or self.k < 1 or self.degree + 1 > self.n:
            raise ConfigError(
                f"expected t + k <= n with t and k of at least 1, got t = {self.t}, k = {self.k}, "
                f"n = {self.n}; pack fewer secrets or take more parties"
            )

    @property
    def degree(self) -> int:
        """Degree of a fresh sharing."""
        return self.t + self.k - 1

    @property
    def multiplies(self) -> bool:
        """Whether a product of two fresh sharings can be opened."""
        return 2 * self.degree < self.n

    def share(self, x: Array) -> PackedShares:
        """Share secrets, k in a polynomial: shape (..., k).

        Security    t shares are uniform and independent of the secrets
        """
        if x.dtype != self.field.dtype or x.ndim == 0 or x.shape[-1] != self.k:
            raise ShapeMismatch(f"expected {self.field.name} of shape (..., {self.k})")
        space = Numbers(self.field)
        secrets = np.ascontiguousarray(x.reshape(-1, self.k).T)
        uniform = Stream(fresh_key(16)).words(0, 0, (self.t, secrets.shape[1]), x.dtype)
        known = [*self._secret_points(), *range(1, self.t + 1)]
        rows = [space.scalars.lagrange(known, i + 1) for i in range(self.n)]
        values = space.apply(space.matrix(rows), np.concatenate([secrets, uniform]))
        return PackedShares(values, self.degree, x.shape)

    def add(self, x: PackedShares, y: PackedShares) -> PackedShares:
        """x + y; no message."""
        return self._joined(x, y, self.field.add(x.values, y.values), max(x.degree, y.degree))

    def sub(self, x: PackedShares, y: PackedShares) -> PackedShares:
        """x - y; no message."""
        return self._joined(x, y, self.field.sub(x.values, y.values), max(x.degree, y.degree))

    def scale(self, x: PackedShares, factor: int) -> PackedShares:
        """x times a public integer; no message."""
        return replace(x, values=self.field.mul(x.values, self.field.full((), factor)))

    def mul(self, x: PackedShares, y: PackedShares) -> PackedShares:
        """x * y, secret by secret; no message, but the degrees add.

        Raises
        ------
        ShareError : there are too few parties to open the result.
        """
        degree = x.degree + y.degree
        if degree >= self.n:
            raise ShareError(
                f"a product has degree {degree}, of which {degree + 1} shares are needed and "
                f"{self.n} exist; pack fewer secrets, or open first"
            )
        return self._joined(x, y, self.field.mul(x.values, y.values), degree)

    def open(self, x: PackedShares, parties: list[int] | None = None) -> Array:
        """The secrets, from the shares of some parties: all of them by default.

        Raises
        ------
        ShareError : fewer than degree + 1 shares.
        """
        chosen = list(range(self.n)) if parties is None else parties
        if len(chosen) <= x.degree:
            raise ShareError(
                f"{len(chosen)} shares were given, {x.degree + 1} are needed at degree {x.degree}"
            )
        chosen = chosen[: x.degree + 1]
        space = Numbers(self.field)
        points = [p + 1 for p in chosen]
        rows = [space.scalars.lagrange(points, at) for at in self._secret_points()]
        found = space.apply(space.matrix(rows), x.values[chosen])
        return np.ascontiguousarray(found.T).reshape(x.shape)

    def _secret_points(self) -> list[int]:
        return [-i % self.field.modulus for i in range(self.k)]

    def _joined(self, x: PackedShares, y: PackedShares, values: Array, degree: int) -> PackedShares:
        if x.shape != y.shape:
            raise ShapeMismatch(f"packed shapes {x.shape} and {y.shape} differ")
        return PackedShares(values, degree, x.shape)
