"""Matrix products: shapes checked, the kernel chosen by ring and shape."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from mpyc_core.errors import ShapeMismatch
from mpyc_core.parallel import run_rows

from . import octet_operands
from .gemm import HEIGHT, WORKSPACE, gemm
from .octet_operands import Operand, worthwhile
from .thin import few_columns, few_rows, stacked
from .wide_product import Into, product_into
from .workspace import workspace

Array = npt.NDArray[Any]

FEW_ROWS = 3
FEW_COLUMNS = 12
SMALL = 16**3
"""Multiplications below which a matrix of a stack is not worth a call of its own."""
MAC_PER_THREAD = 1 << 20


def matmul(a: Array, b: Array, into: Into | None = None) -> Array:
    """Product of two arrays of one ring's dtype, with the shapes of NumPy's matmul.

    Parameters
    ----------
    into : multiplies two matrices, in a ring of its own; by default Z/2^k as the dtype says.
    """
    if a.ndim == b.ndim == 2 and a.shape[1] == b.shape[0]:
        return _matrix(_aligned(a), _aligned(b), into)
    left = a[None, :] if a.ndim == 1 else a
    right = b[:, None] if b.ndim == 1 else b
    if min(a.ndim, b.ndim) == 0 or left.shape[-1] != right.shape[-2]:
        raise ShapeMismatch(f"matmul: shapes {a.shape} and {b.shape} do not fit")
    out = _batched(left, right, into)
    if b.ndim == 1:
        out = out[..., 0]
    return out[..., 0, :] if a.ndim == 1 and b.ndim > 1 else out[..., 0] if a.ndim == 1 else out


def _batched(a: Array, b: Array, into: Into | None) -> Array:
    m, k, n = a.shape[-2], a.shape[-1], b.shape[-1]
    if b.ndim == 2:  # one right operand for all: the batch is more rows
        rows = math.prod(a.shape[:-1])
        return _matrix(_aligned(a.reshape(rows, k)), _aligned(b), into).reshape(*a.shape[:-1], n)
    try:
        batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    except ValueError as error:
        raise ShapeMismatch(f"matmul: batches {a.shape} and {b.shape} do not broadcast") from error
    count = math.prod(batch)
    a3 = np.broadcast_to(a, (*batch, m, k)).reshape(count, m, k)
    b3 = np.broadcast_to(b, (*batch, k, n)).reshape(count, k, n)
    out = np.zeros((count, m, n), a.dtype)
    if m * k * n <= SMALL and not (into or out.dtype.fields):
        stacked(_aligned(a3), _aligned(b3), out)
    else:
        for i in range(count):
            _matrix_into(_aligned(a3[i]), _aligned(b3[i]), out[i], into)
    return out.reshape(*batch, m, n)


def _matrix(a: Array, b: Array, into: Into | None) -> Array:
    out = np.zeros((a.shape[0], b.shape[1]), a.dtype)
    _matrix_into(a, b, out, into)
    return out


def _matrix_into(a: Array, b: Array, out: Array, into: Into | None) -> None:
    """out = a @ b; `out` is zero before."""
    (m, k), n = a.shape, b.shape[1]
    if m * k * n == 0:
        return
    if into is None and worthwhile(m, k, n, a.dtype):
        octet_operands.product_into(Operand.matrix(a), Operand.matrix(b), out)
    elif into or out.dtype.fields:
        (into or product_into)(a, b, out)
    elif n <= FEW_COLUMNS:
        bt = np.ascontiguousarray(b.T)
        _split(lambda i, j: few_columns(a[i:j], bt, out[i:j]), m, k * n)
    elif m <= FEW_ROWS:
        few_rows(a, b, out)
    else:
        _split(lambda i, j: _blocked(a[i:j], b, out[i:j]), m, k * n)


def _blocked(a: Array, b: Array, out: Array) -> None:
    gemm(a, b, workspace(WORKSPACE, a.dtype), out.reshape(-1))


def _split(fn: Any, rows: int, mac_per_row: int) -> None:
    run_rows(fn, rows, max(HEIGHT, MAC_PER_THREAD // mac_per_row))


def _aligned(x: Array) -> Array:
    """`x` as kernels take it; a received frame may begin at any byte."""
    flags = x.flags
    if flags.c_contiguous and flags.aligned:
        return x
    return np.require(x, requirements=["C", "A"])
