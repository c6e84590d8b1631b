"""Additive sharing for any number of parties: n-out-of-n over Z/2^k, semi-honest, with a dealer.

A secret is x = x_0 + ... + x_{n-1} (mod 2^k), bits are b = b_0 ^ ... ^ b_{n-1}; party i holds x_i.
All n parties are needed to reconstruct. Correlated randomness comes from a crypto provider that
holds no share and sees neither data nor what is opened (`mpyc_core.protocols.dealt`).

    turn.py       masks, correlations and openings of one operation
    sharing.py    input without a message, opening, sharing by a client
    multiply.py   Beaver products and squares
    truncate.py   dropping fraction bits, alone or fused into a product
    compare.py    masked openings and carry trees: sign, zero, all bits
    convert.py    bits to numbers, bit times number, ReLU
    fss.py        sign by function secret sharing, for two parties: protocol `additive-fss`
    protocol.py   the class that puts them together

In every step the parties open a value to which uniform randomness was added that only the dealer
knows whole. What is opened is therefore uniform, and the parts in which it is opened are too: each
is masked by its sender's own part of that randomness, which all others together lack.

References: [Bea91] for products, [EGKRS20] for comparisons, [DEK20] for truncation.
"""

from mpyc_core.protocols.registry import register_protocol

from .fss import AdditiveFSS
from .protocol import Additive

register_protocol(Additive)
register_protocol(AdditiveFSS)

__all__ = ["Additive", "AdditiveFSS"]
