"""Sign, zero and bits of a shared number: one masked opening, then a circuit on bits.

The parties open c = x + r for a dealt r whose bits <r_i> they hold over XOR, modulo 2^w for the
smallest word of w bits that holds those compared. With c public, x = c - r, and

    sign       c_(b-1) ^ r_(b-1) ^ [c' < r']     of the lower b - 1 bits: one borrow, by a tree
    x = 0      all of not (c_i ^ r_i)
    bit i      c_i ^ r_i ^ borrow into bit i     all borrows, by a prefix

The dealer also gives the products r_{2j} r_{2j+1}; with them the first level of every circuit is
linear in what is dealt, for the bits of c are known:

    D = d_1 ^ p_1 & (d_0 ^ d_1)  =  n_1 & (n_0 & r_0 ^ r_1) ^ n_0 & r_0 r_1         n_i = not c_i
    P = p_1 & p_0                =  n_1 n_0 ^ n_1 & r_0 ^ n_0 & r_1 ^ r_0 r_1

So a comparison of 64 bits takes 1 + 5 rounds. A level of a tree opens the factor p that its two
ANDs share once: 3 bits for two gates [own composition of [Bea91, section 2], over GF(2)].

Security (semi-honest, any n - 1 parties): c is uniform as r is over the whole word that is opened;
each plane opened in a tree is masked by a plane of its own. Each party's part of what is opened is
masked by its own part of the mask.

References: edaBits and comparison by masked opening [EGKRS20, sections 3 and 5], the carry as a
multiplexer [GSV07].
"""

from __future__ import annotations

import numpy as np

from mpyc_core.bits import to_planes, words
from mpyc_core.kernels.dealt import add_pad, combine, hide_level, leaves, plane_of, total
from mpyc_core.meta import Meta
from mpyc_core.protocols.circuits import every_levels, prefix_levels, root_levels
from mpyc_core.protocols.cost import Cost, plane_bytes
from mpyc_core.protocols.value import Share
from mpyc_core.transport.mesh import Array, Steps

from .gates import every, prefixes
from .turn import Dealt, Needs, Turn, cost_of


def word_bits(bits: int) -> int:
    """Bits of the smallest word that holds `bits` bits."""
    return next(w for w in (8, 16, 32, 64, 128) if w >= bits)


def open_masked(turn: Turn, dealt: Dealt, x: Share, word: int) -> Steps[tuple[Array, Array, Array]]:
    """c = x + r modulo a word's size, and the two parts of it: this party's and the others'.

    Cost        1 round, a word to each other party
    """
    part = residue(x.parts[0], x.meta.ring.bits, word)
    mine = add_pad(part, dealt.pad(0) if part.itemsize >= 4 else dealt.array(0), 0)
    (others,) = yield from turn.swap([mine])  # hidden by r, this party's own part
    came = total(others[0], others[1:])
    return total(mine, [came]), mine, came


def residue(x: Array, bits: int, word: int) -> Array:
    """Elements of Z/2^bits modulo 2^word, in words of that size, in one dimension."""
    flat = np.ascontiguousarray(x).reshape(-1)
    if word == bits:
        return flat
    low = flat["lo"] if flat.dtype.names else flat
    return low.astype(np.dtype(f"<u{word // 8}"))


def planes_of(c: Array, bits: int) -> Array:
    """The low bits of words, as planes."""
    return to_planes(c.astype(np.uint32) if c.itemsize < 4 else c, bits)


def tree_needs(leaves_: int, size: int) -> Needs:
    """The gates of the tree above the first level, which is free."""
    return [
        ("multiplexer", (nodes, wide, words(size)))
        for nodes, wide in root_levels(leaves_ - leaves_ // 2)
    ]


def tree_messages(leaves_: int, size: int) -> list[int]:
    """Bytes to each other party in every level: three planes for the gates of two nodes."""
    return [
        plane_bytes(2 * nodes + wide, size) for nodes, wide in root_levels(leaves_ - leaves_ // 2)
    ]


def borrow(turn: Turn, c: Array, r: Array, products: Array, bits: int, first: int) -> Steps[Array]:
    """[c' < r'] of the low `bits` bits, this party's part, one plane.

    Parameters
    ----------
    c : planes of the public number.
    r, products : pads of the planes of r and of the products of neighbours.
    first : index of the first correlation of the tree.
    """
    width = c.shape[1]
    if bits == 0:
        return np.zeros((1, width), np.uint64)
    nodes = leaves(turn.first, c, r, products, bits)
    count, level = (len(nodes) + 1) // 2, first
    while count > 1:
        gates = turn.dealt(level)
        p, d = hide_level(nodes, gates.pad(0), gates.pad(1))
        ps, ds = yield from turn.swap([p, d])  # hidden by dealt planes, one for each
        factors = p, total(ps[0], ps[1:], xor=True)
        others = d, total(ds[0], ds[1:], xor=True)
        nodes = combine(turn.first, nodes, factors, others, gates.pad(2))
        count, level = (len(nodes) + 1) // 2, level + 1
    return nodes[:1]


def msb_needs(meta: Meta, bits: int) -> Needs:
    """An edaBit and the gates of the tree."""
    eda = ("edabit", (word_bits(bits), bits, (bits - 1) // 2, meta.size))
    return [eda, *tree_needs(bits - 1, meta.size)]


def sign(turn: Turn, x: Share, bits: int) -> Steps[Array]:
    """This party's part of [x < 0], one plane; the correlations are those of `msb_needs`."""
    dealt = turn.dealt(0)
    opened, _, _ = yield from open_masked(turn, dealt, x, word_bits(bits))
    return (yield from sign_of(turn, dealt, planes_of(opened, bits), bits, 1))


def sign_of(turn: Turn, dealt: Dealt, c: Array, bits: int, first: int) -> Steps[Array]:
    """The sign from the planes of c; `dealt` has the bits of r as places 1 and 2."""
    r = dealt.pad(1)
    below = yield from borrow(turn, c, r, dealt.pad(2), bits - 1, first)
    top = plane_of(r, bits - 1, below.shape[1])
    return below ^ top ^ c[bits - 1 : bits] if turn.first else below ^ top


def msb(turn: Turn, x: Share, bits: int) -> Steps[Share]:
    """[x < 0] as a shared bit, for x in [-2^(bits-1), 2^(bits-1)).

    Cost        1 + ceil(log2 (bits-1)) - 1 rounds: 6 at 64 bits, 5 at 32; to each other party a
                word and 88 bits at 64, 43 at 32
    Error       exact inside the range, which is a promise: outside, the bit is that of x mod 2^bits
    """
    plane = yield from sign(turn, x, bits)
    return Share(x.meta.with_(kind="bit", f=0), (plane,))


def msb_messages(meta: Meta, bits: int) -> list[int]:
    """The opening and the tree."""
    return [meta.size * word_bits(bits) // 8, *tree_messages(bits - 1, meta.size)]


def msb_cost(meta: Meta, bits: int, n: int) -> Cost:
    """The opening and the tree."""
    return cost_of(n, msb_messages(meta, bits), msb_needs(meta, bits))


def is_zero_needs(meta: Meta, bits: int) -> Needs:
    """An edaBit and the gates of a tree of ANDs."""
    eda = ("edabit", (word_bits(bits), bits, bits // 2, meta.size))
    levels = every_levels(bits - bits // 2)
    return [eda, *(("and-triple", (ands, words(meta.size))) for ands in levels)]


def is_zero(turn: Turn, x: Share, bits: int) -> Steps[Share]:
    """[x = 0 mod 2^bits]: whether c = r, bit by bit, then a tree of ANDs.

    Cost        1 + ceil(log2 bits) - 1 rounds; a word, two bits for each of bits/2 - 1 ANDs
    Error       exact
    """
    dealt = turn.dealt(0)
    opened, _, _ = yield from open_masked(turn, dealt, x, word_bits(bits))
    c, r, products = planes_of(opened, bits), dealt.array(1), dealt.array(2)
    same = both_same(turn.first, c, r, products)
    if bits % 2:
        same = np.concatenate([same, (r ^ ~c if turn.first else r)[-1:]])
    return Share(x.meta.with_(kind="bit", f=0), ((yield from every(turn, same, 1)),))


def is_zero_cost(meta: Meta, bits: int, n: int) -> Cost:
    """The opening, and two planes for every AND."""
    ands = every_levels(bits - bits // 2)
    messages = [meta.size * word_bits(bits) // 8, *(plane_bytes(2 * a, meta.size) for a in ands)]
    return cost_of(n, messages, is_zero_needs(meta, bits))


def both_same(first: bool, c: Array, r: Array, products: Array) -> Array:
    """P of neighbours: whether both bits of c and r agree."""
    m = len(products)
    n0, n1 = ~c[0 : 2 * m : 2], ~c[1 : 2 * m : 2]
    parts = (n1 & r[0 : 2 * m : 2]) ^ (n0 & r[1 : 2 * m : 2]) ^ products
    return parts ^ (n1 & n0) if first else parts


def decompose_needs(meta: Meta, bits: int) -> Needs:
    """An edaBit and the gates of a prefix, without its first level."""
    eda = ("edabit", (word_bits(bits), bits, (bits - 1) // 2, meta.size))
    levels = list(prefix_levels(bits - 1))[1:]
    return [eda, *(("multiplexer", (nodes, wide, words(meta.size))) for nodes, wide in levels)]


def decompose(turn: Turn, x: Share, bits: int) -> Steps[Share]:
    """The low `bits` bits of x: c_i ^ r_i ^ borrow into bit i.

    Cost        1 + ceil(log2 (bits-1)) - 1 rounds; a word, and three bits for two gates
    Error       exact
    """
    dealt = turn.dealt(0)
    opened, _, _ = yield from open_masked(turn, dealt, x, word_bits(bits))
    c, r, products = planes_of(opened, bits), dealt.array(1), dealt.array(2)
    total_ = r ^ c if turn.first else r.copy()
    if bits > 1:
        low, under = c[: bits - 1], r[: bits - 1]
        total_[1:] ^= yield from prefixes(turn, *_first_level(turn, low, under, products), 1)
    return Share(x.meta.with_(kind="bit", f=0), (total_,))


def _first_level(turn: Turn, c: Array, r: Array, products: Array) -> tuple[Array, Array]:
    """Nodes (d, p) of all places after the first level of a prefix; p_0 is of no use."""
    n0, m = ~c, len(products)
    d, p = r.copy(), r ^ n0 if turn.first else r.copy()
    d[0] &= n0[0]
    even, odd = n0[0 : 2 * m : 2], n0[1 : 2 * m : 2]
    d[1 : 2 * m : 2] = (odd & ((even & r[0 : 2 * m : 2]) ^ r[1 : 2 * m : 2])) ^ (even & products)
    p[1 : 2 * m : 2] = both_same(turn.first, c, r, products)
    return d, p


def decompose_cost(meta: Meta, bits: int, n: int) -> Cost:
    """The opening and the prefix."""
    levels = list(prefix_levels(bits - 1))[1:]
    gates = [plane_bytes(2 * nodes + wide, meta.size) for nodes, wide in levels]
    messages = [meta.size * word_bits(bits) // 8, *gates]
    return cost_of(n, messages, decompose_needs(meta, bits))
