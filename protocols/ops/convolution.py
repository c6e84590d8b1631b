"""Two-dimensional convolution and its two gradients; traffic depends on the result's size alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mpyc_core.errors import ShapeMismatch
from mpyc_core.meta import Meta
from mpyc_core.protocols.protocol import Protocol
from mpyc_core.protocols.registry import Case, operation
from mpyc_core.protocols.value import Value
from mpyc_core.transport.mesh import Array, Steps

from .arithmetic import ULP, product
from .infer import numbers, product_meta

IMAGES = np.linspace(-2, 2, 2 * 2 * 5 * 4).reshape(2, 2, 5, 4)
FILTERS = np.linspace(-1, 1, 3 * 2 * 3 * 2).reshape(3, 2, 3, 2)
STEP = {"stride": 1, "padding": 1}


def _output(x: int, w: int, stride: int, padding: int) -> int:
    return (x + 2 * padding - w) // stride + 1


def _conv_infer(x: Meta, w: Meta, *, stride: int, padding: int) -> Meta:
    numbers(x, w)
    if x.ndim != 4 or w.ndim != 4 or x.shape[1] != w.shape[1]:
        raise ShapeMismatch(
            f"expected images (n, c, h, w) and filters (o, c, kh, kw), got {x.shape} and {w.shape}"
        )
    if stride < 1 or padding < 0:
        raise ShapeMismatch(f"expected stride >= 1 and padding >= 0, got {stride} and {padding}")
    h, v = (_output(x.shape[i], w.shape[i], stride, padding) for i in (2, 3))
    if h < 1 or v < 1:
        raise ShapeMismatch(f"filters {w.shape} do not fit into images {x.shape}")
    return product_meta(x, w, (x.shape[0], w.shape[0], h, v))


def _windows(x: Array, w: Array, stride: int, padding: int) -> Array:
    """All windows of x: shape (n, c, oh, ow, kh, kw)."""
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    view = np.lib.stride_tricks.sliding_window_view(padded, w.shape[2:], axis=(2, 3))
    return view[:, :, ::stride, ::stride]


def _conv_oracle(x: Array, w: Array, stride: int, padding: int) -> Array:
    return np.asarray(np.einsum("nchwij,ocij->nohw", _windows(x, w, stride, padding), w))


def _conv_grad_w_oracle(
    x: Array, g: Array, shape: Sequence[int], stride: int, padding: int
) -> Array:
    windows = _windows(x, np.empty(tuple(shape)), stride, padding)
    return np.asarray(np.einsum("nchwij,nohw->ocij", windows, g))


def _conv_grad_x_oracle(
    g: Array, w: Array, shape: Sequence[int], stride: int, padding: int
) -> Array:
    n, c, h, v = shape
    out = np.zeros((n, c, h + 2 * padding, v + 2 * padding))
    for i in range(w.shape[2]):
        for j in range(w.shape[3]):
            rows = slice(i, i + stride * g.shape[2], stride)
            cols = slice(j, j + stride * g.shape[3], stride)
            out[:, :, rows, cols] += np.einsum("nohw,oc->nchw", g, w[:, :, i, j])
    return out[:, :, padding : padding + h, padding : padding + v]


@operation(
    "conv2d",
    infer=_conv_infer,
    oracle=_conv_oracle,
    grad=lambda ins, outs, grads, stride, padding: [
        grads[0].conv2d_grad_x(ins[1], ins[0].shape, stride, padding),
        ins[0].conv2d_grad_w(grads[0], ins[1].shape, stride, padding),
    ],
    cases=[
        Case((IMAGES, FILTERS), STEP, ulps=1, atol=40 * ULP),
        Case((IMAGES, FILTERS), {"stride": 2, "padding": 0}, ulps=1, atol=40 * ULP),
    ],
)
def conv2d(p: Protocol, x: Value, w: Value, *, stride: int, padding: int) -> Steps[Any]:
    """Cross-correlation of images (n, c, h, w) with filters (o, c, kh, kw)."""
    out = _conv_infer(x.meta, w.meta, stride=stride, padding=padding)
    return (yield from product(p, "conv2d", x, w, out, stride=stride, padding=padding))


def _grad_x_infer(g: Meta, w: Meta, *, shape: Sequence[int], stride: int, padding: int) -> Meta:
    if _conv_infer(g.with_(shape=tuple(shape)), w, stride=stride, padding=padding).shape != g.shape:
        raise ShapeMismatch(f"a gradient {g.shape} does not fit images {tuple(shape)}")
    return product_meta(g, w, tuple(shape))


@operation(
    "conv2d_grad_x",
    infer=_grad_x_infer,
    oracle=_conv_grad_x_oracle,
    cases=[
        Case(
            (np.linspace(-1, 1, 2 * 3 * 5 * 5).reshape(2, 3, 5, 5), FILTERS),
            {"shape": [2, 2, 5, 4], **STEP},
            ulps=1,
            atol=40 * ULP,
        )
    ],
)
def conv2d_grad_x(
    p: Protocol, g: Value, w: Value, *, shape: Sequence[int], stride: int, padding: int
) -> Steps[Any]:
    """The gradient of `conv2d` by its images."""
    out = _grad_x_infer(g.meta, w.meta, shape=shape, stride=stride, padding=padding)
    window: dict[str, Any] = {"stride": stride, "padding": padding}
    return (yield from product(p, "conv2d_grad_x", g, w, out, shape=list(shape), **window))


def _grad_w_infer(x: Meta, g: Meta, *, shape: Sequence[int], stride: int, padding: int) -> Meta:
    if _conv_infer(x, g.with_(shape=tuple(shape)), stride=stride, padding=padding).shape != g.shape:
        raise ShapeMismatch(f"a gradient {g.shape} does not fit filters {tuple(shape)}")
    return product_meta(x, g, tuple(shape))


@operation(
    "conv2d_grad_w",
    infer=_grad_w_infer,
    oracle=_conv_grad_w_oracle,
    cases=[
        Case(
            (IMAGES, np.linspace(-1, 1, 2 * 3 * 5 * 5).reshape(2, 3, 5, 5)),
            {"shape": [3, 2, 3, 2], **STEP},
            ulps=1,
            atol=60 * ULP,
        )
    ],
)
def conv2d_grad_w(
    p: Protocol, x: Value, g: Value, *, shape: Sequence[int], stride: int, padding: int
) -> Steps[Any]:
    """The gradient of `conv2d` by its filters."""
    out = _grad_w_infer(x.meta, g.meta, shape=shape, stride=stride, padding=padding)
    window: dict[str, Any] = {"stride": stride, "padding": padding}
    return (yield from product(p, "conv2d_grad_w", x, g, out, shape=list(shape), **window))
