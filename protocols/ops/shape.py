"""Operations that move or repeat elements: local, on numbers and on bits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mpyc_core.errors import ShapeMismatch, ShareError
from mpyc_core.meta import Meta
from mpyc_core.protocols.protocol import Protocol
from mpyc_core.protocols.registry import Case, operation
from mpyc_core.protocols.value import Public, Share, Value
from mpyc_core.transport.mesh import Array

from .infer import same_ring

INTS = np.arange(-6, 6).reshape(3, 4)
FLOATS = np.linspace(-3, 3, 12).reshape(3, 4)
BITS = np.arange(12).reshape(3, 4) % 3 == 0


def probe(meta: Meta) -> Array:
    """An array of the right shape that needs no memory."""
    return np.broadcast_to(np.uint8(0), meta.shape)


def shaped(meta: Meta, fn: Any, what: str) -> Meta:
    """The meta after `fn`, or ShapeMismatch with NumPy's own words."""
    try:
        return meta.with_(shape=fn(probe(meta)).shape)
    except (ValueError, IndexError) as error:
        raise ShapeMismatch(f"cannot {what} a tensor of shape {meta.shape}: {error}") from None


def _reshape_infer(x: Meta, *, shape: Sequence[int]) -> Meta:
    return shaped(x, lambda a: np.empty(a.shape, np.bool_).reshape(tuple(shape)), "reshape")


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
    return shaped(x, lambda a: a.transpose(tuple(axes)), "transpose")


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
    return shaped(x, lambda a: np.broadcast_to(a, tuple(shape)), f"broadcast to {tuple(shape)}")


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
        shape = np.concatenate([probe(m) for m in metas], axis=axis).shape
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
