"""Operations that make fewer numbers of many, and products of matrices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mpyc_core.errors import ShapeMismatch

from . import checks
from .ops import Params, register
from .spec import BOOL, FLOAT, INT, Array, Spec


def axes_of(ndim: int, axis: Any) -> tuple[int, ...]:
    """Axes as numbers of 0 or more, each once."""
    given = range(ndim) if axis is None else axis if isinstance(axis, list) else [axis]
    found = tuple(range(ndim)[a] for a in given)
    if len(set(found)) != len(found):
        raise ShapeMismatch(f"an axis occurs twice in {axis}")
    return found


def _reduced(spec: Spec, params: Params) -> tuple[int, ...]:
    axes = axes_of(len(spec.shape), params["axis"])
    if params["keepdims"]:
        return tuple(1 if i in axes else n for i, n in enumerate(spec.shape))
    return tuple(n for i, n in enumerate(spec.shape) if i not in axes)


def _lengths(spec: Spec, params: Params) -> int:
    return int(np.prod([spec.shape[i] for i in axes_of(len(spec.shape), params["axis"])]))


def _axis(params: Params) -> Any:
    axis = params["axis"]
    return tuple(axis) if isinstance(axis, list) else axis


def _reduction(name: str, fn: Callable[..., Any], dtype: Any, empty: bool, **more: Any) -> None:
    """Register fn(x, axis=, keepdims=); `dtype` maps the operand's type to the result's."""

    def infer(specs: Sequence[Spec], params: Params) -> Spec:
        if not empty and _lengths(specs[0], params) == 0:
            raise ShapeMismatch(f"{name} of no elements")
        return Spec(dtype(specs[0].dtype), _reduced(specs[0], params))

    def run(x: Sequence[Array], params: Params) -> Any:
        given = {key: params[key] for key in more}
        found = fn(x[0], axis=_axis(params), keepdims=params["keepdims"], **given)
        return np.asarray(found, dtype(x[0].dtype))

    register(name, 1, infer, run, axis=checks.axes, keepdims=checks.flag, **more)


def _summed(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return FLOAT if dtype == FLOAT else INT


def _same(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return dtype


_reduction("sum", np.sum, _summed, True)
_reduction("mean", np.mean, lambda d: FLOAT, False)
_reduction("var", np.var, lambda d: FLOAT, False, ddof=checks.natural)
_reduction("std", np.std, lambda d: FLOAT, False, ddof=checks.natural)
_reduction("max", np.max, _same, False)
_reduction("min", np.min, _same, False)
_reduction("all", np.all, lambda d: BOOL, True)
_reduction("any", np.any, lambda d: BOOL, True)


def _place_spec(specs: Sequence[Spec], params: Params) -> Spec:
    whole = {"axis": params["axis"], "keepdims": False}
    if _lengths(specs[0], whole) == 0:
        raise ShapeMismatch("the place of an extreme of no elements")
    return Spec(INT, _reduced(specs[0], whole))


def _along(dtype: Callable[[np.dtype[Any]], np.dtype[Any]]) -> Any:
    """The same shape, for operations along one axis that must exist."""

    def infer(specs: Sequence[Spec], params: Params) -> Spec:
        axes_of(len(specs[0].shape), params["axis"])
        return Spec(dtype(specs[0].dtype), specs[0].shape)

    return infer


def _matmul_spec(specs: Sequence[Spec], params: Params) -> Spec:
    x, y = specs
    if not x.shape or not y.shape:
        raise ShapeMismatch("@ needs arrays with axes; use * for numbers")
    a = x.shape if len(x.shape) > 1 else (1, *x.shape)
    b = y.shape if len(y.shape) > 1 else (*y.shape, 1)
    if a[-1] != b[-2]:
        raise ShapeMismatch(f"@ of shapes {x.shape} and {y.shape}")
    lead = np.broadcast_shapes(a[:-2], b[:-2])
    rows = (a[-2],) if len(x.shape) > 1 else ()
    columns = (b[-1],) if len(y.shape) > 1 else ()
    return Spec(np.result_type(x.dtype, y.dtype), (*lead, *rows, *columns))


for _name, _fn in (("argmax", np.argmax), ("argmin", np.argmin)):
    register(
        _name,
        1,
        _place_spec,
        lambda x, p, fn=_fn: np.asarray(fn(x[0], axis=p["axis"]), INT),  # type: ignore[misc]
        axis=checks.optional(checks.axis),
    )
register("sort", 1, _along(_same), lambda x, p: np.sort(x[0], p["axis"]), axis=checks.axis)
register(
    "cumsum",
    1,
    _along(_summed),
    lambda x, p: np.cumsum(x[0], p["axis"], _summed(x[0].dtype)),
    axis=checks.axis,
)
register("matmul", 2, _matmul_spec, lambda x, p: np.matmul(x[0], x[1]))
