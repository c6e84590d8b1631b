"""Prime fields on NumPy arrays, with the interface of `Ring`: GF(2^61 - 1) and GF(2^127 - 1).

An element is a residue in [0, p), a word or a pair of words (`mpyc_core.limbs`); it stands for the
integer in (-p/2, p/2) that it is congruent to. Shifts and bits are those of that integer. Every
element but 0 has an inverse, so that polynomials can be interpolated: what Shamir's sharing needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from mpyc_core import limbs, mersenne
from mpyc_core.entropy import fresh_key
from mpyc_core.errors import ConfigError, EncodingError, EncodingOverflow
from mpyc_core.prg import KEY_BYTES, Stream
from mpyc_core.ring import Array, Ring, Size2

SIZES = (61, 127)
"""m, for the primes 2^m - 1 whose fields there are."""
WIDTHS = {61: 60, 127: 64}
"""Bits of the integers that comparisons take: masks need the room above."""


@dataclass(frozen=True)
class PrimeField(Ring):
    """The field GF(2^bits - 1).

    Parameters
    ----------
    bits : 61 or 127.

    Raises
    ------
    ConfigError
        There is no such field.
    """

    def __post_init__(self) -> None:
        if self.bits not in SIZES:
            raise ConfigError(f"expected a field of 61 or 127 bits, got {self.bits!r}")

    @property
    def dtype(self) -> np.dtype[Any]:
        return mersenne.WORD if self.bits == 61 else limbs.DTYPE

    @property
    def signed(self) -> np.dtype[Any]:
        return np.dtype("<i8") if self.bits == 61 else np.dtype(object)

    @property
    def bytes(self) -> int:
        return self.dtype.itemsize

    @property
    def name(self) -> str:
        return f"GF(2^{self.bits}-1)"

    @property
    def modulus(self) -> int:
        """The prime."""
        return (1 << self.bits) - 1

    @property
    def width(self) -> int:
        return WIDTHS[self.bits]

    def twos(self, x: Array) -> Array:
        self._check(x)
        return mersenne.twos(x)

    def total(self, rows: Array) -> Array:
        """The sum of rows whose words stand for themselves modulo p; shape (count, ...)."""
        self._check(rows)
        return mersenne.total(rows)

    def combine(self, matrix: Array, rows: Array) -> Array:
        """matrix @ rows, for a small public matrix and rows as in `total`."""
        self._check(matrix, rows)
        return mersenne.combine(matrix, rows)

    def matmul(self, a: Array, b: Array) -> Array:
        from mpyc_core.kernels.matmul import matmul

        self._check(a, b)
        return matmul(a, b, mersenne.product_into)

    def conv2d(self, x: Array, w: Array, stride: Size2 = 1, padding: Size2 = 0) -> Array:
        from mpyc_core.kernels.conv import conv2d

        self._check(x, w)
        return conv2d(x, w, stride, padding, mersenne.product_into)

    def conv2d_grad_x(
        self,
        g: Array,
        w: Array,
        x_shape: tuple[int, ...],
        stride: Size2 = 1,
        padding: Size2 = 0,
    ) -> Array:
        from mpyc_core.kernels.conv import conv2d_grad_x

        self._check(g, w)
        return conv2d_grad_x(g, w, x_shape, stride, padding, mersenne.product_into)

    def conv2d_grad_w(
        self,
        x: Array,
        g: Array,
        w_shape: tuple[int, ...],
        stride: Size2 = 1,
        padding: Size2 = 0,
    ) -> Array:
        from mpyc_core.kernels.conv import conv2d_grad_w

        self._check(x, g)
        return conv2d_grad_w(x, g, w_shape, stride, padding, mersenne.product_into)

    def from_int(self, x: npt.ArrayLike) -> Array:
        """Embed integers: a value v in (-p/2, p/2) becomes v mod p."""
        a = self._integers(x)
        limit = self.modulus // 2
        if a.size and not (-limit <= int(a.min()) and int(a.max()) <= limit):
            raise EncodingOverflow(
                f"{self.name} holds integers between -{limit} and {limit}, got a value outside"
            )
        return self._embed(a)

    def reduce(self, x: npt.ArrayLike) -> Array:
        """Integers of any size modulo p, in the shape of `x`."""
        a = self._integers(x)
        if a.dtype.kind == "O":
            a = np.array([int(v) % self.modulus for v in a.flat], object).reshape(a.shape)
        elif self.bits == 61:
            unsigned = a.dtype.kind == "u"
            return mersenne.reduce61(a.astype(np.uint64)) if unsigned else self._modulo(a)
        return self._embed(a)

    def _modulo(self, a: Array) -> Array:
        return np.asarray(np.mod(a.astype(np.int64), self.modulus)).view(self.dtype)

    def extend(self, x: Array) -> Array:
        """Elements as they are: shares over a field are elements of it."""
        self._check(x)
        return x

    def to_int(self, x: Array) -> Array:
        """The integers in (-p/2, p/2) that the elements stand for."""
        return super().to_int(x)

    def from_float(self, x: Array) -> Array:
        """Embed whole numbers in (-p/2, p/2), in float64 or wider; not checked."""
        if self.bits == 61:
            return mersenne.from_twos(x.astype("<i8").view(mersenne.WORD))
        return mersenne.from_twos(limbs.from_floats(x))

    def uniform(self, words: Array) -> Array:
        """Elements from uniform words of `dtype`: off by at most 2^-60 from uniform."""
        return self.total(words[None])

    def random(self, shape: tuple[int, ...]) -> Array:
        """Uniform elements from a fresh key."""
        return self.uniform(Stream(fresh_key(KEY_BYTES)).words(0, 0, shape, self.dtype))

    def _embed(self, a: Array) -> Array:
        """Integers in (-p, p) as elements."""
        if self.bits == 127:
            words = limbs.from_integers(a)
        elif a.dtype.kind == "O":
            words = np.array([int(v) % (1 << 64) for v in a.flat], np.uint64).reshape(a.shape)
        else:
            words = np.ascontiguousarray(a.astype("<i8")).view(mersenne.WORD).reshape(a.shape)
        return mersenne.from_twos(words)

    def _on(self, *operands: Array) -> ModuleType:
        self._check(*operands)
        return mersenne

    def _check_shift(self, s: int) -> int:
        if not 0 <= s <= self.bits:
            raise EncodingError(f"{self.name}: expected a shift by 0 to {self.bits} bits, got {s}")
        return s


F61 = PrimeField(61)
F127 = PrimeField(127)
