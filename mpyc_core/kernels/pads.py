"""Pads: masks that a kernel makes while it uses them.

A pad is an array of words that its user need not look into. It starts with a recipe: the round keys
of AES-128, the first half of the counter, and the index of the first block. Where kernels have AES
instructions that is all: the pad of a million elements is 24 words, and the mask itself never goes
through memory. Otherwise the words of the mask follow the recipe.
"""

from __future__ import annotations

import platform
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import config

from mpyc_core.jit import cpu_features, inlined, kernel

from .recipe import FIRST, HEAD, RECIPE
from .simd import as_words, lane, lanes, load, store

Array = npt.NDArray[Any]

_X86 = platform.machine() in ("x86_64", "AMD64")
IN_KERNELS = _X86 and "aes" in cpu_features() and not config.DISABLE_JIT
"""Whether kernels have AES instructions."""

if IN_KERNELS:
    from .aes_llvm import counter_mode, counter_mode_odd, expand_key

    @inlined
    def pad(p: Array, i: int, like: Array) -> Any:
        """A vector of the mask from element `i` on, a multiple of `lanes(like)`, as its words."""
        at = i * 8 // lanes(like)
        if p.size > RECIPE:
            return as_words(load(p, RECIPE + at), like)
        return as_words(counter_mode(p, p[HEAD], p[FIRST] + np.uint64(at // 2)), like)

    @inlined
    def pad_words(p: Array, i: int) -> Any:
        """A vector of the mask from word `i` on, any word of 64 bits."""
        if p.size > RECIPE:
            return load(p, RECIPE + i)
        block = p[FIRST] + np.uint64(i // 2)
        if i % 2 == 1:
            return counter_mode_odd(p, p[HEAD], block)
        return counter_mode(p, p[HEAD], block)

    @kernel("u8[::1]")
    def schedule(keys: Array) -> None:
        """Fill `keys` with all round keys; the key itself is the first two words."""
        expand_key(keys)

else:

    @inlined
    def pad(p: Array, i: int, like: Array) -> Any:
        """A vector of the mask from element `i` on, a multiple of `lanes(like)`, as its words."""
        return as_words(load(p, RECIPE + i * 8 // lanes(like)), like)

    @inlined
    def pad_words(p: Array, i: int) -> Any:
        """A vector of the mask from word `i` on, any word of 64 bits."""
        return load(p, RECIPE + i)


@kernel("const u8[::1], i8, u1[::1]")
def draw(p: Array, first: int, out: Array) -> None:
    """out = the bytes of the mask from byte `first` on, a multiple of 64."""
    whole, long = out.size // 64 * 64, out.size // 256 * 256
    for i in range(0, long, 256):  # four vectors at once: while one waits, the others work
        at = first + i
        a, b = pad(p, at, out), pad(p, at + 64, out)
        c, d = pad(p, at + 128, out), pad(p, at + 192, out)
        store(out, i, a)
        store(out, i + 64, b)
        store(out, i + 128, c)
        store(out, i + 192, d)
    for i in range(long, whole, 64):
        store(out, i, pad(p, first + i, out))
    if whole < out.size:
        rest = pad(p, first + whole, out)
        for i in range(whole, out.size):
            out[i] = lane(rest, i - whole)
