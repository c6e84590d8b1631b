"""The sign of a shared number, the test for zero, and all of its bits.

A number is brought into t + 1 bit-shared operands (`operands.py`), those are reduced to two, u and
v, and the rest is a tree of carries. Over GF(2^127 - 1) arithmetic is modulo 2^b. Over GF(2^61 - 1)
it is modulo p, in ones' complement: x is negative exactly if 2x mod p is odd [NO07, section 4], and

    u + v mod p  =  u + v - w * p,   odd if u_0 ^ v_0 ^ w,   w = carry of u + v + 1 out of 61 bits

u + v = 2p would take two all-ones operands, but the one that the king deals is below p.
"""

from __future__ import annotations

from mpyc_core.bits import ones
from mpyc_core.errors import ShareError
from mpyc_core.meta import Meta
from mpyc_core.protocols.circuits import (
    Gates,
    Nodes,
    add,
    every,
    every_levels,
    prefix_levels,
    root,
    root_levels,
    sum_leaves,
)
from mpyc_core.protocols.cost import Cost
from mpyc_core.protocols.value import Public, Share
from mpyc_core.transport.mesh import Steps

from .operands import (
    gate_cost,
    operands,
    operands_cost,
    two_operands,
    two_operands_cost,
)
from .turn import Turn

SMALL = 61


def msb(g: Gates, turn: Turn, x: Share, bits: int) -> Steps[Share]:
    """[x < 0] for x in [-2^(bits-1), 2^(bits-1)).

    Cost        8 rounds and 122 bytes in all for 3 parties and 64 bits; over GF(2^61 - 1) always
                that of 61 bits
    Error       exact
    """
    if x.meta.ring.bits == SMALL:
        return (yield from _odd(g, turn, g.p.add(x, x)))
    u, v = yield from two_operands(g, (yield from operands(turn, x, bits, turn.t)))
    top = slice(bits - 1, bits)
    sign = g.p.xor(g.p.planes(u, top), g.p.planes(v, top))
    if bits == 1:
        return sign
    below = slice(0, bits - 1)
    leaves = sum_leaves(g.p, g.p.planes(u, below), g.p.planes(v, below))
    result: Share = g.p.xor(sign, (yield from root(g, leaves)))
    return result


def _odd(g: Gates, turn: Turn, x: Share) -> Steps[Share]:
    """Whether the residue in [0, p) is odd, over GF(2^61 - 1)."""
    u, v = yield from two_operands(g, (yield from operands(turn, x, SMALL, 0)), around=True)
    one = g.p.embed(Public(u.meta, ones(u.meta.size)[None]))
    carry = yield from root(g, Nodes(g.p.stack_planes(one, v), g.p.xor(u, v)))
    lowest = g.p.planes(g.p.xor(u, v), slice(0, 1))
    result: Share = g.p.xor(lowest, carry)
    return result


def msb_cost(n: int, meta: Meta, bits: int, first: int) -> Cost:
    """Operands, their reduction, and the tree."""
    bits, leaves = (SMALL, SMALL + 1) if meta.ring.bits == SMALL else (bits, bits)
    cost = operands_cost(n, meta, bits, first) >> two_operands_cost(n, meta, bits, first)
    for level in root_levels(leaves):
        cost >>= gate_cost(n, meta, sum(level), first)
    return cost


def is_zero(g: Gates, turn: Turn, x: Share, bits: int) -> Steps[Share]:
    """[x = 0 mod 2^bits], over GF(2^61 - 1) [x = 0]: u + v = -1 exactly if u ^ v is all ones.

    Cost        8 rounds for 3 parties and 64 bits, one AND per bit
    Error       exact
    """
    small = x.meta.ring.bits == SMALL
    width, plus = (SMALL, 0) if small else (bits, turn.t - 1)
    sums = yield from operands(turn, x, width, plus)
    u, v = yield from two_operands(g, sums, around=small)
    return (yield from every(g, g.p.xor(u, v)))


def is_zero_cost(n: int, meta: Meta, bits: int, first: int) -> Cost:
    """Operands, their reduction, and a tree of ANDs."""
    bits = SMALL if meta.ring.bits == SMALL else bits
    cost = operands_cost(n, meta, bits, first) >> two_operands_cost(n, meta, bits, first)
    for ands in every_levels(bits):
        cost >>= gate_cost(n, meta, ands, first)
    return cost


def decompose(g: Gates, turn: Turn, x: Share, bits: int) -> Steps[Share]:
    """The low `bits` bits of x, as two's complement, by a parallel prefix.

    Cost        8 rounds and 273 bytes in all for 3 parties and 64 bits
    Raises      ShareError: over GF(2^61 - 1)
    """
    if x.meta.ring.bits == SMALL:
        raise ShareError(
            f"bits of numbers are not to be had over {x.meta.ring.name}; share the data with "
            "ring=127"
        )
    u, v = yield from two_operands(g, (yield from operands(turn, x, bits, turn.t)))
    return (yield from add(g, u, v))


def decompose_cost(n: int, meta: Meta, bits: int, first: int) -> Cost:
    """Operands, their reduction, and an adder."""
    cost = operands_cost(n, meta, bits, first) >> two_operands_cost(n, meta, bits, first)
    if bits > 1:
        for level in prefix_levels(bits):
            cost >>= gate_cost(n, meta, sum(level), first)
    return cost
