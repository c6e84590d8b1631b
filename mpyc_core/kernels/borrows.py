"""A carry tree over bits shared by XOR with dealt gates, in one pass over memory for each level.

Nodes lie in memory as planes D_0 ... D_{n-1}, P_1 ... P_{n-1}: node i passes the borrow that comes
in where P_i is 1 and puts out D_i where it is 0. The kernels work on the words from `start` to
`stop` of planes of `width` words.
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from mpyc_core.jit import kernel

from .pads import pad_words
from .simd import fill, load_some, store_some

Array = npt.NDArray[Any]

_PLANES = "const u8[:,::1], "
_PAD = "const u8[::1], "
_RANGE = "i8, i8, u8[:,::1]"


@kernel(_PLANES + _PAD * 2 + "i8, i8, " + _RANGE)
def leaves(
    c: Array, pr: Array, pp: Array, first: int, count: int, start: int, stop: int, out: Array
) -> None:
    """out = the nodes above the leaves of [c < r]: planes c are public, pads the bits of r.

    `pp` is a pad of the products of neighbouring bits of r; `count` is the number of leaves.
    """
    width, nodes = c.shape[1], (count + 1) // 2
    every = fill(out, -1)
    for j in range(nodes):
        low, high = 2 * j * width, (2 * j + 1) * width
        for i in range(start, stop, 8):
            m = stop - i
            n0, r0 = every ^ load_some(c, low + i, m), pad_words(pr, low + i)
            if 2 * j + 1 < count:
                n1, r1 = every ^ load_some(c, high + i, m), pad_words(pr, high + i)
                both = pad_words(pp, j * width + i)
                d = (n1 & ((n0 & r0) ^ r1)) ^ (n0 & both)
                p = (n1 & r0) ^ (n0 & r1) ^ both
                if first > 0:
                    p = p ^ (n1 & n0)
            else:
                d, p = n0 & r0, r0
                if first > 0:
                    p = r0 ^ n0
            store_some(out, j * width + i, d, m)
            if j > 0:
                store_some(out, (nodes + j - 1) * width + i, p, m)


@kernel(_PLANES + _PAD * 2 + _RANGE + ", u8[:,::1]")
def hide_level(
    x: Array, pa: Array, pb: Array, start: int, stop: int, factors: Array, others: Array
) -> None:
    """What a level opens, each ^ a pad.

    factors = P_1, P_3, ...; others = D_0 ^ D_1, D_2 ^ D_3, ..., P_2, P_4, ...
    """
    nodes, width = (x.shape[0] + 1) // 2, x.shape[1]
    pairs = nodes // 2
    for j in range(pairs):
        d0, d1 = 2 * j * width, (2 * j + 1) * width
        p1, p0 = (nodes + 2 * j) * width, (nodes + 2 * j - 1) * width
        for i in range(start, stop, 8):
            m, a = stop - i, j * width + i
            store_some(factors, a, load_some(x, p1 + i, m) ^ pad_words(pa, a), m)
            flip = load_some(x, d0 + i, m) ^ load_some(x, d1 + i, m)
            store_some(others, a, flip ^ pad_words(pb, a), m)
            if j > 0:
                b = (pairs + j - 1) * width + i
                store_some(others, b, load_some(x, p0 + i, m) ^ pad_words(pb, b), m)


@kernel(_PLANES * 5 + _PAD + "i8, " + _RANGE)
def combine(
    x: Array,
    f_mine: Array,
    f_came: Array,
    e_mine: Array,
    e_came: Array,
    pc: Array,
    first: int,
    start: int,
    stop: int,
    out: Array,
) -> None:
    """out = the nodes of the next level, from both parts of what `hide_level` made of the nodes x.

    With F = P ^ a and E = Y ^ b opened, P & Y = c ^ F & b ^ a & E ^ F & E.
    """
    nodes, width = (x.shape[0] + 1) // 2, x.shape[1]
    pairs = nodes // 2
    above = pairs + nodes % 2
    for j in range(pairs):
        d0, d1 = 2 * j * width, (2 * j + 1) * width
        p1, p0 = (nodes + 2 * j) * width, (nodes + 2 * j - 1) * width
        for i in range(start, stop, 8):
            m, at = stop - i, j * width + i
            hidden, other = load_some(f_mine, at, m), load_some(e_mine, at, m)
            f, e = hidden ^ load_some(f_came, at, m), other ^ load_some(e_came, at, m)
            a = load_some(x, p1 + i, m) ^ hidden
            d = load_some(x, d1 + i, m)
            b = load_some(x, d0 + i, m) ^ d ^ other
            if first > 0:
                b = b ^ e
            store_some(out, at, d ^ pad_words(pc, at) ^ (f & b) ^ (a & e), m)
            if j > 0:
                bt = (pairs + j - 1) * width + i
                other = load_some(e_mine, bt, m)
                e = other ^ load_some(e_came, bt, m)
                b = load_some(x, p0 + i, m) ^ other
                if first > 0:
                    b = b ^ e
                both = pad_words(pc, bt) ^ (f & b) ^ (a & e)
                store_some(out, (above + j - 1) * width + i, both, m)
    if nodes % 2 == 1:
        for i in range(start, stop, 8):
            m = stop - i
            store_some(out, pairs * width + i, load_some(x, (nodes - 1) * width + i, m), m)
            top = load_some(x, (2 * nodes - 2) * width + i, m)
            store_some(out, (2 * above - 2) * width + i, top, m)
