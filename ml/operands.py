"""Public operands beside secrets: how to encode them so that results stay cheap and exact.

A product with an integer needs no truncation, so floats that are whole numbers are encoded as such.
Other factors get the fraction bits that keep about as many significant bits as the secret has.
"""

from __future__ import annotations

import math
import numbers
from typing import Any

import numpy as np
import numpy.typing as npt

from mpyc_core.errors import EncodingError
from mpyc_core.meta import Meta
from mpyc_core.protocols.backend import Backend, encode
from mpyc_core.protocols.value import Public

Array = npt.NDArray[Any]
PLAIN = (numbers.Number, np.ndarray, np.generic, list, tuple)
"""Types that count as public operands."""


def array_of(x: Any) -> Array:
    """A public operand as an array; bools count as the integers 0 and 1."""
    array = np.asarray(x)
    if array.dtype == bool:
        return array.astype(np.int64)
    if array.dtype.kind not in "iuf":
        raise EncodingError(
            f"expected integers, floats or bools beside a secret, got {array.dtype}"
        )
    return array


def is_float(array: Array) -> bool:
    """Whether the operand is real, not whole, by its type."""
    return array.dtype.kind == "f"


def is_whole(array: Array, bits: int) -> bool:
    """Whether every element is an integer below 2^(bits - 2), so that a product stays exact.

    At most below 2^62, so that it is one of NumPy's integers too.
    """
    if not is_float(array):
        return True
    return bool(
        np.all(array == np.rint(array)) and np.all(np.abs(array) < 2.0 ** (min(bits, 64) - 2))
    )


def term(backend: Backend, array: Array, like: Meta) -> Public:
    """Encode what is added to, or compared with, a secret."""
    return backend.constant(array, like)


def factor(backend: Backend, array: Array, like: Meta) -> Public:
    """Encode what a secret of meta `like` is multiplied by.

    Whole numbers stay whole. A single number that f bits hold exactly gets no more than it needs.
    Others are rounded to s significant bits (those of the largest), where s is f, or half of the
    bits above f if that is less; the product is in range while |secret| < 2^(k - 2 - f - s).
    Beside secret integers a float makes the result fixed point of the session's scale.
    """
    ring = like.ring
    if not is_float(array):
        return encode(array, ring, 0)
    if like.kind == "int":
        return encode(array, ring, backend.f)
    if is_whole(array, ring.width):
        return encode(array.astype(np.int64), ring, 0)
    if array.size == 1:
        bits = float(array.reshape(())).as_integer_ratio()[1].bit_length() - 1
        if bits <= like.f:
            return encode(array, ring, bits)
    room = ring.width - 2 - like.f
    return encode(array, ring, min(like.f, room // 2) + leading_zeros(array, room // 2))


def leading_zeros(array: Array, limit: int) -> int:
    """How many binary places after the point are 0 in every element, at most `limit`."""
    largest = float(np.max(np.abs(array), initial=0.0))
    if not 0 < largest < 1:
        return 0
    return min(limit, -math.frexp(largest)[1])


def precise_beside_int(array: Array, f: int) -> bool:
    """Whether `f` fraction bits hold every factor exactly, or at least to f significant bits."""
    scaled = np.ldexp(array, f)
    small = np.abs(array) < 1
    return bool(np.all(scaled[small] == np.rint(scaled[small])))


def inverse(array: Array) -> Array:
    """1 / array in float64; a zero is refused."""
    if np.any(array == 0):
        raise EncodingError("division of a secret by a public 0; mask those elements first")
    return np.asarray(1.0 / array.astype(np.float64))
