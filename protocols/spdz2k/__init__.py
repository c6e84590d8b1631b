"""SPDZ2k: additive sharing with MACs, for any number of parties of which all but one may cheat.

Numbers of Z/2^k are shared over Z/2^(k+s), s = k, as [x] = (x_i, m_i): the x_i add up to x, the m_i
to alpha * x, and alpha = alpha_0 + ... + alpha_{n-1} is a key that nobody knows. Bits are shared
over XOR, every bit with a MAC over GF(2^128) under a key of its own. Linear functions are applied
to both components; a public constant c enters as (c at party 0, alpha_i * c). Everything else opens
values under dealt masks and goes on with what was opened; a check of all MACs stands before
anything is shown to a user. A crypto provider that works with none of the parties deals masks with
their MACs (`mpyc_core.protocols.dealt`).

    keys.py        shares of the MAC keys
    macs.py        MACs of what is dealt
    kinds.py       what is dealt
    turn.py        one operation: correlations, and the one function that opens values
    transcript.py  what was opened and is to be verified
    commit.py      commit, then open
    check.py       the check of all that was opened
    sharing.py     inputs and outputs of parties
    client.py      inputs and outputs of a client, who holds no share
    multiply.py    products
    claim.py       evidence of opened products of matrices
    truncate.py    dropping fraction bits
    gates.py       ANDs, and circuits of them
    compare.py     numbers to bits: sign, zero, all bits
    convert.py     bits to numbers, bit times number
    protocol.py    the class that puts them together

Bits have a MAC each, 16 bytes, and that is what most of the dealt bytes of a comparison are. A MAC
for a word of bits would do for XORs, but not for an AND with a public word, of which the product
with a triple is made: no linear map takes K * w to K * (c & w) for all c unless it tells the bits
of w apart. Codes with a product of their own [DZ13] need longer openings and more rounds. Where
bits are opened, though, the MACs of 64 of them are added up to that of a word.

References: [CDESX18] for shares, MACs and products over Z/2^(k+s), [DEFKSV19] for comparison,
[FKOS15] for MACs of bits, [EGKRS20] for edaBits and truncation.
"""

from mpyc_core.protocols.registry import register_protocol

from .protocol import Spdz2k

register_protocol(Spdz2k)

__all__ = ["Spdz2k"]
