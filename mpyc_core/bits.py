"""Bits packed in 64-bit words, and the bit planes of ring elements.

Bit i of a packed array is bit i mod 64 of word i // 64. Padding bits of the last word are zero.
A plane holds one bit of every element, so that one word operation works on 64 elements.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mpyc_core import limbs
from mpyc_core.errors import EncodingError, ShapeMismatch

Array = npt.NDArray[Any]
Words = npt.NDArray[np.uint64]


def words(n: int) -> int:
    """Number of 64-bit words that hold `n` bits."""
    return (n + 63) // 64


def ones(n: int) -> Words:
    """`n` ones, packed."""
    mask = np.full(words(n), ~np.uint64(0))
    if n % 64:
        mask[-1] = np.uint64((1 << n % 64) - 1)
    return mask


def pack(b: npt.ArrayLike) -> Words:
    """Pack bits.

    Parameters
    ----------
    b : booleans or integers, of any shape, taken in C order; anything but zero is a one.

    Returns
    -------
    Words
        Shape (words(n),).
    """
    flat = np.asarray(b).reshape(-1)
    out = np.zeros(words(flat.size), np.uint64)
    packed = np.packbits(flat.astype(np.bool_), bitorder="little")
    out.view(np.uint8)[: packed.size] = packed
    return out


def unpack(w: Words, n: int) -> npt.NDArray[np.uint8]:
    """The first `n` bits of packed words, as 0 and 1, shape (n,).

    Raises
    ------
    ShapeMismatch
        `w` is not of shape (words(n),).
    """
    _check_words(w, (words(n),))
    return np.unpackbits(np.ascontiguousarray(w).view(np.uint8), count=n, bitorder="little")


def to_planes(x: Array, nbits: int, plus: int = 0) -> Words:
    """Slice elements into bit planes.

    Parameters
    ----------
    x : elements of 32, 64 or 128 bits, of any shape, taken in C order.
    nbits : number of low bits to keep.
    plus : what to add to every element beforehand.

    Returns
    -------
    Words
        Shape (nbits, words(x.size)); plane i holds bit i of every element.

    Raises
    ------
    EncodingError
        `x` is not of such elements, or `nbits` exceeds them.
    """
    _check_element(x.dtype, nbits)
    if x.dtype == limbs.DTYPE:
        pairs = x if plus == 0 else limbs.add(x, limbs.from_integers(np.array(plus, object)))
        low = to_planes(np.ascontiguousarray(pairs["lo"]), min(nbits, 64))
        high = np.ascontiguousarray(pairs["hi"])
        return low if nbits <= 64 else np.concatenate([low, to_planes(high, nbits - 64)])
    from mpyc_core.kernels.planes import to_planes as kernel

    flat = np.require(x, requirements=["C", "A"]).reshape(-1)
    return kernel(flat, np.empty((nbits, words(flat.size)), np.uint64), plus)


def from_planes(p: Words, n: int, dtype: npt.DTypeLike = np.uint64) -> Array:
    """Assemble elements from bit planes; bits without a plane are zero.

    Parameters
    ----------
    p : planes, shape (nbits, words(n)).
    n : number of elements.
    dtype : of elements of 32, 64 or 128 bits.

    Returns
    -------
    Array
        Shape (n,).

    Raises
    ------
    EncodingError
        `dtype` is not of such elements, or there are more planes than bits.
    ShapeMismatch
        `p` is not of shape (nbits, words(n)).
    """
    dt = np.dtype(dtype)
    nbits = p.shape[0] if p.ndim == 2 else 0
    _check_words(p, (nbits, words(n)))
    _check_element(dt, nbits)
    if dt == limbs.DTYPE:
        return limbs.pack(from_planes(p[:64], n), from_planes(p[64:], n) if nbits > 64 else 0)
    from mpyc_core.kernels.planes import from_planes as kernel

    whole = kernel(np.require(p, requirements=["C", "A"]), np.empty(n, np.uint64))
    return whole.astype(dt, copy=False)


def _check_words(w: Words, shape: tuple[int, ...]) -> None:
    if w.dtype != np.uint64 or w.shape != shape:
        raise ShapeMismatch(
            f"expected packed bits of shape {shape}, dtype uint64, got {w.shape}, {w.dtype}"
        )


def _check_element(dtype: np.dtype[Any], nbits: int) -> None:
    if dtype not in (np.dtype(np.uint32), np.dtype(np.uint64), limbs.DTYPE):
        raise EncodingError(f"expected elements of 32, 64 or 128 bits, got dtype {dtype}")
    if not 0 <= nbits <= 8 * dtype.itemsize:
        raise EncodingError(f"expected 0 to {8 * dtype.itemsize} bit planes, got {nbits}")
