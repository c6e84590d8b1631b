"""Matrices and the windows of images as operands of `octet_product.multiply`, and its threads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mpyc_core.parallel import run_rows

from . import amx
from .octet_panels import COLUMNS, STEP
from .octet_product import WORKSPACE, multiply
from .workspace import workspace

Array = npt.NDArray[Any]

MAC_PER_THREAD = 1 << 20
_LIKE = np.zeros(0, np.uint64)


@dataclass(frozen=True)
class Operand:
    """Matrices: element (i, j) of the n-th is elements[n * step + rows[i] + columns[j]].

    Parameters
    ----------
    elements : flat, of a ring's dtype.
    rows, columns : offsets, in elements.
    step : distance of the matrices, 0 where there is one for all.
    """

    elements: Array
    rows: Array
    columns: Array
    step: int = 0

    @classmethod
    def matrix(cls, a: Array) -> Operand:
        """A matrix, C-contiguous."""
        rows, columns = a.shape
        return cls(a.reshape(-1), np.arange(rows) * columns, np.arange(columns))

    def words(self, first: int) -> Array:
        """The words of the matrices from the first on."""
        words = self.elements[first * self.step :]
        return words.view(np.uint64) if words.dtype.fields else words


def worthwhile(m: int, k: int, n: int, dtype: np.dtype[Any]) -> bool:
    """Whether packing matrices m x k and k x n costs less than tiles save; False without tiles."""
    least = 4 if dtype.fields else 8
    return m * n >= least * (m + n) and k >= 2 * least and amx.available()


def product_into(x: Operand, y: Operand, out: Array) -> None:
    """out = x @ y, C-contiguous."""
    m, k, n = len(x.rows), len(x.columns), len(y.columns)
    if n < m:
        run_rows(lambda i, j: _part(x, y, out, rows=(i, j)), m, -(-MAC_PER_THREAD // (k * n)))
        return
    run_rows(
        lambda i, j: _part(x, y, out, columns=(i * COLUMNS, min(j * COLUMNS, n))),
        -(-n // COLUMNS),
        -(-MAC_PER_THREAD // (m * k * COLUMNS)),
    )


def products_into(x: Operand, y: Operand, out: Array) -> None:
    """out[n] = x[n] @ y[n], C-contiguous."""
    run_rows(lambda i, j: _part(x, y, out, matrices=(i, j)), len(out))


def _part(
    x: Operand,
    y: Operand,
    out: Array,
    rows: tuple[int, int] | None = None,
    columns: tuple[int, int] | None = None,
    matrices: tuple[int, int] = (0, 1),
) -> None:
    """Some rows, columns or matrices of `out`."""
    m, n, depth = len(x.rows), len(y.columns), len(x.columns)
    (i0, i1), (j0, j1), (first, last) = rows or (0, m), columns or (0, n), matrices
    left, right, words = x.words(first), y.words(first), 2 if out.dtype.fields else 1
    multiply(
        *(left, x.step, x.rows[i0:i1], _whole(x.columns, STEP)),
        *(right, y.step, _whole(y.rows, STEP), _whole(y.columns[j0:j1], COLUMNS)),
        *(words, last - first, i1 - i0, depth, j1 - j0),
        *(workspace(WORKSPACE, np.dtype(np.uint8)), workspace(64 * words, left.dtype), _LIKE),
        *(out.reshape(-1).view(np.uint8), first * m * n + i0 * n + j0, n, m * n),
    )


def _whole(offsets: Array, size: int) -> Array:
    """Offsets followed by the first of them up to a multiple of `size`."""
    extra = -offsets.size % size
    return np.concatenate([offsets, np.full(extra, offsets[0])]) if extra else offsets
