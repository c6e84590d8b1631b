"""Two's-complement fixed point: a real v is the ring element round(v * 2^f) mod 2^k.

Encoding rounds to nearest, ties to even; decoding is exact whenever a float64 can hold the value.
A value out of range is an error, never clamped and never wrapped.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mpyc_core.errors import EncodingError, EncodingOverflow
from mpyc_core.ring import Ring

Array = npt.NDArray[Any]

DEFAULT_F = {32: 8, 61: 8, 64: 16, 127: 16, 128: 16}
"""Fraction bits by ring size, where nothing else is asked for.

A larger ring is for larger numbers first: approximations such as division work with 16 fraction
bits. Sums and products of numbers with more, say 32 in Z/2^128, are there for the asking.
"""


def default_f(ring: Ring) -> int:
    """Fraction bits that a ring uses where nothing else is asked for."""
    return DEFAULT_F[ring.bits]


def encode(x: npt.ArrayLike, ring: Ring, f: int) -> Array:
    """Encode reals in fixed point, rounding to nearest, ties to even.

    Parameters
    ----------
    x : reals, integers or booleans; integers are scaled exactly whatever their size.
    ring : Z/2^k.
    f : fraction bits, 0 <= f < k.

    Returns
    -------
    Array
        Elements of `ring`, of the shape of `x`.

    Raises
    ------
    EncodingError
        NaN, infinity, or something that is not a real number; `f` outside its range.
    EncodingOverflow
        round(v * 2^f) lies outside [-2^(k-1), 2^(k-1)).
    """
    _check_fraction(ring, f)
    a = np.asarray(x)
    if a.dtype.kind in "biuO":
        return _encode_integers(a, ring, f)
    if a.dtype.kind != "f":
        raise EncodingError(f"fixed point holds real numbers, got dtype {a.dtype}")
    if not np.isfinite(a).all():
        raise EncodingError("fixed point holds finite numbers, got NaN or infinity")
    # Widened first: scaling by a power of two is exact then, and so are the limits below.
    wide = a.astype(np.result_type(a.dtype, np.float64))
    scaled = np.asarray(np.rint(_scale(wide, f)))
    limit = np.ldexp(1.0, ring.width - 1)
    if not ((scaled >= -limit) & (scaled < limit)).all():
        raise _overflow(ring, f)
    return ring.from_float(scaled)


def decode(a: Array, ring: Ring, f: int) -> npt.NDArray[np.float64]:
    """Decode fixed point to float64, correctly rounded; exact below 2^53 units.

    Parameters
    ----------
    a : elements of `ring`.
    ring : Z/2^k.
    f : fraction bits, 0 <= f < k.

    Raises
    ------
    RingMismatch
        `a` is not of `ring`.
    EncodingError
        `f` outside its range.
    """
    _check_fraction(ring, f)
    return _scale(ring.to_float(a), -f)


def _scale(x: Array, exponent: int) -> Array:
    with np.errstate(over="ignore"):  # an infinity is out of range, and refused as such
        return np.asarray(np.ldexp(x, exponent))


def _encode_integers(a: Array, ring: Ring, f: int) -> Array:
    if a.dtype.kind == "O" and not all(isinstance(v, int) for v in a.flat):
        raise EncodingError("fixed point holds real numbers, got Python objects")
    limit = 1 << (ring.width - 1 - f)
    if a.size and not (-limit <= int(a.min()) and int(a.max()) < limit):
        raise _overflow(ring, f)
    return ring.lshift(ring.from_int(a), f)


def _check_fraction(ring: Ring, f: int) -> None:
    if not 0 <= f < ring.width:
        raise EncodingError(f"expected 0 to {ring.width - 1} fraction bits in {ring.name}, got {f}")


def _overflow(ring: Ring, f: int) -> EncodingOverflow:
    e = ring.width - 1 - f
    return EncodingOverflow(
        f"{ring.name} with {f} fraction bits holds numbers in [-2^{e}, 2^{e}), "
        "got a value outside; scale the data or use fewer fraction bits"
    )
