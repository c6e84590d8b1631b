"""Rings Z/2^k on NumPy arrays: every operation wraps modulo 2^k.

An element is an unsigned word; read as two's complement it stands for an integer in
[-2^(k-1), 2^(k-1)). Nothing here knows parties, shares or scales. Elementwise operations are
NumPy's, which are bound by memory; products of matrices and convolutions are compiled kernels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mpyc_core.errors import ConfigError, EncodingError, EncodingOverflow, RingMismatch

Array = npt.NDArray[Any]
Size2 = int | tuple[int, int]


@dataclass(frozen=True)
class Ring:
    """The ring Z/2^bits.

    Parameters
    ----------
    bits : 32 or 64.

    Raises
    ------
    ConfigError
        There is no such ring.
    """

    bits: int

    def __post_init__(self) -> None:
        if self.bits not in (32, 64):
            raise ConfigError(f"expected a ring of 32 or 64 bits, got {self.bits!r}")

    @property
    def dtype(self) -> np.dtype[Any]:
        """Data type of an element: unsigned, little-endian."""
        return np.dtype(f"<u{self.bytes}")

    @property
    def signed(self) -> np.dtype[Any]:
        """Data type of the same word read as two's complement."""
        return np.dtype(f"<i{self.bytes}")

    @property
    def bytes(self) -> int:
        """Bytes of an element."""
        return self.bits // 8

    @property
    def name(self) -> str:
        """The ring as it is written in messages: Z/2^64."""
        return f"Z/2^{self.bits}"

    def add(self, x: Array, y: Array) -> Array:
        """x + y, broadcast."""
        return self._elementwise(np.add, x, y)

    def sub(self, x: Array, y: Array) -> Array:
        """x - y, broadcast."""
        return self._elementwise(np.subtract, x, y)

    def neg(self, x: Array) -> Array:
        """-x."""
        return self._elementwise(np.negative, x)

    def mul(self, x: Array, y: Array) -> Array:
        """x * y, elementwise and broadcast."""
        return self._elementwise(np.multiply, x, y)

    def lshift(self, x: Array, s: int) -> Array:
        """x * 2^s; 0 <= s <= bits."""
        return self._shift(np.left_shift, x, s)

    def rshift_logical(self, x: Array, s: int) -> Array:
        """floor(x / 2^s) of the unsigned word; 0 <= s <= bits."""
        return self._shift(np.right_shift, x, s)

    def rshift_arithmetic(self, x: Array, s: int) -> Array:
        """floor(x / 2^s) of the signed word; 0 <= s <= bits, and s = bits leaves the sign alone."""
        self._check(x)
        s = min(self._check_shift(s), self.bits - 1)
        return np.asarray(np.right_shift(x.view(self.signed), s)).view(self.dtype)

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
        a = np.asarray(x)
        if a.dtype.kind == "f" and not isinstance(x, np.ndarray | np.generic):
            a = np.asarray(x, object)  # NumPy makes a list of small and large integers floats
        if a.dtype.kind == "O" and all(isinstance(v, int) for v in a.flat):
            pass
        elif a.dtype.kind not in "biu":
            raise EncodingError(
                f"{self.name} holds integers, got dtype {a.dtype}; encode reals in fixed point"
            )
        limit = 1 << (self.bits - 1)
        if a.size and not (-limit <= int(a.min()) and int(a.max()) < limit):
            raise EncodingOverflow(
                f"{self.name} holds integers in [-2^{self.bits - 1}, 2^{self.bits - 1}), "
                "got a value outside"
            )
        return np.ascontiguousarray(a.astype(self.signed)).view(self.dtype).reshape(a.shape)

    def to_int(self, x: Array) -> Array:
        """The integers in [-2^(bits-1), 2^(bits-1)) that the elements stand for."""
        self._check(x)
        return x.astype(self.signed)

    def _elementwise(self, ufunc: np.ufunc, *operands: Array) -> Array:
        self._check(*operands)
        return np.asarray(ufunc(*operands))

    def _shift(self, ufunc: np.ufunc, x: Array, s: int) -> Array:
        self._check(x)
        if self._check_shift(s) == self.bits:
            return np.zeros_like(x)
        return np.asarray(ufunc(x, self.dtype.type(s)))

    def _check_shift(self, s: int) -> int:
        if not 0 <= s <= self.bits:
            raise EncodingError(f"{self.name}: expected a shift by 0 to {self.bits} bits, got {s}")
        return s

    def _check(self, *operands: Array) -> None:
        for x in operands:
            if x.dtype != self.dtype:
                raise RingMismatch(
                    f"expected elements of {self.name} (dtype {self.dtype}), got dtype {x.dtype}"
                )


Z32 = Ring(32)
Z64 = Ring(64)


def ring(bits: int) -> Ring:
    """The ring Z/2^bits.

    Raises
    ------
    ConfigError
        There is no such ring; those of 32 and 64 bits exist.
    """
    for known in (Z32, Z64):
        if known.bits == bits:
            return known
    raise ConfigError(f"expected a ring of 32 or 64 bits, got {bits!r}")
