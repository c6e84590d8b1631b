"""What a party computed and could not see to be right: products and ANDs that await their check."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from mpyc_core.transport.mesh import Array

Parts = tuple[Array, Array]


@dataclass(frozen=True)
class Claim:
    """ANDs that one party, the prover, vouches for, as one of the three parties sees them.

    For each bit, the XOR of one or two products u_t & v_t is the XOR of two parts. The prover's
    next party knows every u_t and one part, its previous party every v_t and the other part, and
    the prover knows all factors.

    Parameters
    ----------
    u, v : words of the factors, as many of each; empty where this party does not know them.
    part : what this party knows besides; the prover needs none.
    """

    u: tuple[Array, ...]
    v: tuple[Array, ...]
    part: Array | None = None

    @property
    def terms(self) -> int:
        """Products for each bit."""
        return len(self.u or self.v)

    @property
    def words(self) -> int:
        """Words of bits that are claimed."""
        return (self.u or self.v)[0].size

    def arrays(self) -> Iterator[Array]:
        """All that is held of it."""
        yield from (*self.u, *self.v)
        if self.part is not None:
            yield self.part


@dataclass
class Ledger:
    """Everything that the next check covers, in program order.

    Parameters
    ----------
    products : components of values and of their MACs, flat, by bits of the ring of the shares.
    claims : ANDs, by who proves them: this party, the previous one, the next one.
    held : bytes of all arrays.
    """

    products: dict[int, list[tuple[Parts, Parts]]] = field(default_factory=dict)
    claims: tuple[list[Claim], list[Claim], list[Claim]] = field(
        default_factory=lambda: ([], [], [])
    )
    held: int = 0

    def product(self, bits: int, value: Parts, mac: Parts) -> None:
        """Note a value that a product made, with its MAC."""
        self.products.setdefault(bits, []).append((value, mac))
        self.held += sum(part.nbytes for part in (*value, *mac))

    def claim(self, prover: int, claim: Claim) -> None:
        """Note ANDs of this party (0), of the previous one (1) or of the next one (2)."""
        if claim.words:
            self.claims[prover].append(claim)
            self.held += sum(array.nbytes for array in claim.arrays())

    @property
    def terms(self) -> int:
        """The most words of products u & v that one party has to prove."""
        return max(sum(c.terms * c.words for c in claims) for claims in self.claims)

    @property
    def pending(self) -> bool:
        """Whether there is anything to verify."""
        return bool(self.products or any(self.claims))

    def take(self) -> Ledger:
        """All entries; the ledger is empty afterwards."""
        taken = Ledger(self.products, self.claims, self.held)
        self.products, self.claims, self.held = {}, ([], [], []), 0
        return taken


def flat(parts: list[Array]) -> Array:
    """Words of several claims one after the other."""
    return np.concatenate([part.reshape(-1) for part in parts]) if parts else np.empty(0, np.uint64)
