"""An axis brought to the front, for operations that work through it element by element."""

from __future__ import annotations

from typing import Any

import numpy as np

from mpyc_core.meta import Meta
from mpyc_core.protocols.protocol import Protocol
from mpyc_core.transport.mesh import Array

from .infer import axis_of


def to_front(p: Protocol, x: Any, axis: int | None) -> Any:
    """x with `axis` as its first axis, the others in order; None flattens."""
    fn = _front(x.meta, axis)
    return p.reshape_like(fn, x.meta.with_(shape=fn(_probe(x.meta)).shape), x)


def from_front(p: Protocol, x: Any, meta: Meta, axis: int | None) -> Any:
    """The inverse of `to_front`: x in the shape of `meta`."""
    if axis is None:
        return p.reshape_like(lambda a: a.reshape(meta.shape), x.meta.with_(shape=meta.shape), x)
    at = axis_of(meta, axis)
    return p.reshape_like(lambda a: np.moveaxis(a, 0, at), x.meta.with_(shape=meta.shape), x)


def _front(meta: Meta, axis: int | None) -> Any:
    if axis is None:
        return lambda a: a.reshape(-1)
    at = axis_of(meta, axis)
    return lambda a: np.moveaxis(a, at, 0)


def _probe(meta: Meta) -> Array:
    return np.broadcast_to(np.uint8(0), meta.shape)
