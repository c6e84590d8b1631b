"""What was opened and is not verified yet: a digest of the values, and evidence for each of them.

Party i holds a share m_i of the MAC of an opened value x, and alpha_i. Its evidence is

    E_i = m_i - alpha_i * x,        sum_i E_i = alpha * (value that is shared) - alpha * x

so all evidence adds up to 0 if what was opened is what was shared. For packed bits the evidence of
a word of 64 is one element of GF(2^128): the sum over its bits j of X^j E_j. It is the evidence of
the word as a field element, and no word of bits but 0 is the element 0: nothing is lost.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np

from mpyc_core.ring import Ring
from mpyc_core.transport.mesh import Array

from .claim import Claim
from .keys import Keys


class Transcript:
    """Grows by every opened value, at every party in the same order.

    Parameters
    ----------
    n : number of parties. The digest is what honest parties agree by; of two parties one is all
        there is to be honest, so nothing is digested: it has opened what it has opened.
    """

    def __init__(self, n: int) -> None:
        self._n = n
        self._digest = hashlib.sha256()
        self.numbers: dict[int, list[Array | Claim]] = {}
        """Evidence of numbers, by bits of the ring of shares."""
        self.bits: list[Array] = []
        """Evidence of bits, field elements of shape (n, 2)."""
        self.held = 0
        """Bytes of evidence."""
        self._pending = False

    @property
    def pending(self) -> bool:
        """Whether there is anything to verify."""
        return self._pending

    def public(self, value: Array) -> None:
        """Note what a party told all others: they must have heard the same."""
        self._pending = True
        if self._n == 2:
            return
        self._digest.update(f"{value.dtype.itemsize} {value.shape}\0".encode())
        self._digest.update(np.ascontiguousarray(value).reshape(-1).view(np.uint8).data)

    def number(
        self,
        wide: Ring,
        value: Array,
        mac: Array,
        keys: Keys,
        claim: Callable[[Array], Claim] | None = None,
    ) -> None:
        """Note an opened number with this party's share of its MAC, or what that is made of."""
        from mpyc_core.kernels.verified import evidence

        self.public(value)
        found = evidence(wide, mac, value, keys.alpha(wide))
        self._keep_number(wide, found if claim is None else claim(found))

    def planes(self, value: Array, macs: Array, keys: Keys) -> None:
        """Note opened bits with this party's shares of their MACs."""
        from mpyc_core.kernels.tags import fold

        self.public(value)
        evidence = np.empty((*value.shape, 2), np.uint64)
        fold(np.ascontiguousarray(value), np.ascontiguousarray(macs), keys.bits, evidence)
        self._keep_bits(evidence)

    def zero_number(self, wide: Ring, mac: Array) -> None:
        """Note that a number must be 0; it need not be opened for that."""
        self._pending = True
        self._keep_number(wide, mac)

    def zero_field(self, mac: Array) -> None:
        """The same of elements of GF(2^128), shape (n, 2)."""
        self._pending = True
        self._keep_bits(mac)

    def _keep_number(self, wide: Ring, evidence: Array | Claim) -> None:
        self.numbers.setdefault(wide.bits, []).append(evidence)
        self.held += evidence.nbytes

    def _keep_bits(self, evidence: Array) -> None:
        self.bits.append(evidence.reshape(-1, 2))
        self.held += evidence.nbytes

    def digest(self) -> bytes:
        """SHA-256 of all opened values in order; of nothing between two parties."""
        return self._digest.digest()
