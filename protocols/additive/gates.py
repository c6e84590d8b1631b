"""ANDs on packed planes with dealt triples, and the circuits of which all carries are needed."""

from __future__ import annotations

import numpy as np

from mpyc_core.bits import words
from mpyc_core.kernels.dealt import total
from mpyc_core.meta import Meta
from mpyc_core.protocols.circuits import sklansky
from mpyc_core.protocols.cost import Cost, plane_bytes
from mpyc_core.protocols.value import Share
from mpyc_core.transport.mesh import Array, Steps

from .turn import Needs, Turn, cost_of


def and_needs(meta: Meta, planes: int) -> Needs:
    """A triple for every AND."""
    return [("and-triple", (planes, words(meta.size)))]


def and_(turn: Turn, x: Share, y: Share) -> Steps[Share]:
    """[z] = [x & y] on packed planes: Beaver's product over GF(2).

    Cost        1 round, two bits per AND to each other party
    """
    a, b = np.broadcast_arrays(x.parts[0], y.parts[0])
    return Share(x.meta, ((yield from and_planes(turn, a, b, 0)),))


def and_cost(meta: Meta, planes: int, n: int) -> Cost:
    """Two planes for every AND."""
    return cost_of(n, [plane_bytes(2 * planes, meta.size)], and_needs(meta, planes))


def and_planes(turn: Turn, x: Array, y: Array, i: int) -> Steps[Array]:
    """This party's part of x & y, with the operation's i-th correlation, an AND triple."""
    dealt = turn.dealt(i)
    a, b = dealt.array(0), dealt.array(1)
    hidden = x ^ a, y ^ b
    came = yield from turn.swap(hidden)  # hidden by a and b, this party's own parts
    d, e = (total(mine, others, xor=True) for mine, others in zip(hidden, came, strict=True))
    return dealt.array(2) ^ (d & b) ^ (a & e) ^ (d & e if turn.first else np.uint64(0))


def multiplex(turn: Turn, p: Array, d: Array, q: Array, i: int) -> Steps[tuple[Array, Array]]:
    """p & d, and p' & q for the last planes p' of p, with the i-th correlation."""
    dealt = turn.dealt(i)
    a, b = dealt.array(0), dealt.array(1)
    hidden = p ^ a, np.concatenate([d, q]) ^ b
    came = yield from turn.swap(hidden)  # hidden by a and b, this party's own parts
    f, e = (total(mine, others, xor=True) for mine, others in zip(hidden, came, strict=True))
    n, wide = len(p), len(q)

    def twice(planes: Array) -> Array:
        return np.concatenate([planes, planes[n - wide :]])

    f = twice(f)
    z = dealt.array(2) ^ (f & b) ^ (twice(a) & e) ^ (f & e if turn.first else np.uint64(0))
    return z[:n], z[n:]


def every(turn: Turn, x: Array, first: int) -> Steps[Array]:
    """Whether all planes are 1: this party's part, one plane."""
    while len(x) > 1:
        m = len(x) // 2
        rest = x[2 * m :]
        x = yield from and_planes(turn, x[:m], x[m : 2 * m], first)
        x, first = np.concatenate([x, rest]), first + 1
    return x


def prefixes(turn: Turn, d: Array, p: Array, first: int) -> Steps[Array]:
    """What every node puts out given all below it, from nodes whose first level is done."""
    for level, (targets, sources) in enumerate(list(sklansky(len(d)))[1:]):
        step = sources[0] + 1
        wide = [t for t in targets if t >= 2 * step]
        below = sources[len(targets) - len(wide) :]
        flips, both = yield from multiplex(
            turn, p[targets], d[targets] ^ d[sources], p[below], first + level
        )
        d[targets] ^= flips
        p[wide] = both
    return d
