"""Matrix products with few rows or few columns, where packing would cost more than it saves."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from mpyc_core.jit import kernel

Array = npt.NDArray[Any]


@kernel(
    "const u8[:,::1], const u8[:,::1], u8[:,::1]",
    "const u4[:,::1], const u4[:,::1], u4[:,::1]",
)
def few_rows(a: Array, b: Array, c: Array) -> None:
    """c = a @ b, reading b row by row; c lies in the first-level cache."""
    depth = a.shape[1]
    zero = a.dtype.type(0)
    for i in range(a.shape[0]):
        row = c[i]
        row[:] = zero
        for k in range(0, depth - 3, 4):
            a0, a1, a2, a3 = a[i, k], a[i, k + 1], a[i, k + 2], a[i, k + 3]
            b0, b1, b2, b3 = b[k], b[k + 1], b[k + 2], b[k + 3]
            for j in range(row.size):
                row[j] += a0 * b0[j] + a1 * b1[j] + a2 * b2[j] + a3 * b3[j]
        for k in range(depth // 4 * 4, depth):
            a0, b0 = a[i, k], b[k]
            for j in range(row.size):
                row[j] += a0 * b0[j]


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
