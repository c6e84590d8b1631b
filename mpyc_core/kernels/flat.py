"""Elementwise kernels on arrays of any shape: operands made flat, ranges for threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from mpyc_core.errors import RingMismatch, ShapeMismatch
from mpyc_core.parallel import run_rows

Array = npt.NDArray[Any]

_UNIT = 64
"""Ranges start at multiples of this: whole words of packed bits, and whole vectors."""
_MIN_WORDS = 1 << 16
"""What is worth a thread of its own."""


def split(n: int, work: Callable[[int, int], object], weight: int = 1) -> None:
    """Call `work(start, stop)` on ranges that cover `range(n)`; starts are multiples of 64.

    `weight` is how many words there are for each of the n.
    """
    if n * weight < 2 * _MIN_WORDS:
        work(0, n)
        return
    units, least = -(-n // _UNIT), _MIN_WORDS // (_UNIT * weight)
    run_rows(lambda a, b: work(a * _UNIT, min(b * _UNIT, n)), units, least)


def flat(x: Array, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """`x` broadcast to `shape`, contiguous and in one dimension; copied only if it must be.

    Raises
    ------
    ShapeMismatch, RingMismatch
        It does not broadcast to the shape, or is not of the dtype.
    """
    if x.dtype != dtype:
        raise RingMismatch(f"expected operands of dtype {dtype}, got {x.dtype}")
    if x.shape != shape:
        try:
            x = np.broadcast_to(x, shape)
        except ValueError:
            raise ShapeMismatch(f"expected operands of shape {shape}, got {x.shape}") from None
    flags = x.flags
    if not (flags.c_contiguous and flags.aligned):
        x = np.require(x, requirements=["C", "A"])
    return x.reshape(-1)
