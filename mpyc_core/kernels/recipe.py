"""What a pad looks like in memory; see `pads`, which holds the kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

RECIPE = 24
"""Words of the recipe: round keys, the first half of the counter, the first block's index."""
HEAD, FIRST = 22, 23
"""Where the first half of the counter and the index of the first block stand."""
SPARE = 8
"""Words behind the mask that a kernel may read, though it does not use them."""


def recipe(keys: Array, op_id: int, buffer_id: int, first: int) -> Array:
    """The recipe of the words at an address, from round keys."""
    p = np.empty(RECIPE, np.uint64)
    p[:HEAD] = keys
    p[HEAD] = int.from_bytes((op_id << 16 | buffer_id).to_bytes(8, "big"), "little")
    p[FIRST] = first
    return p


def drawn(nbytes: int) -> tuple[Array, Array]:
    """A pad without a recipe, and its part that `nbytes` bytes of the mask are to fill."""
    p = np.zeros(RECIPE + -(-nbytes // 8) + SPARE, np.uint64)
    return p, p[RECIPE:].view(np.uint8)[:nbytes]
