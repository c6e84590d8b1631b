"""What is public about an array at a node: its type and shape, and how large it may be.

Nodes hold three types: truth values, 64-bit integers and 64-bit floats. What is sent is converted
to one of them, so that the type of every result is known before anything runs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mpyc_core.errors import EncodingError, FrameError, ShapeMismatch
from mpyc_core.transport.mesh import Array, Spec

BOOL, INT, FLOAT = np.dtype(np.bool_), np.dtype(np.int64), np.dtype(np.float64)
DTYPES = {"bool": BOOL, "int": INT, "float": FLOAT}
NAMES = {dtype: name for name, dtype in DTYPES.items()}
MAX_NDIM = 8
MAX_BYTES = 1 << 32
"""Bytes of one array at a node; a larger result is refused before memory is taken for it."""

__all__ = ["BOOL", "DTYPES", "FLOAT", "INT", "MAX_BYTES", "MAX_NDIM", "NAMES", "Array", "Spec"]


def nbytes(spec: Spec) -> int:
    """Memory of an array."""
    return math.prod(spec.shape) * spec.dtype.itemsize


def checked(spec: Spec) -> Spec:
    """The spec itself.

    Raises
    ------
    ShapeMismatch : too many axes, or too large.
    """
    if len(spec.shape) > MAX_NDIM:
        raise ShapeMismatch(f"a result of {len(spec.shape)} axes; at most {MAX_NDIM} are possible")
    if nbytes(spec) > MAX_BYTES:
        raise ShapeMismatch(
            f"a result of shape {spec.shape} takes {nbytes(spec)} bytes, more than {MAX_BYTES}"
        )
    return spec


def normalised(x: npt.ArrayLike) -> Array:
    """An array of one of the three types, read-only and nobody else's.

    Raises
    ------
    EncodingError : text, objects, complex numbers, dates, or integers beyond 64 bits.
    """
    array = np.asarray(x)
    kind = array.dtype.kind
    if kind not in "biuf" or array.dtype.itemsize > 8:
        raise EncodingError(f"expected truth values, integers or floats, got {array.dtype}")
    if array.dtype == np.uint64 and array.size and int(array.max()) >= 2**63:
        raise EncodingError("expected integers below 2^63")
    target = {"b": BOOL, "i": INT, "u": INT, "f": FLOAT}[kind]
    own = np.array(array, dtype=target, order="C", copy=True)
    own.flags.writeable = False
    return own


def to_wire(spec: Spec) -> list[Any]:
    """A spec as plain data."""
    return [NAMES[spec.dtype], list(spec.shape)]


def from_wire(data: Sequence[Any]) -> Spec:
    """A spec that came from elsewhere, checked.

    Raises
    ------
    FrameError : not a spec.
    """
    try:
        name, shape = data
        spec = Spec(DTYPES[name], tuple(shape))
    except (TypeError, ValueError, KeyError):
        raise FrameError("expected the type and shape of an array") from None
    if not all(type(n) is int and 0 <= n <= MAX_BYTES for n in spec.shape):
        raise FrameError("expected lengths of 0 or more as the shape of an array")
    return checked(spec)
