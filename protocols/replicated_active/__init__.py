"""Replicated sharing for three parties with every step verified: malicious with abort.

A secret is x = x_0 + x_1 + x_2; component c is known to parties c and c + 1. Numbers of Z/2^k are
shared over Z/2^2k with MACs alpha * x, where nobody knows alpha; bits are shared over XOR.
Multiplications and ANDs run as in semi-honest sharing, where one corrupted party can do no more
than add errors that it knows to results that it does not know. All of it is noted in a ledger and
verified before anything is opened, together: products by their MACs, ANDs by proofs that each party
gives the two others. A value that one party alone deals, as for truncations, is a claim about what
the two others know in parts, and is proven likewise; only inputs of owners are not.

    place.py      neighbours, masks and ledger of one operation
    ledger.py     what awaits its check
    sharing.py    input, opening, sharing by a client
    multiply.py   products and ANDs
    bits.py       numbers to bits: sign, all bits, test for zero
    convert.py    bits to numbers, bit times number
    dealt.py      numbers of bits that one party knows
    truncate.py   dropping fraction bits
    coins.py      public coins by commitment
    macs.py       the check of products
    gates.py      the proof of ANDs
    checks.py     both, before anything is opened
    protocol.py   the class that puts them together

Against the alternatives: a sacrificed triple a multiplication needs one for every product inside a
dot product; a proof of sub-linear length over Z/2^k [BGIN19] would save the MACs' traffic, but it
works in an extension of degree 47 or more, some thousand multiplications for each one verified.
Products here send four times what semi-honest ones do, once an element of the result.

References: [AFLNO16] for sharing and products, [CGHIKLN18] and [ADEN19] for the MACs, [BGIN19] and
[GS20] for the proofs of ANDs.
"""

from mpyc_core.protocols.registry import register_protocol

from .protocol import ReplicatedActive

register_protocol(ReplicatedActive)

__all__ = ["ReplicatedActive"]
