"""Transposition of bits between words and planes, 8 blocks of 64 x 64 bits at a time.

Six stages of masked swaps exchange ever smaller quadrants of a block [Warren, Hacker's Delight,
section 7-3]. Row r of all eight blocks is one vector, so that every stage is word operations, and
planes are read and written in whole cache lines.
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from mpyc_core.jit import device, inlined, kernel

from .pads import pad_words
from .simd import fill, load, shl, shr, store, store_some, widen_some, zip_high, zip_low

Array = npt.NDArray[Any]

GROUP = 512
"""Words in eight blocks: the unit of work."""
BATCH = 16
"""Groups worked on together, so that a plane is read and written in long runs."""

_HALVES = 0x00000000FFFFFFFF
_QUARTERS = 0x0000FFFF0000FFFF
_BYTES = 0x00FF00FF00FF00FF
_NIBBLES = 0x0F0F0F0F0F0F0F0F
_PAIRS = 0x3333333333333333
_BITS = 0x5555555555555555


@device
def swap(a: Any, b: Any, distance: int, mask: Any) -> Any:
    """Exchange the high quadrants of row a with the low ones of row b."""
    t = (shr(a, distance) ^ b) & mask
    return a ^ shl(t, distance), b ^ t


@device
def swap_rows(work: Array, at: int, step: int, distance: int, m4: Any, m2: Any, m1: Any) -> None:
    """Three stages on eight rows, `step` apart: distances 4, 2 and 1 times `distance`."""
    s = 8 * step
    a, b, c, d = load(work, at), load(work, at + s), load(work, at + 2 * s), load(work, at + 3 * s)
    at4 = at + 4 * s
    e, f = load(work, at4), load(work, at4 + s)
    g, h = load(work, at4 + 2 * s), load(work, at4 + 3 * s)
    a, e = swap(a, e, 4 * distance, m4)
    b, f = swap(b, f, 4 * distance, m4)
    c, g = swap(c, g, 4 * distance, m4)
    d, h = swap(d, h, 4 * distance, m4)
    a, c = swap(a, c, 2 * distance, m2)
    b, d = swap(b, d, 2 * distance, m2)
    e, g = swap(e, g, 2 * distance, m2)
    f, h = swap(f, h, 2 * distance, m2)
    a, b = swap(a, b, distance, m1)
    c, d = swap(c, d, distance, m1)
    e, f = swap(e, f, distance, m1)
    g, h = swap(g, h, distance, m1)
    store(work, at, a)
    store(work, at + s, b)
    store(work, at + 2 * s, c)
    store(work, at + 3 * s, d)
    store(work, at4, e)
    store(work, at4 + s, f)
    store(work, at4 + 2 * s, g)
    store(work, at4 + 3 * s, h)


@device
def transpose_blocks(work: Array, at: int) -> None:
    """Transpose eight blocks in place; row r of all of them is the vector at `at` + 8 * r."""
    halves, quarters, octets = fill(work, _HALVES), fill(work, _QUARTERS), fill(work, _BYTES)
    for r in range(8):
        swap_rows(work, at + 8 * r, 8, 8, halves, quarters, octets)
    nibbles, pairs, bits = fill(work, _NIBBLES), fill(work, _PAIRS), fill(work, _BITS)
    for q in range(8):
        swap_rows(work, at + 64 * q, 1, 1, nibbles, pairs, bits)


@device
def exchange(x: Array, x0: int, x_step: int, out: Array, out0: int, out_step: int) -> None:
    """Transpose 8 x 8 words: out row r, column c = x row c, column r."""
    a, b = load(x, x0), load(x, x0 + x_step)
    c, d = load(x, x0 + 2 * x_step), load(x, x0 + 3 * x_step)
    x4 = x0 + 4 * x_step
    e, f = load(x, x4), load(x, x4 + x_step)
    g, h = load(x, x4 + 2 * x_step), load(x, x4 + 3 * x_step)
    a, e = zip_low(a, e, 4), zip_high(a, e, 4)
    b, f = zip_low(b, f, 4), zip_high(b, f, 4)
    c, g = zip_low(c, g, 4), zip_high(c, g, 4)
    d, h = zip_low(d, h, 4), zip_high(d, h, 4)
    a, c = zip_low(a, c, 2), zip_high(a, c, 2)
    b, d = zip_low(b, d, 2), zip_high(b, d, 2)
    e, g = zip_low(e, g, 2), zip_high(e, g, 2)
    f, h = zip_low(f, h, 2), zip_high(f, h, 2)
    store(out, out0, zip_low(a, b, 1))
    store(out, out0 + out_step, zip_high(a, b, 1))
    store(out, out0 + 2 * out_step, zip_low(c, d, 1))
    store(out, out0 + 3 * out_step, zip_high(c, d, 1))
    out4 = out0 + 4 * out_step
    store(out, out4, zip_low(e, f, 1))
    store(out, out4 + out_step, zip_high(e, f, 1))
    store(out, out4 + 2 * out_step, zip_low(g, h, 1))
    store(out, out4 + 3 * out_step, zip_high(g, h, 1))


@inlined
def numbers(x: Array, i: int, size: int, count: int, like: Array) -> Any:
    """Up to `count` numbers of 4 or 8 bytes from number `i` of the bytes `x` on, one a lane."""
    if size == 8:
        return widen_some(x, i, 8, count, like)
    return widen_some(x, i, 4, count, like)


@device
def slice_groups(x: Array, y: Array, size: int, c: int, first: int, last: int, work: Array) -> None:
    """The planes of x + y + c for groups `first` to `last`; an empty `y` counts as 0.

    Row r of a group is a vector in `work`; behind those of a whole batch is space for the sums.
    """
    constant, nothing, sums = fill(work, c), fill(work, 0), BATCH * GROUP
    for g in range(first, last):
        for k in range(0, GROUP, 8):
            i = g * GROUP + k
            m = x.size // size - i
            v = numbers(x, i, size, m, work) + constant
            if y.size > 0:
                v = v + numbers(y, i, size, m, work)
            store(work, sums + k, nothing)
            store_some(work, sums + k, v, m)
        at = (g - first) * GROUP
        for q in range(8):
            exchange(work, sums + 8 * q, 64, work, at + 64 * q, 8)
        transpose_blocks(work, at)


@kernel("const u1[::1], const u1[::1], i8, i8, i8, i8, u8[::1], u8[:,::1]")
def words_to_planes(
    x: Array, y: Array, size: int, c: int, first: int, last: int, work: Array, planes: Array
) -> None:
    """Planes of x + y + c, for groups `first` to `last`; as many planes as there are rows."""
    width = planes.shape[1]
    for done in range(first, last, BATCH):
        end = min(done + BATCH, last)
        slice_groups(x, y, size, c, done, end, work)
        for i in range(planes.shape[0]):
            for g in range(done, end):
                row = load(work, (g - done) * GROUP + 8 * i)
                store_some(planes, i * width + 8 * g, row, width - 8 * g)


@kernel(
    "const u1[::1], const u1[::1], i8, i8, const u8[::1], i8, i8, u8[::1], "
    "u8[:,::1], u8[:,::1], u8[:,::1]"
)
def words_to_shares(
    x: Array,
    y: Array,
    size: int,
    c: int,
    p: Array,
    first: int,
    last: int,
    work: Array,
    mask: Array,
    rest: Array,
    top: Array,
) -> None:
    """The same planes, the lower ones split into mask = a pad and rest = plane ^ mask.

    Without a row in `mask` the pad's words are not kept.
    """
    shared, width = rest.shape[0], rest.shape[1]
    for done in range(first, last, BATCH):
        end = min(done + BATCH, last)
        slice_groups(x, y, size, c, done, end, work)
        for i in range(shared + top.shape[0]):
            for g in range(done, end):
                row = load(work, (g - done) * GROUP + 8 * i)
                at, m = i * width + 8 * g, width - 8 * g
                if i < shared:
                    hidden = pad_words(p, at)
                    if mask.shape[0] > 0:
                        store_some(mask, at, hidden, m)
                    store_some(rest, at, row ^ hidden, m)
                else:
                    store_some(top, at - shared * width, row, m)


@kernel("const u8[:,::1], i8, u8[::1], u8[::1]")
def planes_to_words(planes: Array, first: int, work: Array, x: Array) -> None:
    """Words of whole groups from their planes, from group `first` on; missing planes are zero."""
    groups = x.size // GROUP
    zero = fill(work, 0)
    for done in range(0, groups, BATCH):
        batch = min(BATCH, groups - done)
        for i in range(64):
            at = i * planes.shape[1] + 8 * (first + done)
            for g in range(batch):
                row = load(planes, at + 8 * g) if i < planes.shape[0] else zero
                store(work, g * GROUP + 8 * i, row)
        for g in range(batch):
            transpose_blocks(work, g * GROUP)
            for q in range(8):
                exchange(work, g * GROUP + 64 * q, 8, x, (done + g) * GROUP + 8 * q, 64)
