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
    _thread.height, _thread.right = height, [None, None]


def release() -> None:
    """Give the tiles back."""
    del _thread.height, _thread.right


def clear() -> None:
    """All sums become zero."""
    _thread.sums = np.zeros((2, 2, _ROWS, 16), np.uint32)


def load_left(left: Array, index: int) -> None:
    """Take the left operand from octet `index` on: two tiles of 16 rows of 64 octets."""
    _thread.left = left[index : index + 2 * _TILE].reshape(2, _ROWS, 64).astype(np.uint32)


def load_right(which: int, right: Array, index: int) -> None:
    """Take right operand `which` from octet `index` on: a tile of 16 rows."""
    octets = right[index : index + _TILE].reshape(_ROWS, 16, 4).transpose(0, 2, 1)
    _thread.right[which] = octets.reshape(64, 16).astype(np.uint32)


def add_products(level: int, which: int) -> None:
    """Add to sums of a level the product of the left operand and right operand `which`."""
    for row in range(2):
        left = _thread.left[row, : _thread.height]
        _thread.sums[level, row, : _thread.height] += left @ _thread.right[which]


def keep(sums: Array, index: int) -> None:
    """Write the sums of both levels from octet `index` on: four tiles of 16 rows of 16 words."""
    octets = _thread.sums.reshape(-1).view(np.uint8)
    sums[index : index + octets.size] = octets


def split_octets(words: Array, out: Array, at: int, stride: int, octets: int, fours: int) -> None:
    """Octet l of 64 words goes to 64 octets of `out` from `at` + l * `stride` on.

    If `fours`, the words are four rows of 16, and octets of one column come together.
    """
    for i, plane in enumerate(words.view(np.uint8)[: 64 * octets].reshape(64, octets).T):
        row = plane.reshape(4, 16).T.reshape(-1) if fours else plane
        out[at + i * stride :][:64] = row
