"""Tiles and planes of octets as NumPy arrays: what `amx_llvm` and `octets_llvm` do in registers."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_TILE, _ROWS = 1024, 16
_thread = threading.local()


def configure(height: int) -> None:
    """Shape the tiles: sums and left operands have `height` rows, right operands 16."""
    _thread.height = height


def release() -> None:
    """Give the tiles back."""
    del _thread.height


def clear() -> None:
    """All sums become zero."""
    _thread.sums = np.zeros((4, _ROWS, 16), np.uint32)


def add_products(
    left: Array, a: int, a_step: int, right: Array, b: int, b_step: int, first: int
) -> None:
    """Add to the sums of level t the products of left tile i and right tile first + t - i."""
    height = _thread.height
    for i in range(first + 4):
        x = left[a + i * a_step :][: height * 64].reshape(height, 64).astype(np.uint32)
        for t in range(max(i - first, 0), 4):
            start = b + (first + t - i) * b_step
            y = right[start : start + _TILE].reshape(_ROWS, 16, 4).transpose(0, 2, 1)
            _thread.sums[t, :height] += x @ y.reshape(64, 16).astype(np.uint32)


def keep(sums: Array, index: int) -> None:
    """Write the sums of all levels from octet `index` on: four tiles of 16 rows of 16 words."""
    octets = _thread.sums.reshape(-1).view(np.uint8)
    sums[index : index + octets.size] = octets


def split_octets(words: Array, out: Array, at: int, stride: int, octets: int, fours: int) -> None:
    """Octet l of 64 words goes to 64 octets of `out` from `at` + l * `stride` on.

    If `fours`, the words are four rows of 16, and octets of one column come together.
    """
    for i, plane in enumerate(words.view(np.uint8)[: 64 * octets].reshape(64, octets).T):
        row = plane.reshape(4, 16).T.reshape(-1) if fours else plane
        out[at + i * stride :][:64] = row
