"""ANDs on authenticated planes with dealt triples, and the circuits made of them.

The AND of two planes is [c] ^ d [b] ^ [a] e ^ d e for the opened d = x ^ a, e = y ^ b. Every bit
has a MAC of its own, because which MACs of b and a go into that of the result is known only when d
and e are; where bits are opened, their MACs are put together word by word (`transcript.py`).
"""

from __future__ import annotations

import numpy as np

from mpyc_core.bits import words
from mpyc_core.meta import Meta
from mpyc_core.protocols.additive.turn import Needs, cost_of
from mpyc_core.protocols.circuits import prefix_levels, root_levels, sklansky
from mpyc_core.protocols.cost import Cost, plane_bytes
from mpyc_core.transport.mesh import Array, Steps

from .turn import Bits, Turn, keep, pick, stack, xor


def and_needs(meta: Meta, planes: int) -> Needs:
    """A triple for every AND."""
    return [("spdz2k-and-triple", (planes, words(meta.size)))]


def and_cost(meta: Meta, planes: int, n: int) -> Cost:
    """Two planes for every AND."""
    return cost_of(n, [plane_bytes(2 * planes, meta.size)], and_needs(meta, planes))


def and_(turn: Turn, x: Bits, y: Bits, i: int) -> Steps[Bits]:
    """x & y, with the operation's i-th correlation.

    Cost        1 round, two bits per AND to each other party
    Reference   [Bea91, section 2] over GF(2), MACs as in [FKOS15]
    """
    dealt = turn.dealt(i)
    a, b, c = (dealt.bits(j) for j in range(3))
    d, e = yield from turn.reveal(None, xor(x, a), xor(y, b))  # hidden by a and b
    return _recombined(turn, a, b, c, d, e)


def _recombined(turn: Turn, a: Bits, b: Bits, c: Bits, d: Array, e: Array) -> Bits:
    """c ^ d & (b ^ e) ^ a & e."""
    return xor(c, xor(keep(d, turn.flip(b, e)), keep(e, a)))


def repeated(x: Bits, planes: int) -> Bits:
    """One plane for each of several, if there is but one."""
    if len(x.value) == planes:
        return x
    return Bits(np.repeat(x.value, planes, axis=0), np.repeat(x.mac, planes, axis=0))


def multiplex(turn: Turn, p: Bits, d: Bits, q: Bits, i: int) -> Steps[tuple[Bits, Bits]]:
    """p & d, and p' & q for the last planes p' of p: the factor p is opened once.

    Cost        1 round, three bits for two ANDs to each other party
    """
    dealt = turn.dealt(i)
    a, b, c = (dealt.bits(j) for j in range(3))
    n, wide = len(p.value), len(q.value)
    f, e = yield from turn.reveal(None, xor(p, a), xor(stack(d, q), b))  # hidden by a and b
    last = slice(n - wide, None)
    first = _recombined(turn, a, _head(b, n), _head(c, n), f, e[:n])
    second = _recombined(turn, pick(a, last), _tail(b, n), _tail(c, n), f[last], e[n:])
    return first, second


def _head(x: Bits, n: int) -> Bits:
    return pick(x, slice(0, n))


def _tail(x: Bits, n: int) -> Bits:
    return pick(x, slice(n, None))


def every(turn: Turn, x: Bits, first: int) -> Steps[Bits]:
    """Whether all planes are 1; one plane."""
    while len(x.value) > 1:
        m = len(x.value) // 2
        found = yield from and_(turn, _head(x, m), pick(x, slice(m, 2 * m)), first)
        x, first = stack(found, _tail(x, 2 * m)), first + 1
    return x


def both_same(turn: Turn, c: Array, r: Bits, products: Bits) -> Bits:
    """Whether both bits of c and r agree, for pairs of neighbours."""
    m = len(products.value)
    n0, n1 = ~c[0 : 2 * m : 2], ~c[1 : 2 * m : 2]
    low, high = pick(r, slice(0, 2 * m, 2)), pick(r, slice(1, 2 * m, 2))
    return turn.flip(xor(xor(keep(n1, low), keep(n0, high)), products), n1 & n0)


def joined(c: Array, r: Bits, products: Bits) -> Bits:
    """D of pairs of neighbours: n1 & (n0 & r0 ^ r1) ^ n0 & r0 r1, for n = not c."""
    m = len(products.value)
    n0, n1 = ~c[0 : 2 * m : 2], ~c[1 : 2 * m : 2]
    low, high = pick(r, slice(0, 2 * m, 2)), pick(r, slice(1, 2 * m, 2))
    return xor(keep(n1, xor(keep(n0, low), high)), keep(n0, products))


def borrow(turn: Turn, c: Array, r: Bits, products: Bits, first: int) -> Steps[Bits]:
    """[c < r], one plane, from all planes of c and r.

    Parameters
    ----------
    c, r : as many planes each; at least one.
    first : index of the first correlation of the tree.
    """
    bits = len(r.value)
    if bits == 1:
        return keep(~c[:1], r)
    d, p = joined(c, r, products), _tail(both_same(turn, c, r, products), 1)
    if bits % 2:
        top = slice(bits - 1, bits)
        d, p = stack(d, pick(r, top)), stack(p, turn.flip(pick(r, top), ~c[top]))
    while (n := len(d.value)) > 1:
        m = n // 2
        low, high = pick(d, slice(0, 2 * m, 2)), pick(d, slice(1, 2 * m, 2))
        passing, below = pick(p, slice(0, 2 * m - 1, 2)), pick(p, slice(1, 2 * m - 2, 2))
        flips, wide = yield from multiplex(turn, passing, xor(low, high), below, first)
        top_d, top_p = pick(d, slice(2 * m, n)), pick(p, slice(2 * m - 1, n - 1))
        d, p, first = stack(xor(high, flips), top_d), stack(wide, top_p), first + 1
    return d


def tree_needs(leaves: int, size: int) -> Needs:
    """The gates of the tree above the first level, which is free."""
    return [
        ("spdz2k-multiplexer", (nodes, wide, words(size)))
        for nodes, wide in root_levels(leaves - leaves // 2)
    ]


def tree_messages(leaves: int, size: int) -> list[int]:
    """Bytes to each other party in every level: three planes for the gates of two nodes."""
    return [
        plane_bytes(2 * nodes + wide, size) for nodes, wide in root_levels(leaves - leaves // 2)
    ]


def borrows(turn: Turn, c: Array, r: Bits, products: Bits, first: int) -> Steps[Bits]:
    """The borrow out of every bit of c - r, by a Sklansky prefix whose first level is free."""
    m = len(products.value)
    d = Bits(r.value.copy(), r.mac.copy())
    p = turn.flip(r, ~c)
    p = Bits(p.value.copy(), p.mac)
    lowest = keep(~c[:1], pick(r, slice(0, 1)))
    _put(d, slice(0, 1), lowest)
    _put(d, slice(1, 2 * m, 2), joined(c, r, products))
    _put(p, slice(1, 2 * m, 2), both_same(turn, c, r, products))
    for level, (targets, sources) in enumerate(list(sklansky(len(d.value)))[1:]):
        step = sources[0] + 1
        wide = [t for t in targets if t >= 2 * step]
        below = sources[len(targets) - len(wide) :]
        flips, both = yield from multiplex(
            turn,
            pick(p, targets),
            xor(pick(d, targets), pick(d, sources)),
            pick(p, below),
            first + level,
        )
        _put(d, targets, xor(pick(d, targets), flips))
        _put(p, wide, both)
    return d


def prefix_needs(nodes: int, size: int) -> Needs:
    """The gates of a prefix, without its first level."""
    levels = list(prefix_levels(nodes))[1:]
    return [("spdz2k-multiplexer", (count, wide, words(size))) for count, wide in levels]


def prefix_messages(nodes: int, size: int) -> list[int]:
    """Bytes to each other party in every level."""
    levels = list(prefix_levels(nodes))[1:]
    return [plane_bytes(2 * count + wide, size) for count, wide in levels]


def _put(x: Bits, which: slice | list[int], new: Bits) -> None:
    x.value[which] = new.value
    x.mac[which] = new.mac
