"""One level of a carry tree on planes of replicated bits, in one pass over memory.

Node i of the tree is a multiplexer (p_i, d_i): it passes the carry that comes in where p is 1, and
puts out d where p is 0. Neighbours combine, for j = 0, 1, ..., m - 1, as

    D_j = d_{2j+1} ^ p_{2j+1} & (d_{2j} ^ d_{2j+1})        P_j = p_{2j+1} & p_{2j}

The message of a level is D_0 ... D_{m-1} and P_1 ... P_{m-1}, one after the other; P_0 is never
needed. It is also how the nodes of the next level lie in memory: their two components are what was
sent and what came. The kernels work on the words from `start` to `stop` of planes of `width` words.
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from mpyc_core.jit import inlined, kernel

from .pads import pad_words
from .simd import fill, load_some, store_some
from .terms import both

Array = npt.NDArray[Any]

_LEVEL = "const u8[::1], " * 4 + "i8, i8, i8, i8, u8[::1]"
_LEAVES = "const u8[::1], " * 5 + "i8, i8, i8, i8, i8, u8[::1]"


@inlined
def multiplex(pn: Any, pp: Any, dn: Any, dp: Any, en: Any, ep: Any) -> Any:
    """A party's term of d ^ p & (e ^ d), over XOR; d itself is added by the next component."""
    return dn ^ both(pn, pp, en ^ dn, ep ^ dp)


@kernel(_LEVEL)
def combine_nodes(
    xn: Array,
    xp: Array,
    zn: Array,
    zp: Array,
    nodes: int,
    width: int,
    start: int,
    stop: int,
    out: Array,
) -> None:
    """out = this party's terms of D and P, ^ zn ^ zp, from D and P of `nodes` nodes."""
    pairs = nodes // 2
    for j in range(pairs):
        d1, d0 = (2 * j + 1) * width, 2 * j * width
        p1, p0 = (nodes + 2 * j) * width, (nodes + 2 * j - 1) * width
        for c in range(start, stop, 8):
            m = stop - c
            pn, pp = load_some(xn, p1 + c, m), load_some(xp, p1 + c, m)
            dn, dp = load_some(xn, d1 + c, m), load_some(xp, d1 + c, m)
            en, ep = load_some(xn, d0 + c, m), load_some(xp, d0 + c, m)
            i = j * width + c
            zero = pad_words(zn, i) ^ pad_words(zp, i)
            store_some(out, i, multiplex(pn, pp, dn, dp, en, ep) ^ zero, m)
            if j > 0:
                qn, qp = load_some(xn, p0 + c, m), load_some(xp, p0 + c, m)
                i = (pairs + j - 1) * width + c
                zero = pad_words(zn, i) ^ pad_words(zp, i)
                store_some(out, i, both(pn, pp, qn, qp) ^ zero, m)


@kernel(_LEAVES)
def combine_leaves(
    xn: Array,
    xp: Array,
    r: Array,
    zn: Array,
    zp: Array,
    role: int,
    pairs: int,
    width: int,
    start: int,
    stop: int,
    out: Array,
) -> None:
    """The same for the leaves, from the components of p_1, p_2, ...; leaf 0 is (0, 0).

    p = a ^ b and d = b where b is the component that roles 1 and 2 know. So no components of d need
    be there: role 0 has zeros, role 2 has (zero, previous of p); for role 1 see `leaves`. The next
    component of p is a pad, r, at role 0.
    """
    nothing = fill(out, 0)
    for j in range(pairs):
        hi, lo = 2 * j * width, (2 * j - 1) * width
        d, p = j * width, (pairs + j - 1) * width
        for c in range(start, stop, 8):
            m = stop - c
            pn = pad_words(r, hi + c) if role == 0 else load_some(xn, hi + c, m)
            pp, qp = load_some(xp, hi + c, m), nothing
            if j > 0:
                qn = pad_words(r, lo + c) if role == 0 else load_some(xn, lo + c, m)
                qp = load_some(xp, lo + c, m)
                zero = pad_words(zn, p + c) ^ pad_words(zp, p + c)
                store_some(out, p + c, both(pn, pp, qn, qp) ^ zero, m)
            term = nothing
            if role == 2:
                term = multiplex(pn, pp, nothing, pp, nothing, qp)
            zero = pad_words(zn, d + c) ^ pad_words(zp, d + c)
            store_some(out, d + c, term ^ zero, m)


@kernel(
    "const u8[:,::1], const u8[:,::1], const u8[:,::1], const u8[:,::1], "
    "const u8[::1], const u8[::1], i8, i8, i8, u8[:,::1]"
)
def combine_prefixes(
    pn: Array,
    pp: Array,
    dn: Array,
    dp: Array,
    zn: Array,
    zp: Array,
    step: int,
    start: int,
    stop: int,
    out: Array,
) -> None:
    """A level of a parallel prefix: the upper half of every 2 * step nodes takes the node below it.

    out = D of all upper halves, then P of all but the lowest, ^ zn ^ zp.
    """
    nodes, width, d_row = pn.shape[0], pn.shape[1], 0
    p_row = nodes // (2 * step) * step + max(0, nodes % (2 * step) - step)
    for block in range(0, nodes, 2 * step):
        below = (block + step - 1) * width
        for node in range(block + step, min(block + 2 * step, nodes)):
            for c in range(start, stop, 8):
                m, at = stop - c, node * width + c
                a, b = load_some(pn, at, m), load_some(pp, at, m)
                e, f = load_some(dn, below + c, m), load_some(dp, below + c, m)
                term = multiplex(a, b, load_some(dn, at, m), load_some(dp, at, m), e, f)
                i = d_row * width + c
                store_some(out, i, term ^ pad_words(zn, i) ^ pad_words(zp, i), m)
                if block > 0:
                    e, f = load_some(pn, below + c, m), load_some(pp, below + c, m)
                    i = p_row * width + c
                    term = both(a, b, e, f)
                    store_some(out, i, term ^ pad_words(zn, i) ^ pad_words(zp, i), m)
            d_row += 1
            if block > 0:
                p_row += 1
