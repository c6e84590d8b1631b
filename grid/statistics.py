"""Statistics that private releases know: histogram, quantile, covariance, regression."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from mpyc_core.errors import ShapeMismatch

from . import checks
from .ops import Params, register
from .spec import FLOAT, INT, Array, Spec

NEWTON = 30
RIDGE = 1e-6
"""So that classes which a plane separates have a fit."""


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


def _regression_spec(specs: Sequence[Spec], params: Params) -> Spec:
    x, y = specs
    if len(x.shape) != 2 or y.shape != x.shape[:1] or not x.shape[0]:
        raise ShapeMismatch(
            f"regression needs rows of shape (n, columns) and n targets, got {x.shape}, {y.shape}"
        )
    return Spec(FLOAT, (x.shape[1] + 1,))


def _regression(x: Sequence[Array], params: Params) -> Array:
    """The exact fit; NaN where there is none, so that nothing fails because of the data."""
    table = np.column_stack([x[0].astype(FLOAT), np.ones(len(x[0]))])
    target = x[1].astype(FLOAT)
    try:
        if params["kind"] == "linear":
            return np.asarray(np.linalg.lstsq(table, target, rcond=None)[0])
        w = np.zeros(table.shape[1])
        for _ in range(NEWTON):
            p = 1 / (1 + np.exp(-np.clip(table @ w, -40, 40)))
            weighed = table.T @ (table * (p * (1 - p))[:, None]) + RIDGE * np.eye(len(w))
            w = w - np.linalg.lstsq(weighed, table.T @ (p - target) + RIDGE * w, rcond=None)[0]
        return w
    except np.linalg.LinAlgError:
        return np.full(table.shape[1], np.nan)


register("histogram", 1, _histogram_spec, _histogram, edges=_edges)
register(
    "quantile",
    1,
    _quantile_spec,
    lambda x, p: np.asarray(np.quantile(x[0].astype(FLOAT), p["q"]), FLOAT),
    q=lambda value: checks.real(value) and 0 <= value <= 1,
)
register("covariance", 1, _covariance_spec, _covariance)
register(
    "regression",
    2,
    _regression_spec,
    _regression,
    kind=lambda value: value in ("linear", "logistic"),
    steps=checks.optional(lambda value: checks.natural(value) and 1 <= value <= 1000),
    lr=checks.optional(checks.positive),
)
