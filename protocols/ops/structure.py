"""Operations that move, repeat or add elements: linear, local, on numbers and bits.

Parameters are plain data, because commands travel: an index is a list made by `freeze_key`.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import EllipsisType
from typing import Any

import numpy as np

from mpyc_core.errors import ShapeMismatch, ShareError
from mpyc_core.meta import Meta
from mpyc_core.protocols.protocol import Protocol
from mpyc_core.protocols.registry import Case, operation
from mpyc_core.protocols.value import Public, Share, Value
from mpyc_core.transport.mesh import Array

from .infer import axes_of, axis_of, numbers, reduced, same_ring

INTS = np.arange(-6, 6).reshape(3, 4)
FLOATS = np.linspace(-3, 3, 12).reshape(3, 4)
BITS = np.arange(12).reshape(3, 4) % 3 == 0


def _probe(meta: Meta) -> Array:
    """An array of the right shape that needs no memory."""
    return np.broadcast_to(np.uint8(0), meta.shape)


def _shaped(meta: Meta, fn: Any, what: str) -> Meta:
    """The meta after `fn`, or ShapeMismatch with NumPy's own words."""
    try:
        return meta.with_(shape=fn(_probe(meta)).shape)
    except (ValueError, IndexError) as error:
        raise ShapeMismatch(f"cannot {what} a tensor of shape {meta.shape}: {error}") from None


# -- index ---------------------------------------------------------------------------------
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
    thaw = {
        "new": lambda: None,
        "all": lambda: Ellipsis,
        "slice": slice,
        "at": int,
        "take": lambda array: np.asarray(array, np.int64),
    }
    return tuple(thaw[item[0]](*item[1:]) for item in key)


def _index_infer(x: Meta, *, key: Any) -> Meta:
    return _shaped(x, lambda a: a[thaw_key(key)], "index")


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
    np.add.at(out, thaw_key(key), x)
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
    return p.linear(lambda a: _scatter(a, key, shape), meta, x)


# -- shape ---------------------------------------------------------------------------------
def _reshape_infer(x: Meta, *, shape: Sequence[int]) -> Meta:
    return _shaped(x, lambda a: np.empty(a.shape, np.bool_).reshape(tuple(shape)), "reshape")


@operation(
    "reshape",
    infer=_reshape_infer,
    oracle=lambda x, shape: x.reshape(tuple(shape)),
    grad=lambda ins, outs, grads, shape: [grads[0].reshape(ins[0].shape)],
    cases=[Case((INTS,), {"shape": [2, -1]}), Case((BITS,), {"shape": [12]})],
)
def reshape(p: Protocol, x: Value, *, shape: Sequence[int]) -> Value:
    """x in another shape; one length may be -1."""
    meta = _reshape_infer(x.meta, shape=shape)
    return p.reshape_like(lambda a: a.reshape(meta.shape), meta, x)


def _transpose_infer(x: Meta, *, axes: Sequence[int]) -> Meta:
    return _shaped(x, lambda a: a.transpose(tuple(axes)), "transpose")


@operation(
    "transpose",
    infer=_transpose_infer,
    oracle=lambda x, axes: x.transpose(tuple(axes)),
    grad=lambda ins, outs, grads, axes: [
        grads[0].transpose([int(i) for i in np.argsort([a % len(axes) for a in axes])])
    ],
    cases=[Case((INTS,), {"axes": [1, 0]}), Case((BITS,), {"axes": [-1, 0]})],
)
def transpose(p: Protocol, x: Value, *, axes: Sequence[int]) -> Value:
    """Axes in another order."""
    meta = _transpose_infer(x.meta, axes=axes)
    return p.reshape_like(lambda a: a.transpose(tuple(axes)), meta, x)


def _broadcast_infer(x: Meta, *, shape: Sequence[int]) -> Meta:
    return _shaped(x, lambda a: np.broadcast_to(a, tuple(shape)), f"broadcast to {tuple(shape)}")


@operation(
    "broadcast_to",
    infer=_broadcast_infer,
    oracle=lambda x, shape: np.broadcast_to(x, tuple(shape)),
    grad=lambda ins, outs, grads, shape: [grads[0].sum_to(ins[0].shape)],
    cases=[Case((INTS[:, :1],), {"shape": [2, 3, 4]})],
)
def broadcast_to(p: Protocol, x: Value, *, shape: Sequence[int]) -> Value:
    """x repeated along new and length-1 axes."""
    meta = _broadcast_infer(x.meta, shape=shape)
    return p.reshape_like(lambda a: np.broadcast_to(a, meta.shape), meta, x)


def _alike(metas: Sequence[Meta], what: str) -> None:
    if not metas:
        raise ShapeMismatch(f"cannot {what} no tensors; give at least one")
    same_ring(*metas)
    for meta in metas[1:]:
        if (meta.kind, meta.f) != (metas[0].kind, metas[0].f):
            raise ShareError(f"cannot {what} {metas[0]} with {meta}; bring them to one kind first")


def _concatenate_infer(*metas: Meta, axis: int) -> Meta:
    _alike(metas, "concatenate")
    try:
        shape = np.concatenate([_probe(m) for m in metas], axis=axis).shape
    except ValueError as error:
        raise ShapeMismatch(f"cannot concatenate: {error}") from None
    return metas[0].with_(shape=shape)


def _concatenate_grad(ins: Any, outs: Any, grads: Any, axis: int) -> list[Any]:
    pieces, start = [], 0
    axis %= len(outs[0].shape)
    for x in ins:
        stop = start + x.shape[axis]
        pieces.append(grads[0][(slice(None),) * axis + (slice(start, stop),)])
        start = stop
    return pieces


@operation(
    "concatenate",
    infer=_concatenate_infer,
    oracle=lambda *xs, axis: np.concatenate(xs, axis=axis),
    grad=_concatenate_grad,
    cases=[Case((INTS, INTS[:, :1]), {"axis": -1}), Case((BITS, BITS[:1]), {"axis": 0})],
)
def concatenate(p: Protocol, *xs: Value, axis: int) -> Value:
    """Tensors one after the other along an axis."""
    meta = _concatenate_infer(*(x.meta for x in xs), axis=axis)
    return p.reshape_like(lambda *arrays: np.concatenate(arrays, axis=axis), meta, *xs)


def _stack_infer(*metas: Meta, axis: int) -> Meta:
    _alike(metas, "stack")
    if len({m.shape for m in metas}) > 1:
        raise ShapeMismatch(f"cannot stack tensors of shapes {[m.shape for m in metas]}")
    shape = list(metas[0].shape)
    if not -len(shape) - 1 <= axis <= len(shape):
        raise ShapeMismatch(f"axis {axis} is out of range for stacking shape {metas[0].shape}")
    shape.insert(axis % (len(shape) + 1), len(metas))
    return metas[0].with_(shape=tuple(shape))


@operation(
    "stack",
    infer=_stack_infer,
    oracle=lambda *xs, axis: np.stack(xs, axis=axis),
    grad=lambda ins, outs, grads, axis: [
        grads[0][(slice(None),) * (axis % len(outs[0].shape)) + (i,)] for i in range(len(ins))
    ],
    cases=[Case((INTS, -INTS), {"axis": 1}), Case((BITS, ~BITS), {"axis": -1})],
)
def stack(p: Protocol, *xs: Value, axis: int) -> Value:
    """Tensors of one shape along a new axis."""
    meta = _stack_infer(*(x.meta for x in xs), axis=axis)
    return p.reshape_like(lambda *arrays: np.stack(arrays, axis=axis), meta, *xs)


def _pad_infer(x: Meta, *, width: Sequence[Sequence[int]]) -> Meta:
    if len(width) != x.ndim or any(len(w) != 2 or min(w) < 0 for w in width):
        raise ShapeMismatch(
            f"expected {x.ndim} pairs (before, after) of widths for shape {x.shape}, got {width}"
        )
    return x.with_(shape=tuple(a + d + b for d, (a, b) in zip(x.shape, width, strict=True)))


@operation(
    "pad",
    infer=_pad_infer,
    oracle=lambda x, width: np.pad(x, width),
    grad=lambda ins, outs, grads, width: [
        grads[0][tuple(slice(a, a + d) for d, (a, _) in zip(ins[0].shape, width, strict=True))]
    ],
    cases=[Case((INTS,), {"width": [[1, 0], [0, 2]]})],
)
def pad(p: Protocol, x: Value, *, width: Sequence[Sequence[int]]) -> Value:
    """Zeros around x."""
    meta = _pad_infer(x.meta, width=width)
    return p.reshape_like(lambda a: np.pad(a, [tuple(w) for w in width]), meta, x)


# -- sums ----------------------------------------------------------------------------------
def _sum_infer(x: Meta, *, axis: int | Sequence[int] | None, keepdims: bool) -> Meta:
    numbers(x)
    return x.with_(shape=reduced(x.shape, axes_of(x, axis), keepdims))


@operation(
    "sum",
    infer=_sum_infer,
    oracle=lambda x, axis, keepdims: np.sum(
        x, axis=tuple(axis) if isinstance(axis, list) else axis, keepdims=keepdims
    ),
    grad=lambda ins, outs, grads, axis, keepdims: [
        grads[0]
        .reshape(reduced(ins[0].shape, axes_of(ins[0].meta, axis), True))
        .broadcast_to(ins[0].shape)
    ],
    cases=[
        Case((INTS,), {"axis": None, "keepdims": False}),
        Case((FLOATS,), {"axis": [0], "keepdims": True}, atol=1e-2),
    ],
)
def sum_(p: Protocol, x: Value, *, axis: int | Sequence[int] | None, keepdims: bool) -> Value:
    """Sum over axes; exact in the ring."""
    meta = _sum_infer(x.meta, axis=axis, keepdims=keepdims)
    axes = axes_of(x.meta, axis)
    dtype = x.meta.ring.dtype
    return p.linear(lambda a: np.sum(a, axis=axes, keepdims=keepdims, dtype=dtype), meta, x)


def _cumsum_infer(x: Meta, *, axis: int) -> Meta:
    numbers(x)
    axis_of(x, axis)
    return x


@operation(
    "cumsum",
    infer=_cumsum_infer,
    oracle=lambda x, axis: np.cumsum(x, axis=axis),
    grad=lambda ins, outs, grads, axis: [grads[0].flip(axis).cumsum(axis).flip(axis)],
    cases=[Case((INTS,), {"axis": 1})],
)
def cumsum(p: Protocol, x: Value, *, axis: int) -> Value:
    """Running sums along an axis; exact in the ring."""
    return p.linear(lambda a: np.cumsum(a, axis=axis, dtype=a.dtype), x.meta, x)


# -- public values -------------------------------------------------------------------------
@operation(
    "embed",
    infer=lambda x: x,
    oracle=lambda x: x,
    grad=lambda ins, outs, grads: [grads[0]],
    cases=[Case((INTS,)), Case((FLOATS,), atol=2.0**-9), Case((BITS,))],
)
def embed(p: Protocol, x: Value) -> Share:
    """A public value as a share, without a message; a secret stays what it is."""
    return p.embed(x) if isinstance(x, Public) else x
