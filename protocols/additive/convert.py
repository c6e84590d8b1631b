"""From bits to numbers: a bit as a number, and a bit times a number, each in one round.

The dealer gives a uniform bit b both ways, <b> over XOR and [b] as a number. A shared bit s is
opened as v = s ^ b; then s = v + b - 2 v b = v + (1 - 2v) b is linear in [b]. For a product s * x
the dealer gives [a] and [a b] as well, and e = x - a is opened in the same round:

    s * x  =  v * x + (1 - 2v) * b * x,        b * x  =  e * b + a * b

In a ReLU the comparison opens c = x + r anyway, so a = -r, and only v is opened.

Security (semi-honest, any n - 1 parties): v, e and c are uniform as b, a and r are, each used once;
each party's part is masked by its own part of them.

References: daBits [RW19]; b * x in one round is this library's own composition with [Bea91].
"""

from __future__ import annotations

import numpy as np

from mpyc_core.kernels.dealt import choose, hide, total, weigh
from mpyc_core.meta import Meta
from mpyc_core.protocols.cost import Cost, plane_bytes
from mpyc_core.protocols.value import Share
from mpyc_core.transport.mesh import Array, Steps

from .compare import (
    msb_messages,
    msb_needs,
    open_masked,
    planes_of,
    sign,
    sign_of,
    tree_messages,
    tree_needs,
)
from .turn import Dealt, Needs, Turn, cost_of


def compose_needs(meta: Meta, planes: int) -> Needs:
    """A daBit for every bit."""
    return [("dabit", (meta.ring.bits, planes, meta.size))]


def compose(turn: Turn, bits: Array, weights: Array, meta: Meta, i: int = 0) -> Steps[Share]:
    """sum_j weights[j] * bit_j as a number, from this party's planes, with the i-th correlation.

    Cost        1 round, one bit per bit to each other party
    """
    dealt = turn.dealt(i)
    v = yield from _open_bits(turn, dealt, 0, bits)
    number = weigh(turn.first, v, dealt.array(1), weights, meta.ring)
    return Share(meta, (number.reshape(meta.shape),))


def _open_bits(turn: Turn, dealt: Dealt, place: int, bits: Array) -> Steps[Array]:
    mine = bits ^ dealt.array(place)
    (others,) = yield from turn.swap([mine])  # hidden by b, this party's own part
    return total(mine, others, xor=True)


def compose_cost(meta: Meta, planes: int, n: int) -> Cost:
    """The bits, opened."""
    return cost_of(n, [plane_bytes(planes, meta.size)], compose_needs(meta, planes))


def msb_number_needs(meta: Meta, bits: int) -> Needs:
    """Those of the sign and of its conversion."""
    return [*msb_needs(meta, bits), *compose_needs(meta, 1)]


def msb_number(turn: Turn, x: Share, bits: int) -> Steps[Share]:
    """[x < 0] as the number 0 or 1, for x in [-2^(bits-1), 2^(bits-1)).

    Cost        one round and a bit to each other party more than `msb`
    Error       exact inside the range
    """
    plane = yield from sign(turn, x, bits)
    meta, last = x.meta.with_(kind="int", f=0), len(msb_needs(x.meta, bits))
    return (yield from compose(turn, plane, meta.ring.full(1, 1), meta, last))


def msb_number_cost(meta: Meta, bits: int, n: int) -> Cost:
    """The sign, then one plane."""
    messages = [*msb_messages(meta, bits), plane_bytes(1, meta.size)]
    return cost_of(n, messages, msb_number_needs(meta, bits))


def select_needs(meta: Meta) -> Needs:
    """One selection."""
    return [("selection", (meta.ring.bits, meta.shape))]


def select(turn: Turn, b: Share, x: Share, i: int = 0) -> Steps[Share]:
    """[b * x] for a shared bit and a shared number, with the i-th correlation.

    Cost        1 round, a bit and a ring element to each other party
    Error       exact
    """
    dealt = turn.dealt(i)
    v, e = b.parts[0] ^ dealt.array(0), hide(x.parts[0], dealt.pad(1))
    vs, es = yield from turn.swap([v, e])  # hidden by b and a, this party's own parts
    opened = total(v, vs, xor=True)
    came = total(es[0], es[1:])
    return Share(x.meta, (choose(opened, x.parts[0], e, came, dealt.pad(2), dealt.pad(3)),))


def select_cost(meta: Meta, n: int) -> Cost:
    """A plane and an element for each number."""
    message = plane_bytes(1, meta.size) + meta.size * meta.ring.bytes
    return cost_of(n, [message], select_needs(meta))


def relu_needs(meta: Meta, bits: int) -> Needs:
    """A rectifier and the gates of the tree."""
    facts = (meta.ring.bits, bits, (bits - 1) // 2, meta.size)
    return [("rectifier", facts), *tree_needs(bits - 1, meta.size)]


def relu(turn: Turn, x: Share, bits: int) -> Steps[tuple[Share, Share]]:
    """max(x, 0) and the bit x >= 0: one opening of x + r serves both.

    Cost        one round and a bit to each other party more than `msb` over whole elements
    Error       exact for x in [-2^(bits-1), 2^(bits-1)); the full number is multiplied
    """
    dealt, ring = turn.dealt(0), x.meta.ring
    opened, mine, came = yield from open_masked(turn, dealt, x, ring.bits)
    negative = yield from sign_of(turn, dealt, planes_of(opened, bits), bits, 1)
    keep = ~negative if turn.first else negative
    v = yield from _open_bits(turn, dealt, 3, keep)
    flat = np.ascontiguousarray(x.parts[0]).reshape(-1)
    chosen = choose(v, flat, mine, came, dealt.pad(4), dealt.pad(5)).reshape(x.meta.shape)
    return Share(x.meta, (chosen,)), Share(x.meta.with_(kind="bit", f=0), (keep,))


def relu_cost(meta: Meta, bits: int, n: int) -> Cost:
    """A ring element, the tree, one plane."""
    messages = [
        meta.size * meta.ring.bytes,
        *tree_messages(bits - 1, meta.size),
        plane_bytes(1, meta.size),
    ]
    return cost_of(n, messages, relu_needs(meta, bits))
