"""Operations element by element: arithmetic, comparison, logic, functions, choices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mpyc_core.errors import ShapeMismatch

from . import checks
from .ops import Params, register
from .spec import BOOL, DTYPES, FLOAT, INT, Array, Spec

BINARY: dict[str, np.ufunc] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.true_divide,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "eq": np.equal,
    "ne": np.not_equal,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
}
UNARY: dict[str, np.ufunc] = {
    "neg": np.negative,
    "abs": np.absolute,
    "sign": np.sign,
    "square": np.square,
    "reciprocal": np.reciprocal,
    "invert": np.invert,
}
REAL: dict[str, np.ufunc] = {
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "tanh": np.tanh,
    "floor": np.floor,
    "ceil": np.ceil,
    "rint": np.rint,
}


def _shape(specs: Sequence[Spec]) -> tuple[int, ...]:
    return np.broadcast_shapes(*(spec.shape for spec in specs))


def _typed(fn: np.ufunc, dtypes: Sequence[np.dtype[Any]]) -> np.dtype[Any]:
    found = fn.resolve_dtypes((*dtypes, None))[-1]
    if found not in DTYPES.values():
        raise ShapeMismatch(f"{fn.__name__} does not work on {', '.join(map(str, dtypes))}")
    return found


def _register_ufunc(name: str, fn: np.ufunc, arity: int) -> None:
    def infer(specs: Sequence[Spec], params: Params) -> Spec:
        return Spec(_typed(fn, [spec.dtype for spec in specs]), _shape(specs))

    register(name, arity, infer, lambda x, p: fn(*x))


def _as_float(fn: np.ufunc) -> Any:
    return lambda x, p: fn(x[0].astype(FLOAT))


for _name, _fn in BINARY.items():
    _register_ufunc(_name, _fn, 2)
for _name, _fn in UNARY.items():
    _register_ufunc(_name, _fn, 1)
for _name, _fn in REAL.items():
    register(_name, 1, lambda specs, params: Spec(FLOAT, specs[0].shape), _as_float(_fn))


def _power_spec(specs: Sequence[Spec], params: Params) -> Spec:
    whole = specs[0].dtype != FLOAT and type(params["exponent"]) is int and params["exponent"] >= 0
    return Spec(INT if whole else FLOAT, specs[0].shape)


def _power(x: Sequence[Array], params: Params) -> Array:
    spec = _power_spec([Spec.of(x[0])], params)
    return np.asarray(np.power(x[0].astype(spec.dtype), spec.dtype.type(params["exponent"])))


def _clip(x: Sequence[Array], params: Params) -> Array:
    dtype = _clip_spec([Spec.of(x[0])], params).dtype
    low, high = (None if v is None else dtype.type(v) for v in (params["low"], params["high"]))
    return np.asarray(np.clip(x[0].astype(dtype), low, high))


def _clip_spec(specs: Sequence[Spec], params: Params) -> Spec:
    if params["low"] is None and params["high"] is None:
        raise ShapeMismatch("clip needs a lower or an upper bound")
    floats = specs[0].dtype == FLOAT or any(type(v) is float for v in params.values())
    return Spec(FLOAT if floats else INT, specs[0].shape)


def _where_spec(specs: Sequence[Spec], params: Params) -> Spec:
    if specs[0].dtype != BOOL:
        raise ShapeMismatch("where needs truth values as its condition; compare first")
    return Spec(np.result_type(specs[1].dtype, specs[2].dtype), _shape(specs))


def _sigmoid(x: Sequence[Array], params: Params) -> Array:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x[0].astype(FLOAT))))


register("power", 1, _power_spec, _power, exponent=checks.real)
register(
    "clip",
    1,
    _clip_spec,
    _clip,
    low=checks.optional(checks.real),
    high=checks.optional(checks.real),
)
register("where", 3, _where_spec, lambda x, p: np.where(x[0], x[1], x[2]))
register(
    "astype",
    1,
    lambda specs, p: Spec(DTYPES[p["to"]], specs[0].shape),
    lambda x, p: x[0].astype(DTYPES[p["to"]]),
    to=lambda value: value in ("bool", "int", "float"),
)
register("sigmoid", 1, lambda specs, p: Spec(FLOAT, specs[0].shape), _sigmoid)
