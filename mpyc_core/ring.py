"""Rings Z/2^k on NumPy arrays: every operation wraps modulo 2^k.

An element is an unsigned word, for k = 128 a pair of words (`mpyc_core.limbs`); read as two's
complement it stands for an integer in [-2^(k-1), 2^(k-1)). Nothing here knows parties, shares or
scales. Elementwise operations are bound by memory: NumPy's for words, compiled kernels for pairs,
as are products of matrices and convolutions.

Arrays of every ring have NumPy's shapes: they are reshaped, indexed, joined and broadcast as usual.
Arithmetic goes through the ring, for `x + y` and `np.sum` do not know pairs of words.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from mpyc_core import limbs, narrow, wide
from mpyc_core.errors import ConfigError, EncodingError, EncodingOverflow, RingMismatch

Array = npt.NDArray[Any]
Size2 = int | tuple[int, int]
Axis = int | tuple[int, ...] | None

SIZES = (32, 64, 128)
"""Bits of the rings there are."""


@dataclass(frozen=True)
class Ring:
    """The ring Z/2^bits.

    Parameters
    ----------
    bits : 32, 64 or 128.

    Raises
    ------
    ConfigError
        There is no such ring.
    """

    bits: int

    def __post_init__(self) -> None:
        if self.bits not in SIZES:
            raise ConfigError(f"expected a ring of 32, 64 or 128 bits, got {self.bits!r}")

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """Data type of an element: unsigned, little-endian; for 128 bits (lo, hi)."""
        return limbs.DTYPE if self.bits == 128 else np.dtype(f"<u{self.bytes}")

    @cached_property
    def signed(self) -> np.dtype[Any]:
        """Data type of `to_int`: NumPy's signed integers, for 128 bits Python's as objects."""
        return np.dtype(object) if self.bits == 128 else np.dtype(f"<i{self.bytes}")

    @property
    def bytes(self) -> int:
        """Bytes of an element."""
        return self.bits // 8

    @property
    def modulus(self) -> int:
        """How many elements there are."""
        return 1 << self.bits

    @property
    def width(self) -> int:
        """Bits of the signed integers that comparisons take, where nothing else is asked for."""
        return self.bits

    @property
    def name(self) -> str:
        """The ring as it is written in messages: Z/2^64."""
        return f"Z/2^{self.bits}"

    def add(self, x: Array, y: Array) -> Array:
        """x + y, broadcast."""
        return np.asarray(self._on(x, y).add(x, y))

    def sub(self, x: Array, y: Array) -> Array:
        """x - y, broadcast."""
        return np.asarray(self._on(x, y).sub(x, y))

    def neg(self, x: Array) -> Array:
        """-x."""
        return np.asarray(self._on(x).neg(x))

    def mul(self, x: Array, y: Array) -> Array:
        """x * y, elementwise and broadcast."""
        return np.asarray(self._on(x, y).mul(x, y))

    def lshift(self, x: Array, s: int) -> Array:
        """x * 2^s; 0 <= s <= bits."""
        return np.asarray(self._on(x).lshift(x, self._check_shift(s)))

    def rshift_logical(self, x: Array, s: int) -> Array:
        """floor(x / 2^s) of the unsigned word; 0 <= s <= bits."""
        return np.asarray(self._on(x).rshift_logical(x, self._check_shift(s)))

    def rshift_arithmetic(self, x: Array, s: int) -> Array:
        """floor(x / 2^s) of the signed word; 0 <= s <= bits, and s = bits leaves the sign alone."""
        return np.asarray(self._on(x).rshift_arithmetic(x, self._check_shift(s)))

    def sum(self, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        """Sums along axes, of all elements if `axis` is None; fewer than 2^32 elements each."""

        def total(words: Array) -> Array:
            return np.asarray(np.sum(words, axis=axis, keepdims=keepdims, dtype=words.dtype))

        return np.asarray(self._on(x).accumulate(x, total))

    def cumsum(self, x: Array, axis: int) -> Array:
        """Running sums along an axis of fewer than 2^32 elements."""

        def total(words: Array) -> Array:
            return np.cumsum(words, axis=axis, dtype=words.dtype)

        return np.asarray(self._on(x).accumulate(x, total))

    def dot(self, x: Array, y: Array) -> Array:
        """Sums of products along the first axis, broadcast."""
        return self.sum(self.mul(x, y), axis=0)

    def scatter_add(self, shape: tuple[int, ...], key: Any, x: Array) -> Array:
        """Zeros of a shape with x added at NumPy index `key`, where places may repeat."""
        out = np.zeros(shape, self.dtype)
        self._on(x).scatter_add(out, key, x)
        return out

    def twos(self, x: Array) -> Array:
        """The signed integers that elements stand for, as two's complement in words."""
        self._check(x)
        return x

    def bit(self, x: Array, i: int) -> npt.NDArray[np.bool_]:
        """Bit i of every element, 0 <= i < bits."""
        return np.asarray(self._on(x).bit(x, i), np.bool_)

    def nonzero(self, x: Array) -> npt.NDArray[np.bool_]:
        """Whether an element is not 0."""
        return np.asarray(self._on(x).nonzero(x), np.bool_)

    def matmul(self, a: Array, b: Array) -> Array:
        """Matrix product with NumPy's rules for 1-D operands and leading batch dimensions.

        Parameters
        ----------
        a : shape (..., m, k) or (k,).
        b : shape (..., k, n) or (k,).

        Returns
        -------
        Array
            Shape (..., m, n); a 1-D operand loses its dimension.

        Raises
        ------
        RingMismatch
            An operand is not of this ring.
        ShapeMismatch
            Inner dimensions differ, an operand is 0-D, or batch dimensions do not broadcast.
        """
        from mpyc_core.kernels.matmul import matmul

        self._check(a, b)
        return matmul(a, b)

    def conv2d(self, x: Array, w: Array, stride: Size2 = 1, padding: Size2 = 0) -> Array:
        """Cross-correlation of images with filters, as neural networks call convolution.

        Parameters
        ----------
        x : images, shape (n, c, h, w).
        w : filters, shape (o, c, kh, kw).
        stride : step of the window, one number or (vertical, horizontal).
        padding : zeros on each side, one number or (vertical, horizontal).

        Returns
        -------
        Array
            Shape (n, o, (h + 2p - kh) // stride + 1, (w + 2p - kw) // stride + 1).

        Raises
        ------
        RingMismatch
            An operand is not of this ring.
        ShapeMismatch
            Ranks, channels, stride or padding do not fit, or the window exceeds the padded image.
        """
        from mpyc_core.kernels.conv import conv2d

        self._check(x, w)
        return conv2d(x, w, stride, padding)

    def conv2d_grad_x(
        self,
        g: Array,
        w: Array,
        x_shape: tuple[int, ...],
        stride: Size2 = 1,
        padding: Size2 = 0,
    ) -> Array:
        """Adjoint of `conv2d` in its images: the gradient at x, of shape `x_shape`.

        Raises
        ------
        RingMismatch, ShapeMismatch
            As `conv2d`; also if `g` is not of the output's shape.
        """
        from mpyc_core.kernels.conv import conv2d_grad_x

        self._check(g, w)
        return conv2d_grad_x(g, w, x_shape, stride, padding)

    def conv2d_grad_w(
        self,
        x: Array,
        g: Array,
        w_shape: tuple[int, ...],
        stride: Size2 = 1,
        padding: Size2 = 0,
    ) -> Array:
        """Adjoint of `conv2d` in its filters: the gradient at w, of shape `w_shape`.

        Raises
        ------
        RingMismatch, ShapeMismatch
            As `conv2d`; also if `g` is not of the output's shape.
        """
        from mpyc_core.kernels.conv import conv2d_grad_w

        self._check(x, g)
        return conv2d_grad_w(x, g, w_shape, stride, padding)

    def from_int(self, x: npt.ArrayLike) -> Array:
        """Embed integers: a value v in [-2^(bits-1), 2^(bits-1)) becomes v mod 2^bits.

        Parameters
        ----------
        x : integers or booleans of any width, an array or (nested) Python integers.

        Raises
        ------
        EncodingError
            Something other than an integer.
        EncodingOverflow
            A value outside the range.
        """
        a = self._integers(x)
        limit = 1 << (self.bits - 1)
        if a.size and not (-limit <= int(a.min()) and int(a.max()) < limit):
            raise EncodingOverflow(
                f"{self.name} holds integers in [-2^{self.bits - 1}, 2^{self.bits - 1}), "
                "got a value outside"
            )
        return self._embed(a)

    def reduce(self, x: npt.ArrayLike) -> Array:
        """Integers of any size modulo 2^bits, in the shape of `x`.

        Parameters
        ----------
        x : integers or booleans of any width, an array or (nested) Python integers.

        Raises
        ------
        EncodingError
            Something other than an integer.
        """
        a = self._integers(x)
        if a.dtype.kind == "O":
            a = np.array([v % (1 << self.bits) for v in a.flat], object).reshape(a.shape)
            return limbs.from_integers(a) if self.bits == 128 else a.astype(self.dtype)
        return self._embed(a)

    def extend(self, x: Array) -> Array:
        """Elements of this ring or of a smaller one, whose signed integers are embedded here."""
        if x.dtype == self.dtype:
            return x
        return self._embed(Ring(8 * x.dtype.itemsize).to_int(x))

    def residue(self, x: Array) -> Array:
        """Elements of this ring or of a larger one, modulo 2^bits."""
        if x.dtype == self.dtype:
            return x
        return (x["lo"] if x.dtype == limbs.DTYPE else x).astype(self.dtype)

    def full(self, shape: int | tuple[int, ...], value: int) -> Array:
        """The element value mod 2^bits, in an array of a shape."""
        return np.full(shape, self.reduce(value))

    def to_int(self, x: Array) -> Array:
        """The integers in [-2^(bits-1), 2^(bits-1)) that the elements stand for.

        Returns
        -------
        Array
            Of dtype `signed`: int32, int64, or Python's integers as objects.
        """
        return np.asarray(self._on(x).to_signed(x), self.signed)

    def from_float(self, x: Array) -> Array:
        """Embed whole numbers in [-2^(bits-1), 2^(bits-1)), in float64 or wider; not checked."""
        if self.bits == 128:
            return limbs.from_floats(x)
        return x.astype(self.signed).view(self.dtype)

    def to_float(self, x: Array) -> npt.NDArray[np.float64]:
        """The integers that the elements stand for as float64, correctly rounded."""
        return np.asarray(self._on(x).to_floats(x), np.float64)

    def _integers(self, x: npt.ArrayLike) -> Array:
        """`x` as an array of integers, checked."""
        a = np.asarray(x)
        if a.dtype.kind == "f" and not isinstance(x, np.ndarray | np.generic):
            a = np.asarray(x, object)  # NumPy makes a list of small and large integers floats
        if a.dtype.kind == "O" and all(isinstance(v, int) for v in a.flat):
            return a
        if a.dtype.kind not in "biu":
            raise EncodingError(
                f"{self.name} holds integers, got dtype {a.dtype}; encode reals in fixed point"
            )
        return a

    def _embed(self, a: Array) -> Array:
        if self.bits == 128:
            return limbs.from_integers(a)
        return np.ascontiguousarray(a.astype(self.signed)).view(self.dtype).reshape(a.shape)

    def _on(self, *operands: Array) -> ModuleType:
        """The arithmetic of this ring's words, once the operands are known to be of the ring."""
        self._check(*operands)
        return wide if self.bits == 128 else narrow

    def _check_shift(self, s: int) -> int:
        if not 0 <= s <= self.bits:
            raise EncodingError(f"{self.name}: expected a shift by 0 to {self.bits} bits, got {s}")
        return s

    def _check(self, *operands: Array) -> None:
        expected = self.dtype
        for x in operands:
            if x.dtype is not expected and x.dtype != expected:
                raise RingMismatch(
                    f"expected elements of {self.name} (dtype {self.dtype}), got dtype {x.dtype}"
                )


Z32 = Ring(32)
Z64 = Ring(64)
Z128 = Ring(128)


def ring(bits: int) -> Ring:
    """The ring Z/2^bits, or for 61 and 127 the field GF(2^bits - 1).

    Raises
    ------
    ConfigError
        There is no such ring; those of 32, 64 and 128 bits and two fields exist.
    """
    from mpyc_core.field import F61, F127  # a field is a ring

    for known in (Z32, Z64, Z128, F61, F127):
        if known.bits == bits:
            return known
    raise ConfigError(
        f"expected a ring of 32, 64 or 128 bits, got {bits!r}; 61 and 127 are prime fields"
    )
