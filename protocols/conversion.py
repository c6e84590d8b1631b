"""Conversion of a shared value: to another protocol among the same parties, or to another ring.

Every protocol here shares linearly: a secret is the sum of terms, one of which each *holder* can
compute from its own share (`Protocol.summand`). Each holder inputs its term under the new protocol,
and the new shares are added up. Nothing but fresh inputs is sent, whose masks are uniform over the
whole group of the new sharing. Bits are terms over XOR.

Where the ring changes, sums of terms would wrap at different places. So the number is taken apart
into bits under the old protocol, the bits change protocols, and are put together in the new ring:
exact, without a statistical bound, for all integers that both rings hold. Bits are of no ring, so
that where the protocol stays, they stay as they are.

Nobody can verify that a holder inputs its term: a value that changed protocols withstands parties
that deviate no longer, whatever both protocols withstand (`security.weakest`).
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from mpyc_core.bits import ones, words
from mpyc_core.errors import ConfigError
from mpyc_core.meta import Meta
from mpyc_core.ring import Ring
from mpyc_core.ring import ring as ring_of
from mpyc_core.transport.lockstep import together
from mpyc_core.transport.mesh import Array, Steps

from .cost import Cost
from .costmodel import CostModel, blank
from .protocol import Protocol
from .value import Share

CONVERT = "convert"
"""The command's name."""


def converted(meta: Meta, name: str, ring: Ring) -> Meta:
    """The meta of a value of `meta` under the protocol `name` ("" for the session's own)."""
    present = meta.path[-1] if meta.path else ""
    before = {*(meta.path or ("",))} - {name}
    path = meta.path if name == present else (*sorted(before), name)
    return meta.with_(ring=ring, path=path)


def choose_ring(meta: Meta, target: type[Protocol], bits: int | None) -> Ring:
    """The ring asked for, else the value's own, else Z/2^64, else the target's first.

    Raises
    ------
    ConfigError : the target does not compute in it, or has no room for the fraction bits.
    """
    if bits is None:
        first = 64 if 64 in target.rings else target.rings[0]
        bits = meta.ring.bits if meta.ring.bits in target.rings else first
    if bits not in target.rings:
        there = ", ".join(ring_of(b).name for b in target.rings)
        raise ConfigError(
            f"protocol {target.name!r} computes in {there}, not with ring={bits}; choose another"
        )
    ring = ring_of(bits)
    if meta.f > ring.width - 2:
        raise ConfigError(
            f"{meta.f} fraction bits leave no room in {ring.name}; .rescale() to fewer first"
        )
    return ring


def convert(a: Protocol, b: Protocol, x: Share, meta: Meta) -> Steps[Share]:
    """A value shared under `a` as one shared under `b`, of the given meta.

    Cost        that of one input from each holder under `b`; where the ring of numbers changes,
                of `decompose` under `a`, these inputs for every bit where the protocol changes
                too, and `compose` under `b`
    Security    the weaker of both, and semi-honest where the protocol changes: terms are known to
                their holders, and hidden by inputs of `b`
    Error       exact; with another ring, for integers of the narrower of both widths
    """
    if meta.kind == "bit" or x.meta.ring is meta.ring:
        return (yield from reshare(a, b, x, meta))
    width = min(x.meta.ring.width, meta.ring.width)
    planes = yield from a.decompose(x, width)
    bits = meta.with_(kind="bit", f=0)
    moved = Share(bits, planes.parts) if a is b else (yield from reshare(a, b, planes, bits))
    weights = [1 << i for i in range(width - 1)] + [-1 << (width - 1)]
    number = yield from b.compose(moved, meta.ring.reduce(np.array(weights, object)), meta)
    return Share(meta, number.parts)


def reshare(a: Protocol, b: Protocol, x: Share, meta: Meta) -> Steps[Share]:
    """The same in one group: every holder inputs its term."""
    mine, holders = a.summand(x), a.holders()
    if meta.kind == "bit":
        count = len(x.parts[0])
        inputs = [input_planes(b, i, mine if i == b.me else None, count, meta) for i in holders]
    else:
        inputs = [b.input(i, mine if i == b.me else None, meta) for i in holders]
    total, *rest = yield from together(*inputs)
    for part in rest:
        total = b.xor(total, part) if meta.kind == "bit" else b.add(total, part)
    return Share(meta, total.parts)


def input_planes(
    p: Protocol, owner: int, planes: Array | None, count: int, meta: Meta
) -> Steps[Share]:
    """Input of `count` packed planes over the elements of `meta`, in one message."""
    bit, width = meta.with_(kind="bit", f=0, public=False), words(meta.size)
    if not p.planar:
        rows = [None if planes is None else planes[j : j + 1] for j in range(count)]
        shares = yield from together(*[p.input(owner, row, bit) for row in rows])
        return p.stack_planes(*shares)
    flat = bit.with_(shape=(64 * count * width,))
    mine = None if planes is None else np.ascontiguousarray(planes).reshape(1, count * width)
    share = yield from p.input(owner, mine, flat)
    inside = ones(meta.size)  # bits of the last word that belong to no element are 0
    parts = tuple(part.reshape(count, width) & inside for part in share.parts)
    return Share(bit, parts)


def conversion_cost(
    source: type[Protocol],
    target: type[Protocol],
    n: int,
    positions: tuple[int, int],
    old: Meta,
    meta: Meta,
) -> Cost:
    """The declared cost of `convert` from `old` to `meta`.

    Parameters
    ----------
    positions : how many primitives ran before, under each of both protocols.
    """
    a = CostModel(source, n, positions[0])
    b = a if source is target else CostModel(target, n, positions[1])
    planes = convert(a, b, blank(old), meta)
    with np.errstate(over="ignore"):
        cost = b.measure(planes)
    if a is b:
        return cost
    total = cost | a.total
    return Cost(cost.rounds, total.sent, total.dealt, dict(Counter(total.uses)))
