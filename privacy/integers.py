"""Exact evaluation: totals of rows as whole numbers on their grid.

Rows may come from any floating-point computation. Before they are added up, every entry is brought
to its grid and clipped to the bounds that the sensitivity was computed from, so the sensitivity
holds whatever rounding, overflow or NaN came before. Sums of integers do not round [CHMT22].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .interval import Interval
from .label import Array
from .step import BITS_OF_EXACT

INT64 = np.iinfo(np.int64)


def quantised(x: Array, bounds: Interval, f: int) -> Array:
    """x in units of 2^-f, rounded to nearest and clipped to the bounds, as int64; NaN goes low."""
    low, high = (np.asarray(b, np.int64) for b in bounds.units(f))
    if x.dtype.kind == "f":
        with np.errstate(invalid="ignore", over="ignore"):
            scaled = np.rint(np.ldexp(x.astype(np.float64), f))
            inside = np.clip(np.where(np.isnan(scaled), -np.inf, scaled), -(2.0**62), 2.0**62)
        whole = inside.astype(np.int64)
    else:
        whole = x.astype(np.int64)
        limit = 1 << (BITS_OF_EXACT - f)
        whole = np.clip(whole, -limit, limit) << f
    return np.clip(whole, low, high)


def exact_sum(x: Array, axes: Sequence[int], keepdims: bool) -> Array:
    """The sum of int64 over axes, in int64 or in Python's integers."""
    count = int(np.prod([x.shape[a] for a in axes], dtype=object))
    wide = count * _largest(x) >= 1 << BITS_OF_EXACT
    found: Array = np.sum(x.astype(object) if wide else x, axis=tuple(axes), keepdims=keepdims)
    return np.asarray(found, object if wide else np.int64)


def exact_product(x: Array, y: Array) -> Array:
    """x @ y of int64, in int64 or in Python's integers."""
    count = x.shape[-1]
    wide = count * _largest(x) * _largest(y) >= 1 << BITS_OF_EXACT
    found: Any = x.astype(object) @ y.astype(object) if wide else x @ y
    return np.asarray(found, object if wide else np.int64)


def exact_histogram(x: Array, edges: Sequence[float]) -> Array:
    """Counts of [e0, e1), [e1, e2), ..., the last bin closed; what is outside is not counted."""
    points = np.asarray(edges, np.float64)
    values = x.astype(np.float64)
    bins = np.searchsorted(points, values, side="right") - 1
    bins = np.where(values == points[-1], len(points) - 2, bins)
    inside = (bins >= 0) & (bins < len(points) - 1) & ~np.isnan(values)
    return np.bincount(bins[inside], minlength=len(points) - 1).astype(np.int64)


def rank_scores(x: Array, candidates: Array, number: int, parts: int) -> Array:
    """How far each candidate is from the quantile number / parts: 0 or negative, whole.

    One row moves each count of smaller elements by one at most, so each score by `parts`.
    """
    values = np.sort(np.where(np.isnan(x), -np.inf, x).astype(np.float64).reshape(-1))
    below = np.searchsorted(values, candidates, side="left").astype(np.int64)
    upto = np.searchsorted(values, candidates, side="right").astype(np.int64)
    target = number * values.size
    return -np.maximum(np.maximum(parts * below - target, target - parts * upto), 0)


def _largest(x: Array) -> int:
    return max(abs(int(x.min())), abs(int(x.max()))) if x.size else 0
