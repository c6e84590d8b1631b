"""Bit planes of whole arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mpyc_core.parallel import run_rows

from .transpose import BATCH, GROUP, planes_to_words, words_to_planes, words_to_shares
from .workspace import workspace

Array = npt.NDArray[Any]

_PLANE_WORDS = GROUP // 64
_MIN_GROUPS = 4 * BATCH
_NOTHING = np.empty(0, np.uint64)


def to_planes(x: Array, planes: Array, c: int = 0) -> Array:
    """Fill `planes`, of shape (bits, words of x.size bits), with the low bits of x + c.

    Parameters
    ----------
    x : C-contiguous words of 32 or 64 bits, in one dimension.
    """
    a, b = x.view(np.uint8), _NOTHING.view(np.uint8)
    run_rows(
        lambda i, j: words_to_planes(a, b, x.itemsize, c, i, j, _scratch(), planes),
        -(-x.size // GROUP),
        _MIN_GROUPS,
    )
    return planes


def share_planes(
    x: Array, y: Array, pad: Array, bits: int, more: int, keep: bool
) -> tuple[Array, Array, Array]:
    """The low bits of x + y, split in two by a pad, in one pass.

    Parameters
    ----------
    x, y : C-contiguous words of 32 or 64 bits, in one dimension.
    pad : of shape (bits, words of x.size bits).
    bits : how many planes to split.
    more : how many of the next ones to leave whole.
    keep : whether the mask is wanted, too.

    Returns
    -------
    The mask drawn from the pad, the planes ^ the mask, and the `more` planes above.
    """
    width = -(-x.size // 64)
    rest = np.empty((bits, width), np.uint64)
    mask = np.empty((bits if keep else 0, width), np.uint64)
    top = np.empty((more, width), np.uint64)
    a, b = x.view(np.uint8), y.view(np.uint8)
    run_rows(
        lambda i, j: words_to_shares(a, b, x.itemsize, 0, pad, i, j, _scratch(), mask, rest, top),
        -(-x.size // GROUP),
        _MIN_GROUPS,
    )
    return mask, rest, top


def leaves_of(
    x: Array, r: Array, pairs: int, bits: int, zero: tuple[Array, ...]
) -> tuple[Array, Array]:
    """The message of `leaves.words_to_leaves`, and the two highest of `bits` planes of x."""
    from .leaves import words_to_leaves

    width, none = -(-x.size // 64), _NOTHING.view(np.uint8)
    out, top = np.empty((2 * pairs - 1, width), np.uint64), np.empty((2, width), np.uint64)
    octets, size, z = x.view(np.uint8), x.itemsize, out.reshape(-1)
    run_rows(
        lambda i, j: words_to_leaves(
            octets, none, size, r, *zero, pairs, bits - 2, i, j, _scratch(), top, z
        ),
        -(-x.size // GROUP),
        _MIN_GROUPS,
    )
    return out, top


def from_planes(planes: Array, x: Array) -> Array:
    """Fill the 64-bit words `x` from `planes`, of shape (bits, words of x.size bits)."""
    groups = x.size // GROUP
    run_rows(
        lambda i, j: planes_to_words(planes, i, _scratch(), x[i * GROUP : j * GROUP]),
        groups,
        _MIN_GROUPS,
    )
    rest = x.size - groups * GROUP
    if rest:
        part = np.zeros((planes.shape[0], _PLANE_WORDS), np.uint64)
        end = planes[:, groups * _PLANE_WORDS :]
        part[:, : end.shape[1]] = end
        tail = np.empty(GROUP, np.uint64)
        planes_to_words(part, 0, _scratch(), tail)
        x[groups * GROUP :] = tail[:rest]
    return x


def _scratch() -> Array:
    return workspace((BATCH + 1) * GROUP, np.dtype(np.uint64))
