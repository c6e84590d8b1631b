"""Products over Z/2^32, Z/2^64 and Z/2^128 as sums of products of octets, by tiles of AMX.

With x = sum_i 2^(8i) x_i and y = sum_j 2^(8j) y_j, for L octets each,

    x @ y = sum_{s < L} 2^(8s) sum_{i + j = s} x_i @ y_j   mod 2^(8L):

L (L + 1) / 2 products of matrices of octets, 36 for Z/2^64. An instruction makes 16384 products of
octets in 16 cycles, so 28 products of Z/2^64 a cycle; a fused multiply-add of two vectors of floats
makes 16. Sums are of words of 32 bits: those of DEPTH(L) * L products do not wrap.
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from mpyc_core.jit import device, inlined, kernel

from .amx import add_products, available, clear, configure, keep, release
from .octet_panels import COLUMNS, ROWS, STEP, TILE, pack_left, pack_right
from .simd import fill, narrow_some, shl, shr, widen_some, zip_high, zip_low

Array = npt.NDArray[Any]

PANEL = 8192
"""Octets of a column of a panel: an inner sum has PANEL / octets products of elements."""
HEIGHT = 8 * ROWS
"""Rows of left operands packed at once: half of a second-level cache."""
WIDTH = 64 * COLUMNS
"""Columns of right operands packed at once, so that left ones are packed again rarely."""
NARROW = 8 * COLUMNS
"""The same where left operands are packed but once: what was just packed is in the cache."""
_SUMS = 16 * TILE
_LEFT = HEIGHT * PANEL
_RIGHT = WIDTH * PANEL
WORKSPACE = _SUMS + _LEFT + _RIGHT
"""Octets of scratch memory: sums of a block for each power, and packed operands."""


@device
def sum_products(
    left: Array, a: int, right: Array, b: int, steps: int, octets: int, sums: Array
) -> None:
    """A tile of sums for every power 2^(8s), of a panel of each operand, four powers at once."""
    stride = steps * TILE
    for s in range(0, octets, 4):
        clear()
        for step in range(steps):
            x, y = a + step * TILE, b + step * TILE
            if s == 0:
                add_products(left, x, stride, right, y, stride, 0)
            elif s == 4:
                add_products(left, x, stride, right, y, stride, 4)
            elif s == 8:
                add_products(left, x, stride, right, y, stride, 8)
            else:
                add_products(left, x, stride, right, y, stride, 12)
        keep(sums, s * TILE)


@inlined
def four(sums: Array, at: int, like: Array) -> Any:
    """Sums of four neighbouring powers, joined: less than 2^57 in every lane."""
    top = widen_some(sums, at // 4 + 3 * TILE // 4, 4, 8, like)
    top = shl(top, 8) + widen_some(sums, at // 4 + 2 * TILE // 4, 4, 8, like)
    top = shl(top, 8) + widen_some(sums, at // 4 + TILE // 4, 4, 8, like)
    return shl(top, 8) + widen_some(sums, at // 4, 4, 8, like)


@inlined
def join(
    sums: Array, at: int, octets: int, c: Array, place: int, count: int, add: bool, like: Array
) -> None:
    """c[place:] (+)= eight elements from their sums of every power; at most `count`."""
    w0 = four(sums, at, like)
    if octets == 4:
        if add:
            w0 = w0 + widen_some(c, place, 4, count, like)
        narrow_some(c, place, 4, count, w0)
        return
    w1 = four(sums, at + 4 * TILE, like)
    if octets == 8:
        w0 = w0 + shl(w1, 32)
        if add:
            w0 = w0 + widen_some(c, place, 8, count, like)
        narrow_some(c, place, 8, count, w0)
        return
    high = four(sums, at + 8 * TILE, like) + shl(four(sums, at + 12 * TILE, like), 32)
    if add:
        x = widen_some(c, 2 * place, 8, 2 * count, like)
        y = widen_some(c, 2 * place + 8, 8, 2 * count - 8, like)
        x, y = zip_low(x, y, 4), zip_high(x, y, 4)
        x, y = zip_low(x, y, 2), zip_high(x, y, 2)
        lo, hi = zip_low(x, y, 1), zip_high(x, y, 1)
        w0 = w0 + (lo & fill(like, 0xFFFFFFFF))
        w1 = w1 + shr(lo, 32)
        high = high + hi
    w1 = w1 + shr(w0, 32)
    lo, hi = (w0 & fill(like, 0xFFFFFFFF)) | shl(w1, 32), high + shr(w1, 32)
    x, y = zip_low(lo, hi, 1), zip_high(lo, hi, 1)
    x, y = zip_low(x, y, 2), zip_high(x, y, 2)
    narrow_some(c, 2 * place, 8, 2 * count, zip_low(x, y, 4))
    narrow_some(c, 2 * place + 8, 8, 2 * count - 8, zip_high(x, y, 4))


@device
def multiply_panels(
    left: Array,
    right: Array,
    octets: int,
    steps: int,
    height: int,
    rows: int,
    columns: int,
    sums: Array,
    c: Array,
    c0: int,
    ldc: int,
    add: bool,
    like: Array,
) -> None:
    """c[c0 + i * ldc + j] (+)= packed rows times packed columns, in elements of c."""
    panel = octets * steps * TILE
    for j in range(0, columns, COLUMNS):
        for i in range(0, rows, height):
            a, b = i // height * panel, j // COLUMNS * panel
            sum_products(left, a, right, b, steps, octets, sums)
            for line in range(min(height, rows - i)):
                place = c0 + (i + line) * ldc + j
                for k in range(0, min(COLUMNS, columns - j), 8):
                    join(
                        sums, line * STEP + 4 * k, octets, c, place + k, columns - j - k, add, like
                    )


_SIGNATURES = (
    f"const {w}[::1], i8, const i8[::1], const i8[::1], const {w}[::1], i8, const i8[::1], "
    f"const i8[::1], i8, i8, i8, i8, i8, u1[::1], {w}[::1], const u8[::1], u1[::1], i8, i8, i8"
    for w in ("u4", "u8")
)


@kernel(*_SIGNATURES, needs=available)
def multiply(
    x: Array,
    x_step: int,
    x_rows: Array,
    x_columns: Array,
    y: Array,
    y_step: int,
    y_rows: Array,
    y_columns: Array,
    words: int,
    count: int,
    height: int,
    depth: int,
    width: int,
    work: Array,
    group: Array,
    like: Array,
    c: Array,
    c0: int,
    ldc: int,
    c_step: int,
) -> None:
    """c[n] = x[n] @ y[n] for `count` products.

    Element (i, k) of x[n] is x[n * x_step + x_rows[i] + x_columns[k]], and so for y. Offsets of
    columns of x and of rows of y go on to whole steps, those of columns of y to whole panels; those
    of columns ascend before that.

    Parameters
    ----------
    words : words of an element: 2 over Z/2^128.
    work : WORKSPACE octets. `group` : as many words as 64 elements have. `like` : any words.
    c : octets; element (i, j) of c[n] is element c0 + n * c_step + i * ldc + j.
    """
    octets = words * x.itemsize
    most = PANEL // octets
    sums, left, right = work[:_SUMS], work[_SUMS : _SUMS + _LEFT], work[_SUMS + _LEFT :]
    packed = -1, -1, -1
    at_once = NARROW if height <= HEIGHT and depth <= most else WIDTH
    for n in range(count):
        for j0 in range(0, width, at_once):
            j1 = min(j0 + at_once, width)
            for k0 in range(0, depth, most):
                k1 = min(k0 + most, depth)
                steps = (k1 - k0 + STEP - 1) // STEP
                pack_right(y, n * y_step, words, y_rows, y_columns, k0, k1, j0, j1, group, right)
                for i0 in range(0, height, HEIGHT):
                    i1 = min(i0 + HEIGHT, height)
                    tiles = (i1 - i0 + ROWS - 1) // ROWS
                    lines = (i1 - i0 + tiles - 1) // tiles
                    if packed != (n * x_step, i0, k0):
                        packed = n * x_step, i0, k0
                        start, part = n * x_step, (i0, i1, k0, k1)
                        pack_left(x, start, words, x_rows, x_columns, *part, lines, group, left)
                    configure(lines)
                    multiply_panels(
                        *(left, right, octets, steps, lines, i1 - i0, j1 - j0, sums),
                        *(c, c0 + n * c_step + i0 * ldc + j0, ldc, k0 > 0, like),
                    )
                    release()
