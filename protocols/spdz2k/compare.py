"""Sign, zero and bits of a shared number: one masked opening, then a circuit on verified bits.

As in additive sharing (`additive/compare.py`): the parties open c = x + R for a dealt R whose low
bits they hold over XOR, with MACs, and go on with c public. R is uniform modulo 2^(k+s) and x + R
is opened whole: its low bits are those of c, and its MAC is that of [x] + [R]. A share reduced to a
word of fewer bits would have no MAC.

Security (malicious, n - 1 corruptions): x + R is uniform modulo 2^(k+s), and every plane opened in
a circuit is masked by a plane of its own; all are verified before anything is shown.

References: [DEFKSV19, section 4] for comparison over Z/2^(k+s), edaBits [EGKRS20, sections 3 and
5], the carry as a multiplexer [GSV07].
"""

from __future__ import annotations

import numpy as np

from mpyc_core.bits import to_planes, words
from mpyc_core.meta import Meta
from mpyc_core.protocols.additive.turn import Needs, cost_of
from mpyc_core.protocols.circuits import every_levels
from mpyc_core.protocols.cost import Cost, plane_bytes
from mpyc_core.ring import Ring
from mpyc_core.transport.mesh import Array, Steps

from .gates import (
    borrow,
    borrows,
    both_same,
    every,
    prefix_messages,
    prefix_needs,
    tree_messages,
    tree_needs,
)
from .turn import Authentic, Bits, Numbers, Turn, both, pick, stack, xor


def edabit(meta: Meta, wide: Ring, bits: int, pairs: int) -> Needs:
    """One edaBit for each element."""
    return [("spdz2k-edabit", (wide.bits, bits, pairs, meta.size))]


def open_masked(turn: Turn, dealt: Authentic, wide: Ring, x: Numbers) -> Steps[Array]:
    """x + R in one dimension, R place 0 of what is dealt."""
    flat = Numbers(x.value.reshape(-1), x.mac.reshape(-1))
    (opened,) = yield from turn.reveal(wide, both(wide, flat, dealt.numbers(0)))  # hidden by R
    return opened


def low_planes(small: Ring, opened: Array, bits: int) -> Array:
    """The low bits of what was opened, as planes."""
    return to_planes(np.ascontiguousarray(small.residue(opened)), bits)


def msb_needs(meta: Meta, wide: Ring, bits: int) -> Needs:
    """An edaBit and the gates of the tree."""
    return [*edabit(meta, wide, bits, (bits - 1) // 2), *tree_needs(bits - 1, meta.size)]


def msb_messages(meta: Meta, wide: Ring, bits: int) -> list[int]:
    """The opening and the tree."""
    return [meta.size * wide.bytes, *tree_messages(bits - 1, meta.size)]


def msb(turn: Turn, small: Ring, wide: Ring, x: Numbers, bits: int) -> Steps[Bits]:
    """[x < 0], one plane, for x in [-2^(bits-1), 2^(bits-1)).

    Cost        1 + ceil(log2 (bits-1)) - 1 rounds: 6 at 64 bits, 5 at 32
    Error       exact inside the range, which is a promise: outside, the bit is that of x mod 2^bits
    """
    dealt = turn.dealt(0)
    opened = yield from open_masked(turn, dealt, wide, x)
    return (yield from sign_of(turn, dealt, low_planes(small, opened, bits), bits))


def sign_of(turn: Turn, dealt: Authentic, c: Array, bits: int) -> Steps[Bits]:
    """The sign from the planes of c; `dealt` has the bits of R as places 1 and 2."""
    r, low = dealt.bits(1), bits - 1
    top = turn.flip(pick(r, slice(low, bits)), c[low:bits])
    if low == 0:
        return top
    below = yield from borrow(turn, c[:low], pick(r, slice(0, low)), dealt.bits(2), 1)
    return xor(top, below)


def msb_cost(meta: Meta, wide: Ring, bits: int, n: int) -> Cost:
    """The opening and the tree."""
    return cost_of(n, msb_messages(meta, wide, bits), msb_needs(meta, wide, bits))


def is_zero_needs(meta: Meta, wide: Ring, bits: int) -> Needs:
    """An edaBit and the gates of a tree of ANDs."""
    levels = every_levels(bits - bits // 2)
    gates = [("spdz2k-and-triple", (ands, words(meta.size))) for ands in levels]
    return [*edabit(meta, wide, bits, bits // 2), *gates]


def is_zero(turn: Turn, small: Ring, wide: Ring, x: Numbers, bits: int) -> Steps[Bits]:
    """[x = 0 mod 2^bits]: whether c = R, bit by bit, then a tree of ANDs.

    Cost        1 + ceil(log2 bits) - 1 rounds
    Error       exact
    """
    dealt = turn.dealt(0)
    opened = yield from open_masked(turn, dealt, wide, x)
    c, r = low_planes(small, opened, bits), dealt.bits(1)
    same = both_same(turn, c, r, dealt.bits(2))
    if bits % 2:
        same = stack(same, turn.flip(pick(r, slice(bits - 1, bits)), ~c[bits - 1 : bits]))
    return (yield from every(turn, same, 1))


def is_zero_cost(meta: Meta, wide: Ring, bits: int, n: int) -> Cost:
    """The opening, and two planes for every AND."""
    ands = every_levels(bits - bits // 2)
    messages = [meta.size * wide.bytes, *(plane_bytes(2 * a, meta.size) for a in ands)]
    return cost_of(n, messages, is_zero_needs(meta, wide, bits))


def decompose_needs(meta: Meta, wide: Ring, bits: int) -> Needs:
    """An edaBit and the gates of a prefix, without its first level."""
    return [*edabit(meta, wide, bits, (bits - 1) // 2), *prefix_needs(bits - 1, meta.size)]


def decompose(turn: Turn, small: Ring, wide: Ring, x: Numbers, bits: int) -> Steps[Bits]:
    """The low `bits` bits of x: c_i ^ R_i ^ borrow into bit i.

    Cost        1 + ceil(log2 (bits-1)) - 1 rounds
    Error       exact
    """
    dealt = turn.dealt(0)
    opened = yield from open_masked(turn, dealt, wide, x)
    c, r = low_planes(small, opened, bits), dealt.bits(1)
    total = turn.flip(r, c)
    if bits == 1:
        return total
    low = slice(0, bits - 1)
    under = yield from borrows(turn, c[low], pick(r, low), dealt.bits(2), 1)
    return stack(pick(total, slice(0, 1)), xor(pick(total, slice(1, bits)), under))


def decompose_cost(meta: Meta, wide: Ring, bits: int, n: int) -> Cost:
    """The opening and the prefix."""
    messages = [meta.size * wide.bytes, *prefix_messages(bits - 1, meta.size)]
    return cost_of(n, messages, decompose_needs(meta, wide, bits))
