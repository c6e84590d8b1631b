"""Blocked products: panels packed once, tiles swept over them [Goto, van de Geijn 2008]."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mpyc_core.jit import device, kernel

from .pack import gather_columns, pack_columns, pack_rows
from .simd import lanes
from .tile import ROWS, VECTORS, tile

Array = npt.NDArray[Any]

DEPTH = 256
"""Products summed in one packed block: a column panel fills the first-level cache."""
HEIGHT = 8 * ROWS
"""Rows in one packed block of a matrix: an eighth of a second-level cache."""
FILTERS = 32 * ROWS
"""Rows in one packed block of filters, packed once for all images."""
WIDTH = 1024
"""Columns in one packed block: part of a third-level cache."""

_ROW_WORDS = FILTERS // ROWS * (DEPTH * ROWS + ROWS)
_MOST_LANES = VECTORS * 16
_COLUMN_WORDS = WIDTH * (DEPTH + 1)
WORKSPACE = _ROW_WORDS + _COLUMN_WORDS + ROWS * _MOST_LANES
"""Words of scratch memory: packed rows, packed columns, one tile."""


def whole_panels(offsets: Array) -> Array:
    """Ascending offsets of columns, followed by the first one up to a whole number of panels."""
    extra = -offsets.size % _MOST_LANES
    return np.concatenate([offsets, np.full(extra, offsets[0])])


@device
def sweep(
    work: Array,
    c: Array,
    c0: int,
    ldc: int,
    i0: int,
    i1: int,
    j0: int,
    j1: int,
    pairs: int,
    add: bool,
) -> None:
    """c[i0:i1, j0:j1] = (add ? itself : 0) + packed rows times packed columns.

    Element (i, j) of c is the flat array's at c0 + i * ldc + j. A block that overhangs the range is
    made in the workspace, and its part copied.
    """
    wide = VECTORS * lanes(c)
    corner = _ROW_WORDS + _COLUMN_WORDS
    b0 = _ROW_WORDS
    for j in range(j0, j1, wide):
        a0 = 0
        for i in range(i0, i1, ROWS):
            at = c0 + i * ldc + j
            whole = i + ROWS <= i1 and j + wide <= j1
            if whole:
                target, t0, ldt = c, at, ldc
            else:
                target, t0, ldt = work, corner, wide
            tile(work, a0, work, b0, target, t0, ldt, pairs, add and whole)
            if not whole:
                for r in range(min(ROWS, i1 - i)):
                    for s in range(min(wide, j1 - j)):
                        part = work[corner + r * wide + s]
                        c[at + s] = c[at + s] + part if add else part
                    at += ldc
            a0 += pairs * 2 * ROWS + ROWS
        b0 += pairs * 2 * wide + wide


@kernel(
    "const u8[:,::1], const u8[:,::1], u8[::1], u8[::1]",
    "const u4[:,::1], const u4[:,::1], u4[::1], u4[::1]",
)
def gemm(a: Array, b: Array, work: Array, c: Array) -> None:
    """c = a @ b mod 2^k, c flat."""
    height, depth = a.shape
    width = b.shape[1]
    for j0 in range(0, width, WIDTH):
        j1 = min(j0 + WIDTH, width)
        for k0 in range(0, depth, DEPTH):
            k1 = min(k0 + DEPTH, depth)
            pack_columns(b, k0, k1, j0, j1, work[_ROW_WORDS:])
            for i0 in range(0, height, HEIGHT):
                i1 = min(i0 + HEIGHT, height)
                pack_rows(a, i0, i1, k0, k1, work)
                sweep(work, c, 0, width, i0, i1, j0, j1, (k1 - k0 + 1) // 2, k0 > 0)


@kernel(
    "const u8[::1], i8, const u8[:,::1], const i8[::1], const i8[::1], i8, u8[::1], u8[::1]",
    "const u4[::1], i8, const u4[:,::1], const i8[::1], const i8[::1], i8, u4[::1], u4[::1]",
)
def gemm_images(
    x: Array, image: int, w: Array, taps: Array, pixels: Array, width: int, work: Array, c: Array
) -> None:
    """c[n] = w @ b[n], b[n][k, j] = x[n * image + taps[k] + pixels[j]]; x and c flat.

    There are `width` pixels; `pixels` goes on with valid offsets to whole panels.
    """
    height, depth = w.shape
    for i0 in range(0, height, FILTERS):
        i1 = min(i0 + FILTERS, height)
        for k0 in range(0, depth, DEPTH):
            k1 = min(k0 + DEPTH, depth)
            pack_rows(w, i0, i1, k0, k1, work)
            for n in range(c.size // (height * width)):
                for j0 in range(0, width, WIDTH):
                    j1 = min(j0 + WIDTH, width)
                    columns = work[_ROW_WORDS:]
                    gather_columns(x, n * image, taps, pixels, k0, k1, j0, j1, columns)
                    sweep(
                        work,
                        c,
                        n * height * width,
                        width,
                        i0,
                        i1,
                        j0,
                        j1,
                        (k1 - k0 + 1) // 2,
                        k0 > 0,
                    )


@kernel(
    "const u8[::1], i8, const u8[:,::1], const i8[::1], const i8[::1], i8, u8[::1], u8[::1]",
    "const u4[::1], i8, const u4[:,::1], const i8[::1], const i8[::1], i8, u4[::1], u4[::1]",
)
def gemm_sum_images(
    x: Array, image: int, g: Array, pixels: Array, taps: Array, width: int, work: Array, c: Array
) -> None:
    """c += sum_n g[n] @ b[n], b[n][k, j] = x[n * image + pixels[k] + taps[j]]; x and c flat.

    `g` holds the images' matrices one below the other. There are `width` taps; `taps` goes on with
    valid offsets to whole panels.
    """
    depth = g.shape[1]
    height = c.size // width
    for n in range(g.shape[0] // height):
        for k0 in range(0, depth, DEPTH):
            k1 = min(k0 + DEPTH, depth)
            pairs = (k1 - k0 + 1) // 2
            for i0 in range(0, height, FILTERS):
                i1 = min(i0 + FILTERS, height)
                pack_rows(g, n * height + i0, n * height + i1, k0, k1, work)
                for j0 in range(0, width, WIDTH):
                    j1 = min(j0 + WIDTH, width)
                    columns = work[_ROW_WORDS:]
                    gather_columns(x, n * image, pixels, taps, k0, k1, j0, j1, columns)
                    sweep(work, c, 0, width, i0, i1, j0, j1, pairs, True)
