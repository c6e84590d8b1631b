"""Small graphs over NumPy, for the analysis; what they compute is written here once more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

Array = Any
FUNCTIONS: dict[str, Callable[..., Array]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "neg": np.negative,
    "abs": np.abs,
    "square": np.square,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "gt": np.greater,
    "lt": np.less,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "where": np.where,
    "floor": np.floor,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "astype": lambda x, to: x.astype({"int": np.int64, "float": float, "bool": bool}[to]),
    "clip": lambda x, low, high: np.clip(x, low, high),
    "power": lambda x, exponent: x**exponent,
    "matmul": lambda x, y: x @ y,
    "transpose": lambda x, axes: x.transpose(axes),
    "reshape": lambda x, shape: x.reshape(shape),
    "index": lambda x, key: x[thaw(key)],
    "take": lambda x, indices, axis: np.take(x, indices, axis),
    "concatenate": lambda *x, axis: np.concatenate(x, axis),
    "stack": lambda *x, axis: np.stack(x, axis),
    "sum": lambda x, axis, keepdims: x.sum(axis=_axis(axis), keepdims=keepdims),
    "mean": lambda x, axis, keepdims: x.mean(axis=_axis(axis), keepdims=keepdims),
    "max": lambda x, axis, keepdims: x.max(axis=_axis(axis), keepdims=keepdims),
    "sort": lambda x, axis: np.sort(x, axis),
    "var": lambda x, axis, keepdims, ddof: x.var(axis=axis, keepdims=keepdims, ddof=ddof),
    "std": lambda x, axis, keepdims, ddof: x.std(axis=axis, keepdims=keepdims, ddof=ddof),
    "covariance": lambda x: np.cov(x.T),
    "quantile": lambda x, q: np.quantile(x, q),
    "histogram": lambda x, edges: np.histogram(x, edges)[0],
}


def _axis(axis: Any) -> Any:
    return tuple(axis) if isinstance(axis, list) else axis


def thaw(key: list[list[Any]]) -> tuple[Any, ...]:
    makers: dict[str, Callable[..., Any]] = {"slice": slice, "at": int, "new": lambda: None}
    return tuple(makers[item[0]](*item[1:]) for item in key)


@dataclass(eq=False)
class N:
    """A node; `data` leaves have an array that tests replace."""

    op: str
    inputs: tuple[N, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    value: Array | None = None
    name: str = ""
    spec: Any = None

    def __getattr__(self, op: str) -> Callable[..., N]:
        if op.startswith("_") or op not in FUNCTIONS:
            raise AttributeError(op)
        return lambda *more, **params: make(op, self, *more, **params)


DATA: dict[str, Array] = {}
"""What data leaves hold now."""


def data(name: str, array: Any) -> N:
    DATA[name] = np.asarray(array)
    return N(
        "data", name=name, spec=SimpleNamespace(shape=DATA[name].shape, dtype=DATA[name].dtype)
    )


def make(op: str, *inputs: Any, **params: Any) -> N:
    nodes = tuple(x if isinstance(x, N) else constant(x) for x in inputs)
    node = N(op, nodes, params)
    found = evaluate(node)
    node.spec = SimpleNamespace(shape=found.shape, dtype=found.dtype)
    return node


def constant(x: Any) -> N:
    array = np.asarray(x)
    spec = SimpleNamespace(shape=array.shape, dtype=array.dtype)
    return N("constant", value=array, spec=spec)


def evaluate(node: N) -> Array:
    if node.value is not None:
        return node.value
    if node.op == "data":
        return DATA[node.name]
    return run(node, [evaluate(x) for x in node.inputs])


def run(node: N, values: Any) -> Array:
    with np.errstate(all="ignore"):
        return np.asarray(FUNCTIONS[node.op](*values, **node.params))
