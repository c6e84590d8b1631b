"""Shamir's secret sharing for n >= 3 parties over GF(p), semi-honest, honest majority.

A secret is f(0) for a random polynomial f of degree t < n / 2; party i holds f(i + 1). Any t + 1
parties could reconstruct together, t see uniform numbers. Bits are shared in the same way, over the
smallest GF(2^m) that has n points, in m planes. Numbers live in GF(2^127 - 1), integers that need
no fixed point in GF(2^61 - 1) too.

    scalars.py      arithmetic of one number, interpolation coefficients
    space.py        vectors of numbers and of bits, for which all else is written once
    turn.py         roles and masks of one operation, dealing, degree reduction
    sharing.py      input, opening with correction of wrong shares, sharing by a client
    multiply.py     products: one round
    king.py         masked values that one party learns
    truncate.py     dropping fraction bits
    operands.py     a number as a sum of bit-shared numbers
    compare.py      sign, test for zero, all bits
    convert.py      bits to numbers, bit times number
    protocol.py     the class that puts them together
    packed.py       many secrets in one polynomial
    reconstruct.py  shares on their own: keys, wrong shares

References: [Sha79] sharing, [BGW88] and [GRR98] products, [CDI05] polynomials from streams.
"""

from mpyc_core.protocols.registry import register_protocol

from .protocol import Shamir
from .reconstruct import KeyShare, reconstruct, split, wrong_shares

register_protocol(Shamir)

__all__ = ["KeyShare", "Shamir", "reconstruct", "split", "wrong_shares"]
