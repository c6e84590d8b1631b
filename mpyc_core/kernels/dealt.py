"""Additive shares with dealt randomness: a party's local work, each step in one pass.

What the arrays mean is said in `mpyc_core.protocols.additive`; these functions check, allocate and
divide the work among threads. Results are fresh arrays. Elements of Z/2^128 go through the ring.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from mpyc_core.ring import Ring, ring

from . import shares
from .flat import flat, split
from .recipe import drawn

Array = npt.NDArray[Any]
Parts = tuple[Array, Array]
Others = tuple[list[Array], list[Array]]


def as_pad(x: Array) -> Array:
    """An array as a pad, for what did not come from a stream."""
    pad, words = drawn(x.nbytes)
    words[:] = np.ascontiguousarray(x).reshape(-1).view(np.uint8)
    return pad


def words_of(pad: Array, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """The words of a pad, from its start."""
    from .pads import draw

    out = np.empty(shape, dtype)
    if out.size:
        draw(pad, 0, out.reshape(-1).view(np.uint8))
    return out


def total(x: Array, more: Sequence[Array], xor: bool = False) -> Array:
    """The sum of arrays, over XOR or modulo 2 to the word's size."""
    if xor:
        return reduce(np.bitwise_xor, more, x)
    return reduce(ring(128).add if x.dtype.names else np.add, more, x)


def add_pad(x: Array, pad: Array, constant: int = 0) -> Array:
    """x + pad + constant; for words of 8 and 16 bits the pad is an array of words."""
    if x.dtype.names:
        group = ring(128)
        sum_ = group.add(x, words_of(pad, x.shape, x.dtype))
        return group.add(sum_, group.full((), constant))
    if x.itemsize < 4:
        return np.asarray(x + pad)
    return _padded(x, pad, 1, constant)


def hide(x: Array, pad: Array) -> Array:
    """x - pad."""
    if x.dtype.names:
        return ring(128).sub(x, words_of(pad, x.shape, x.dtype))
    return _padded(x, pad, -1, 0)


def _padded(x: Array, pad: Array, sign: int, constant: int) -> Array:
    from .beaver import add_pad

    out = np.empty(x.shape, x.dtype)
    a, z = flat(x, x.shape, x.dtype), out.reshape(-1)
    split(out.size, lambda i, j: add_pad(a, pad, sign, constant, i, j, z))
    return out


def xor_pad(x: Array, pad: Array) -> Array:
    """x ^ pad, for packed bits."""
    from .beaver import xor_pad

    out = np.empty(x.shape, np.uint64)
    a, z = flat(x, x.shape, out.dtype), out.reshape(-1)
    split(out.size, lambda i, j: xor_pad(a, pad, i, j, z))
    return out


def rounding_pair(r: Array, shift: int, short: np.dtype[Any]) -> tuple[Array, Array]:
    """(m << (k - 1 - shift)) - (r' >> shift), and m as short words, for r = m * 2^(k-1) + r'."""
    if r.dtype.names:
        group = ring(128)
        top = group.rshift_logical(r, 127)
        h = group.rshift_logical(group.lshift(r, 1), shift + 1)
        return group.sub(group.lshift(top, 127 - shift), h), top["lo"].astype(short)
    from .beaver import rounding_pair

    out, top = np.empty(r.shape, r.dtype), np.empty(r.shape, short)
    a, z, octets = flat(r, r.shape, r.dtype), out.reshape(-1), top.reshape(-1).view(np.uint8)
    size = short.itemsize
    split(out.size, lambda i, j: rounding_pair(a, shift, size, i, j, octets, z))
    return out, top


def deal_product(a: Parts, b: Parts, c: Array, out: Array) -> Array:
    """out = a * b - c over Z/2^64; a and b are sums of two pads, c is a pad."""
    from .dealing import multiply

    z = out.reshape(-1)
    split(out.size, lambda i, j: multiply(*a, *b, c, i, j, z))
    return out


def deal_rounded(
    a: Parts, b: Parts, c: Parts, u: Array, shift: int, short: Array, out: Array
) -> list[Array]:
    """`rounding_pair` of r = c - a * b over Z/2^64, less the pad u and the words of `short`.

    Parameters
    ----------
    a, b, c : sums of two pads.
    short, out : become the result.
    """
    from .dealing import multiply_rounded

    octets, z, size = short.reshape(-1).view(np.uint8), out.reshape(-1), short.itemsize
    pads = *a, *b, *c, u
    split(out.size, lambda i, j: multiply_rounded(*pads, shift, size, i, j, octets, z))
    return [out, short]


def doubled(x: Array, mine: Array, came: Array) -> Array:
    """2 x - mine + came, for words of 32 or 64 bits."""
    from . import beaver

    out = np.empty(x.shape, x.dtype)
    flats = [flat(v, x.shape, x.dtype) for v in (x, mine, came)]
    z = out.reshape(-1)
    split(out.size, lambda i, j: beaver.doubled(*flats, i, j, z))
    return out


def recombine(
    first: bool,
    pad: Array,
    x: Array,
    y: Array,
    mine: Parts,
    others: Others,
    shape: tuple[int, ...],
    constant: int,
) -> Array:
    """pad + D * b + a * E + constant, at the first party + D * E, broadcast to `shape`.

    Parameters
    ----------
    x, y : this party's shares; a = x - d, b = y - e.
    mine : d and e, what this party sent; D and E are their sums with `others`.
    """
    d, e = mine
    ds, es = (total(parts[0], parts[1:]) for parts in others)
    if x.dtype.names:
        group = ring(128)
        opened_d, opened_e = group.add(d, ds), group.add(e, es)
        a, b = group.sub(x, d), group.sub(y, e)
        b = group.add(b, opened_e) if first else b
        terms = group.add(group.mul(opened_d, b), group.mul(a, opened_e))
        return add_pad(terms, pad, constant)
    from . import beaver

    out = np.empty(shape, x.dtype)
    flats = [flat(v, shape, x.dtype) for v in (x, y, d, e, ds, es)]
    z, one = out.reshape(-1), int(first)
    split(out.size, lambda i, j: beaver.recombine(*flats, pad, one, constant, i, j, z))
    return out


def square_up(
    first: bool, pad: Array, x: Array, mine: Array, others: list[Array], constant: int
) -> Array:
    """pad + 2 a D + constant, at the first party + D * D, for a = x - mine and D the opened sum."""
    came = total(others[0], others[1:])
    if x.dtype.names:
        group = ring(128)
        opened, a = group.add(mine, came), group.sub(x, mine)
        factor = group.add(a, a)
        factor = group.add(factor, opened) if first else factor
        return add_pad(group.mul(opened, factor), pad, constant)
    from . import beaver

    out = np.empty(x.shape, x.dtype)
    flats = [flat(v, x.shape, x.dtype) for v in (x, mine, came)]
    z, one = out.reshape(-1), int(first)
    split(out.size, lambda i, j: beaver.square_up(*flats, pad, one, constant, i, j, z))
    return out


def round_down(
    first: bool, mine: Array, others: Array, pad: Array, short: Array, shift: int
) -> Array:
    """u - C_top * (v << (k - shift)), at the first party + (C >> shift) - 2^(k-2-shift).

    Parameters
    ----------
    mine, others : the parts of C.
    pad : of u.
    short : v, short words.
    """
    k = 8 * mine.itemsize
    lowered = -(1 << (k - 2 - shift))
    if mine.dtype.names:
        return _round_down_128(first, mine, others, pad, short, shift)
    from . import beaver

    out = np.empty(mine.shape, mine.dtype)
    a, b, z = flat(mine, out.shape, out.dtype), flat(others, out.shape, out.dtype), out.reshape(-1)
    v = flat(short if shift else np.zeros_like(short), out.shape, short.dtype).view(np.uint8)
    size, one = short.itemsize, int(first)
    split(
        out.size,
        lambda i, j: beaver.round_down(a, b, pad, v, size, shift, one, lowered, i, j, z),
    )
    return out


def _round_down_128(
    first: bool, mine: Array, others: Array, pad: Array, short: Array, shift: int
) -> Array:
    group = ring(128)
    opened = group.add(mine, others)
    v = np.zeros(mine.shape, group.dtype)
    v["lo"] = short
    lost = group.mul(group.lshift(v, 128 - shift), group.rshift_logical(opened, 127))
    part = group.sub(words_of(pad, mine.shape, mine.dtype), lost)
    if not first:
        return part
    lowered = group.full((), -(1 << (126 - shift)))
    return group.add(part, group.add(group.rshift_logical(opened, shift), lowered))


def choose(bits: Array, x: Array, mine: Array, others: Array, b: Array, c: Array) -> Array:
    """v * x + (1 - 2v) * (E * b + c) for packed bits v, pads of b and c, and E = mine + others."""
    if x.dtype.names:
        group = ring(128)
        opened = group.add(mine, others)
        dealt = (words_of(pad, x.shape, x.dtype) for pad in (b, c))
        product = group.add(group.mul(opened, next(dealt)), next(dealt))
        v = as_numbers(bits, x.size, group)[0].reshape(x.shape)
        sign = group.sub(group.full((), 1), group.add(v, v))
        return group.add(group.mul(v, x), group.mul(sign, product))
    from . import beaver

    out = np.empty(x.shape, x.dtype)
    flats = [flat(part, x.shape, x.dtype) for part in (x, mine, others)]
    v, z = np.ascontiguousarray(bits).reshape(-1), out.reshape(-1)
    split(out.size, lambda i, j: beaver.choose(*flats, v, b, c, i, j, z))
    return out


def as_numbers(planes: Array, size: int, group: Ring) -> Array:
    """Bits as ring elements 0 and 1, shape (planes, size)."""
    octets = np.ascontiguousarray(planes).view(np.uint8)
    bits = np.unpackbits(octets, axis=1, count=size, bitorder="little")
    if group.dtype.names:
        out = np.zeros(bits.shape, group.dtype)
        out["lo"] = bits
        return out
    return bits.astype(group.dtype)


def weigh(first: bool, bits: Array, b: Array, weights: Array, group: Ring) -> Array:
    """sum_i weights[i] * ((1 - 2 v_i) * b_i), at the first party + v_i each; shape (n,).

    Parameters
    ----------
    bits : v_i, packed planes.
    b : ring elements, shape (planes, n).
    """
    if not group.dtype.names:
        return shares.weigh_bits(1 if first else 2, bits, b, np.asarray(weights, group.dtype))
    v = as_numbers(bits, b.shape[1], group)
    t = group.mul(group.sub(group.full((), 1), group.add(v, v)), b)
    t = group.add(t, v) if first else t
    return group.sum(group.mul(t, np.asarray(weights)[:, None]), 0)


def leaves(first: bool, c: Array, r: Array, products: Array, count: int) -> Array:
    """The nodes above `count` leaves of [c < r], planes of shape (nodes, words); see `borrows`.

    Parameters
    ----------
    c : planes of the public number, at least `count`.
    r, products : pads of the planes of r and of the products of its neighbours.
    """
    from . import borrows

    out = np.empty((2 * ((count + 1) // 2) - 1, c.shape[1]), np.uint64)
    one = int(first)
    split(c.shape[1], lambda i, j: borrows.leaves(c, r, products, one, count, i, j, out), len(out))
    return out


def hide_level(nodes: Array, a: Array, b: Array) -> tuple[Array, Array]:
    """What a level of the tree opens, masked by the words of two pads: factors and the others."""
    from . import borrows

    pairs, width = (len(nodes) + 1) // 4, nodes.shape[1]
    factors = np.empty((pairs, width), np.uint64)
    others = np.empty((2 * pairs - 1, width), np.uint64)
    split(width, lambda i, j: borrows.hide_level(nodes, a, b, i, j, factors, others), len(nodes))
    return factors, others


def combine(first: bool, nodes: Array, factors: Parts, others: Parts, c: Array) -> Array:
    """The nodes of the next level.

    Parameters
    ----------
    factors, others : both parts of what was opened: this party's, and the sum of what came.
    c : a pad of the products of the masks.
    """
    from . import borrows

    count = (len(nodes) + 1) // 2
    out = np.empty((2 * (count - count // 2) - 1, nodes.shape[1]), np.uint64)
    opened = [np.require(part, requirements=["C", "A"]) for part in (*factors, *others)]
    one = int(first)
    split(
        nodes.shape[1],
        lambda i, j: borrows.combine(nodes, *opened, c, one, i, j, out),
        len(out),
    )
    return out


def plane_of(pad: Array, row: int, width: int) -> Array:
    """One plane of a pad of planes, shape (1, width)."""
    from .pads import draw

    start = row * width // 8 * 8
    out = np.empty((row + 1) * width - start, np.uint64)
    draw(pad, 8 * start, out.view(np.uint8))
    return out[row * width - start :][None]
