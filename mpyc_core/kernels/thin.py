"""Matrix products with few rows or few columns, where packing would cost more than it saves."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from mpyc_core.jit import device, kernel

from .simd import fill, lanes, load, load_some, splat, store, store_some

Array = npt.NDArray[Any]


@kernel(
    "const u8[:,::1], const u8[:,::1], u8[:,::1]",
    "const u4[:,::1], const u4[:,::1], u4[:,::1]",
)
def few_rows(a: Array, b: Array, c: Array) -> None:
    """c = a @ b: sums of sixteen vectors of columns are held in registers."""
    n, width = lanes(b), b.shape[1]
    for i in range(a.shape[0]):
        for j in range(0, width, 16 * n):
            if j + 16 * n <= width:
                sixteen_vectors(a, i, b, j, c)
            else:
                for v in range(j, width, n):
                    one_vector(a, i, b, v, c)


@device
def sixteen_vectors(a: Array, i: int, b: Array, j: int, c: Array) -> None:
    """Sixteen vectors of columns of row i, from j on."""
    n, depth, width = lanes(b), a.shape[1], b.shape[1]
    z = fill(b, 0)
    s0, s1, s2, s3, s4, s5, s6, s7 = z, z, z, z, z, z, z, z
    t0, t1, t2, t3, t4, t5, t6, t7 = z, z, z, z, z, z, z, z
    at, row = j, i * depth
    for k in range(depth):
        x = splat(a, row + k)
        s0, s1 = s0 + x * load(b, at), s1 + x * load(b, at + n)
        s2, s3 = s2 + x * load(b, at + 2 * n), s3 + x * load(b, at + 3 * n)
        s4, s5 = s4 + x * load(b, at + 4 * n), s5 + x * load(b, at + 5 * n)
        s6, s7 = s6 + x * load(b, at + 6 * n), s7 + x * load(b, at + 7 * n)
        t0, t1 = t0 + x * load(b, at + 8 * n), t1 + x * load(b, at + 9 * n)
        t2, t3 = t2 + x * load(b, at + 10 * n), t3 + x * load(b, at + 11 * n)
        t4, t5 = t4 + x * load(b, at + 12 * n), t5 + x * load(b, at + 13 * n)
        t6, t7 = t6 + x * load(b, at + 14 * n), t7 + x * load(b, at + 15 * n)
        at += width
    to = i * width + j
    for v, total in enumerate((s0, s1, s2, s3, s4, s5, s6, s7, t0, t1, t2, t3, t4, t5, t6, t7)):
        store(c, to + v * n, total)


@device
def one_vector(a: Array, i: int, b: Array, j: int, c: Array) -> None:
    """One vector of columns of row i, or as many as there are from j on."""
    width = b.shape[1]
    count, at, row = width - j, j, i * a.shape[1]
    total = fill(b, 0)
    for k in range(a.shape[1]):
        total = total + splat(a, row + k) * load_some(b, at, count)
        at += width
    store_some(c, i * width + j, total, count)


@kernel(
    "const u8[:,::1], const u8[:,::1], u8[:,::1]",
    "const u4[:,::1], const u4[:,::1], u4[:,::1]",
)
def few_columns(a: Array, bt: Array, c: Array) -> None:
    """c = a @ bt.T as inner products of rows."""
    for i in range(a.shape[0]):
        x = a[i]
        for j in range(bt.shape[0]):
            y = bt[j]
            total = a.dtype.type(0)
            for k in range(x.size):
                total += x[k] * y[k]
            c[i, j] = total


@kernel(
    "const u8[:,:,::1], const u8[:,:,::1], u8[:,:,::1]",
    "const u4[:,:,::1], const u4[:,:,::1], u4[:,:,::1]",
)
def stacked(a: Array, b: Array, c: Array) -> None:
    """c[s] += a[s] @ b[s] for a stack of small matrices."""
    for s in range(a.shape[0]):
        for i in range(a.shape[1]):
            for k in range(a.shape[2]):
                x = a[s, i, k]
                for j in range(b.shape[2]):
                    c[s, i, j] += x * b[s, k, j]
