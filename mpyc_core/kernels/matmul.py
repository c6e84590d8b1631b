"""Matrix products over Z/2^32 and Z/2^64."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mpyc_core.errors import ShapeMismatch

Array = npt.NDArray[Any]


def matmul(a: Array, b: Array) -> Array:
    """Product of two arrays of one unsigned dtype, with the shapes of NumPy's matmul."""
    try:
        return np.asarray(np.matmul(a, b))
    except ValueError as error:
        raise ShapeMismatch(f"matmul: shapes {a.shape} and {b.shape} do not fit") from error
