"""Arrays of field elements as rows, so that numbers and bits are shared by the same code.

Numbers are elements of GF(p), one row of words each. Bits are elements 0 and 1 of GF(2^m), whose
shares are any elements: m rows of packed planes each, plane c for the coefficient of x^c. A public
linear map of vectors is a small matrix for numbers, and one of zeros and ones for bits.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from mpyc_core.bits import words
from mpyc_core.field import PrimeField
from mpyc_core.gmp_field import GmpField
from mpyc_core.meta import Meta
from mpyc_core.ring import ring
from mpyc_core.transport.mesh import Array, Spec

from .scalars import Binary, Prime, Scalars


class Space(ABC):
    """Vectors over one field.

    A vector of N elements is an array of shape (height, N): of field elements with height 1, or of
    words that hold the bits of 64 elements with height m.
    """

    scalars: Scalars
    height: int
    dtype: np.dtype[Any]

    @abstractmethod
    def matrix(self, rows: Sequence[Sequence[int]]) -> Array:
        """Coefficients as `apply` takes them."""

    @abstractmethod
    def apply(self, matrix: Array, vectors: Array) -> Array:
        """matrix @ vectors, for c vectors one after the other: shape (c * height, N).

        Words need not be reduced: streams and frames are taken as they come.
        """

    @abstractmethod
    def total(self, vectors: Array) -> Array:
        """The sum of vectors, shape (count, height, N); words as in `apply`."""

    def join(self, vectors: Sequence[Array]) -> Array:
        """Vectors one after the other, as `apply` takes them."""
        words = [np.ascontiguousarray(v).view(np.uint64) for v in vectors]
        return np.concatenate(words).view(self.dtype)

    def summed(self, vectors: Sequence[Array]) -> Array:
        """The sum of vectors; words as in `apply`."""
        if len(vectors) == 1:
            return self.total(vectors[0][None])
        return self.total(self.join(vectors).reshape(len(vectors), self.height, -1))

    @abstractmethod
    def add(self, x: Array, y: Array) -> Array:
        """x + y."""

    @abstractmethod
    def sub(self, x: Array, y: Array) -> Array:
        """x - y."""

    @abstractmethod
    def mul(self, x: Array, y: Array) -> Array:
        """x * y, element by element."""

    def spec(self, n: int) -> Spec:
        """What a message with one vector looks like."""
        return Spec(self.dtype, (self.height, n))

    def bytes(self, n: int) -> int:
        """Bytes of a vector."""
        return self.height * n * self.dtype.itemsize

    def scaled(self, coefficient: int, x: Array) -> Array:
        """coefficient * x."""
        return self.apply(self.matrix([[coefficient]]), x)


class Numbers(Space):
    """Vectors over a prime field."""

    def __init__(self, field: PrimeField | GmpField) -> None:
        self.field = field
        self.scalars = Prime(field.modulus)
        self.height = 1
        self.dtype = field.dtype

    def matrix(self, rows: Sequence[Sequence[int]]) -> Array:
        return self.field.reduce(np.array(rows, object))

    def apply(self, matrix: Array, vectors: Array) -> Array:
        return self.field.combine(matrix, vectors)

    def total(self, vectors: Array) -> Array:
        return self.field.total(vectors)

    def add(self, x: Array, y: Array) -> Array:
        return self.field.add(x, y)

    def sub(self, x: Array, y: Array) -> Array:
        return self.field.sub(x, y)

    def mul(self, x: Array, y: Array) -> Array:
        return self.field.mul(x, y)


class Bits(Space):
    """Vectors over GF(2^m), in planes."""

    def __init__(self, m: int) -> None:
        self.scalars: Binary = Binary(m)
        self.height = m
        self.dtype = np.dtype(np.uint64)
        times = self.scalars.mul
        products = [[times(1 << a, 1 << b) for b in range(m)] for a in range(m)]
        self._table = np.array(
            [[[v >> c & 1 for v in row] for row in products] for c in range(m)], np.uint8
        )

    def matrix(self, rows: Sequence[Sequence[int]]) -> Array:
        blocks = [[self._times(c) for c in row] for row in rows]
        return np.ascontiguousarray(np.block(blocks), np.uint8)

    def _times(self, c: int) -> Array:
        """Multiplication by c as a matrix of zeros and ones, on coefficients."""
        images = [self.scalars.mul(c, 1 << b) for b in range(self.height)]
        return np.array([[v >> r & 1 for v in images] for r in range(self.height)], np.uint8)

    def apply(self, matrix: Array, vectors: Array) -> Array:
        from mpyc_core.kernels.sliced import mix

        return mix(matrix, np.ascontiguousarray(vectors))

    def total(self, vectors: Array) -> Array:
        return np.asarray(np.bitwise_xor.reduce(vectors, axis=0))

    def add(self, x: Array, y: Array) -> Array:
        return np.asarray(x ^ y)

    def sub(self, x: Array, y: Array) -> Array:
        return np.asarray(x ^ y)

    def mul(self, x: Array, y: Array) -> Array:
        from mpyc_core.kernels.sliced import product

        return product(self._table, np.ascontiguousarray(x), np.ascontiguousarray(y))


@cache
def numbers(bits: int) -> Numbers:
    """Vectors of numbers of GF(2^bits - 1)."""
    field = ring(bits)
    if not isinstance(field, PrimeField):
        raise TypeError(f"expected a prime field, got {field.name}")
    return Numbers(field)


@cache
def bits_for(n: int) -> Bits:
    """Vectors of bits for n parties: the smallest GF(2^m) with n points other than 0."""
    return Bits(n.bit_length())


def space_of(meta: Meta, n: int) -> Space:
    """The space of the shares of a value."""
    return bits_for(n) if meta.kind == "bit" else numbers(meta.ring.bits)


def vector(parts: Sequence[Array], meta: Meta) -> Array:
    """The components of a share as a vector."""
    if meta.kind == "bit":
        return np.stack([part.reshape(-1) for part in parts])
    return np.ascontiguousarray(parts[0]).reshape(1, -1)


def parts_of(x: Array, meta: Meta, planes: int = 1) -> tuple[Array, ...]:
    """A vector as the components of a share: of `planes` planes, if of bits."""
    if meta.kind == "bit":
        return tuple(row.reshape(planes, words(meta.size)) for row in x)
    return (x.reshape(meta.shape),)
