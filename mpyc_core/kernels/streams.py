"""Streams made by kernels, where these have AES instructions; importing this loads Numba."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from mpyc_core.prg import KEY_BYTES, Shape, Stream, check_address, lengths_of

from . import pads
from .recipe import HEAD, recipe

Array = npt.NDArray[Any]

_NOTHING = np.empty(0, np.uint64)


class KernelStream(Stream):
    """The words of `Stream`, for parties: a pad is a recipe, and kernels make its words.

    Where kernels have no AES instructions, OpenSSL makes the words as in `Stream`. Threads may
    share a stream.
    """

    __slots__ = ("_keys",)

    def __init__(self, key: bytes) -> None:
        super().__init__(key)
        self._keys = round_keys(key) if in_kernels() else None

    def fill(self, op_id: int, buffer_id: int, out: Array, first: int = 0) -> None:
        """Write the words at an address over `out`, C-contiguous; see `Stream.words`."""
        if self._keys is None:
            super().fill(op_id, buffer_id, out, first)
            return
        check_address(op_id, buffer_id, out, first)
        p = recipe(self._keys, op_id, buffer_id, first)
        pads.draw(p, 0, out.reshape(-1).view(np.uint8))

    def pad(
        self, op_id: int, buffer_id: int, shape: Shape, dtype: npt.DTypeLike = np.uint64
    ) -> Array:
        """The words at an address as a pad for kernels; see `Stream.pad`."""
        if self._keys is None:
            return super().pad(op_id, buffer_id, shape, dtype)
        lengths_of(shape)
        check_address(op_id, buffer_id, _NOTHING, 0)
        return recipe(self._keys, op_id, buffer_id, 0)


@cache
def in_kernels() -> bool:
    """Whether kernels make the words of `KernelStream`.

    They do if the processor has AES instructions that Numba may use, and if what they make first
    in this process is what OpenSSL makes.
    """
    if not pads.IN_KERNELS:
        return False
    key, ours = bytes(range(KEY_BYTES)), np.empty(1000, np.uint64)
    pads.draw(recipe(round_keys(key), 1, 2, 200), 0, ours.view(np.uint8))
    return np.array_equal(ours, Stream(key).words(1, 2, ours.shape, first=200))


def round_keys(key: bytes) -> Array:
    """The 11 round keys of AES-128 [FIPS 197, section 5.2]; only where kernels have AES."""
    keys = np.empty(HEAD, np.uint64)
    keys[:2] = np.frombuffer(key, np.uint64)
    pads.schedule(keys)
    return keys
