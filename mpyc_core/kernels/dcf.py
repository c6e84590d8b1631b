"""Distributed comparison functions in kernels, eight at a time; see `mpyc_core.dcf`.

Only for processors with AES instructions: elsewhere `mpyc_core.dcf` does the same in NumPy. Arrays
hold whole groups of 64 elements; a group's results are one packed word.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mpyc_core.jit import inlined, kernel

from .aes_llvm import encrypt
from .simd import fill, lane, load, shl, shr, store, zip_high, zip_low

Array = npt.NDArray[Any]

_ONE, _SIX, _TOP = np.uint64(1), np.uint64(63), np.uint64(127)
_FULL = np.uint64(2**64 - 1)


@inlined
def _hash(keys: Array, low: Any, high: Any) -> Any:
    """AES_K(s) ^ s of eight blocks, given by their low and high words."""
    even, odd = zip_low(low, high, 1), zip_high(low, high, 1)
    a, b = encrypt(keys, even, odd)
    a, b = a ^ even, b ^ odd
    return zip_low(a, b, 1), zip_high(a, b, 1)


@inlined
def _start(i: int, depth: int) -> int:
    """Where the correction words of elements i to i + 7 begin; a level has 16 words."""
    return 2 * depth * i


@inlined
def _descend(keys: Array, levels: Array, at: int, right: Any, state: Any) -> Any:
    """One level down for eight elements: seed, control bit, sum of value bits."""
    low, high, t, total = state
    zero, one, clear = fill(levels, 0), fill(levels, 1), fill(levels, -8)
    h_low, h_high = _hash(keys, low | right, high)
    mask = zero - t
    c_low, c_high = load(levels, at) & mask, load(levels, at + 8) & mask
    total = total ^ shr(h_low, 1) ^ shr(c_low, 2)
    turn = c_low ^ ((zero - right) & (c_low ^ shr(c_low, 1)))
    return (h_low ^ c_low) & clear, h_high ^ c_high, (h_low ^ turn) & one, total


@inlined
def _leaf(keys: Array, leaf: Array, size: int, i: int, state: Any) -> Any:
    """The leaf's two words and the sum of value bits."""
    low, high, t, total = state
    h_low, h_high = _hash(keys, low | fill(leaf, 2), high)
    mask = fill(leaf, 0) - t
    return h_low ^ (load(leaf, i) & mask), h_high ^ (load(leaf, size + i) & mask), total


@inlined
def _bits(x: Array, i: int, found: Any) -> np.uint64:
    """The results of eight elements, packed."""
    low, high, total = found
    packed = np.uint64(0)
    for k in range(8):
        at = x[i + k] & _TOP
        half = lane(low, k) if at <= _SIX else lane(high, k)
        packed |= (((half >> (at & _SIX)) ^ lane(total, k)) & _ONE) << np.uint64(k)
    return packed


@kernel(
    "const u8[::1], const u8[::1], const u8[::1], const u8[::1], const u8[::1], "
    "i8, i8, i8, i8, u8[::1]"
)
def evaluate(
    keys: Array,
    x: Array,
    levels: Array,
    leaf: Array,
    root: Array,
    party: int,
    bits: int,
    first: int,
    last: int,
    out: Array,
) -> None:
    """out[w] = this party's share of [x < alpha] for the 64 elements of word w."""
    size, depth = x.size, levels.size // (2 * x.size)
    zero, one, clear, t = fill(x, 0), fill(x, 1), fill(x, -8), fill(x, party)
    for word in range(first, last):
        packed = np.uint64(0)
        for i in range(64 * word, 64 * word + 64, 16):  # two groups: one waits, the other works
            j = i + 8
            state = (load(root, i) & clear, load(root, size + i), t, zero)
            other = (load(root, j) & clear, load(root, size + j), t, zero)
            x_i, x_j = load(x, i), load(x, j)
            for level in range(depth):
                shift, at = bits - 1 - level, 16 * level
                right, right_j = shr(x_i, shift) & one, shr(x_j, shift) & one
                state = _descend(keys, levels, _start(i, depth) + at, right, state)
                other = _descend(keys, levels, _start(j, depth) + at, right_j, other)
            found = _bits(x, i, _leaf(keys, leaf, size, i, state))
            packed |= found << np.uint64(i % 64)
            found = _bits(x, j, _leaf(keys, leaf, size, j, other))
            packed |= found << np.uint64(j % 64)
        out[word] = packed


@kernel("const u8[::1], const u8[::1], const u8[::1], const u8[::1], i8, i8, i8, u8[::1], u8[::1]")
def generate(
    keys: Array,
    alpha: Array,
    root0: Array,
    root1: Array,
    bits: int,
    first: int,
    last: int,
    levels: Array,
    leaf: Array,
) -> None:
    """The correction words of elements `first` to `last`, whole groups of eight."""
    size, depth = alpha.size, levels.size // (2 * alpha.size)
    zero, one, clear = fill(alpha, 0), fill(alpha, 1), fill(alpha, -8)
    for i in range(first, last, 8):
        a = load(alpha, i)
        low0, high0 = load(root0, i) & clear, load(root0, size + i)
        low1, high1 = load(root1, i) & clear, load(root1, size + i)
        t0, t1, value = zero, one, zero
        for level in range(depth):
            right = shr(a, bits - 1 - level) & one
            keep = zero - right
            l_low0, l_high0 = _hash(keys, low0, high0)
            l_low1, l_high1 = _hash(keys, low1, high1)
            r_low0, r_high0 = _hash(keys, low0 | one, high0)
            r_low1, r_high1 = _hash(keys, low1 | one, high1)
            left_sum, right_sum = l_low0 ^ l_low1, r_low0 ^ r_low1
            both = left_sum ^ right_sum
            lost, kept = right_sum ^ (keep & both), left_sum ^ (keep & both)
            v = (shr(lost, 1) ^ value ^ right) & one
            value = (value ^ shr(kept, 1) ^ v) & one
            t_left, t_right = (left_sum ^ right ^ one) & one, (right_sum ^ right) & one
            c_low = (lost & clear) | t_left | shl(t_right, 1) | shl(v, 2)
            left_high = l_high0 ^ l_high1
            c_high = r_high0 ^ r_high1
            c_high = c_high ^ (keep & (c_high ^ left_high))
            store(levels, _start(i, depth) + 16 * level, c_low)
            store(levels, _start(i, depth) + 16 * level + 8, c_high)
            t_kept = t_left ^ (keep & (t_left ^ t_right))
            m0, m1 = zero - t0, zero - t1
            k0, k1 = l_low0 ^ (keep & (l_low0 ^ r_low0)), l_low1 ^ (keep & (l_low1 ^ r_low1))
            high0 = l_high0 ^ (keep & (l_high0 ^ r_high0)) ^ (m0 & c_high)
            high1 = l_high1 ^ (keep & (l_high1 ^ r_high1)) ^ (m1 & c_high)
            t0, t1 = (k0 ^ (m0 & t_kept)) & one, (k1 ^ (m1 & t_kept)) & one
            low0, low1 = (k0 ^ (m0 & c_low)) & clear, (k1 ^ (m1 & c_low)) & clear
        two, every = shl(one, 1), zero - value
        h_low0, h_high0 = _hash(keys, low0 | two, high0)
        h_low1, h_high1 = _hash(keys, low1 | two, high1)
        store(leaf, i, h_low0 ^ h_low1 ^ every)
        store(leaf, size + i, h_high0 ^ h_high1 ^ every)
        for k in range(8):
            below = alpha[i + k] & _TOP
            if below <= _SIX:
                leaf[i + k] ^= (_ONE << below) - _ONE
            else:
                leaf[i + k] ^= _FULL
                leaf[size + i + k] ^= (_ONE << (below & _SIX)) - _ONE
