"""Bringing values in and taking them out: input, opening, and a client's shares."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from mpyc_core.entropy import fresh_key
from mpyc_core.meta import Meta
from mpyc_core.prg import Stream
from mpyc_core.protocols.cost import Cost, plane_bytes
from mpyc_core.protocols.value import Public, Share, component_spec
from mpyc_core.transport.mesh import Array, Round, Spec, Steps

from .turn import Turn


def minus(meta: Meta, x: Array, y: Array) -> Array:
    """x - y in the group of shares of `meta`."""
    return x ^ y if meta.kind == "bit" else meta.ring.sub(x, y)


def plus(meta: Meta, x: Array, y: Array) -> Array:
    """x + y in the group of shares of `meta`."""
    return x ^ y if meta.kind == "bit" else meta.ring.add(x, y)


def share_bytes(meta: Meta) -> int:
    """Bytes of a share."""
    return plane_bytes(1, meta.size) if meta.kind == "bit" else meta.size * meta.ring.bytes


def embed(me: int, x: Public) -> Share:
    """A public value as a share: x at party 0, 0 elsewhere; no message."""
    return Share(x.meta, (x.value if me == 0 else np.zeros_like(x.value),))


def input_(turn: Turn, owner: int, x: Array | None, meta: Meta) -> Share:
    """Share the owner's value without a message.

    Protocol    every other party takes a block of its key with the owner as its share; the owner
                keeps x minus all of them
    Cost        nothing is sent
    Security    the shares of the others do not depend on x
    """
    spec = component_spec(meta)
    if turn.me != owner:
        return Share(meta, (turn.block(owner, spec.shape, spec.dtype),))
    if x is None:
        raise RuntimeError("the owner's value is missing")
    blocks = (turn.block(p, spec.shape, spec.dtype) for p in turn.peers)
    return Share(meta, (reduce(lambda rest, block: minus(meta, rest, block), blocks, x),))


def hidden_part(turn: Turn, x: Share) -> Array:
    """This party's share plus its part of a fresh sharing of zero: only the sum says anything."""
    part = x.parts[0]
    for subtract, block in turn.zero(part.shape, part.dtype):
        part = minus(x.meta, part, block) if subtract else plus(x.meta, part, block)
    return part


def open_(turn: Turn, x: Share, to: int | None) -> Steps[Array | None]:
    """Reconstruct at one party or at all of them.

    Cost        1 round; a share from every party to every receiver
    Security    the shares sent are uniform but for their sum, which is the opened value: each was
                re-randomised by a fresh sharing of zero. Between two parties the other's share
                follows from the value and one's own
    """
    part = hidden_part(turn, x) if turn.n > 2 else x.parts[0]
    step, spec = Round(), Spec.of(part)
    receivers = range(turn.n) if to is None else (to,)
    # hidden by the blocks of a zero-share with parties other than the receiver, but for the sum
    step.send = {p: [part] for p in receivers if p != turn.me}
    if turn.me in receivers:
        step.recv = {p: [spec] for p in turn.peers}
    received = yield step
    if turn.me not in receivers:
        return None
    return reduce(lambda a, b: plus(x.meta, a, b), (received[p][0] for p in turn.peers), part)


def open_cost(meta: Meta, to: int | None, n: int) -> Cost:
    """A share from every party to every receiver but itself."""
    receivers = range(n) if to is None else (to,)
    sent = (sum(r != p for r in receivers) * share_bytes(meta) for p in range(n))
    return Cost(1, tuple(sent))


def deal(x: Array, meta: Meta, n: int) -> list[tuple[Array, ...]]:
    """Share a client's value: uniform shares from a fresh key, one completes x.

    Security    any n - 1 shares are uniform
    """
    spec = component_spec(meta)
    stream = Stream(fresh_key(16))
    shares = [stream.words(0, i, spec.shape, spec.dtype) for i in range(1, n)]
    rest = reduce(lambda left, share: minus(meta, left, share), shares, x)
    return [(share,) for share in (rest, *shares)]


def from_parties(parts: Sequence[Array], meta: Meta) -> Array:
    """The client's sum of all parts."""
    total: Any = reduce(lambda a, b: plus(meta, a, b), parts)
    return np.asarray(total)
