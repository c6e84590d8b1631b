"""Convolutions and their adjoints, over Z/2^32 and Z/2^64 without an array of patches.

A convolution is a product of matrices whose right operand, the patches, is a gather from the image:
element (tap, pixel) stands at the sum of an offset of the tap and one of the pixel. The product's
packing does that gather, so patches never exist in memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mpyc_core.errors import ShapeMismatch
from mpyc_core.parallel import run_rows

from . import octet_operands
from .gemm import WORKSPACE, gemm_images, gemm_sum_images, whole_panels
from .octet_operands import Operand, worthwhile
from .wide_product import Into, correlate, correlate_gradient, product_into
from .workspace import workspace

Array = npt.NDArray[Any]
Pair = tuple[int, int]
Size2 = int | Pair


def conv2d(x: Array, w: Array, stride: Size2, padding: Size2, into: Into | None = None) -> Array:
    """Cross-correlation of images (n, c, h, w) with filters (o, c, kh, kw).

    `into` multiplies matrices in a ring of its own; by default Z/2^k as the dtype says.
    """
    step, pad = _pair(stride), _pair(padding)
    oh, ow = _output(x.shape, w.shape, step, pad)
    out = np.zeros((x.shape[0], w.shape[0], oh, ow), x.dtype)
    if out.size and w.size:
        _correlate(_padded(x, pad, pad), w, step, out, into)
    return out


def conv2d_grad_x(
    g: Array,
    w: Array,
    x_shape: tuple[int, ...],
    stride: Size2,
    padding: Size2,
    into: Into | None = None,
) -> Array:
    """Adjoint of `conv2d` in the images: a correlation of the spread gradient, filters turned."""
    step, pad = _pair(stride), _pair(padding)
    _check_gradient(g, x_shape, w.shape, step, pad)
    out = np.zeros(x_shape, g.dtype)
    if g.size == 0 or out.size == 0:
        return out
    (kh, kw), (oh, ow), (h, width) = w.shape[2:], g.shape[2:], x_shape[2:]
    spread = np.zeros(
        (*g.shape[:2], step[0] * (oh - 1) + 1, step[1] * (ow - 1) + 1),
        g.dtype,
    )
    spread[:, :, :: step[0], :: step[1]] = g
    before = kh - 1 - pad[0], kw - 1 - pad[1]
    after = (
        h + kh - 1 - before[0] - spread.shape[2],
        width + kw - 1 - before[1] - spread.shape[3],
    )
    turned = w.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1]
    _correlate(_padded(spread, before, after), turned, (1, 1), out, into)
    return out


def conv2d_grad_w(
    x: Array,
    g: Array,
    w_shape: tuple[int, ...],
    stride: Size2,
    padding: Size2,
    into: Into | None = None,
) -> Array:
    """Adjoint of `conv2d` in the filters: a product summed over images and pixels."""
    step, pad = _pair(stride), _pair(padding)
    _check_gradient(g, x.shape, w_shape, step, pad)
    out = np.zeros(w_shape, g.dtype)
    if g.size == 0 or out.size == 0:
        return out
    n, o = g.shape[:2]
    images = _padded(x, pad, pad)
    size = images[0].size
    taps, pixels = _offsets(images.shape, w_shape, g.shape, step)
    if into is None and worthwhile(len(taps), n * len(pixels), o, g.dtype):
        places = (np.arange(n)[:, None] * size + pixels).reshape(-1)
        below = (np.arange(n)[:, None] * o * len(pixels) + np.arange(len(pixels))).reshape(-1)
        turned = np.zeros((len(taps), o), g.dtype)
        octet_operands.product_into(
            Operand(images.reshape(-1), taps, places),
            Operand(_contiguous(g).reshape(-1), below, np.arange(o) * len(pixels)),
            turned,
        )
        return np.ascontiguousarray(turned.T).reshape(w_shape)
    if into or g.dtype.fields:
        by_image = images.reshape(n, size), g.reshape(n, o, -1)
        return correlate_gradient(*by_image, pixels, taps, into or product_into).reshape(w_shape)
    tap_panels = whole_panels(taps)
    rows = _contiguous(g).reshape(n * o, -1)
    flat = images.reshape(-1)
    sums: list[Array] = []

    def part(i: int, j: int) -> None:
        total = np.zeros(out.size, g.dtype)
        some, above = flat[i * size : j * size], rows[i * o : j * o]
        gemm_sum_images(
            some, size, above, pixels, tap_panels, len(taps), workspace(WORKSPACE, g.dtype), total
        )
        sums.append(total)

    run_rows(part, n)
    return np.asarray(sum(sums[1:], sums[0])).reshape(w_shape)


def _correlate(images: Array, w: Array, step: Pair, out: Array, into: Into | None) -> None:
    """`out` = correlation of padded images with filters."""
    size, result = images[0].size, out[0].size
    taps, pixels = _offsets(images.shape, w.shape, out.shape, step)
    filters = _contiguous(w).reshape(w.shape[0], -1)
    if into is None and worthwhile(len(filters), len(taps), len(pixels), out.dtype):
        windows = Operand(images.reshape(-1), taps, pixels, size)
        by_filter = out.reshape(*out.shape[:2], -1)
        octet_operands.products_into(Operand.matrix(filters), windows, by_filter)
        return
    if into or out.dtype.fields:
        flat_images, by_filter = images.reshape(-1, size), out.reshape(*out.shape[:2], -1)
        correlate(flat_images, filters, taps, pixels, into or product_into, by_filter)
        return
    panels = whole_panels(pixels)
    flat, flat_out = images.reshape(-1), out.reshape(-1)

    def part(i: int, j: int) -> None:
        some, target = flat[i * size : j * size], flat_out[i * result : j * result]
        gemm_images(
            some, size, filters, taps, panels, len(pixels), workspace(WORKSPACE, out.dtype), target
        )

    run_rows(part, out.shape[0])


def _offsets(
    images: tuple[int, ...], w: tuple[int, ...], out: tuple[int, ...], step: Pair
) -> tuple[Array, Array]:
    """Flat offsets within an image, of the taps of a window and of the windows."""
    _, channels, height, width = images
    c, i, j = np.ogrid[:channels, : w[2], : w[3]]
    taps = (c * height + i) * width + j
    i, j = np.ogrid[: out[2], : out[3]]
    pixels = i * step[0] * width + j * step[1]
    return taps.reshape(-1).astype(np.int64), pixels.reshape(-1).astype(np.int64)


def _padded(x: Array, before: Pair, after: Pair) -> Array:
    """`x` with zeros around its two last axes; a negative number cuts instead."""
    h, w = x.shape[2:]
    x = x[
        :, :, max(0, -before[0]) : h + min(0, after[0]), max(0, -before[1]) : w + min(0, after[1])
    ]
    sides = [(max(0, b), max(0, a)) for b, a in zip(before, after, strict=True)]
    return _contiguous(np.pad(x, [(0, 0), (0, 0), *sides]) if any(map(any, sides)) else x)


def _contiguous(x: Array) -> Array:
    return np.require(x, requirements=["C", "A"])


def _pair(value: Size2) -> Pair:
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))


def _output(x: tuple[int, ...], w: tuple[int, ...], step: Pair, pad: Pair) -> Pair:
    """Height and width of the output."""
    if len(x) != 4 or len(w) != 4 or x[1] != w[1]:
        raise ShapeMismatch(
            f"conv2d: expected images (n, c, h, w) and filters (o, c, kh, kw), got {x} and {w}"
        )
    if min(step) < 1 or min(pad) < 0:
        raise ShapeMismatch(
            "conv2d: expected a stride of at least 1 and a padding of at least 0, "
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
    g: Array, x: tuple[int, ...], w: tuple[int, ...], step: Pair, pad: Pair
) -> None:
    expected = (x[0], w[0], *_output(x, w, step, pad))
    if g.shape != expected:
        raise ShapeMismatch(f"conv2d: expected a gradient of shape {expected}, got {g.shape}")
