"""Packing of operands into the panels that `tile` reads; odd k and edges are filled with zeros."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from mpyc_core.jit import device

from .simd import fill, gather, lanes, load, store
from .tile import ROWS

Array = npt.NDArray[Any]


@device
def pack_rows(a: Array, i0: int, i1: int, k0: int, k1: int, out: Array) -> None:
    """Row panels of a[i0:i1, k0:k1], one after the other."""
    pairs = (k1 - k0 + 1) // 2
    whole = (k1 - k0) // 2
    at = 0
    for i in range(i0, i1, ROWS):
        end = at + pairs * 2 * ROWS
        for r in range(ROWS):
            o = at + r
            xi = out[end] ^ out[end]
            if i + r < i1:
                for p in range(whole):
                    u, v = a[i + r, k0 + 2 * p], a[i + r, k0 + 2 * p + 1]
                    out[o], out[o + ROWS] = v, u
                    xi += u * v
                    o += 2 * ROWS
                if whole < pairs:
                    out[o], out[o + ROWS] = 0, a[i + r, k1 - 1]
            else:
                for _ in range(pairs):
                    out[o], out[o + ROWS] = 0, 0
                    o += 2 * ROWS
            out[end + r] = xi
        at = end + ROWS


@device
def pack_columns(b: Array, k0: int, k1: int, j0: int, j1: int, out: Array) -> None:
    """Column panels of b[k0:k1, j0:j1], one after the other."""
    wide = 2 * lanes(b)
    at = 0
    for j in range(j0, j1, wide):
        if j + wide <= j1:
            at = pack_whole_panel(b, k0, k1, j, out, at)
        else:
            at = pack_last_panel(b, k0, k1, j, j1, out, at)


@device
def pack_whole_panel(b: Array, k0: int, k1: int, j: int, out: Array, at: int) -> int:
    """Two vectors of columns from j; returns where the panel ends."""
    n, columns = lanes(b), b.shape[1]
    zero = fill(b, 0)
    e, f = zero, zero
    i = k0 * columns + j
    for _ in range((k1 - k0) // 2):
        y0, z0 = load(b, i), load(b, i + n)
        y1, z1 = load(b, i + columns), load(b, i + columns + n)
        store(out, at, y0)
        store(out, at + n, z0)
        store(out, at + 2 * n, y1)
        store(out, at + 3 * n, z1)
        e, f = e + y0 * y1, f + z0 * z1
        at += 4 * n
        i += 2 * columns
    if (k1 - k0) % 2:
        store(out, at, load(b, i))
        store(out, at + n, load(b, i + n))
        store(out, at + 2 * n, zero)
        store(out, at + 3 * n, zero)
        at += 4 * n
    store(out, at, e)
    store(out, at + n, f)
    return at + 2 * n


@device
def pack_last_panel(b: Array, k0: int, k1: int, j0: int, j1: int, out: Array, at: int) -> int:
    """Fewer columns than two vectors, the rest zero; returns where the panel ends."""
    wide = 2 * lanes(b)
    end = at + (k1 - k0 + 1) // 2 * 2 * wide
    zero = out[at] ^ out[at]
    for c in range(wide):
        o = at + c
        eta = zero
        for k in range(k0, k1, 2):
            y0, y1 = zero, zero
            if j0 + c < j1:
                y0 = b[k, j0 + c]
                if k + 1 < k1:
                    y1 = b[k + 1, j0 + c]
            out[o], out[o + wide] = y0, y1
            eta += y0 * y1
            o += 2 * wide
        out[end + c] = eta
    return end + wide


@device
def gather_columns(
    x: Array, base: int, row: Array, column: Array, k0: int, k1: int, j0: int, j1: int, out: Array
) -> None:
    """Column panels of b[k0:k1, j0:j1] where b[k, j] is x[base + row[k] + column[j]], x flat.

    `column` is as long as whole panels, and the offsets beyond the last column are valid ones.
    """
    n = lanes(x)
    at = 0
    for j in range(j0, j1, 2 * n):
        for v in range(2):
            gather_vector(x, base, row, column, k0, k1, j + v * n, out, at + v * n)
        at += (k1 - k0 + 1) // 2 * 4 * n + 2 * n


@device
def gather_vector(
    x: Array, base: int, row: Array, column: Array, k0: int, k1: int, j: int, out: Array, at: int
) -> None:
    """One vector's columns of a panel; words that are neighbours in memory are loaded at once."""
    n = lanes(x)
    eta = zero = fill(x, 0)
    near = column[j + n - 1] - column[j] == n - 1
    start = base + column[j]
    for k in range(k0, k1 - 1, 2):
        if near:
            y0, y1 = load(x, start + row[k]), load(x, start + row[k + 1])
        else:
            y0 = gather(x, base + row[k], column, j)
            y1 = gather(x, base + row[k + 1], column, j)
        store(out, at, y0)
        store(out, at + 2 * n, y1)
        eta = eta + y0 * y1
        at += 4 * n
    if (k1 - k0) % 2:
        store(out, at, gather(x, base + row[k1 - 1], column, j))
        store(out, at + 2 * n, zero)
        at += 4 * n
    store(out, at, eta)
