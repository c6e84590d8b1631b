"""NumPy called on pointers: a closed set of functions, everything else refused by name."""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mpyc_core.errors import ShareError
from mpyc_core.ml.closed import ClosedSet, Function

from .handle import Handle, plain
from .spec import normalised

PLAIN = (numbers.Number, np.ndarray, np.generic, list, tuple)
"""Types that count as public operands."""

UFUNCS: dict[Any, str] = {
    np.add: "add",
    np.subtract: "sub",
    np.multiply: "mul",
    np.true_divide: "div",
    np.matmul: "matmul",
    np.less: "lt",
    np.less_equal: "le",
    np.greater: "gt",
    np.greater_equal: "ge",
    np.equal: "eq",
    np.not_equal: "ne",
    np.maximum: "maximum",
    np.minimum: "minimum",
    np.bitwise_and: "and",
    np.bitwise_or: "or",
    np.bitwise_xor: "xor",
    np.logical_and: "and",
    np.logical_or: "or",
    np.logical_xor: "xor",
    np.negative: "neg",
    np.absolute: "abs",
    np.fabs: "abs",
    np.sign: "sign",
    np.square: "square",
    np.reciprocal: "reciprocal",
    np.invert: "invert",
    np.logical_not: "invert",
    np.exp: "exp",
    np.log: "log",
    np.sqrt: "sqrt",
    np.tanh: "tanh",
    np.floor: "floor",
    np.ceil: "ceil",
    np.rint: "rint",
}
INSTEAD = {
    "floor_divide": "numpy.floor(x / y)",
    "remainder": "x - y * numpy.floor(x / y)",
    "unique": "histogram with public edges; the number of values would be public",
    "nonzero": "keep a condition and multiply by it; positions would be public",
    "median": "numpy.quantile(x, 0.5)",
    "save": ".get(), or leave the data where it is",
}


CLOSED = ClosedSet("pointers", INSTEAD, "build it from the operators and methods of pointers")


def ufunc(fn: Any, method: str, inputs: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Answer `fn(*inputs)` where an input is a pointer.

    Raises
    ------
    TypeError : not in the closed set, a method like `reduce`, or arguments like `out`.
    """
    name = fn.__name__
    if fn is np.power and method == "__call__" and not kwargs and isinstance(inputs[0], Handle):
        return inputs[0] ** inputs[1]
    if method != "__call__" or kwargs or fn not in UFUNCS:
        raise CLOSED.refusal(name if method == "__call__" else f"{name}.{method}")
    if not all(isinstance(x, (Handle, *PLAIN)) for x in inputs):
        raise CLOSED.refusal(name)
    first = _pointer(inputs)
    logical = fn in (np.logical_and, np.logical_or, np.logical_xor, np.logical_not)
    operands = [x if isinstance(x, Handle) else normalised(x) for x in inputs]
    if logical and any(x.dtype != bool for x in operands):
        raise TypeError(f"numpy.{name} on pointers needs truth values; compare first")
    return first._run(UFUNCS[fn], *operands)


def _pointer(operands: Sequence[Any]) -> Handle:
    found = next((x for x in operands if isinstance(x, Handle)), None)
    if found is None:
        raise ShareError("one of the operands must be a pointer")
    return found


def _method(name: str) -> Function:
    def call(x: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(x, Handle):
            raise TypeError("the array itself must be the pointer here")
        return getattr(x, name)(*args, **kwargs)

    return call


for _functions, _name in (
    ((np.sum,), "sum"),
    ((np.mean,), "mean"),
    ((np.var,), "var"),
    ((np.std,), "std"),
    ((np.max, np.amax), "max"),
    ((np.min, np.amin), "min"),
    ((np.argmax,), "argmax"),
    ((np.argmin,), "argmin"),
    ((np.all,), "all"),
    ((np.any,), "any"),
    ((np.sort,), "sort"),
    ((np.cumsum,), "cumsum"),
    ((np.reshape,), "reshape"),
    ((np.transpose,), "transpose"),
    ((np.squeeze,), "squeeze"),
    ((np.ravel,), "flatten"),
    ((np.clip,), "clip"),
    ((np.take,), "take"),
    ((np.quantile,), "quantile"),
):
    CLOSED.implements(*_functions)(_method(_name))


@CLOSED.implements(np.shape)
def _shape(x: Handle) -> tuple[int, ...]:
    return x.shape


@CLOSED.implements(np.ndim)
def _ndim(x: Handle) -> int:
    return x.ndim


@CLOSED.implements(np.size)
def _size(x: Handle, axis: int | None = None) -> int:
    return x.size if axis is None else x.shape[axis]


@CLOSED.implements(np.dot)
def _dot(x: Any, y: Any) -> Any:
    return x * y if np.ndim(x) == 0 or np.ndim(y) == 0 else x @ y


@CLOSED.implements(np.outer)
def _outer(x: Any, y: Any) -> Any:
    return x.reshape(-1, 1) * y.reshape(1, -1)


@CLOSED.implements(np.where)
def _where(condition: Any, x: Any, y: Any) -> Any:
    operands = [v if isinstance(v, Handle) else normalised(v) for v in (condition, x, y)]
    return _pointer(operands)._run("where", *operands)


@CLOSED.implements(np.concatenate)
def _concatenate(arrays: Sequence[Any], axis: int = 0) -> Any:
    operands = [v if isinstance(v, Handle) else normalised(v) for v in arrays]
    return _pointer(operands)._run("concatenate", *operands, axis=int(axis))


@CLOSED.implements(np.stack)
def _stack(arrays: Sequence[Any], axis: int = 0) -> Any:
    operands = [v if isinstance(v, Handle) else normalised(v) for v in arrays]
    return _pointer(operands)._run("stack", *operands, axis=int(axis))


@CLOSED.implements(np.vstack)
def _vstack(arrays: Sequence[Any]) -> Any:
    return _concatenate([v if np.ndim(v) > 1 else v.reshape(1, -1) for v in arrays], 0)


@CLOSED.implements(np.hstack)
def _hstack(arrays: Sequence[Any]) -> Any:
    return _concatenate(arrays, 0 if np.ndim(arrays[0]) == 1 else 1)


@CLOSED.implements(np.broadcast_to)
def _broadcast_to(x: Handle, shape: Sequence[int]) -> Any:
    return x._run("broadcast_to", x, shape=[int(n) for n in shape])


@CLOSED.implements(np.expand_dims)
def _expand_dims(x: Any, axis: int) -> Any:
    shape = list(x.shape)
    shape.insert(range(len(shape) + 1)[axis], 1)
    return x.reshape(shape)


@CLOSED.implements(np.swapaxes)
def _swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    order = list(range(x.ndim))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return x.transpose(order)


@CLOSED.implements(np.moveaxis)
def _moveaxis(x: Any, source: int, destination: int) -> Any:
    order = list(range(x.ndim))
    moved = order.pop(range(x.ndim)[source])
    order.insert(range(x.ndim)[destination], moved)
    return x.transpose(order)


@CLOSED.implements(np.flip)
def _flip(x: Any, axis: Any = None) -> Any:
    axes = range(x.ndim) if axis is None else [axis] if isinstance(axis, int) else axis
    chosen = {range(x.ndim)[a] for a in axes}
    key = [["slice", None, None, -1 if i in chosen else None] for i in range(x.ndim)]
    return x._run("index", x, key=key)


@CLOSED.implements(np.pad)
def _pad(x: Handle, pad_width: Any, mode: str = "constant", constant_values: Any = 0) -> Any:
    if mode != "constant" or np.any(np.asarray(constant_values) != 0):
        raise TypeError("numpy.pad on pointers pads with zeros only: mode='constant'")
    pairs = np.broadcast_to(np.asarray(pad_width, int), (x.ndim, 2))
    return x._run("pad", x, width=[[int(a), int(b)] for a, b in pairs])


@CLOSED.implements(np.histogram)
def _histogram(x: Any, bins: Any, range: Any = None) -> Any:
    if isinstance(bins, int):
        if range is None:
            raise TypeError("numpy.histogram on pointers needs public edges: give range=")
        bins = np.linspace(float(range[0]), float(range[1]), bins + 1)
    edges = np.asarray(bins, np.float64)
    return x.histogram(plain(edges.tolist())), edges


@CLOSED.implements(np.cov)
def _cov(m: Any, rowvar: bool = True) -> Any:
    return (m.T if rowvar else m).cov()
