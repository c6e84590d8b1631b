"""Operands of a product as planes of octets, laid out in the tiles that multiply them.

An operand is given by offsets: element (i, j) stands at the sum of one of row i and one of column
j, so that matrices, transposed matrices and the windows of a convolution are all the same.
A step is 64 places of the inner sum. A panel holds, for each octet of the elements, a tile for
every step: of 16 rows of the left operand or fewer, of 16 columns of the right one.
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from mpyc_core.jit import device, inlined

from .amx import split_octets
from .simd import fill, lanes, load, load_some, store, store_some

Array = npt.NDArray[Any]

STEP = 64
ROWS = 16
TILE = STEP * ROWS
COLUMNS = 16
"""Columns of a panel of right operands."""


@inlined
def fetch(
    x: Array, start: int, offsets: Array, at: int, count: int, words: int, out: Array
) -> None:
    """`count` elements of a row: neighbours at once, else runs of 8 of them, else one by one."""
    if offsets[at + count - 1] - offsets[at] == count - 1:
        place = (start + offsets[at]) * words
        for i in range(0, count * words, lanes(x)):
            store(out, i, load(x, place + i))
        return
    for run in range(0, count, 8):
        first = at + run
        if offsets[first + 7] - offsets[first] == 7:
            place = (start + offsets[first]) * words
            for i in range(0, 8 * words, lanes(x)):
                store_some(out, run * words + i, load_some(x, place + i, 8), 8)
        else:
            for e in range(8):
                place = (start + offsets[first + e]) * words
                for word in range(words):
                    out[(run + e) * words + word] = x[place + word]


@inlined
def split_words(words: int, group: Array, out: Array, at: int, stride: int) -> None:
    """Planes of 64 elements of a row."""
    octets = words * group.itemsize
    if octets == 4:
        split_octets(group, out, at, stride, 4, 0)
    elif octets == 8:
        split_octets(group, out, at, stride, 8, 0)
    else:
        split_octets(group, out, at, stride, 16, 0)


@inlined
def split_fours(words: int, group: Array, out: Array, at: int, stride: int) -> None:
    """Planes of 16 elements of each of four rows, of a column together."""
    octets = words * group.itemsize
    if octets == 4:
        split_octets(group, out, at, stride, 4, 1)
    elif octets == 8:
        split_octets(group, out, at, stride, 8, 1)
    else:
        split_octets(group, out, at, stride, 16, 1)


@device
def pack_left(
    x: Array,
    base: int,
    words: int,
    rows: Array,
    columns: Array,
    i0: int,
    i1: int,
    k0: int,
    k1: int,
    height: int,
    group: Array,
    out: Array,
) -> None:
    """Panels of `height` rows; beyond the last column come zeros.

    Rows beyond the last one are left as they were: they become rows of sums that nobody reads.
    """
    octets = words * x.itemsize
    steps = (k1 - k0 + STEP - 1) // STEP
    rest, stride = (k1 - k0) % STEP, steps * TILE
    zero = fill(out, 0)
    for i in range(i0, i1):
        panel, line = (i - i0) // height, (i - i0) % height
        at = panel * octets * stride + line * STEP
        start = base + rows[i]
        for k in range(k0, k1, STEP):
            fetch(x, start, columns, k, STEP, words, group)
            split_words(words, group, out, at, stride)
            at += TILE
        if rest:
            for plane in range(octets):
                store_some(out, at - TILE + plane * stride + rest, zero, STEP - rest)


@device
def pack_right(
    x: Array,
    base: int,
    words: int,
    rows: Array,
    columns: Array,
    k0: int,
    k1: int,
    j0: int,
    j1: int,
    group: Array,
    out: Array,
) -> None:
    """Panels of 16 columns each.

    Beyond the last row is whatever was there, or what the offsets name: it meets zeros. Columns
    beyond the last one become columns of sums that nobody reads.
    """
    octets = words * x.itemsize
    steps = (k1 - k0 + STEP - 1) // STEP
    stride = steps * TILE
    for k in range(k0, k1, 4):
        step, line = (k - k0) // STEP, (k - k0) % STEP // 4
        at = step * TILE + line * STEP
        for j in range(j0, j1, COLUMNS):
            for i in range(4):
                start = base + rows[k + i]
                fetch(x, start, columns, j, COLUMNS, words, group[i * COLUMNS * words :])
            split_fours(words, group, out, at, stride)
            at += octets * stride
