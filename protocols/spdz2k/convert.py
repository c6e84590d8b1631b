"""From verified bits to verified numbers: a bit as a number, a bit times a number, in one round.

As in additive sharing (`additive/convert.py`), with MACs: v = s ^ b is opened for a dealt bit b, of
which <b> has a MAC over GF(2^128) and [b] one over Z/2^(k+s); then

    s  =  v + (1 - 2v) [b],        s * x  =  v [x] + (1 - 2v) (e [b] + [a b])    with e = x - a

are linear in what has MACs. That the number is the bit rests on the MAC of the bit, which is
verified together with all others.

References: daBits [RW19], over Z/2^(k+s) [DEFKSV19, section 4].
"""

from __future__ import annotations

from mpyc_core.bits import ones
from mpyc_core.kernels.dealt import as_numbers
from mpyc_core.meta import Meta
from mpyc_core.protocols.additive.turn import Needs, cost_of
from mpyc_core.protocols.cost import Cost, plane_bytes
from mpyc_core.ring import Ring
from mpyc_core.transport.mesh import Array, Steps

from .compare import low_planes, msb, msb_messages, msb_needs, open_masked, sign_of
from .gates import tree_messages, tree_needs
from .turn import Bits, Numbers, Turn, both, minus, times, xor


def compose_needs(meta: Meta, wide: Ring, planes: int) -> Needs:
    """A daBit for every bit."""
    return [("spdz2k-dabit", (wide.bits, planes, meta.size))]


def compose(
    turn: Turn, bits: Bits, weights: Array, meta: Meta, wide: Ring, i: int = 0
) -> Steps[Numbers]:
    """sum_j weights[j] * bit_j as a number, with the i-th correlation.

    Cost        1 round, one bit per bit to each other party
    """
    dealt = turn.dealt(i)
    (v,) = yield from turn.reveal(None, xor(bits, dealt.bits(0)))  # hidden by b
    number = as_numbers(v, meta.size, wide)
    rows = turn.plus(wide, times(wide, _sign(wide, number), dealt.numbers(1)), number)
    factors = wide.extend(weights)
    return Numbers(*(wide.matmul(factors, row).reshape(meta.shape) for row in rows))


def _sign(wide: Ring, number: Array) -> Array:
    """1 - 2v."""
    return wide.sub(wide.full((), 1), wide.add(number, number))


def compose_cost(meta: Meta, wide: Ring, planes: int, n: int) -> Cost:
    """The bits, opened."""
    message = plane_bytes(planes, meta.size)
    return cost_of(n, [message], compose_needs(meta, wide, planes))


def msb_number_needs(meta: Meta, wide: Ring, bits: int) -> Needs:
    """Those of the sign and of its conversion."""
    return [*msb_needs(meta, wide, bits), *compose_needs(meta, wide, 1)]


def msb_number(turn: Turn, meta: Meta, wide: Ring, x: Numbers, bits: int) -> Steps[Numbers]:
    """[x < 0] as the number 0 or 1, for x in [-2^(bits-1), 2^(bits-1)).

    Cost        one round and a bit to each other party more than `msb`
    """
    plane = yield from msb(turn, meta.ring, wide, x, bits)
    last = len(msb_needs(meta, wide, bits))
    return (yield from compose(turn, plane, meta.ring.full(1, 1), meta, wide, last))


def msb_number_cost(meta: Meta, wide: Ring, bits: int, n: int) -> Cost:
    """The sign, then one plane."""
    messages = [*msb_messages(meta, wide, bits), plane_bytes(1, meta.size)]
    return cost_of(n, messages, msb_number_needs(meta, wide, bits))


def select_needs(meta: Meta, wide: Ring) -> Needs:
    """One selection."""
    return [("spdz2k-selection", (wide.bits, meta.shape))]


def select(turn: Turn, wide: Ring, b: Bits, x: Numbers) -> Steps[Numbers]:
    """[b * x] for a shared bit and a shared number.

    Cost        1 round, a bit and an element of the ring of shares to each other party
    Error       exact
    """
    dealt = turn.dealt(0)
    hidden = xor(b, dealt.bits(0)), minus(wide, x, dealt.numbers(1))
    v, e = yield from turn.reveal(wide, *hidden)  # hidden by b and a
    return chosen(wide, v, x, e, dealt.numbers(2), dealt.numbers(3))


def chosen(wide: Ring, v: Array, x: Numbers, e: Array, b: Numbers, ab: Numbers) -> Numbers:
    """v [x] + (1 - 2v) (e [b] + [a b])."""
    number = as_numbers(v, e.size, wide).reshape(e.shape)
    flipped = times(wide, _sign(wide, number), both(wide, times(wide, e, b), ab))
    return both(wide, times(wide, number, x), flipped)


def select_cost(meta: Meta, wide: Ring, n: int) -> Cost:
    """A plane and an element for each number."""
    message = plane_bytes(1, meta.size) + meta.size * wide.bytes
    return cost_of(n, [message], select_needs(meta, wide))


def relu_needs(meta: Meta, wide: Ring, bits: int) -> Needs:
    """A rectifier and the gates of the tree."""
    facts = (wide.bits, bits, (bits - 1) // 2, meta.size)
    return [("spdz2k-rectifier", facts), *tree_needs(bits - 1, meta.size)]


def relu(turn: Turn, meta: Meta, wide: Ring, x: Numbers, bits: int) -> Steps[tuple[Numbers, Bits]]:
    """max(x, 0) and the bit x >= 0: one opening of x + R serves both.

    Cost        one round and a bit to each other party more than `msb`
    Error       exact for x in [-2^(bits-1), 2^(bits-1)); the full number is multiplied
    """
    dealt = turn.dealt(0)
    opened = yield from open_masked(turn, dealt, wide, x)
    negative = yield from sign_of(turn, dealt, low_planes(meta.ring, opened, bits), bits)
    not_negative = turn.flip(negative, ones(meta.size)[None])
    (v,) = yield from turn.reveal(None, xor(not_negative, dealt.bits(3)))  # hidden by b
    flat = Numbers(x.value.reshape(-1), x.mac.reshape(-1))
    y = chosen(wide, v, flat, opened, dealt.numbers(4), dealt.numbers(5))
    return Numbers(y.value.reshape(meta.shape), y.mac.reshape(meta.shape)), not_negative


def relu_cost(meta: Meta, wide: Ring, bits: int, n: int) -> Cost:
    """A ring element, the tree, one plane."""
    messages = [
        meta.size * wide.bytes,
        *tree_messages(bits - 1, meta.size),
        plane_bytes(1, meta.size),
    ]
    return cost_of(n, messages, relu_needs(meta, wide, bits))
