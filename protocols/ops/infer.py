"""Shape, ring and scale rules that operations share; they run where the caller stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mpyc_core.errors import RingMismatch, ScaleMismatch, ShapeMismatch, ShareError
from mpyc_core.meta import Meta


def same_ring(*metas: Meta) -> None:
    """All operands live in one ring."""
    for meta in metas[1:]:
        if meta.ring != metas[0].ring:
            raise RingMismatch(
                f"operands live in {metas[0].ring.name} and {meta.ring.name}; share both in the "
                "same ring"
            )


def numbers(*metas: Meta) -> None:
    """No operand is a bit."""
    for meta in metas:
        if meta.kind == "bit":
            raise ShareError(
                "expected a number, got bits; turn them into numbers with .to_number() first"
            )


def bits_only(*metas: Meta) -> None:
    """Every operand is a bit."""
    for meta in metas:
        if meta.kind != "bit":
            raise ShareError(
                f"expected bits, got {meta.kind} values; compare first, for instance x > 0"
            )


def broadcast(*metas: Meta) -> tuple[int, ...]:
    """The common shape under NumPy's rules."""
    try:
        return np.broadcast_shapes(*(m.shape for m in metas))
    except ValueError:
        shapes = " and ".join(str(m.shape) for m in metas)
        raise ShapeMismatch(f"shapes {shapes} do not broadcast together") from None


def common_scale(x: Meta, y: Meta) -> int:
    """Fraction bits of a sum; an integer is lifted to the scale of the other operand."""
    if x.kind == y.kind == "fixed" and x.f != y.f:
        raise ScaleMismatch(
            f"operands have {x.f} and {y.f} fraction bits; bring one to the other's scale with "
            ".rescale(f)"
        )
    return max(x.f, y.f)


def joined(x: Meta, y: Meta) -> Meta:
    """The meta of x + y."""
    same_ring(x, y)
    numbers(x, y)
    f = common_scale(x, y)
    kind = "fixed" if "fixed" in (x.kind, y.kind) else "int"
    return x.with_(shape=broadcast(x, y), kind=kind, f=f)


def product_scale(x: Meta, y: Meta) -> int:
    """Fraction bits of a product: those of the secret operand, if one is public."""
    if x.kind == "int" or y.kind == "int":
        return x.f + y.f
    if x.public != y.public:
        return y.f if x.public else x.f
    return common_scale(x, y)


def product_meta(x: Meta, y: Meta, shape: tuple[int, ...]) -> Meta:
    """The meta of a product of the given shape."""
    same_ring(x, y)
    kind = "fixed" if "fixed" in (x.kind, y.kind) else "int"
    return x.with_(shape=shape, kind=kind, f=product_scale(x, y))


def same(x: Meta, **_: Any) -> Meta:
    """The result looks like the operand, a number."""
    numbers(x)
    return x


def axis_of(meta: Meta, axis: int) -> int:
    """A valid non-negative axis."""
    if not -meta.ndim <= axis < meta.ndim:
        raise ShapeMismatch(f"axis {axis} is out of range for shape {meta.shape}")
    return axis % meta.ndim


def axes_of(meta: Meta, axis: int | Sequence[int] | None) -> tuple[int, ...]:
    """Valid, distinct, non-negative axes; None means all."""
    if axis is None:
        return tuple(range(meta.ndim))
    axes = tuple(axis_of(meta, a) for a in ((axis,) if isinstance(axis, int) else axis))
    if len(set(axes)) != len(axes):
        raise ShapeMismatch(f"axes {axis} name one axis twice")
    return axes


def reduced(shape: Sequence[int], axes: Sequence[int], keepdims: bool) -> tuple[int, ...]:
    """The shape after a reduction over `axes`."""
    if keepdims:
        return tuple(1 if i in axes else d for i, d in enumerate(shape))
    return tuple(d for i, d in enumerate(shape) if i not in axes)
