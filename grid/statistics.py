"""Statistics that differentially private releases know: histogram, quantile, covariance."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from mpyc_core.errors import ShapeMismatch

from . import checks
from .ops import Params, register
from .spec import FLOAT, INT, Array, Spec


def _edges(value: Any) -> bool:
    """Rising finite numbers."""
    return (
        type(value) is list
        and 2 <= len(value) <= 4097
        and all(map(checks.real, value))
        and all(a < b for a, b in pairwise(value))
    )


def _histogram(x: Sequence[Array], params: Params) -> Array:
    return np.histogram(x[0], np.asarray(params["edges"], FLOAT))[0].astype(INT)


def _flat(spec: Spec, what: str) -> None:
    if len(spec.shape) != 1:
        raise ShapeMismatch(f"{what} needs one axis, got shape {spec.shape}; take one column")


def _histogram_spec(specs: Sequence[Spec], params: Params) -> Spec:
    _flat(specs[0], "histogram")
    return Spec(INT, (len(params["edges"]) - 1,))


def _quantile_spec(specs: Sequence[Spec], params: Params) -> Spec:
    _flat(specs[0], "quantile")
    if specs[0].shape[0] == 0:
        raise ShapeMismatch("quantile of no elements")
    return Spec(FLOAT, ())


def _covariance_spec(specs: Sequence[Spec], params: Params) -> Spec:
    if len(specs[0].shape) != 2 or specs[0].shape[0] < 2:
        raise ShapeMismatch(f"covariance needs two rows or more, got shape {specs[0].shape}")
    return Spec(FLOAT, (specs[0].shape[1],) * 2)


def _covariance(x: Sequence[Array], params: Params) -> Array:
    centred = x[0].astype(FLOAT)
    centred = centred - centred.mean(0)
    return np.asarray(centred.T @ centred / (len(centred) - 1), FLOAT)


register("histogram", 1, _histogram_spec, _histogram, edges=_edges)
register(
    "quantile",
    1,
    _quantile_spec,
    lambda x, p: np.asarray(np.quantile(x[0].astype(FLOAT), p["q"]), FLOAT),
    q=lambda value: checks.real(value) and 0 <= value <= 1,
)
register("covariance", 1, _covariance_spec, _covariance)
