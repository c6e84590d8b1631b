"""Bringing values in and taking them out: input, opening, and a client's shares.

Every component is known to two parties. So an owner, who gives each party what it lacks, cannot
share inconsistently: whatever it sends defines a value. And an opened component comes from one of
its holders, its digest from the other one; a receiver that compares them cannot be told a wrong
value by one corrupted party.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mpyc_core.bits import words
from mpyc_core.entropy import fresh_key
from mpyc_core.errors import ConsistencyCheckFailed
from mpyc_core.meta import Meta
from mpyc_core.prg import Stream
from mpyc_core.protocols.cost import Cost, plane_bytes
from mpyc_core.protocols.refusal import refuse
from mpyc_core.protocols.value import component_spec
from mpyc_core.ring import Ring
from mpyc_core.transport.mesh import Array, Round, Spec, Steps

from . import digest as digests
from .place import Parts, Place


def minus(meta: Meta, ring: Ring, x: Array, y: Array) -> Array:
    """x - y of numbers, x ^ y of bits."""
    return x ^ y if meta.kind == "bit" else ring.sub(x, y)


def plus(meta: Meta, ring: Ring, x: Array, y: Array) -> Array:
    """x + y of numbers, x ^ y of bits."""
    return x ^ y if meta.kind == "bit" else ring.add(x, y)


def component_bytes(meta: Meta, ring: Ring) -> int:
    """Bytes of one component over the given ring."""
    return plane_bytes(1, meta.size) if meta.kind == "bit" else meta.size * ring.bytes


def shown(meta: Meta, part: Array) -> Array:
    """What of a component is opened: numbers modulo 2^k, without the bits above."""
    return part if meta.kind == "bit" else meta.ring.residue(part)


def input_(place: Place, owner: int, x: Array | None, meta: Meta, ring: Ring) -> Steps[Parts]:
    """Share the owner's value with one message.

    Protocol    owner o and the next party take component o = F from their key; o sends
                component o - 1 = x - F to the previous party; component o + 1 is 0
    Cost        1 round, one component from the owner
    Security    the previous party does not know F, the next one sees nothing of x; every message
                of the owner is the sharing of some x, which is fixed with it
    """
    spec = component_spec(meta, ring)
    zero = np.zeros(spec.shape, spec.dtype)
    if place.me == owner:
        if x is None:
            raise RuntimeError("the owner's value is missing")
        mask = _input_mask(place, place.next, meta, ring)
        whole = x if meta.kind == "bit" else ring.extend(x)
        rest = minus(meta, ring, whole, mask)
        yield Round(send={place.prev: [rest]})  # hidden by F, unknown to prev
        return mask, rest
    if place.prev == owner:
        mask = _input_mask(place, owner, meta, ring)
        yield Round()
        return zero, mask
    received = yield Round(recv={owner: [spec]})
    return received[owner][0], zero


def _input_mask(place: Place, peer: int, meta: Meta, ring: Ring) -> Array:
    if meta.kind == "bit":
        return place.words(peer, "input", 0, (1, words(meta.size)))
    return place.numbers(peer, "input", 0, ring, meta.shape)


def input_cost(meta: Meta, owner: int, ring: Ring) -> Cost:
    """One component, from the owner."""
    size = component_bytes(meta, ring)
    return Cost(1, tuple(size if p == owner else 0 for p in range(3)))


def open_(place: Place, parts: Parts, meta: Meta, to: int | None) -> Steps[Array | None]:
    """Reconstruct: a receiver gets the component it lacks from one holder, its digest from another.

    Cost        1 round; to each receiver one component and 32 bytes
    Security    the component follows from the value and what the receiver holds already
    Raises      ConsistencyCheckFailed at a receiver whose two messages differ
    """
    mine, known = (shown(meta, part) for part in parts)
    step = Round()
    if to is None or to == place.prev:
        step.send[place.prev] = [mine]  # determined by the opened value and prev's own components
    if to is None or to == place.next:
        step.send[place.next] = [digests.digest(known, purpose="open", op=place.op)]  # likewise
    receives = to is None or to == place.me
    if receives:
        step.recv = {place.next: [Spec.of(mine)], place.prev: [digests.SPEC]}
    received = yield step
    if not receives:
        return None
    lacking, check = received[place.next][0], received[place.prev][0]
    if not np.array_equal(digests.digest(lacking, purpose="open", op=place.op), check):
        refuse(
            ConsistencyCheckFailed,
            "opening: the two holders of a component sent different ones; one of "
            f"parties {place.next} and {place.prev} deviates from the protocol",
        )
    return plus(meta, meta.ring, plus(meta, meta.ring, mine, known), lacking)


def open_to_all(place: Place, parts: Parts, meta: Meta) -> Steps[Array]:
    """Reconstruct at every party; see `open_`."""
    found = yield from open_(place, parts, meta, None)
    if found is None:
        raise RuntimeError("everybody was to learn this value")
    return found


def open_cost(meta: Meta, to: int | None) -> Cost:
    """For each receiver one component from the next party, a digest from the previous one."""
    size = component_bytes(meta, meta.ring)

    def sent(p: int) -> int:
        return (size if to in (None, (p - 1) % 3) else 0) + (32 if to in (None, (p + 1) % 3) else 0)

    return Cost(1, tuple(sent(p) for p in range(3)))


def agree(place: Place, parts: Parts) -> Steps[None]:
    """Both holders of every component hold the same: for shares that a client dealt.

    Cost        1 round, 32 bytes from every party
    Security    a digest says nothing to a party that holds the component itself
    """
    received = yield Round(
        send={place.prev: [digests.digest(parts[1], purpose="deal", op=place.op)]},
        recv={place.next: [digests.SPEC]},
    )
    mine = digests.digest(parts[0], purpose="deal", op=place.op)
    if not np.array_equal(received[place.next][0], mine):
        refuse(
            ConsistencyCheckFailed,
            "input: a client dealt different copies of one component, or one of parties "
            f"{place.me} and {place.next} deviates from the protocol",
        )


def deal(x: Array, meta: Meta, ring: Ring) -> list[tuple[Array, ...]]:
    """Share a client's value: two uniform components from a fresh key, the third completes x."""
    spec = component_spec(meta, ring)
    stream = Stream(fresh_key(16))
    first = stream.words(0, 0, spec.shape, spec.dtype)
    second = stream.words(0, 1, spec.shape, spec.dtype)
    whole = x if meta.kind == "bit" else ring.extend(x)
    third = minus(meta, ring, minus(meta, ring, whole, first), second)
    return [(first, third), (second, first), (third, second)]


def embed(me: int, x: Array) -> Parts:
    """A public value as a share: component 0 is x, the others are 0; no message."""
    zero = np.zeros_like(x)
    return ((x, zero), (zero, x), (zero, zero))[me]


def from_parties(parts: Sequence[Array], meta: Meta) -> Array:
    """The client's sum of the components, of each of which two parties sent a copy.

    Raises
    ------
    ConsistencyCheckFailed : copies differ; nothing is returned.
    """
    for i in range(3):
        if not np.array_equal(parts[i][0], parts[(i + 1) % 3][1]):
            raise ConsistencyCheckFailed(
                f"opening to a client: parties {i} and {(i + 1) % 3} sent different copies of one "
                "component; one of them deviates from the protocol"
            )
    a, b, c = (np.asarray(part[0]) for part in parts)
    return plus(meta, meta.ring, plus(meta, meta.ring, a, b), c)
