"""Bit circuits on packed planes, over any protocol that can AND: carries, comparisons, sums.

A plane holds one bit of every element, so one gate works on 64 elements a word. All gates of a
level go out in one message. Bit i of a comparison or a sum is a multiplexer (p_i, d_i): it passes
the carry that comes in when p_i is 1, and puts out d_i when it is 0. Neighbours combine as

    (p1, d1) o (p0, d0)  =  (p1 & p0,  d1 ^ p1 & (d0 ^ d1))

    sum x + y with carry        p = x ^ y          d = y
    borrow of c < r, c public   p = not (c ^ r)    d = r

so leaves need no AND, and below the lowest leaf, into which no carry comes, no p is needed
[GSV07]. The number of ANDs of each level is given beside each circuit, for declared costs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from mpyc_core.transport.mesh import Steps

from .protocol import Protocol
from .value import Public, Share

And = Callable[[Share, Share], Steps[Share]]
"""AND of planes, any number of them at once: one round and one message."""
Level = tuple[int, int]
"""(nodes that combine, how many of them need their p): the ANDs of a level are their sum."""


@dataclass(frozen=True)
class Gates:
    """What circuits are made of.

    Parameters
    ----------
    p : the protocol, for what is local.
    and_ : called once for every level.
    """

    p: Protocol
    and_: And

    def shared(self, x: Share, y: Share, z: Share | None) -> Steps[tuple[Share, Share | None]]:
        """x & y, and x' & z for the last planes x' of x: gates that share a factor, in one round.

        A protocol that can save by it overrides this.
        """
        if z is None:
            return (yield from self.and_(x, y)), None
        count, wide = planes(x), planes(z)
        upper = self.p.planes(x, slice(count - wide, None))
        left, right = self.p.stack_planes(x, upper), self.p.stack_planes(y, z)
        both = yield from self.and_(left, right)
        return self.p.planes(both, slice(0, count)), self.p.planes(both, slice(count, None))


@dataclass(frozen=True)
class Nodes:
    """Multiplexers from the lowest to the highest; p of the lowest is left out.

    Parameters
    ----------
    d : planes d_0, d_1, ...
    p : planes p_1, p_2, ...; None if there is but one node.
    """

    d: Share
    p: Share | None


def planes(x: Share) -> int:
    """How many planes a share of bits has."""
    return len(x.parts[0])


def sum_leaves(p: Protocol, x: Share, y: Share) -> Nodes:
    """The leaves of the carries of x + y, for bits below the highest.

    Parameters
    ----------
    x, y : as many planes each; nothing is carried into the lowest.
    """
    # The lowest carry is x_0 & y_0, a gate; a constant leaf (0, 0) below makes it one of the tree.
    zero = p.xor(p.planes(y, slice(0, 1)), p.planes(y, slice(0, 1)))
    return Nodes(p.stack_planes(zero, y), p.xor(x, y))


def borrow_leaves(p: Protocol, c: Public, r: Share) -> Nodes:
    """The leaves of the borrows of c - r, for a public c.

    Parameters
    ----------
    c, r : as many planes each.
    """
    low = Share(r.meta, tuple(part[:1] & ~c.value[:1] for part in r.parts))  # r_0 & not c_0
    if planes(r) == 1:
        return Nodes(low, None)
    above = p.planes(r, slice(1, None))
    same = p.xor(above, Public(c.meta, ~c.value[1:]))
    return Nodes(p.stack_planes(low, above), same)


def root(g: Gates, nodes: Nodes) -> Steps[Share]:
    """What the highest node puts out: one carry and nothing else.

    Cost        `root_levels`: 6 levels and 118 ANDs for 63 leaves, 5 and 57 for 32
    """
    d, p = nodes.d, nodes.p
    while planes(d) > 1:
        if p is None:
            raise ValueError("expected one p fewer than there are d")
        n = planes(d)
        m = n // 2
        low, high = g.p.planes(d, slice(0, 2 * m, 2)), g.p.planes(d, slice(1, 2 * m, 2))
        passing = g.p.planes(p, slice(0, 2 * m - 1, 2))  # p_1, p_3, ...
        below = g.p.planes(p, slice(1, 2 * m - 2, 2)) if m > 1 else None  # p_2, p_4, ...
        top_d = g.p.planes(d, slice(n - 1, n)) if n % 2 else None
        top_p = g.p.planes(p, slice(n - 2, n - 1)) if n % 2 else None
        flips, both = yield from g.shared(passing, g.p.xor(low, high), below)
        d = _join(g.p, g.p.xor(high, flips), top_d)
        p = top_p if both is None else _join(g.p, both, top_p)
    return d


def root_levels(leaves: int) -> Iterator[Level]:
    """The levels of `root` over that many nodes."""
    while leaves > 1:
        yield leaves // 2, leaves // 2 - 1
        leaves -= leaves // 2


def prefixes(g: Gates, nodes: Nodes) -> Steps[Share]:
    """What every node puts out, given all below it: all carries, by a Sklansky prefix.

    Cost        `prefix_levels`: ceil(log2 n) levels
    """
    d, p = nodes.d, nodes.p
    for targets, sources in sklansky(planes(d)):
        if p is None:
            raise ValueError("expected one p fewer than there are d")
        wide = [t for t in targets if sources[0] + 1 <= t - sources[0] - 1]
        passing = g.p.planes(p, [t - 1 for t in targets])
        mine, came = g.p.planes(d, targets), g.p.planes(d, sources)
        below = g.p.planes(p, [s - 1 for s in sources[len(targets) - len(wide) :]])
        flips, both = yield from g.shared(passing, g.p.xor(mine, came), below if wide else None)
        d = _replace(d, targets, g.p.xor(mine, flips))
        if both is not None:
            p = _replace(p, [t - 1 for t in wide], both)
    return d


def prefix_levels(nodes: int) -> Iterator[Level]:
    """The levels of `prefixes` over that many nodes."""
    for targets, sources in sklansky(nodes):
        yield len(targets), sum(sources[0] + 1 <= t - sources[0] - 1 for t in targets)


def sklansky(nodes: int) -> Iterator[tuple[list[int], list[int]]]:
    """Levels of a parallel prefix: (targets, sources) of each level."""
    step = 1
    while step < nodes:
        targets = [i for i in range(nodes) if i & step]
        yield targets, [(i & ~(2 * step - 1)) + step - 1 for i in targets]
        step *= 2


def every(g: Gates, x: Share) -> Steps[Share]:
    """Whether all planes are 1.

    Cost        `every_levels`: ceil(log2 n) levels, n - 1 ANDs
    """
    while planes(x) > 1:
        n = planes(x)
        m = n // 2
        left = g.p.planes(x, slice(2 * m, None)) if n % 2 else None
        halves = g.p.planes(x, slice(0, m)), g.p.planes(x, slice(m, 2 * m))
        x = _join(g.p, (yield from g.and_(*halves)), left)
    return x


def every_levels(n: int) -> Iterator[int]:
    """The ANDs of each level of `every` over that many planes."""
    while n > 1:
        yield n // 2
        n -= n // 2


def less_than(g: Gates, c: Public, r: Share) -> Steps[Share]:
    """[c < r] for a public c, both unsigned, as many planes each.

    Cost        `root_levels(planes)`
    """
    return (yield from root(g, borrow_leaves(g.p, c, r)))


def subtract(g: Gates, c: Public, r: Share) -> Steps[Share]:
    """All bits of c - r modulo 2^planes, for a public c.

    Cost        `prefix_levels(planes - 1)`
    """
    n = planes(r)
    total = g.p.xor(r, c)
    if n == 1:
        return total
    below = Public(c.meta, c.value[: n - 1])
    borrows = yield from prefixes(g, borrow_leaves(g.p, below, g.p.planes(r, slice(0, n - 1))))
    upper = g.p.xor(g.p.planes(total, slice(1, None)), borrows)
    return g.p.stack_planes(g.p.planes(total, slice(0, 1)), upper)


def add(g: Gates, x: Share, y: Share) -> Steps[Share]:
    """All bits of x + y modulo 2^planes, both shared.

    Cost        `prefix_levels(planes)`
    """
    n = planes(x)
    total = g.p.xor(x, y)
    if n == 1:
        return total
    lower = slice(0, n - 1)
    carries = yield from prefixes(g, sum_leaves(g.p, g.p.planes(x, lower), g.p.planes(y, lower)))
    return g.p.xor(total, carries)


def _join(p: Protocol, x: Share, top: Share | None) -> Share:
    return x if top is None else p.stack_planes(x, top)


def _replace(x: Share, which: list[int], new: Share) -> Share:
    parts = tuple(part.copy() for part in x.parts)
    for part, values in zip(parts, new.parts, strict=True):
        part[np.array(which)] = values
    return Share(x.meta, parts)
