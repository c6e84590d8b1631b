"""Bit planes of whole arrays: full groups go through the kernels in place, the rest by a copy."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mpyc_core.parallel import run_rows

from .transpose import BATCH, GROUP, planes_to_words, words_to_planes
from .workspace import workspace

Array = npt.NDArray[Any]

_PLANE_WORDS = GROUP // 64
_MIN_GROUPS = 4 * BATCH


def to_planes(x: Array, planes: Array) -> Array:
    """Fill `planes`, of shape (bits, words of x.size bits), from 64-bit words `x`; returns it."""
    groups = x.size // GROUP
    run_rows(
        lambda i, j: words_to_planes(x[i * GROUP : j * GROUP], i, _scratch(), planes),
        groups,
        _MIN_GROUPS,
    )
    rest = x.size - groups * GROUP
    if rest:
        tail = np.zeros(GROUP, np.uint64)
        tail[:rest] = x[groups * GROUP :]
        part = np.empty((planes.shape[0], _PLANE_WORDS), np.uint64)
        words_to_planes(tail, 0, _scratch(), part)
        end = planes[:, groups * _PLANE_WORDS :]
        end[:] = part[:, : end.shape[1]]
    return planes


def from_planes(planes: Array, x: Array) -> Array:
    """Fill the 64-bit words `x` from `planes`, of shape (bits, words of x.size bits)."""
    groups = x.size // GROUP
    run_rows(
        lambda i, j: planes_to_words(planes, i, _scratch(), x[i * GROUP : j * GROUP]),
        groups,
        _MIN_GROUPS,
    )
    rest = x.size - groups * GROUP
    if rest:
        part = np.zeros((planes.shape[0], _PLANE_WORDS), np.uint64)
        end = planes[:, groups * _PLANE_WORDS :]
        part[:, : end.shape[1]] = end
        tail = np.empty(GROUP, np.uint64)
        planes_to_words(part, 0, _scratch(), tail)
        x[groups * GROUP :] = tail[:rest]
    return x


def _scratch() -> Array:
    return workspace(BATCH * GROUP, np.dtype(np.uint64))
