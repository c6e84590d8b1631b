"""Matrix products and convolutions over Z/2^128, on operands whose shapes are known to fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from mpyc_core import limbs
from mpyc_core.jit import kernel
from mpyc_core.parallel import run_rows

from .simd import high_product

Array = npt.NDArray[Any]
Into = Callable[[Array, Array, Array], None]
"""Writes the product of two matrices over the third operand, which is zero before."""

_MAC_PER_THREAD = 1 << 16


def product_into(a: Array, b: Array, out: Array) -> None:
    """out = a @ b for matrices; `out` is zero before, and C-contiguous."""
    (m, k), n = a.shape, b.shape[1]
    if m * k * n == 0:
        return
    x, y, z = limbs.flat_words(a), limbs.flat_words(b), out.reshape(-1).view(np.uint64)
    run_rows(
        lambda i, j: by_rows(x[2 * k * i : 2 * k * j], y, k, n, z[2 * n * i : 2 * n * j]),
        m,
        -(-_MAC_PER_THREAD // (k * n)),
    )


def correlate(
    images: Array, filters: Array, taps: Array, pixels: Array, into: Into, out: Array
) -> None:
    """out[n] = filters @ patches of images[n]; `out` is zero before.

    Parameters
    ----------
    images : padded, shape (images, words of each).
    filters : shape (filters, taps).
    taps, pixels : offsets in an image, which add up to those of the patches.
    into : multiplies matrices.
    out : shape (images, filters, pixels).
    """
    where = taps[:, None] + pixels
    for image, result in zip(images, out, strict=True):
        into(filters, image[where], result)


def correlate_gradient(images: Array, g: Array, pixels: Array, taps: Array, into: Into) -> Array:
    """The sum over n of g[n] @ transposed patches of images[n], shape (filters, taps).

    Parameters
    ----------
    g : shape (images, filters, pixels).
    """
    where = pixels[:, None] + taps
    depth = g.shape[0] * g.shape[2]
    patches = np.concatenate([image[where] for image in images])
    out = np.zeros((g.shape[1], len(taps)), g.dtype)
    into(g.transpose(1, 0, 2).reshape(-1, depth), patches, out)
    return out


@kernel("const u8[::1], const u8[::1], i8, i8, u8[::1]")
def by_rows(a: Array, b: Array, depth: int, width: int, c: Array) -> None:
    """c += a @ b, row by row of b."""
    for i in range(c.size // (2 * width)):
        for k in range(depth):
            lo, hi = a[2 * (i * depth + k)], a[2 * (i * depth + k) + 1]
            for j in range(width):
                at, of = 2 * (k * width + j), 2 * (i * width + j)
                low = c[of] + lo * b[at]
                carry = np.uint64(low < c[of])
                more = high_product(lo, b[at]) + lo * b[at + 1] + hi * b[at]
                c[of] = low
                c[of + 1] = c[of + 1] + more + carry
