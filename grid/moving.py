"""Operations that move, repeat or join elements; the shapes of their results are public."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mpyc_core.errors import ShapeMismatch

from . import checks
from .ops import Params, register
from .spec import Array, Spec

Key = tuple[int | slice | None, ...]


def _item(value: Any) -> bool:
    """One part of a frozen index."""
    if type(value) is not list or not value:
        return False
    kind, *rest = value
    if kind == "slice":
        return len(rest) == 3 and all(v is None or checks.whole(v) for v in rest)
    if kind == "at":
        return len(rest) == 1 and checks.whole(rest[0])
    return value == ["new"]


def is_key(value: Any) -> bool:
    """Whether a value is a frozen index."""
    return type(value) is list and len(value) <= 16 and all(map(_item, value))


def thaw_key(key: Sequence[Sequence[Any]]) -> Key:
    """The index that a frozen one stands for."""
    found: list[int | slice | None] = []
    for kind, *rest in key:
        found.append(slice(*rest) if kind == "slice" else rest[0] if kind == "at" else None)
    return tuple(found)


def _indices(value: Any) -> bool:
    return type(value) is list and len(value) <= 1 << 16 and all(map(checks.whole, value))


def _pairs(value: Any) -> bool:
    return type(value) is list and all(
        type(p) is list and len(p) == 2 and all(map(checks.natural, p)) for p in value
    )


def _phantom(spec: Spec) -> Array:
    """An array of this shape that takes no memory: to ask NumPy for shapes of views."""
    return np.broadcast_to(np.zeros((), spec.dtype), spec.shape)


def _view(fn: Any) -> Any:
    """Infer from what NumPy does with a phantom; only for functions that make views."""
    return lambda specs, params: Spec.of(fn([_phantom(specs[0])], params))


def _reshape_spec(specs: Sequence[Spec], params: Params) -> Spec:
    shape, size = list(params["shape"]), int(np.prod(specs[0].shape, dtype=object))
    if shape.count(-1) == 1:
        rest = int(np.prod([n for n in shape if n != -1], dtype=object))
        shape[shape.index(-1)] = size // rest if rest else -1
    if any(n < 0 for n in shape) or int(np.prod(shape, dtype=object)) != size:
        raise ShapeMismatch(f"cannot reshape {specs[0].shape} into {tuple(params['shape'])}")
    return Spec(specs[0].dtype, tuple(shape))


def _pad_spec(specs: Sequence[Spec], params: Params) -> Spec:
    width = params["width"]
    if len(width) != len(specs[0].shape):
        raise ShapeMismatch(f"pad needs {len(specs[0].shape)} pairs of widths")
    shape = tuple(n + a + b for n, (a, b) in zip(specs[0].shape, width, strict=True))
    return Spec(specs[0].dtype, shape)


def _take_spec(specs: Sequence[Spec], params: Params) -> Spec:
    (spec,), at, indices = specs, params["axis"], params["indices"]
    axis = range(len(spec.shape))[at]
    if any(not -spec.shape[axis] <= i < spec.shape[axis] for i in indices):
        raise ShapeMismatch(f"an index is outside axis {axis} of length {spec.shape[axis]}")
    return Spec(spec.dtype, (*spec.shape[:axis], len(indices), *spec.shape[axis + 1 :]))


def _joined_spec(specs: Sequence[Spec], params: Params) -> Spec:
    shapes, axis = [spec.shape for spec in specs], range(len(specs[0].shape))[params["axis"]]
    if len({(*s[:axis], *s[axis + 1 :]) for s in shapes}) > 1 or len({len(s) for s in shapes}) > 1:
        raise ShapeMismatch(f"cannot concatenate shapes {shapes} along axis {axis}")
    length = sum(s[axis] for s in shapes)
    dtype = np.result_type(*(spec.dtype for spec in specs))
    return Spec(dtype, (*shapes[0][:axis], length, *shapes[0][axis + 1 :]))


def _stacked_spec(specs: Sequence[Spec], params: Params) -> Spec:
    if len({spec.shape for spec in specs}) > 1:
        raise ShapeMismatch("stack needs arrays of one shape")
    shape = list(specs[0].shape)
    shape.insert(range(len(shape) + 1)[params["axis"]], len(specs))
    return Spec(np.result_type(*(spec.dtype for spec in specs)), tuple(shape))


def _index(x: Sequence[Array], params: Params) -> Array:
    return np.asarray(x[0][thaw_key(params["key"])])


def _transpose(x: Sequence[Array], params: Params) -> Array:
    return np.transpose(x[0], params["axes"])


def _broadcast(x: Sequence[Array], params: Params) -> Array:
    return np.broadcast_to(x[0], params["shape"])


register(
    "reshape",
    1,
    _reshape_spec,
    lambda x, p: x[0].reshape(_reshape_spec([Spec.of(x[0])], p).shape),
    shape=checks.lengths,
)
register("transpose", 1, _view(_transpose), _transpose, axes=checks.lengths)
register("index", 1, _view(_index), _index, key=is_key)
register("broadcast_to", 1, _view(_broadcast), _broadcast, shape=checks.lengths)
register(
    "take",
    1,
    _take_spec,
    lambda x, p: np.take(x[0], p["indices"], p["axis"]),
    indices=_indices,
    axis=checks.axis,
)
register("pad", 1, _pad_spec, lambda x, p: np.pad(x[0], p["width"]), width=_pairs)
register(
    "concatenate",
    None,
    _joined_spec,
    lambda x, p: np.concatenate(x, p["axis"]),
    axis=checks.axis,
)
register("stack", None, _stacked_spec, lambda x, p: np.stack(x, p["axis"]), axis=checks.axis)
