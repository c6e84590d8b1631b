"""Bringing values in and taking them out: input, opening, and a client's shares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mpyc_core.bits import ones, words
from mpyc_core.entropy import fresh_key
from mpyc_core.kernels.replicated import add_zero_share, xor_zero_share
from mpyc_core.meta import Meta
from mpyc_core.prg import Stream
from mpyc_core.protocols.cost import Cost, plane_bytes
from mpyc_core.protocols.value import Public, Share, component_spec
from mpyc_core.transport.mesh import Array, Round, Steps

from .turn import Turn


def component_bytes(meta: Meta) -> int:
    """Bytes of one component."""
    return plane_bytes(1, meta.size) if meta.kind == "bit" else meta.size * meta.ring.bytes


def _minus(meta: Meta, x: Array, y: Array) -> Array:
    return x ^ y if meta.kind == "bit" else meta.ring.sub(x, y)


def _plus(meta: Meta, x: Array, y: Array) -> Array:
    return x ^ y if meta.kind == "bit" else meta.ring.add(x, y)


def input_(turn: Turn, me: int, owner: int, x: Array | None, meta: Meta) -> Steps[Share]:
    """Share the owner's value with one message.

    Protocol    the owner o and its right neighbour take s_{o,o+1} = F from their key; the owner
                sends s_{o-1,o} = x - F to its left neighbour; the third component is 0
    Cost        1 round, one component from the owner
    Security    the left neighbour does not know F, the right one sees nothing of x
    """
    spec = component_spec(meta)
    zero = np.zeros(spec.shape, spec.dtype)
    if me == owner:
        if x is None:
            raise RuntimeError("the owner's value is missing")
        mask = _input_mask(turn, turn.next, meta)
        rest = _minus(meta, x, mask)
        yield Round(send={turn.prev: [rest]})  # hidden by F, unknown to prev
        return Share(meta, (mask, rest))
    if turn.prev == owner:
        mask = _input_mask(turn, owner, meta)
        yield Round()
        return Share(meta, (zero, mask))
    received = yield Round(recv={owner: [spec]})
    return Share(meta, (received[owner][0], zero))


def _input_mask(turn: Turn, peer: int, meta: Meta) -> Array:
    role = (peer - turn.first) % 3
    if meta.kind == "bit":
        return turn.block_bits(role, "input", 0, (1, words(meta.size)))
    return turn.block(role, "input", 0, meta.ring, meta.shape)


def input_cost(meta: Meta, owner: int) -> Cost:
    """One component, from the owner."""
    return Cost(1, tuple(component_bytes(meta) if p == owner else 0 for p in range(3)))


def open_(turn: Turn, me: int, x: Share, to: int | None) -> Steps[Array | None]:
    """Reconstruct: everyone who is to know the value gets the one component it lacks.

    Cost        1 round; to all: one component from every party; to one: from its right neighbour
    Security    the component follows from the value and what the receiver holds already
    """
    mine, known = x.parts
    step = Round()
    if to is None or to == turn.prev:
        step.send[turn.prev] = [mine]  # determined by the opened value and prev's own components
    if to is None or to == me:
        step.recv[turn.next] = [component_spec(x.meta)]
    received = yield step
    if not step.recv:
        return None
    return _plus(x.meta, _plus(x.meta, mine, known), received[turn.next][0])


def open_cost(meta: Meta, to: int | None) -> Cost:
    """One component for each receiver, from its right neighbour."""
    return Cost(
        1, tuple(component_bytes(meta) if to is None or to == (p - 1) % 3 else 0 for p in range(3))
    )


def random_bits(turn: Turn, meta: Meta, planes: int) -> Share:
    """Uniform shared bits without a message: every component comes from the key of its holders.

    Security    each party lacks one of the three components, a stream block that it cannot compute
    Reference   [AFLNO16, section 2], after [CDI05]
    """
    shape, inside = (planes, words(meta.size)), ones(meta.size)
    bits = meta.with_(kind="bit", f=0, public=False, label=frozenset())
    ahead, behind = (turn.role + 1) % 3, (turn.role - 1) % 3
    parts = [turn.block_bits(role, "noise", 0, shape) & inside for role in (ahead, behind)]
    return Share(bits, (parts[0], parts[1]))


def embed(me: int, x: Public) -> Share:
    """A public value as a share: s01 = x, the other components 0; no message."""
    zero = np.zeros_like(x.value)
    return Share(x.meta, ((x.value, zero), (zero, x.value), (zero, zero))[me])


def deal(x: Array, meta: Meta) -> list[tuple[Array, ...]]:
    """Share a client's value: two uniform components from a fresh key, the third completes x.

    Security    each party gets two of three components, which are uniform
    """
    spec = component_spec(meta)
    stream = Stream(fresh_key(16))
    s01 = stream.words(0, 0, spec.shape, spec.dtype)
    s12 = stream.words(0, 1, spec.shape, spec.dtype)
    s20 = _minus(meta, _minus(meta, x, s01), s12)
    return [(s01, s20), (s12, s01), (s20, s12)]


def to_client(turn: Turn, x: Share) -> Array:
    """This party's additive part for a client, re-randomised by a fresh sharing of zero.

    Security    the three parts are uniform but for their sum, so the client learns the value alone
    """
    part = x.parts[0]
    zero = turn.zero(0, part.shape, part.dtype, "open")
    return xor_zero_share(part, zero) if x.meta.kind == "bit" else add_zero_share(part, zero)


def from_parties(parts: Sequence[Array], meta: Meta) -> Array:
    """The client's sum of the three parts."""
    total: Any = parts[0]
    for part in parts[1:]:
        total = _plus(meta, total, part)
    return np.asarray(total)
