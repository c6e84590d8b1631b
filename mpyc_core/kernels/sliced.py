"""Small binary fields on bit planes: plane c holds coefficient c of 64 elements a word.

A product is bilinear over GF(2) and a multiplication by a constant is linear, so tables of zeros
and ones say all there is to a field. Both run block by block, in cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mpyc_core.jit import kernel

from .flat import split

Array = npt.NDArray[Any]

_TILE = 2048
"""Words of a row that are worked on at once."""


def product(table: Array, x: Array, y: Array) -> Array:
    """z_c = the XOR of x_a & y_b over all a, b with table[c, a, b].

    Parameters
    ----------
    table : u1, zeros and ones, shape (m, m, m).
    x, y : u8, shape (m, words).
    """
    out = np.empty_like(x)
    a, b, z, t = x.reshape(-1), y.reshape(-1), out.reshape(-1), table.reshape(-1)
    m, n = x.shape
    split(n, lambda i, j: multiply(a, b, t, m, n, i, j, z), 2 * m)
    return out


def mix(table: Array, rows: Array) -> Array:
    """out_r = the XOR of rows_c over all c with table[r, c].

    Parameters
    ----------
    table : u1, zeros and ones, shape (r, c).
    rows : u8, shape (c, words).
    """
    out = np.empty((len(table), rows.shape[1]), np.uint64)
    a, z, t = rows.reshape(-1), out.reshape(-1), table.reshape(-1)
    c, n = rows.shape
    split(n, lambda i, j: xor_rows(a, t, c, n, i, j, z), c + len(table))
    return out


@kernel("const u8[::1], const u8[::1], const u1[::1], i8, i8, i8, i8, u8[::1]")
def multiply(
    x: Array, y: Array, table: Array, m: int, n: int, start: int, stop: int, out: Array
) -> None:
    """out = the product of x and y, from word `start` to `stop` of their planes."""
    for first in range(start, stop, _TILE):
        last = min(first + _TILE, stop)
        for c in range(m):
            for i in range(c * n + first, c * n + last):
                out[i] = np.uint64(0)
            for a in range(m):
                for b in range(m):
                    if table[(c * m + a) * m + b]:
                        for i in range(first, last):
                            out[c * n + i] ^= x[a * n + i] & y[b * n + i]


@kernel("const u8[::1], const u1[::1], i8, i8, i8, i8, u8[::1]")
def xor_rows(
    rows: Array, table: Array, count: int, n: int, start: int, stop: int, out: Array
) -> None:
    """out = table @ rows over GF(2), from word `start` to `stop` of the rows."""
    for first in range(start, stop, _TILE):
        last = min(first + _TILE, stop)
        for r in range(table.size // count):
            for i in range(r * n + first, r * n + last):
                out[i] = np.uint64(0)
            for c in range(count):
                if table[r * count + c]:
                    for i in range(first, last):
                        out[r * n + i] ^= rows[c * n + i]
