"""What a party computed and could not see to be right: products and ANDs that await their check."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from mpyc_core.transport.mesh import Array

Parts = tuple[Array, Array]


@dataclass(frozen=True)
class Gate:
    """ANDs of packed bits at one party; all of one number of words.

    Parameters
    ----------
    x, y : components of the operands.
    claim : what the previous party sent, XOR the mask that this party shares with it.
    mask : the mask that this party shares with the next one.
    """

    x: Parts
    y: Parts
    claim: Array
    mask: Array


@dataclass
class Ledger:
    """Everything that the next check covers, in program order.

    Parameters
    ----------
    products : components of values and of their MACs, flat, by bits of the ring of the shares.
    gates : ANDs.
    """

    products: dict[int, list[tuple[Parts, Parts]]] = field(default_factory=dict)
    gates: list[Gate] = field(default_factory=list)

    def product(self, bits: int, value: Parts, mac: Parts) -> None:
        """Note a value that a product made, with its MAC."""
        self.products.setdefault(bits, []).append((value, mac))

    @property
    def pending(self) -> bool:
        """Whether there is anything to verify."""
        return bool(self.products or self.gates)

    @property
    def held(self) -> int:
        """Bytes that the arrays of the ledger take."""
        arrays: Iterator[Array] = (
            part
            for entries in self.products.values()
            for entry in entries
            for pair in entry
            for part in pair
        )
        gates = sum(6 * gate.mask.nbytes for gate in self.gates)
        return gates + sum(part.nbytes for part in arrays)

    def take(self) -> Ledger:
        """All entries; the ledger is empty afterwards."""
        taken = Ledger(self.products, self.gates)
        self.products, self.gates = {}, []
        return taken


def flat(parts: list[Array]) -> Array:
    """Packed bits of several gates one after the other."""
    return np.concatenate([part.reshape(-1) for part in parts]) if parts else np.empty(0, np.uint64)
