"""GF(p) for any prime p, on object arrays of GMP's integers: slow, exact, of any size.

For lessons and keys. Computations among parties use the fields of `mpyc_core.field`, whose elements
are machine words.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import gmpy2
import numpy as np
import numpy.typing as npt

from mpyc_core.entropy import fresh_key
from mpyc_core.errors import ConfigError, EncodingError, EncodingOverflow
from mpyc_core.ring import Array

BASES = 40
"""Miller-Rabin rounds: a composite number passes with probability 4^-40 at most."""


def require_prime(p: int) -> None:
    """Miller and Rabin's test with bases from the operating system's entropy.

    Random bases also find numbers that were made to pass the bases of a well-known list.

    Raises
    ------
    ConfigError : p is no prime of at least 5.
    """
    if p < 5 or p % 2 == 0 or not all(_passes(p) for _ in range(BASES)):
        raise ConfigError(f"expected a prime of at least 5, got {p}")


def _passes(p: int) -> bool:
    base = 2 + uniform(p) % (p - 3)
    return bool(gmpy2.gcd(base, p) == 1 and gmpy2.is_strong_prp(p, base))


def uniform(p: int) -> int:
    """A number below p from the operating system's entropy, off by at most 2^-128 from uniform."""
    return int.from_bytes(fresh_key(p.bit_length() // 8 + 17), "big") % p


@dataclass(frozen=True)
class GmpField:
    """The field GF(p), with the part of `PrimeField` that sharing needs.

    Parameters
    ----------
    modulus : the prime p, of any size; its primality is checked.

    Raises
    ------
    ConfigError : p is no prime.

    >>> field = GmpField(2**89 - 1)
    >>> x = field.from_int([3, -2])
    >>> field.to_int(field.mul(x, x)).tolist()
    [9, 4]
    """

    modulus: int

    def __post_init__(self) -> None:
        require_prime(self.modulus)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(object)

    @property
    def name(self) -> str:
        return f"GF(p), p of {self.modulus.bit_length()} bits"

    def add(self, x: Array, y: Array) -> Array:
        """x + y."""
        return np.asarray((x + y) % self.modulus)

    def sub(self, x: Array, y: Array) -> Array:
        """x - y."""
        return np.asarray((x - y) % self.modulus)

    def mul(self, x: Array, y: Array) -> Array:
        """x * y, element by element."""
        return np.asarray(x * y % self.modulus)

    def total(self, rows: Array) -> Array:
        """The sum of rows; shape (count, ...)."""
        return np.asarray(rows.sum(axis=0) % self.modulus)

    def combine(self, matrix: Array, rows: Array) -> Array:
        """matrix @ rows."""
        return np.asarray(matrix @ rows % self.modulus)

    def full(self, shape: int | tuple[int, ...], value: int) -> Array:
        """The element value mod p, in an array of a shape."""
        return np.full(shape, gmpy2.mpz(value % self.modulus), object)

    def reduce(self, x: npt.ArrayLike) -> Array:
        """Integers of any size modulo p, in the shape of `x`."""
        numbers = np.asarray(x, object)
        if not all(isinstance(v, int | np.integer | gmpy2.mpz) for v in numbers.flat):
            raise EncodingError(f"{self.name} holds integers")
        return _array([gmpy2.mpz(v) % self.modulus for v in numbers.flat], numbers.shape)

    def from_int(self, x: npt.ArrayLike) -> Array:
        """Embed integers: a value v in (-p/2, p/2) becomes v mod p.

        Raises
        ------
        EncodingOverflow : a value outside.
        """
        found, limit = self.reduce(x), self.modulus // 2
        if any(abs(int(v)) > limit for v in np.asarray(x, object).flat):
            raise EncodingOverflow(f"{self.name} holds integers of at most {limit}")
        return found

    def to_int(self, x: Array) -> Array:
        """The integers in (-p/2, p/2) that the elements stand for."""
        p = self.modulus
        return _array([int(v) - (p if 2 * v > p else 0) for v in x.flat], x.shape)

    def random(self, shape: tuple[int, ...]) -> Array:
        """Uniform elements from the operating system's entropy."""
        return _array([gmpy2.mpz(uniform(self.modulus)) for _ in range(math.prod(shape))], shape)


def _array(values: list[Any], shape: tuple[int, ...]) -> Array:
    """An array of objects, whatever NumPy would make of them."""
    found = np.empty(len(values), object)
    found[:] = values
    return found.reshape(shape)
