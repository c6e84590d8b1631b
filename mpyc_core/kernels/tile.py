"""The inner loop of every product: a block of 6 rows by 2 vectors held in registers.

Winograd's inner product halves the multiplications and is exact in any commutative ring:

    sum_k a_k*b_k = sum_j (a_{2j+1} + b_{2j})*(a_{2j} + b_{2j+1}) - xi - eta,
    xi = sum_j a_{2j}*a_{2j+1},  eta = sum_j b_{2j}*b_{2j+1}     [Winograd 1968]

Operands are packed in panels. A row panel holds ROWS rows: for each pair of k its odd column, then
its even column, and xi at the end. A column panel holds two vectors of columns: for each pair of k
its even row, then its odd row, and eta at the end.
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from mpyc_core.jit import device

from .simd import fill, lanes, load, prefetch, splat, store

Array = npt.NDArray[Any]

ROWS = 6
VECTORS = 2


@device
def mac(acc: Any, x1: Any, x0: Any, y0: Any, y1: Any) -> Any:
    """One pair of k: two multiplications' worth of the product for one."""
    return acc + (x1 + y0) * (x0 + y1)


@device
def tile(
    a: Array, a0: int, b: Array, b0: int, c: Array, c0: int, ldc: int, pairs: int, add: bool
) -> None:
    """c block = (add ? c block : 0) + row panel at a0 times column panel at b0.

    `c0` is the flat index of the block's first element and `ldc` the distance of its rows.
    """
    n = lanes(c)
    for r in range(ROWS):
        prefetch(c, c0 + r * ldc)
        prefetch(c, c0 + r * ldc + n)
    xi = a0 + pairs * 2 * ROWS
    eta = b0 + pairs * 4 * n
    zero = fill(c, 0)
    e = zero - load(b, eta)
    f = zero - load(b, eta + n)
    p0, q0 = e - splat(a, xi), f - splat(a, xi)
    p1, q1 = e - splat(a, xi + 1), f - splat(a, xi + 1)
    p2, q2 = e - splat(a, xi + 2), f - splat(a, xi + 2)
    p3, q3 = e - splat(a, xi + 3), f - splat(a, xi + 3)
    p4, q4 = e - splat(a, xi + 4), f - splat(a, xi + 4)
    p5, q5 = e - splat(a, xi + 5), f - splat(a, xi + 5)
    for _ in range(pairs):
        y0, z0 = load(b, b0), load(b, b0 + n)
        y1, z1 = load(b, b0 + 2 * n), load(b, b0 + 3 * n)
        x1, x0 = splat(a, a0), splat(a, a0 + 6)
        p0, q0 = mac(p0, x1, x0, y0, y1), mac(q0, x1, x0, z0, z1)
        x1, x0 = splat(a, a0 + 1), splat(a, a0 + 7)
        p1, q1 = mac(p1, x1, x0, y0, y1), mac(q1, x1, x0, z0, z1)
        x1, x0 = splat(a, a0 + 2), splat(a, a0 + 8)
        p2, q2 = mac(p2, x1, x0, y0, y1), mac(q2, x1, x0, z0, z1)
        x1, x0 = splat(a, a0 + 3), splat(a, a0 + 9)
        p3, q3 = mac(p3, x1, x0, y0, y1), mac(q3, x1, x0, z0, z1)
        x1, x0 = splat(a, a0 + 4), splat(a, a0 + 10)
        p4, q4 = mac(p4, x1, x0, y0, y1), mac(q4, x1, x0, z0, z1)
        x1, x0 = splat(a, a0 + 5), splat(a, a0 + 11)
        p5, q5 = mac(p5, x1, x0, y0, y1), mac(q5, x1, x0, z0, z1)
        a0 += 2 * ROWS
        b0 += 4 * n
    put(c, c0, p0, q0, add)
    put(c, c0 + ldc, p1, q1, add)
    put(c, c0 + 2 * ldc, p2, q2, add)
    put(c, c0 + 3 * ldc, p3, q3, add)
    put(c, c0 + 4 * ldc, p4, q4, add)
    put(c, c0 + 5 * ldc, p5, q5, add)


@device
def put(c: Array, at: int, p: Any, q: Any, add: bool) -> None:
    """Write, or add, one row of two vectors."""
    n = lanes(c)
    if add:
        p = p + load(c, at)
        q = q + load(c, at + n)
    store(c, at, p)
    store(c, at + n, q)
