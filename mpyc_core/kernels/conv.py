"""Convolutions over Z/2^32 and Z/2^64, and their adjoints."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mpyc_core.errors import ShapeMismatch
from mpyc_core.kernels.matmul import matmul

Array = npt.NDArray[Any]
Size2 = int | tuple[int, int]


def conv2d(x: Array, w: Array, stride: Size2, padding: Size2) -> Array:
    """Cross-correlation of images (n, c, h, w) with filters (o, c, kh, kw)."""
    step, pad = _pair(stride), _pair(padding)
    oh, ow = _check(x.shape, w.shape, step, pad)
    n, o = x.shape[0], w.shape[0]
    cols = _patches(x, w.shape, step, pad, (oh, ow))
    return matmul(w.reshape(o, -1), cols).reshape(n, o, oh, ow)


def conv2d_grad_x(
    g: Array, w: Array, x_shape: tuple[int, ...], stride: Size2, padding: Size2
) -> Array:
    """Adjoint of `conv2d` in the images."""
    (sh, sw), (ph, pw) = step, pad = _pair(stride), _pair(padding)
    _check_gradient(g, x_shape, w.shape, step, pad)
    n, c, h, width = x_shape
    o, _, kh, kw = w.shape
    oh, ow = g.shape[2:]
    cols = matmul(np.ascontiguousarray(w.reshape(o, -1).T), g.reshape(n, o, oh * ow))
    cols = cols.reshape(n, c, kh, kw, oh, ow)
    padded = np.zeros((n, c, h + 2 * ph, width + 2 * pw), g.dtype)
    for i in range(kh):
        for j in range(kw):
            padded[:, :, i : i + sh * oh : sh, j : j + sw * ow : sw] += cols[:, :, i, j]
    return np.ascontiguousarray(padded[:, :, ph : ph + h, pw : pw + width])


def conv2d_grad_w(
    x: Array, g: Array, w_shape: tuple[int, ...], stride: Size2, padding: Size2
) -> Array:
    """Adjoint of `conv2d` in the filters."""
    step, pad = _pair(stride), _pair(padding)
    _check_gradient(g, x.shape, w_shape, step, pad)
    n, o, oh, ow = g.shape
    cols = _patches(x, w_shape, step, pad, (oh, ow))
    rows = np.ascontiguousarray(cols.transpose(0, 2, 1)).reshape(n * oh * ow, -1)
    flat = np.ascontiguousarray(g.transpose(1, 0, 2, 3)).reshape(o, n * oh * ow)
    return matmul(flat, rows).reshape(w_shape)


def _patches(
    x: Array,
    w_shape: tuple[int, ...],
    step: tuple[int, int],
    pad: tuple[int, int],
    out: tuple[int, int],
) -> Array:
    """Image patches as columns: shape (n, c * kh * kw, oh * ow)."""
    (sh, sw), (ph, pw) = step, pad
    kh, kw = w_shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (kh, kw), axis=(2, 3))
    windows = windows[:, :, ::sh, ::sw].transpose(0, 1, 4, 5, 2, 3)
    return np.ascontiguousarray(windows).reshape(x.shape[0], -1, out[0] * out[1])


def _pair(value: Size2) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))


def _check(
    x: tuple[int, ...], w: tuple[int, ...], step: tuple[int, int], pad: tuple[int, int]
) -> tuple[int, int]:
    """Height and width of the output."""
    if len(x) != 4 or len(w) != 4 or x[1] != w[1]:
        raise ShapeMismatch(
            f"conv2d: expected images (n, c, h, w) and filters (o, c, kh, kw), got {x} and {w}"
        )
    if min(step) < 1 or min(pad) < 0:
        raise ShapeMismatch(
            f"conv2d: expected a stride of at least 1 and a padding of at least 0, "
            f"got {step} and {pad}"
        )
    oh = (x[2] + 2 * pad[0] - w[2]) // step[0] + 1
    ow = (x[3] + 2 * pad[1] - w[3]) // step[1] + 1
    if min(oh, ow, w[2], w[3]) < 1:
        raise ShapeMismatch(
            f"conv2d: a window of {w[2:]} does not fit into images of {x[2:]} padded by {pad}"
        )
    return oh, ow


def _check_gradient(
    g: Array,
    x: tuple[int, ...],
    w: tuple[int, ...],
    step: tuple[int, int],
    pad: tuple[int, int],
) -> None:
    expected = (x[0], w[0], *_check(x, w, step, pad))
    if g.shape != expected:
        raise ShapeMismatch(f"conv2d: expected a gradient of shape {expected}, got {g.shape}")
