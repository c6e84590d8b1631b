"""Numbers made of bits that one party knows, and the claims by which it vouches for them.

Party i shares component i with the next party A, component i - 1 with the previous one B, so it
knows whatever A and B could compute together. It deals numbers that depend on bits b = b_A ^ b_B
which A and B know in parts: B and i have one part r from their key, and i sends A the other,

    n_b - r    where n_0, n_1 are numbers that B knows

(for b itself as a number, b_B ^ b_A). From where A stands, B knows two words, one for each value of
the bit that A knows; A received one of them, and bit by bit

    (received)  =  w_0 ^ (A's bit) & (w_0 ^ w_1)

which is a claim about one AND for each bit of the word (`ledger.Claim`).

Security (malicious, 1 of 3): A sees a word that r hides, which it lacks; B sees nothing. A wrong
word makes the number wrong by an error that i knows, and the claim false, whatever secrets are: i
knows all that the claim is about. So the proof fails (`gates.py`), and that it does tells nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mpyc_core.kernels.claims import carries, carry_claim
from mpyc_core.transport.mesh import Array


@dataclass(frozen=True)
class Offer:
    """Two words for every element, of which the prover's bits choose.

    Parameters
    ----------
    base : the word for bit 0.
    flip : what bit 1 changes in it.
    """

    base: Array
    flip: Array

    @classmethod
    def between(cls, zero: Array, one: Array, mask: Array) -> Offer:
        """zero - mask, or one - mask."""
        base = zero - mask
        return cls(base, base ^ (one - mask))

    @classmethod
    def of_bit(cls, bit: Array, mask: Array) -> Offer:
        """bit ^ (the choice), as a number minus mask."""
        return cls.between(bit, bit ^ bit.dtype.type(1), mask)

    def chosen(self, bits: Array) -> Array:
        """The words that the bits choose."""
        return self.base ^ (self.flip & spread(bits))


def spread(bits: Array) -> Array:
    """A word of ones for each 1."""
    return -bits


def short(bits: int) -> np.dtype[np.unsignedinteger]:
    """The shortest words of so many bits."""
    return np.dtype(next(f"u{size}" for size in (1, 2, 4, 8) if 8 * size >= bits))


def packed(x: Array) -> Array:
    """Numbers of any size as 64-bit words, the last one filled with zeros."""
    octets = np.ascontiguousarray(x).reshape(-1).view(np.uint8)
    rest = -octets.size % 8
    whole = np.concatenate([octets, np.zeros(rest, np.uint8)]) if rest else octets
    return whole.view(np.uint64)


@dataclass(frozen=True)
class Carries:
    """What one holder of a part of carries makes of it: its half of the claim about them."""

    first: Array
    second: Array
    part: Array

    @classmethod
    def claimed(cls, x: Array, d: Array) -> Carries:
        """By the holder of summand x and of d, whose XOR with the other's are the carries."""
        first, second, part = (np.empty_like(d) for _ in range(3))
        carry_claim(x, d, first, second, part)
        return cls(first, second, part)

    def bits(self, d: Array, shift: int) -> list[Array]:
        """This holder's part of: the carry out of `shift` bits, that out of all, the sum's top bit.

        The first is a word as d is, the others are the shortest words of `shift` bits.
        """
        one, top, word = d.dtype.type(1), d.dtype.type(8 * d.itemsize - 1), short(shift)
        carry = d >> d.dtype.type(shift - 1) & one
        return [carry, (d >> top).astype(word), (self.first >> top).astype(word)]


def masked_carries(x: Array, y: Array, mask: Array) -> Array:
    """The carries of x + y, XOR mask."""
    out = np.empty_like(mask)
    carries(x, y, mask, out)
    return out
