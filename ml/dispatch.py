"""NumPy called on secret tensors: a closed set of functions, everything else refused by name.

A function that is not listed here raises TypeError, because NumPy's own implementation would need
the values. Arguments that a listed function does not support are refused by name, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mpyc_core.errors import ShareError
from mpyc_core.protocols.backend import encode

from .closed import ClosedSet, Function
from .functions import Functions
from .operands import array_of
from .shaping import Axes

REFLECTED: dict[Function, tuple[str, str]] = {
    np.add: ("__add__", "__radd__"),
    np.subtract: ("__sub__", "__rsub__"),
    np.multiply: ("__mul__", "__rmul__"),
    np.true_divide: ("__truediv__", "__rtruediv__"),
    np.matmul: ("__matmul__", "__rmatmul__"),
    np.less: ("__lt__", "__gt__"),
    np.less_equal: ("__le__", "__ge__"),
    np.greater: ("__gt__", "__lt__"),
    np.greater_equal: ("__ge__", "__le__"),
    np.equal: ("__eq__", "__eq__"),
    np.not_equal: ("__ne__", "__ne__"),
    np.maximum: ("maximum", "maximum"),
    np.minimum: ("minimum", "minimum"),
    np.bitwise_and: ("__and__", "__rand__"),
    np.bitwise_or: ("__or__", "__ror__"),
    np.bitwise_xor: ("__xor__", "__rxor__"),
    np.logical_and: ("__and__", "__rand__"),
    np.logical_or: ("__or__", "__ror__"),
    np.logical_xor: ("__xor__", "__rxor__"),
}
"""Binary functions: the method when the first operand is secret, and when only the second is."""

LEFT: dict[Function, str] = {
    np.power: "__pow__",
    np.left_shift: "__lshift__",
    np.right_shift: "__rshift__",
    np.negative: "__neg__",
    np.positive: "__pos__",
    np.absolute: "abs",
    np.fabs: "abs",
    np.sign: "sign",
    np.exp: "exp",
    np.log: "log",
    np.sqrt: "sqrt",
    np.reciprocal: "reciprocal",
    np.tanh: "tanh",
    np.invert: "__invert__",
    np.logical_not: "__invert__",
}
"""Functions whose first operand is the secret one."""

INSTEAD: dict[str, str] = {
    "floor_divide": "divide in fixed point with /, or shift integers with >>",
    "remainder": "keep residues in the clear, or shift integers with >>",
    "sin": "approximate it by a polynomial in +, * and **",
    "cos": "approximate it by a polynomial in +, * and **",
    "median": "sort() along an axis and index the middle",
    "percentile": "sort() along an axis and index",
    "quantile": "sort() along an axis and index",
    "unique": "sort() and compare neighbours; the number of values would be public",
    "nonzero": "keep a mask of bits and multiply by it; positions would be public",
    "argsort": "sort() along an axis",
    "round": "x.rescale(0, rounding='exact') for the floor",
    "floor": "x.rescale(0, rounding='exact')",
    "array_equal": "(x == y).all(), which stays secret",
    "allclose": "(abs(x - y) < tolerance).all(), which stays secret",
    "isclose": "abs(x - y) < tolerance, which stays secret",
    "std": "var() and sqrt()",
    "einsum": "@, transpose() and sum()",
    "tensordot": "@, transpose() and reshape()",
    "save": "reveal(), or keep the shares where they are",
}


CLOSED = ClosedSet(
    "secret tensors",
    INSTEAD,
    "build it from the operators and methods of SecretTensor, or .reveal() the value",
)


def ufunc(fn: Any, method: str, inputs: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Answer `fn(*inputs)` where an input is secret.

    Raises
    ------
    TypeError : not in the closed set, a method like `reduce`, or arguments like `out` and `where`.
    """
    name = fn.__name__
    if method != "__call__":
        raise TypeError(
            f"numpy.{name}.{method} is not available on secret tensors; use sum(), cumsum(), max() "
            "or min()"
        )
    if kwargs:
        given = ", ".join(f"{key}=" for key in kwargs)
        raise TypeError(f"numpy.{name} on secret tensors takes no {given}; results are new tensors")
    secret = [isinstance(x, Functions) for x in inputs]
    if fn in REFLECTED and all(isinstance(x, Functions) or _is_plain(x) for x in inputs):
        here, there = REFLECTED[fn]
        x, y = inputs
        found = getattr(x, here)(y) if secret[0] else getattr(y, there)(x)
    elif fn is np.square and secret[0]:
        found = inputs[0] * inputs[0]
    elif fn in LEFT and secret[0]:
        found = getattr(inputs[0], LEFT[fn])(*inputs[1:])
    else:
        raise CLOSED.refusal(name)
    if found is NotImplemented:
        raise CLOSED.refusal(name)
    return found


def _is_plain(x: Any) -> bool:
    return np.asarray(x).dtype.kind in "biuf"


def _method(name: str) -> Function:
    def call(x: Functions, *args: Any, **kwargs: Any) -> Any:
        return getattr(_secret(x), name)(*args, **kwargs)

    return call


def _secret(x: Any) -> Functions:
    if not isinstance(x, Functions):
        raise TypeError("the array must be the secret operand here; share the other one, too")
    return x


for _names, _name in (
    ((np.sum,), "sum"),
    ((np.mean,), "mean"),
    ((np.var,), "var"),
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
    ((np.swapaxes,), "swapaxes"),
    ((np.moveaxis,), "moveaxis"),
    ((np.squeeze,), "squeeze"),
    ((np.expand_dims,), "expand_dims"),
    ((np.broadcast_to,), "broadcast_to"),
    ((np.flip,), "flip"),
    ((np.ravel,), "flatten"),
    ((np.clip,), "clip"),
):
    CLOSED.implements(*_names)(_method(_name))


@CLOSED.implements(np.shape)
def _shape(x: Functions) -> tuple[int, ...]:
    return x.shape


@CLOSED.implements(np.ndim)
def _ndim(x: Functions) -> int:
    return x.ndim


@CLOSED.implements(np.size)
def _size(x: Functions, axis: int | None = None) -> int:
    return x.size if axis is None else x.shape[axis]


@CLOSED.implements(np.dot)
def _dot(x: Any, y: Any) -> Any:
    if np.ndim(x) == 0 or np.ndim(y) == 0:
        return x * y
    if np.ndim(y) > 2:
        raise TypeError(
            "numpy.dot on secret tensors takes a second operand of at most 2 axes; use @"
        )
    return x @ y


@CLOSED.implements(np.outer)
def _outer(x: Any, y: Any) -> Any:
    return x.reshape(-1, 1) * y.reshape(1, -1)


@CLOSED.implements(np.pad)
def _pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = 0) -> Any:
    if mode != "constant" or np.any(np.asarray(constant_values) != 0):
        raise TypeError("numpy.pad on secret tensors pads with zeros only: mode='constant'")
    return _secret(x).pad(pad_width)


@CLOSED.implements(np.where)
def where(condition: Any, x: Any, y: Any) -> Any:
    """x where `condition` is true, y elsewhere; with a public condition nothing is sent.

    Parameters
    ----------
    condition : secret bits, or public bools.
    x, y : secret tensors, or public numbers or arrays; shapes broadcast.
    """
    if isinstance(condition, Functions):
        return condition.where(x, y)
    mask = np.asarray(condition).astype(bool)
    return x * mask.astype(np.int64) + y * (~mask).astype(np.int64)


def _joined(op: str, tensors: Sequence[Any], axis: int) -> Any:
    """Concatenate or stack, public arrays encoded like the first secret one."""
    first = next((x for x in tensors if isinstance(x, Functions)), None)
    if first is None:
        raise ShareError(f"{op} needs a secret tensor among its inputs")
    meta = first.meta
    inputs = [
        x if isinstance(x, Functions) else encode(_like(x, meta.kind), meta.ring, meta.f)
        for x in tensors
    ]
    return first._one(op, *inputs, axis=int(axis))


def _like(x: Any, kind: str) -> Any:
    if kind == "bit":
        return np.asarray(x)
    array = array_of(x)
    return array.astype(np.float64) if kind == "fixed" else array


@CLOSED.implements(np.concatenate)
def concatenate(tensors: Sequence[Any], axis: int | None = 0) -> Any:
    """Tensors one after the other along an axis; public arrays may be among them."""
    if axis is None:
        return _joined("concatenate", [x.reshape(-1) for x in tensors], 0)
    return _joined("concatenate", tensors, axis)


@CLOSED.implements(np.stack)
def stack(tensors: Sequence[Any], axis: int = 0) -> Any:
    """Tensors of one shape along a new axis; public arrays may be among them."""
    return _joined("stack", tensors, axis)


@CLOSED.implements(np.vstack)
def _vstack(tensors: Sequence[Any]) -> Any:
    return concatenate([x if x.ndim > 1 else x.reshape(1, -1) for x in tensors], 0)


@CLOSED.implements(np.hstack)
def _hstack(tensors: Sequence[Any]) -> Any:
    return concatenate(tensors, 0 if tensors[0].ndim == 1 else 1)


@CLOSED.implements(np.average)
def _average(x: Any, axis: Axes = None, weights: Any = None, keepdims: bool = False) -> Any:
    if weights is None:
        return _secret(x).mean(axis, keepdims)
    raise TypeError("numpy.average on secret tensors takes no weights; write (x * w).sum()")
