"""Scratch memory of kernels: one array a thread for each size, aligned to cache lines, reused."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_LINE = 64
_local = threading.local()


def workspace(size: int, dtype: np.dtype[Any]) -> Array:
    """`size` words that the calling thread may use until its next call; their content is stale."""
    held: dict[tuple[int, str], Array] = _local.__dict__.setdefault("held", {})
    key = size, dtype.char
    if key not in held:
        raw = np.empty(size * dtype.itemsize + _LINE, np.uint8)
        start = -raw.ctypes.data % _LINE
        held[key] = raw[start : start + size * dtype.itemsize].view(dtype)
    return held[key]
