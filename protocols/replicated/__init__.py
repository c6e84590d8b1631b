"""Replicated sharing for three parties: 2-out-of-3 over Z/2^k, semi-honest, honest majority.

A secret is x = s01 + s12 + s02 (mod 2^k); component s_ij is known to parties i and j. Any two
parties could reconstruct together, one alone sees two uniform numbers. In every operation one party
plays role 0, its right neighbour role 1, the next role 2; roles rotate with the operation's number,
so that work and bytes even out.

    turn.py       roles, neighbours and masks of one operation
    sharing.py    input, opening, sharing by a client
    multiply.py   products: one round, one element sent per element of the result
    truncate.py   multiply and drop fraction bits, free of wrap-around
    carry.py      the sign bit by a carry tree
    adder.py      all bits of a number, and the test for zero
    convert.py    bits to numbers, bit times number
    protocol.py   the class that puts them together

References: [AFLNO16] for sharing and products, [MR18] for the use of the two known components.
"""

from mpyc_core.protocols.registry import register_protocol

from .protocol import Replicated

register_protocol(Replicated)

__all__ = ["Replicated"]
