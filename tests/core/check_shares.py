"""Kernels of replicated sharing against Python's integers.

Every kernel that masks gets its pads in both forms: as a recipe, from which it makes the words if
it has AES instructions, and as the words.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from mpyc_core.kernels import replicated, shares
from mpyc_core.kernels.streams import KernelStream
from mpyc_core.prg import Stream
from mpyc_core.ring import Z64, Ring

from .check_kernels import agree, exact, slices, words

Array = npt.NDArray[Any]

KEY = bytes(range(16))
OP = 5


def masks(count: int, shape: tuple[int, ...], dtype: Any) -> tuple[list[Array], list[list[Array]]]:
    """Python integers of `count` masks, and the masks as pads in both forms."""
    drawn = [exact(Stream(KEY).words(OP, i, shape, dtype)) for i in range(count)]
    forms: list[Stream] = [KernelStream(KEY), Stream(KEY)]
    return drawn, [[stream.pad(OP, i, shape, dtype) for i in range(count)] for stream in forms]


def check_streams() -> None:
    """Words made by kernels are those of OpenSSL, for every length, dtype and first block."""
    ours, theirs = KernelStream(KEY), Stream(KEY)
    for n in (0, 1, 7, 16, 63, 64, 65, 1000):
        for dtype in (np.uint8, np.uint16, np.uint32, np.uint64):
            for first in (0, 253, 2**64 - 600):
                got = ours.words(2**48 - 3, 2**16 - 2, n, dtype, first)
                assert (
                    got.tobytes() == theirs.words(2**48 - 3, 2**16 - 2, n, dtype, first).tobytes()
                )


def check_products(ring: Ring, *shape: int) -> None:
    """Terms of every role, with and without a zero-share; operands that are broadcast."""
    rng = np.random.default_rng([ring.bits, *shape])
    x = words(rng, ring, *shape), words(rng, ring, *shape)
    y = words(rng, ring, *shape[-1:]), words(rng, ring, *shape[-1:])
    (xn, xp), (yn, yp) = map(exact, x), map(exact, y)
    terms = [(xn + xp) * (yn + yp), xn * (yn + yp) + xp * yn, xp * yn + xn * yp]
    (f, g), forms = masks(2, shape, ring.dtype)
    for role, expected in enumerate(terms):
        agree(replicated.multiply_terms(role, x, y, shape), expected, ring)
        for zero in forms:
            agree(replicated.multiply_terms(role, x, y, shape, tuple(zero)), expected + f - g, ring)
    for zero in forms:
        agree(replicated.add_zero_share(x[0], tuple(zero)), xn + f - g, ring)
    for a, b in ((2, 1), (1, -1), (-2, 2)):
        agree(replicated.weighed_sum(x, (a, b)), a * xn + b * xp, ring)


def check_ands(*shape: int) -> None:
    """Terms of an AND of packed bits."""
    rng = np.random.default_rng(shape)
    x, y = ((words(rng, Z64, *shape), words(rng, Z64, *shape)) for _ in range(2))
    (xn, xp), (yn, yp) = map(exact, x), map(exact, y)
    (f, g), forms = masks(2, shape, np.uint64)
    for zero in map(tuple, forms):
        expected = xn & yn ^ xn & yp ^ xp & yn ^ f ^ g
        agree(replicated.and_terms(x, y, shape, zero), expected, Z64)
        agree(replicated.xor_zero_share(x[0], zero), xn ^ f ^ g, Z64)


def term(p: tuple[Array, Array], d: tuple[Array, Array], e: tuple[Array, Array]) -> Array:
    """A party's term of d ^ p & (d ^ e)."""
    flip = d[0] ^ e[0], d[1] ^ e[1]
    return d[0] ^ p[0] & flip[0] ^ p[0] & flip[1] ^ p[1] & flip[0]


def both(p: tuple[Array, Array], q: tuple[Array, Array]) -> Array:
    """A party's term of p & q."""
    return p[0] & q[0] ^ p[0] & q[1] ^ p[1] & q[0]


def nodes(x: tuple[Array, Array], rows: range) -> Iterator[tuple[Array, Array]]:
    """Both components of some planes."""
    for i in rows:
        yield x[0][i], x[1][i]


def check_tree(leaves: int, width: int) -> None:
    """The first level of a carry tree for every role, and a further one."""
    rng = np.random.default_rng([leaves, width])
    pairs = leaves // 2
    shape = (2 * pairs - 1, width)
    (f, g), forms = masks(2, shape, np.uint64)
    planes = words(rng, Z64, leaves - 1, width), words(rng, Z64, leaves - 1, width)
    (r,), pads = masks(1, planes[0].shape, np.uint64)
    number = words(rng, Z64, 64 * width)
    own = slices(exact(number), leaves)
    nothing = np.zeros((1, width), object)
    for zero, (pad,) in zip(map(tuple, forms), pads, strict=True):
        expected = _leaves((0, 0), (r, exact(planes[1])), nothing, pairs) ^ f ^ g
        agree(replicated.combine_leaves(0, (pad, planes[1]), shape, zero), expected, Z64)
        expected = _leaves((1, 0), (own[: leaves - 1], r), nothing, pairs) ^ f ^ g
        made, top = replicated.leaves_of_words(number, pad, leaves, shape, zero)
        agree(made, expected, Z64)
        agree(top, own[leaves - 2 :], Z64)
        expected = _leaves((0, 1), (exact(planes[0]), exact(planes[1])), nothing, pairs) ^ f ^ g
        agree(replicated.combine_leaves(2, planes, shape, zero), expected, Z64)
    x = words(rng, Z64, 2 * leaves - 1, width), words(rng, Z64, 2 * leaves - 1, width)
    whole = [exact(part) for part in x]
    d = [part[:leaves] for part in whole]
    p = [part[leaves - 1 :] for part in whole]  # p_0 is never looked at
    expected = _level((d[0], d[1]), (p[0], p[1]), pairs) ^ f ^ g
    for zero in map(tuple, forms):
        agree(replicated.combine_nodes(x, shape, zero), expected, Z64)


def _leaves(known: tuple[int, int], p: tuple[Array, Array], nothing: Array, pairs: int) -> Array:
    whole = [np.concatenate([nothing, part]) for part in p]
    d = [part * factor for part, factor in zip(whole, known, strict=True)]
    return _level((d[0], d[1]), (whole[0], whole[1]), pairs)


def _level(d: tuple[Array, Array], p: tuple[Array, Array], pairs: int) -> Array:
    high, low = range(1, 2 * pairs, 2), range(0, 2 * pairs, 2)
    ds = [
        term(p1, d1, d0)
        for p1, d1, d0 in zip(nodes(p, high), nodes(d, high), nodes(d, low), strict=True)
    ]
    ps = [both(p1, p0) for p1, p0 in zip(nodes(p, high), nodes(p, low), strict=True)]
    return np.stack(ds + ps[1:])


def check_prefixes(count: int, width: int) -> None:
    """Every level of a parallel prefix."""
    rng = np.random.default_rng([count, width])
    x = [words(rng, Z64, count, width) for _ in range(4)]
    pn, pp, dn, dp = map(exact, x)
    step = 1
    while step < count:
        rows = []
        targets = [(i, i - i % step - 1) for i in range(count) if i & step]
        for i, s in targets:
            rows.append(term((pn[i], pp[i]), (dn[i], dp[i]), (dn[s], dp[s])))
        for i, s in targets:
            if i >= 2 * step:
                rows.append(both((pn[i], pp[i]), (pn[s], pp[s])))
        shape = (len(rows), width)
        (f, g), forms = masks(2, shape, np.uint64)
        for zero in map(tuple, forms):
            made = replicated.combine_prefixes((x[0], x[1]), (x[2], x[3]), step, shape, zero)
            agree(made, np.stack(rows) ^ f ^ g, Z64)
        step *= 2


def check_split(ring: Ring, n: int, bits: int, more: int) -> None:
    """Bit planes of a sum, the lower ones split by a mask."""
    rng = np.random.default_rng([ring.bits, n, bits])
    x = words(rng, ring, n), words(rng, ring, n)
    total = exact(x[0]) + exact(x[1])
    planes = slices(total, bits + more)
    (f,), forms = masks(1, planes[:bits].shape, np.uint64)
    for (pad,) in forms:
        mask, rest, above = replicated.split_planes(x, pad, bits, more)
        agree(mask, f, Z64)
        agree(rest, planes[:bits] ^ f, Z64)
        agree(above, planes[bits:], Z64)
        none, again, _ = replicated.split_planes(x, pad, bits, more, keep=False)
        assert len(none) == 0
        agree(again, rest, Z64)


def check_truncation(ring: Ring, n: int, shift: int, size: int) -> None:
    """Halves with their top bits, and what is left of them after the shift."""
    rng = np.random.default_rng([ring.bits, n, shift])
    k, word = ring.bits, np.dtype(f"u{size}")
    x, y = words(rng, ring, n), words(rng, ring, n)
    w = rng.integers(0, 2 ** (8 * size) - 1, n, word, endpoint=True)
    a, b, wraps = exact(x), exact(y), exact(w)
    (f,), forms = masks(1, (n,), ring.dtype)
    c = (1 << (k - 2)) - 1
    for (pad,) in forms:
        for made, total in (
            (shares.with_top_bit(x, word, plus=y, constant=c), a + b + c),
            (shares.with_top_bit(x, word, minus_pad=pad, constant=c), a - f + c),
            (shares.with_top_bit(x, word, pad=pad), a + f),
            (shares.with_top_bit(x, word, plus=y, pad=pad), a + b + f),
        ):
            agree(made[0], total, ring)
            assert made[1].dtype == word
            assert made[1].tolist() == [v % 2**k >> (k - 1) for v in total]
        out, mask = shares.shift_down(x, w, shift, 1 - c, pad)
        agree(mask, f, ring)
        agree(out, (a >> shift) - (wraps << (k - shift)) + 1 - c - f, ring)


def check_conversion(ring: Ring, n: int, planes: int) -> None:
    """A bit times a number, and weighed sums of bits."""
    rng = np.random.default_rng([ring.bits, n, planes])
    x, y, al, u = (words(rng, ring, n) for _ in range(4))
    packed = words(rng, Z64, planes, (n + 63) // 64)
    bits = np.array(
        [[int(plane[j // 64]) >> j % 64 & 1 for j in range(n)] for plane in packed], object
    ).reshape(planes, n)
    b, (s, t) = bits[0], (exact(x), exact(y))
    (f, g, h), forms = masks(3, (n,), ring.dtype)
    for p, q, r in forms:
        made = shares.offer_product(packed[:1], (x, y), (p, q))
        agree(made[0], b * (s + t) - f, ring)
        agree(made[1], b - g, ring)
        sign = 1 - 2 * b
        out, mask = shares.answer_product(1, packed[:1], x, y, (p, q), r)
        agree(mask, h, ring)
        agree(out, sign * (f + g * s) + b * (s + t) - h, ring)
        out, mask = shares.answer_product(2, packed[:1], x, y, (al, u), r)
        agree(mask, h, ring)
        agree(out, sign * (exact(al) + exact(u) * s) + b * t - h, ring)
    many, weights = words(rng, ring, planes, n), words(rng, ring, planes)
    agree(shares.minus_mask(packed, many), bits - exact(many), ring)
    w = exact(weights).reshape(-1, 1)
    signed = (1 - 2 * bits) * exact(many)
    agree(shares.weigh_bits(1, packed, many, weights), (w * (signed + bits)).sum(0), ring)
    agree(shares.weigh_bits(2, packed, many, weights), (w * signed).sum(0), ring)


def check_all(ring: Ring, sizes: tuple[int, ...]) -> None:
    """Everything of one ring."""
    for n in sizes:
        check_products(ring, n)
        check_products(ring, 3, n)
        check_conversion(ring, n, 3)
        for shift, size in ((1, 1), (8, 1), (13, 2), (20, 4)):
            check_truncation(ring, n, shift, size)
        for bits, more in ((1, 0), (ring.bits - 1, 1), (9, 0)):
            check_split(ring, n, bits, more)
    if ring == Z64:
        check_truncation(ring, sizes[-1], 40, 8)


def check_bits(widths: tuple[int, ...]) -> None:
    """Everything of packed bits."""
    check_streams()
    for width in widths:
        check_ands(width)
        check_ands(3, width)
        for count in (2, 3, 4, 7, 12):
            check_tree(count, width)
            check_prefixes(count, width)
