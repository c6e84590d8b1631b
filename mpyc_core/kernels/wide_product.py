"""Matrix products and convolutions on elements of 128 bits whose shapes are known to fit.

Those over Z/2^128, and large products over GF(2^127 - 1), where `mpyc_core.mersenne` has the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from mpyc_core import limbs
from mpyc_core.jit import kernel
from mpyc_core.parallel import run_rows

from .mersenne127 import signed
from .residue_system import COFACTORS, COFACTORS_127, COUNT, DEPTH, DIGITS, LEFT, MODULI, RIGHT
from .residue_tile import CHUNK, COLUMNS, ROWS, multiply_residues, to_residues
from .simd import high_product
from .workspace import workspace

Array = npt.NDArray[Any]
Into = Callable[[Array, Array, Array], None]
"""Writes the product of two matrices over the third operand, which is zero before."""

FEW = 8
"""Rows or columns below which residues would cost more than they save."""
HEIGHT = 16 * ROWS
"""Rows whose residues are held at once: for each modulus a part of a second-level cache."""
WIDTH = 8 * COLUMNS
"""Columns whose residues are held at once, for all threads."""
_MAC_PER_THREAD = 1 << 16


def product_into(a: Array, b: Array, out: Array) -> None:
    """out = a @ b for matrices; `out` is zero before, and C-contiguous."""
    (m, k), n = a.shape, b.shape[1]
    if m * k * n == 0:
        return
    x, y, z = limbs.flat_words(a), limbs.flat_words(b), out.reshape(-1).view(np.uint64)
    if min(m, n) < FEW:
        _by_elements(x, y, z, m, k, n)
        return
    _by_residues(x, y, z, m, k, n, prime=False)


def product_127_into(a: Array, b: Array, out: Array) -> None:
    """The same over GF(2^127 - 1), for matrices of at least `FEW` rows and columns."""
    (m, k), n = a.shape, b.shape[1]
    x, y = (np.empty(2 * v.size, np.uint64) for v in (a, b))
    signed(limbs.flat_words(a), x)
    signed(limbs.flat_words(b), y)
    _by_residues(x, y, out.reshape(-1).view(np.uint64), m, k, n, prime=True)


def _by_residues(x: Array, y: Array, z: Array, m: int, k: int, n: int, prime: bool) -> None:
    for k0 in range(0, k, DEPTH):
        depth = min(DEPTH, k - k0)
        for j0 in range(0, n, WIDTH):
            _block(x[2 * k0 :], y[2 * (k0 * n + j0) :], z, m, k, n, j0, depth, k0 > 0, prime)


def _block(
    x: Array,
    y: Array,
    z: Array,
    m: int,
    k: int,
    n: int,
    j0: int,
    depth: int,
    add: bool,
    prime: bool,
) -> None:
    """Columns from j0 on of z (+)= x @ y, for at most DEPTH products each."""
    width, pairs = min(WIDTH, n - j0), (depth + 1) // 2
    panel = COUNT * pairs * COLUMNS
    right = _words(WIDTH, COUNT * DEPTH // 2).reshape(-1)

    def take_columns(i: int, j: int) -> None:
        part = right[i * panel : j * panel]
        lines = min(j * COLUMNS, width) - i * COLUMNS
        first, scratch = i * COLUMNS, _words(DIGITS, CHUNK)
        to_residues(y, 1, n, lines, depth, COLUMNS, first, RIGHT, MODULI, scratch, part)

    def take_rows(i: int, j: int) -> None:
        left = _words(HEIGHT, COUNT * DEPTH // 2).reshape(-1)
        sums = _words(HEIGHT, COUNT * COLUMNS).reshape(-1)
        scratch, digits = _words(DIGITS, CHUNK), _words(DIGITS, COLUMNS)
        for i0 in range(i, j, HEIGHT):
            rows, at = min(HEIGHT, j - i0), i0 * n + j0
            to_residues(x, k, 1, rows, depth, ROWS, i0, LEFT, MODULI, scratch, left)
            multiply_residues(
                *(left, right, rows, width, pairs, n, at, add, prime),
                *(COFACTORS_127 if prime else COFACTORS, MODULI, sums, digits, z),
            )

    run_rows(take_columns, -(-width // COLUMNS))
    run_rows(take_rows, m, HEIGHT // 2)


def _words(rows: int, columns: int) -> Array:
    return workspace(rows * columns, np.dtype(np.uint32)).reshape(rows, columns)


def _by_elements(x: Array, y: Array, z: Array, m: int, k: int, n: int) -> None:
    run_rows(
        lambda i, j: by_elements(x[2 * k * i : 2 * k * j], y, k, n, z[2 * n * i : 2 * n * j]),
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
def by_elements(a: Array, b: Array, depth: int, width: int, c: Array) -> None:
    """c = a @ b, two columns at a time."""
    zero = np.uint64(0)
    for i in range(c.size // (2 * width)):
        row = a[2 * i * depth : 2 * (i + 1) * depth]
        for j in range(0, width, 2):
            step = 2 if j + 1 < width else 0
            lo, hi, low, high = zero, zero, zero, zero
            at = 2 * j
            for k in range(depth):
                x0, x1 = row[2 * k], row[2 * k + 1]
                y0, z0 = b[at], b[at + step]
                p, q = x0 * y0, x0 * z0
                lo, low = lo + p, low + q
                hi += high_product(x0, y0) + x0 * b[at + 1] + x1 * y0 + np.uint64(lo < p)
                high += high_product(x0, z0) + x0 * b[at + step + 1] + x1 * z0 + np.uint64(low < q)
                at += 2 * width
            here = 2 * (i * width + j)
            c[here + step], c[here + step + 1] = low, high
            c[here], c[here + 1] = lo, hi
