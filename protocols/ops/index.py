"""Indexing by public indices, and its adjoint: local, linear.

Parameters are plain data, because commands travel: an index is a list made by `freeze_key`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import EllipsisType
from typing import Any

import numpy as np

from mpyc_core.errors import ShapeMismatch, ShareError
from mpyc_core.meta import Meta
from mpyc_core.protocols.protocol import Protocol
from mpyc_core.protocols.registry import Case, operation
from mpyc_core.protocols.value import Value
from mpyc_core.transport.mesh import Array

from .infer import numbers
from .shape import BITS, FLOATS, INTS, shaped

IndexItem = int | slice | None | EllipsisType | Array


def freeze_key(key: Any) -> list[Any]:
    """An index as plain data.

    Raises
    ------
    ShareError : the index is secret, or of a type that would make the shape depend on data.
    """
    items = key if isinstance(key, tuple) else (key,)
    return [_freeze(item) for item in items]


def _freeze(item: Any) -> list[Any]:
    if item is None:
        return ["new"]
    if item is Ellipsis:
        return ["all"]
    if isinstance(item, slice):
        return [
            "slice",
            *(None if v is None else int(v) for v in (item.start, item.stop, item.step)),
        ]
    if isinstance(item, (int, np.integer)) and not isinstance(item, bool):
        return ["at", int(item)]
    if isinstance(item, (list, np.ndarray)):
        array = np.asarray(item)
        if array.dtype == bool:
            array = np.flatnonzero(array) if array.ndim == 1 else array
        if np.issubdtype(array.dtype, np.integer):
            return ["take", array.astype(np.int64)]
    raise ShareError(
        f"expected an index of integers, slices, None, ... or public integer arrays, got "
        f"{type(item).__name__}; a secret index would change the shape with the data: use where()"
    )


def thaw_key(key: Sequence[Sequence[Any]]) -> tuple[IndexItem, ...]:
    """The NumPy index of `freeze_key`'s plain data."""
    thaw: dict[str, Callable[..., IndexItem]] = {
        "new": lambda: None,
        "all": lambda: Ellipsis,
        "slice": slice,
        "at": int,
        "take": lambda array: np.asarray(array, np.int64),
    }
    return tuple(thaw[item[0]](*item[1:]) for item in key)


def _index_infer(x: Meta, *, key: Any) -> Meta:
    return shaped(x, lambda a: a[thaw_key(key)], "index")


@operation(
    "index",
    infer=_index_infer,
    oracle=lambda x, key: x[thaw_key(key)],
    grad=lambda ins, outs, grads, key: [grads[0].scatter(key, ins[0].shape)],
    cases=[
        Case((INTS,), {"key": freeze_key((slice(0, 2), -1))}),
        Case((FLOATS,), {"key": freeze_key((Ellipsis, None, [0, 0, 2]))}, atol=2.0**-9),
        Case((BITS,), {"key": freeze_key(slice(None, None, -1))}),
    ],
)
def index(p: Protocol, x: Value, *, key: Any) -> Value:
    """x[key] for integers, slices, None, ... and public integer arrays."""
    where = thaw_key(key)
    return p.reshape_like(lambda a: a[where], _index_infer(x.meta, key=key), x)


def _scatter_infer(x: Meta, *, key: Any, shape: Sequence[int]) -> Meta:
    numbers(x)
    target = x.with_(shape=tuple(shape))
    if _index_infer(target, key=key).shape != x.shape:
        raise ShapeMismatch(f"a tensor of shape {x.shape} does not fit this index of {shape}")
    return target


def _scatter(x: Array, key: Any, shape: Sequence[int]) -> Array:
    out = np.zeros(tuple(shape), x.dtype)
    np.add.at(out, thaw_key(key), x)  # type: ignore[arg-type]
    return out


@operation(
    "scatter",
    infer=_scatter_infer,
    oracle=_scatter,
    grad=lambda ins, outs, grads, key, shape: [grads[0].index(key)],
    cases=[Case((INTS[0, :3],), {"key": freeze_key([0, 0, 2]), "shape": [5]})],
)
def scatter(p: Protocol, x: Value, *, key: Any, shape: Sequence[int]) -> Value:
    """Zeros of `shape` with x added at `key`: the adjoint of `index`."""
    meta = _scatter_infer(x.meta, key=key, shape=shape)
    return p.linear(lambda a: p.ring(x).scatter_add(meta.shape, thaw_key(key), a), meta, x)
