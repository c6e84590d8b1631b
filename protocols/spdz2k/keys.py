"""The shares of the MAC keys that one party holds."""

from __future__ import annotations

import numpy as np

from mpyc_core.bits import pack
from mpyc_core.protocols.dealt.source import Source
from mpyc_core.ring import Ring
from mpyc_core.transport.mesh import Array

TAG_BITS = 128
"""Bits of the MAC of a bit: one element of GF(2^128)."""


def number_key(source: Source, wide: Ring) -> Array:
    """The share of alpha that a party and the dealer know: s = k bits, over Z/2^(k+s)."""
    size = wide.bits // 2
    secret = source.secret(f"MAC key of numbers, {size} bits", size // 8)
    return wide.reduce(int.from_bytes(secret, "little"))


def bit_key(source: Source) -> Array:
    """The share of the key of bits, sliced: a word of ones or zeros for every coefficient."""
    secret = np.frombuffer(source.secret("MAC key of bits", TAG_BITS // 8), np.uint8)
    bits = np.unpackbits(secret, bitorder="little").astype(np.uint64)
    return np.uint64(0) - bits


class Keys:
    """A party's shares of the MAC keys: alpha over each ring of shares, and that of bits.

    Nobody knows a key: alpha = sum_i alpha_i, and the dealer alone has seen all of them.
    """

    def __init__(self, source: Source, rings: list[Ring]) -> None:
        self._alpha = {wide.bits: number_key(source, wide) for wide in rings}
        self.bits = bit_key(source)
        self.field = pack(self.bits)

    def alpha(self, wide: Ring) -> Array:
        """The share of the key of numbers over a ring of shares."""
        return self._alpha[wide.bits]

    def __repr__(self) -> str:
        return "Keys()"
