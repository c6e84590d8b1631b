"""Packed sharing: k secrets in one polynomial, for the price of one. A lesson, without a network.

With k = 1 it is Shamir's sharing as it stands in the paper; `GmpField(p)` is a field of any prime.

The secrets are the values at 0, -1, ..., 1 - k of a polynomial of degree d, and party i holds the
value at i + 1. It takes d + 1 shares to know the polynomial, and any d + 1 - k of them say nothing
[FY92, section 3]: packing costs k - 1 of threshold and degree.

    share        degree t + k - 1, private against t of n parties
    + -  public  component by component, no message
    *            component by component on shares: the degree doubles, to 2 (t + k - 1), which n - 1
                 must not be below
    reduce       back to degree t + k - 1: every party shares what it holds
    open         d + 1 shares; from more, wrong ones are noticed, and corrected if they are few

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

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mpyc_core.errors import ConfigError, ConsistencyCheckFailed, ShapeMismatch, ShareError
from mpyc_core.field import PrimeField
from mpyc_core.gmp_field import GmpField
from mpyc_core.transport.mesh import Array

from .reconstruct import TooManyErrors, decode
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
    field : of the secrets: `F61`, `F127`, or `GmpField(p)` for any other prime p.
    n : number of parties.
    t : how many parties together learn nothing.
    k : secrets in a polynomial; 1 packs nothing.

    Raises
    ------
    ConfigError : t + k > n: the parties together could not reconstruct.
    """

    field: PrimeField | GmpField
    n: int
    t: int
    k: int = 1

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
        uniform = self.field.random((self.t, secrets.shape[1]))
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

    def reduce(self, x: PackedShares) -> PackedShares:
        """The same secrets in fresh polynomials of the degree of `share`: ready for a product.

        Protocol    party i shares what its value contributes to each of the k secrets, which is a
                    public multiple of it; everybody adds up what it got
        Cost        among parties: 1 round, n - 1 elements from each of d + 1 parties
        Security    t parties see shares of polynomials that are fresh at a party they lack
        Reference   [GRR98, section 3], for k secrets
        """
        space, rows = Numbers(self.field), x.values.shape[1]
        dealers = range(x.degree + 1)
        weights = space.matrix(self._lagrange(dealers, self._secret_points())).T  # (dealers, k)
        terms = self.field.mul(
            np.ascontiguousarray(x.values[: len(dealers), :, None]),
            np.ascontiguousarray(weights[:, None, :]),
        )
        dealt = self.share(np.ascontiguousarray(terms)).values.reshape(self.n, len(dealers), rows)
        values = self.field.total(np.ascontiguousarray(dealt.swapaxes(0, 1)))
        return PackedShares(values, self.degree, x.shape)

    def open(self, x: PackedShares, parties: Sequence[int] | None = None) -> Array:
        """The secrets, from the shares of some parties: all of them by default.

        Error       of m shares up to m - d - 1 wrong ones are noticed, for degree d; up to
                    (m - d - 1) / 2 are corrected, and their holders named in a warning
        Raises
        ------
        ShareError : fewer than degree + 1 shares.
        ConsistencyCheckFailed : more shares are wrong than can be corrected.
        """
        chosen = list(range(self.n)) if parties is None else list(dict.fromkeys(parties))
        if len(chosen) <= x.degree:
            raise ShareError(
                f"{len(chosen)} shares were given, {x.degree + 1} are needed at degree {x.degree}"
            )
        faulty: set[int] = set()
        while True:
            good = [p for p in chosen if p not in faulty]
            found, wrong = self._interpolated(x, good)
            if not wrong.size:
                break
            faulty |= self._faulty(x, chosen, int(wrong[0]), faulty)
        if faulty:
            names = ", ".join(f"party {p}" for p in sorted(faulty))
            warnings.warn(f"{names} brought wrong shares; they were corrected", stacklevel=2)
        return np.ascontiguousarray(found.T).reshape(x.shape)

    def _interpolated(self, x: PackedShares, parties: list[int]) -> tuple[Array, Array]:
        """The secrets by the first d + 1 parties, and the columns in which others disagree."""
        space, known, rest = Numbers(self.field), parties[: x.degree + 1], parties[x.degree + 1 :]
        points = [*self._secret_points(), *(p + 1 for p in rest)]
        matrix = space.matrix(self._lagrange(known, points))
        found = space.apply(matrix, np.ascontiguousarray(x.values[known]))
        differs = found[self.k :] != x.values[rest]
        return found[: self.k], np.flatnonzero(np.any(differs, axis=0))

    def _faulty(self, x: PackedShares, parties: list[int], at: int, known: set[int]) -> set[int]:
        """Whose shares in column `at` are wrong, by decoding it."""
        most = (len(parties) - x.degree - 1) // 2
        values = [int(v) % self.field.modulus for v in self.field.to_int(x.values[parties, at])]
        try:
            _, errors = decode(
                Numbers(self.field).scalars, [p + 1 for p in parties], values, x.degree
            )
        except TooManyErrors:
            errors = list(range(len(parties)))
        found = {parties[i] for i in errors}
        if len(found | known) > most:
            raise ConsistencyCheckFailed(
                f"the {len(parties)} shares contradict each other, and more than {most} are wrong; "
                "bring more shares"
            )
        return found

    def _lagrange(self, parties: Sequence[int], points: Sequence[int]) -> list[list[int]]:
        """Coefficients of these parties' shares for the values at some points."""
        scalars = Numbers(self.field).scalars
        return [scalars.lagrange([p + 1 for p in parties], at) for at in points]

    def _secret_points(self) -> list[int]:
        return [-i % self.field.modulus for i in range(self.k)]

    def _joined(self, x: PackedShares, y: PackedShares, values: Array, degree: int) -> PackedShares:
        if x.shape != y.shape:
            raise ShapeMismatch(f"packed shapes {x.shape} and {y.shape} differ")
        return PackedShares(values, degree, x.shape)
